//! Runs: the history, and one run with its progress and what it says.

use super::{
    AskedQuery, asked, phrases,
    problem::{Answer, Trouble, sentences},
    see,
    shell::{Place, Shell, press},
    shown, words,
};
use crate::{
    admin::{Admin, auth::gate::Visitor},
    model::{
        account::Role,
        job::{Task, Work},
        name::RunId,
        run::{LogLevel, Progress, Run, RunState},
    },
    store::RunFilter,
};
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

/// Runs on one page.
const PAGE: usize = 50;
/// Log lines shown; the newest.
const LINES: usize = 500;

fn find(admin: &Admin, id: &str) -> Answer<Run> {
    let missing = || Trouble::missing("run", &id);
    let number: RunId = id.parse().map_err(|_| missing())?;
    admin.store.runs.get(number)?.ok_or_else(missing)
}

/// All runs, newest first.
pub async fn list(State(admin): State<Admin>, visitor: Visitor, query: AskedQuery) -> Answer {
    let asked = asked(query);
    let filter = RunFilter { before: asked.before.map(RunId), limit: PAGE, ..RunFilter::default() };
    let runs = admin.store.runs.list(&filter)?;
    let content = html! {
        p class="trail" { a href="/jobs" { "Jobs" } " / all runs" }
        h1 { "Runs" }
        div id="runs" data-live {
            section class="card" {
                @if runs.is_empty() { p class="calm" { "Nothing has run yet." } } @else { (table(&admin, &runs, admin.clock.now(), true)) }
            }
        }
        @if let Some(last) = runs.last().filter(|_| runs.len() == PAGE) { p { a href={"/runs?before=" (last.id)} { "Older runs" } } }
    };
    let shell = Shell { admin: &admin, visitor: &visitor, place: Place::Jobs, title: "Runs", did: None };
    Ok(shown(shell.wrap(content)))
}

/// Runs as a table; `with_job` where they are of several.
pub fn table(admin: &Admin, runs: &[Run], now: DateTime<Utc>, with_job: bool) -> Markup {
    html! {
        div class="scroll" {
            table class="cards" {
                thead { tr { th { "Run" } @if with_job { th { "Job" } } th { "Outcome" } th { "When" } th { "Took" } th { "Started by" } th { "What it says" } } }
                tbody { @for run in runs { (row(admin, run, now, with_job)) } }
            }
        }
    }
}

fn row(admin: &Admin, run: &Run, now: DateTime<Utc>, with_job: bool) -> Markup {
    html! {
        tr {
            td class="lead" { a href={"/runs/" (run.id)} { (run.id) } }
            @if with_job { td data-label="Job" { (run.job) } }
            td data-label="Outcome" { (phrases::pill(run.state)) @if run.dry_run { " " span class="small" { "dry run" } } }
            td class="line" data-label="When" { (words::moment(now, run.started.unwrap_or(run.queued), admin.zone)) }
            td class="line" data-label="Took" { (took(run, now).unwrap_or_default()) }
            td class="wide" data-label="Started by" { (phrases::trigger(&run.trigger)) }
            td class="text" data-label="What it says" { (run.message.as_deref().unwrap_or("")) }
        }
    }
}

fn took(run: &Run, now: DateTime<Utc>) -> Option<String> {
    let started = run.started?;
    let end = run.ended.or_else(|| (run.state == RunState::Started).then_some(now))?;
    Some(words::took(end - started))
}

/// One run.
pub async fn show(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path(id): Path<String>,
    query: AskedQuery,
) -> Answer {
    let asked = asked(query);
    let run = find(&admin, &id)?;
    let is_job = admin.store.jobs.get(&run.job)?.is_some();
    let title = format!("Run {}", run.id);
    let content = html! {
        p class="trail" {
            a href="/jobs" { "Jobs" } " / "
            @if is_job { a href={"/jobs/" (run.job)} { (run.job) } } @else { (run.job) }
            " / run " (run.id)
        }
        div id="run" data-live data-run=[(!run.state.is_settled()).then_some(run.id)] {
            (head(&admin, &visitor, &run))
            (facts(&admin, &run))
            (log(&admin, &run)?)
        }
    };
    let shell = Shell {
        admin: &admin,
        visitor: &visitor,
        place: Place::Jobs,
        title: &title,
        did: asked.did.as_deref(),
    };
    Ok(shown(shell.wrap(content)))
}

