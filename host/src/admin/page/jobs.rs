//! Jobs: all of them, and one with its schedule in words, its next times and its history.

use super::{
    AskedQuery, asked, phrases,
    problem::{Answer, Trouble},
    runs, see, settings,
    shell::{Place, Shell, press},
    shown, words,
};
use crate::{
    admin::{Admin, auth::gate::Visitor},
    model::{
        account::Role,
        job::{Job, Trigger, Work},
        name::JobName,
        run::Run,
    },
    store::RunFilter,
};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

/// Runs shown on a job's page.
const HISTORY: usize = 25;
/// Next times shown.
pub const NEXT: usize = 5;

/// The job of that name.
pub fn find(admin: &Admin, name: &str) -> Answer<Job> {
    let missing = || Trouble::missing("job", &name);
    let name = JobName::new(name).map_err(|_| missing())?;
    admin.store.jobs.get(&name)?.ok_or_else(missing)
}

/// All jobs.
pub async fn list(State(admin): State<Admin>, visitor: Visitor, query: AskedQuery) -> Answer {
    let asked = asked(query);
    let now = admin.clock.now();
    let mut rows = Vec::new();
    for job in admin.store.jobs.list()? {
        let newest = admin.store.runs.newest_of(&job.name)?;
        rows.push((job, newest));
    }
    let content = html! {
        div class="heading" {
            h1 { "Jobs" }
            div class="actions" {
                a class="button quiet" href="/runs" { "All runs" }
                @if visitor.may(Role::Owner) { a class="button" href="/jobs/new" { "Add a job" } }
            }
        }
        div id="jobs" data-live {
            @if rows.is_empty() { p class="calm" { "There is no job yet. A job says what runs, with which settings, and when." } }
            @else { section class="card" { div class="scroll" { table class="cards" {
                thead { tr { th { "Job" } th { "What" } th { "When" } th { "Next run" } th { "Last run" } } }
                tbody { @for (job, newest) in &rows { (row(&admin, job, newest.as_ref(), now)) } }
            } } } }
        }
    };
    let shell = Shell {
        admin: &admin,
        visitor: &visitor,
        place: Place::Jobs,
        title: "Jobs",
        did: asked.did.as_deref(),
    };
    Ok(shown(shell.wrap(content)))
}

fn row(admin: &Admin, job: &Job, newest: Option<&Run>, now: DateTime<Utc>) -> Markup {
    html! {
        tr {
            td class="lead" { a href={"/jobs/" (job.name)} { (job.name) } }
            td data-label="What" { (phrases::work(&job.work)) }
            td data-label="When" { (phrases::schedules(job)) }
            td data-label="Next run" {
                @if !job.enabled { "switched off" }
                @else if let Some(at) = admin.ports.definitions.next_run(job) { (words::age(now, at)) }
                @else { "–" }
            }
            td data-label="Last run" {
                @match newest {
                    Some(run) => { a href={"/runs/" (run.id)} { (phrases::pill(run.state)) } " " span class="small" { (words::age(now, run.queued)) } },
                    None => "never",
                }
            }
        }
    }
}

/// One job.
pub async fn show(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path(name): Path<String>,
    query: AskedQuery,
) -> Answer {
    let asked = asked(query);
    let job = find(&admin, &name)?;
    let now = admin.clock.now();
    let filter = RunFilter { job: Some(job.name.clone()), limit: HISTORY, ..RunFilter::default() };
    let history = admin.store.runs.list(&filter)?;
    let content = html! {
        p class="trail" { a href="/jobs" { "Jobs" } " / " (job.name) }
        div id="job" data-live {
            div class="heading" { h1 { (job.name) } (orders(&visitor, &job, &history)) }
            div class="columns" {
                section class="card" { h2 { "What it does" } (facts(&admin, &job)?) }
                section class="card" { h2 { "When" } (times(&admin, &job, now)) }
            }
            section class="card" {
                h2 { "History" }
                @if history.is_empty() { p class="calm" { "It has not run yet." } } @else { (runs::table(&admin, &history, now, false)) }
            }
        }
        @if visitor.may(Role::Owner) {
            p { a class="button quiet" href={"/jobs/" (job.name) "/edit"} { "Change the job" } }
            details {
                summary { "Remove this job" }
                p { "It runs no more. Its history and every recovery point it made stay." }
                (press(&visitor, Role::Owner, &format!("/jobs/{}/remove", job.name), "danger", html! { "Remove " (job.name) }))
            }
        }
    };
    let shell = Shell {
        admin: &admin,
        visitor: &visitor,
        place: Place::Jobs,
        title: job.name.as_str(),
        did: asked.did.as_deref(),
    };
    Ok(shown(shell.wrap(content)))
}

