//! Watching runs until they have ended.

use super::{
    client::Client,
    context::Context,
    failure::Failure,
    show::{Bar, one_line, time::span},
};
use crate::{
    admin::api::runs::NumberedLogLine,
    model::{
        job::{Task, Work},
        name::RunId,
        run::{LogLevel, Run, RunState},
    },
};
use std::time::Duration;

/// How often an unfinished run is looked at.
const AGAIN: Duration = Duration::from_millis(250);

/// Waits until the run has ended, with a bar on a terminal. `log` prints its log lines as they come.
pub(super) async fn to_the_end(
    client: &Client,
    context: &Context,
    id: RunId,
    log: bool,
) -> Result<Run, Failure> {
    let bar = Bar::new(&format!("run {id}"), !context.json);
    let mut after = 0;
    loop {
        let run: Run = client.get(&format!("/runs/{id}")).await?;
        bar.show(&run.progress, moves_bytes(&run.work));
        if log {
            after = print_log(client, context, id, after, |line| bar.line(line)).await?;
        }
        if run.state.is_settled() {
            bar.end();
            return Ok(run);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Hands every log line after number `after` to `print` and returns the number of the last.
pub(super) async fn print_log(
    client: &Client,
    context: &Context,
    id: RunId,
    mut after: u64,
    mut print: impl FnMut(&str),
) -> Result<u64, Failure> {
    loop {
        let lines: Vec<NumberedLogLine> = client.get(&format!("/runs/{id}/log?after={after}")).await?;
        let Some(last) = lines.last().map(|line| line.number) else { return Ok(after) };
        for NumberedLogLine { line, .. } in &lines {
            let level = match line.level {
                LogLevel::Debug => "debug",
                LogLevel::Info => "info ",
                LogLevel::Warn => "warn ",
                LogLevel::Error => "error",
            };
            print(&format!("{} {level} {}", context.view.time(line.at), one_line(&line.text)));
        }
        after = last;
    }
}

/// Says how runs ended, and fails unless all of them did all they should. As JSON a single run is an object, several are
/// an array; as text what went wrong goes to standard error.
pub(super) fn report(context: &Context, runs: &[Run]) -> Result<(), Failure> {
    let good = |run: &&Run| run.state == RunState::Succeeded;
    let text = || runs.iter().filter(good).map(ending).collect();
    match runs {
        [run] => context.print(run, |_| text())?,
        runs => context.print(&runs, |_| text())?,
    }
    let bad: Vec<&Run> = runs.iter().filter(|run| !good(run)).collect();
    if bad.is_empty() {
        return Ok(());
    }
    if !context.json {
        bad.iter().for_each(|run| eprint!("holdfast: {}", ending(run)));
    }
    Err(Failure::Said)
}

/// How a run ended, in one line.
fn ending(run: &Run) -> String {
    let took = run
        .started
        .zip(run.ended)
        .map(|(from, to)| format!(" after {}", span(to - from)))
        .unwrap_or_default();
    let message = run.message.as_deref().map(|text| format!(": {}", one_line(text))).unwrap_or_default();
    format!("Run {} of {} {}{took}{message}\n", run.id, run.job, state(run.state))
}

/// A run's state in words.
pub(super) fn state(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "queued",
        RunState::Started => "running",
        RunState::Succeeded => "succeeded",
        RunState::Degraded => "degraded",
        RunState::Failed => "failed",
        RunState::Cancelled => "cancelled",
        RunState::Refused => "refused",
        RunState::Interrupted => "interrupted",
    }
}

/// Whether a run's progress counts bytes; a plugin counts as it likes.
fn moves_bytes(work: &Work) -> bool {
    match work {
        Work::Plugin { .. } => false,
        Work::Task { task } => !matches!(task, Task::ExportState),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{job::Trigger, name::JobName, run::Progress};

    fn ended(state: RunState, message: &str) -> Run {
        Run {
            id: RunId(7),
            job: JobName::new("nightly").unwrap(),
            work: Work::Task { task: Task::ExportState },
            trigger: Trigger::Person { who: "console".into() },
            dry_run: false,
            state,
            queued: "2026-03-10T12:00:00Z".parse().unwrap(),
            started: "2026-03-10T12:00:01Z".parse().ok(),
            ended: "2026-03-10T12:00:43Z".parse().ok(),
            boot: None,
            message: Some(message.into()),
            cause: None,
            progress: Progress::default(),
        }
    }

    #[test]
    fn an_ending_names_the_run_the_time_and_the_reason() {
        assert_eq!(
            ending(&ended(RunState::Failed, "the vault\nis full")),
            "Run 7 of nightly failed after 42 s: the vault is full\n"
        );
    }

    #[test]
    fn half_a_success_is_not_exit_code_0() {
        let context = Context::new(Default::default(), false);
        assert!(report(&context, &[ended(RunState::Succeeded, "")]).is_ok());
        let some = [ended(RunState::Succeeded, ""), ended(RunState::Degraded, "db2 is missing")];
        assert_eq!(report(&context, &some).unwrap_err().code(), 1);
    }
}