fn head(admin: &Admin, visitor: &Visitor, run: &Run) -> Markup {
    let (class, mark, word) = phrases::state(run.state);
    let is_running = run.state == RunState::Started;
    html! {
        div class="heading" {
            div class={"headline " (class) (if is_running { " turning" } else { "" })} {
                (super::icon::icon(mark))
                div { h1 { (word) @if run.dry_run { " (dry run)" } } p { "Run " (run.id) " of " (run.job) } }
            }
            @if !run.state.is_settled() {
                (press(visitor, Role::Operator, &format!("/runs/{}/cancel", run.id), "danger", html! { "Cancel" }))
            }
        }
        @if is_running { (progress(run, admin.ports.runs.progress(run.id).unwrap_or_else(|| run.progress.clone()))) }
        @if let Some(message) = &run.message {
            section class="card" {
                @for line in message.lines() { @for sentence in sentences(line) { p { (sentence) } } }
                @if let Some(words) = run.cause.and_then(phrases::cause) { p class="calm" { (words) } }
            }
        }
    }
}

/// Bytes where the work moves data, steps where it does not.
fn progress(run: &Run, at: Progress) -> Markup {
    let moves_data = matches!(
        run.work,
        Work::Plugin { .. } | Work::Task { task: Task::Restore { .. } | Task::Verify { .. } }
    );
    let amount =
        |number: u64| if moves_data && at.total > 4096 { words::size(number) } else { number.to_string() };
    html! {
        section class="card" {
            @if at.total > 0 {
                progress max="100" value=(words::percent(at.done, at.total)) aria-label="Progress" {}
                p { (words::percent(at.done, at.total)) " % · " (amount(at.done)) " of " (amount(at.total)) }
            } @else {
                progress aria-label="Under way" {}
                @if at.done > 0 { p { (amount(at.done)) } }
            }
            @if !at.note.is_empty() { p class="calm" { (at.note) } }
        }
    }
}

fn facts(admin: &Admin, run: &Run) -> Markup {
    let now = admin.clock.now();
    html! {
        section class="card" {
            dl class="facts" {
                dt { "What" } dd { (phrases::work(&run.work)) }
                dt { "Started by" } dd { (phrases::trigger(&run.trigger)) }
                dt { "Asked for" } dd { (words::full(run.queued, admin.zone)) }
                @if let Some(at) = run.started { dt { "Began" } dd { (words::full(at, admin.zone)) } }
                @if let Some(at) = run.ended { dt { "Ended" } dd { (words::full(at, admin.zone)) } }
                @if let Some(took) = took(run, now) { dt { "Took" } dd { (took) } }
            }
        }
    }
}

fn log(admin: &Admin, run: &Run) -> Answer<Markup> {
    let mut lines = admin.store.runs.logs().read(run.id, 0, usize::MAX)?;
    let left_out = lines.len().saturating_sub(LINES);
    lines.drain(..left_out);
    Ok(html! {
        section class="card" {
            h2 { "Log" }
            @if lines.is_empty() { p class="calm" { "It has said nothing." } }
            @if left_out > 0 { p class="small" { (left_out) " older lines are left out here; the command line shows all: " code { "holdfast runs " (run.id) " --log" } } }
            ol class="log" {
                @for numbered in &lines {
                    @let line = &numbered.line;
                    li class=(level(line.level)) {
                        time datetime=(line.at.to_rfc3339()) { (line.at.with_timezone(&admin.zone).format("%H:%M:%S")) }
                        span { @if line.level >= LogLevel::Warn { strong { (level(line.level)) ": " } } (line.text) }
                    }
                }
            }
        }
    })
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

/// Tells a run to stop.
pub async fn cancel(State(admin): State<Admin>, visitor: Visitor, Path(id): Path<String>) -> Answer {
    let run = find(&admin, &id)?;
    admin.ports.runs.cancel(run.id, &visitor.caller.who).await?;
    Ok(see(&format!("/runs/{}", run.id), "cancelling"))
}