fn orders(visitor: &Visitor, job: &Job, history: &[Run]) -> Markup {
    let at = format!("/jobs/{}", job.name);
    let running = history.iter().find(|run| !run.state.is_settled());
    html! {
        div class="actions" {
            @if let Some(run) = running {
                (press(visitor, Role::Operator, &format!("/runs/{}/cancel", run.id), "danger", html! { "Cancel the run" }))
            } @else {
                (press(visitor, Role::Operator, &format!("{at}/run"), "", html! { "Run now" }))
                (press(visitor, Role::Operator, &format!("{at}/dry-run"), "quiet", html! { "Dry run" }))
            }
            @if job.enabled {
                (press(visitor, Role::Owner, &format!("{at}/disable"), "quiet", html! { "Switch off" }))
            } @else {
                (press(visitor, Role::Owner, &format!("{at}/enable"), "quiet", html! { "Switch on" }))
            }
        }
    }
}

fn facts(admin: &Admin, job: &Job) -> Answer<Markup> {
    let limit = chrono::Duration::seconds(i64::try_from(job.timeout_seconds).unwrap_or(i64::MAX / 1000));
    let settings = match &job.work {
        Work::Plugin { plugin, settings, .. } => {
            let schema = admin.store.plugins.get(plugin)?.map(|found| found.manifest.settings);
            let values = settings.as_object().cloned().unwrap_or_default();
            settings::in_words(&schema.unwrap_or_default(), &values)
        }
        Work::Task { .. } => vec![],
    };
    Ok(html! {
        dl class="facts" {
            dt { "Runs" } dd { (phrases::work(&job.work)) }
            @for (title, value) in &settings { dt { (title) } dd { (value) } }
            dt { "If it is still running" } dd { (phrases::overlap(job.overlap)) }
            dt { "After an interruption" } dd { @if job.rerun_interrupted { "run again at once" } @else { "wait for the next time" } }
            dt { "Longest run" } dd { (words::took(limit)) }
        }
    })
}

fn times(admin: &Admin, job: &Job, now: DateTime<Utc>) -> Markup {
    html! {
        p { (phrases::schedules(job)) @if !job.enabled { strong { " (switched off)" } } }
        @for schedule in &job.schedules {
            @match admin.ports.definitions.preview(schedule, now, NEXT) {
                Ok(times) => {
                    p class="label" { "The next " (times.len()) " times" }
                    ul class="plain" { @for at in times { li { (words::moment(now, at, admin.zone)) " " span class="small" { (words::age(now, at)) } } } }
                },
                Err(error) => p { (error) },
            }
            p class="small" { code { (schedule.cron) } " in " (schedule.zone) ". If the appliance was off: " (phrases::missed(schedule.missed)) "." }
        }
    }
}

async fn request(admin: &Admin, visitor: Visitor, name: &str, dry_run: bool) -> Answer {
    let job = find(admin, name)?;
    let trigger = Trigger::Person { who: visitor.caller.who };
    let run = admin.ports.runs.request(&job.name, trigger, dry_run).await?;
    Ok(Redirect::to(&format!("/runs/{run}")).into_response())
}

/// Runs a job now.
pub async fn run(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    request(&admin, visitor, &name, false).await
}

/// Runs a job now, to say what it would do.
pub async fn dry_run(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    request(&admin, visitor, &name, true).await
}

async fn switch(admin: &Admin, visitor: &Visitor, name: &str, enabled: bool) -> Answer {
    let job = Job { enabled, ..find(admin, name)? };
    let address = format!("/jobs/{}", job.name);
    admin.ports.definitions.save_job(job, true, &visitor.caller.who).await?;
    Ok(see(&address, if enabled { "enabled" } else { "disabled" }))
}

/// Lets a job run by its schedule.
pub async fn enable(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    switch(&admin, &visitor, &name, true).await
}

/// Lets a job run only when somebody starts it.
pub async fn disable(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    switch(&admin, &visitor, &name, false).await
}

/// Removes a job.
pub async fn remove(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let job = find(&admin, &name)?;
    admin.ports.definitions.remove_job(&job.name, &visitor.caller.who).await?;
    Ok(see("/jobs", "removed"))
}
