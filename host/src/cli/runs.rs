//! `holdfast runs`: what was and is being done.

use super::{
    context::{Context, write},
    failure::Failure,
    follow, job,
    show::{Column, Table, one_line, time::span},
};
use crate::{
    admin::api::runs::NumberedLogLine,
    model::{
        job::Trigger,
        name::{JobName, RunId},
        run::{Run, RunState},
    },
};
use hyper::Method;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// One run's number
    id: Option<RunId>,
    /// Print the run's log
    #[arg(long, requires = "id")]
    log: bool,
    /// Watch the run until it has ended; the exit code says how
    #[arg(long, requires = "id")]
    follow: bool,
    /// Only runs of this job
    #[arg(long, conflicts_with = "id")]
    job: Option<JobName>,
    /// Only runs in this state
    #[arg(long, conflicts_with = "id", value_parser = parse_state)]
    state: Option<RunState>,
    /// At most so many, the newest ones
    #[arg(long, conflicts_with = "id", default_value_t = 20)]
    limit: usize,
    /// Only runs before this one
    #[arg(long, conflicts_with = "id")]
    before: Option<RunId>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Ask a run to stop
    Cancel {
        /// Its number
        id: RunId,
    },
}

fn parse_state(text: &str) -> Result<RunState, String> {
    serde_json::from_value(text.into()).map_err(|_| {
        format!("\"{text}\" is no state; there are queued, started, succeeded, degraded, failed, cancelled, refused and interrupted")
    })
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    if let Some(Command::Cancel { id }) = arguments.command {
        client.act(Method::POST, &format!("/runs/{id}/cancel")).await?;
        return context.done(&format!("Run {id} is asked to stop."));
    }
    let Some(id) = arguments.id else {
        let runs: Vec<Run> = client.get(&query(&arguments)).await?;
        return context.print(&runs, |runs| table(context, runs));
    };
    if arguments.follow {
        let run = follow::to_the_end(&client, context, id, arguments.log).await?;
        return follow::report(context, &[run]);
    }
    if !arguments.log {
        let run: Run = client.get(&format!("/runs/{id}")).await?;
        return context.print(&run, |run| details(context, run));
    }
    if context.json {
        let lines: Vec<NumberedLogLine> = client.get(&format!("/runs/{id}/log?limit=5000")).await?;
        return context.print(&lines, |_| String::new());
    }
    let mut text = String::new();
    follow::print_log(&client, context, id, 0, |line| {
        text.push_str(line);
        text.push('\n');
    })
    .await?;
    write(&text)
}

fn query(arguments: &Arguments) -> String {
    let mut query = format!("/runs?limit={}", arguments.limit);
    if let Some(job) = &arguments.job {
        query.push_str(&format!("&job={job}"));
    }
    if let Some(state) = arguments.state {
        let name = serde_json::to_value(state).unwrap_or_default();
        query.push_str(&format!("&state={}", name.as_str().unwrap_or_default()));
    }
    if let Some(before) = arguments.before {
        query.push_str(&format!("&before={before}"));
    }
    query
}

fn table(context: &Context, runs: &[Run]) -> String {
    let mut table = Table::new(&[
        Column::Right("RUN"),
        Column::Left("JOB"),
        Column::Left("STATE"),
        Column::Left("QUEUED"),
        Column::Right("TOOK"),
        Column::Left("BY"),
        Column::Left("MESSAGE"),
    ]);
    for run in runs {
        table.row([
            run.id.to_string(),
            run.job.to_string(),
            follow::state(run.state).to_owned(),
            context.view.with_age(run.queued),
            took(context, run),
            by(&run.trigger),
            message(run),
        ]);
    }
    table.text("There is no such run.")
}

fn took(context: &Context, run: &Run) -> String {
    let end = run.ended.or((run.state == RunState::Started).then(|| context.view.now()));
    run.started.zip(end).map(|(from, to)| span(to - from)).unwrap_or_default()
}

fn by(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Schedule { caught_up: true, .. } => "schedule, caught up".to_owned(),
        Trigger::Schedule { .. } => "schedule".to_owned(),
        Trigger::Person { who } => who.clone(),
        Trigger::Event { event, .. } => {
            serde_json::to_value(event).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
        }
        Trigger::Again { of } => format!("again after run {of}"),
    }
}

/// What it ended with, or how far it is.
fn message(run: &Run) -> String {
    if let Some(message) = &run.message {
        return one_line(message);
    }
    let progress = &run.progress;
    let share = (progress.done.saturating_mul(100)).checked_div(progress.total);
    match (run.state, share) {
        (RunState::Started, Some(percent)) => format!("{percent} % {}", progress.note),
        (RunState::Started, None) => progress.note.clone(),
        _ => String::new(),
    }
}

fn details(context: &Context, run: &Run) -> String {
    let when =
        |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or("-".to_owned(), |at| context.view.with_age(at));
    let rows = [
        ("State", follow::state(run.state).to_owned()),
        ("Message", message(run)),
        ("Work", job::work(&run.work)),
        ("By", by(&run.trigger)),
        ("Queued", when(Some(run.queued))),
        ("Started", when(run.started)),
        ("Ended", when(run.ended)),
        ("Took", took(context, run)),
    ];
    let dry = if run.dry_run { ", dry run" } else { "" };
    let mut text = format!("Run {} of {}{dry}\n", run.id, run.job);
    for (title, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("  {title:<8} {value}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::time::Viewpoint;

    #[test]
    fn the_history_says_what_happened_by_whom_and_why() {
        let mut context = Context::new(Default::default(), false);
        let utc = chrono::FixedOffset::east_opt(0).unwrap();
        context.view = Viewpoint::fixed("2026-03-10T12:00:00Z".parse().unwrap(), utc);
        let runs: Vec<Run> = serde_json::from_str(include_str!("tests/runs.json")).unwrap();
        insta::assert_snapshot!(table(&context, &runs));
        insta::assert_snapshot!(details(&context, &runs[0]));
    }
}
