//! `holdfast job`: what runs, and when.

use super::{
    context::Context,
    failure::Failure,
    follow,
    job_definition::{self, Definition},
    show::{Column, Table},
    verify,
};
use crate::{
    admin::api::{
        jobs::{JobStatus, NextRun, RunOrder},
        runs::RunQueued,
    },
    model::{
        job::{Job, Task, Work},
        name::JobName,
    },
};
use hyper::Method;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// All jobs and when they run next
    List,
    /// One job with its settings and schedules
    Show {
        /// The job
        name: JobName,
    },
    /// Add a job
    Add {
        /// What to call it
        name: JobName,
        #[command(flatten)]
        definition: Box<Definition>,
    },
    /// Run a job now, on the same path as its schedule would
    Run {
        /// The job
        name: JobName,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Return as soon as the run is queued
        #[arg(long)]
        no_wait: bool,
        /// Print the run's log as it comes
        #[arg(long, conflicts_with = "no_wait")]
        log: bool,
    },
    /// When a job runs next by itself
    Next {
        /// The job
        name: JobName,
    },
    /// Let a job run by itself again
    Enable {
        /// The job
        name: JobName,
    },
    /// Keep a job from running by itself; it can still be run by hand
    Disable {
        /// The job
        name: JobName,
    },
    /// Forget a job; its history stays
    Remove {
        /// The job
        name: JobName,
    },
}

pub(super) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List => {
            let jobs: Vec<JobStatus> = client.get("/jobs").await?;
            context.print(&jobs, |jobs| table(context, jobs))
        }
        Command::Show { name } => {
            let job: JobStatus = client.get(&format!("/jobs/{name}")).await?;
            context.print(&job, |job| details(context, job))
        }
        Command::Add { name, definition } => {
            let job = job_definition::job(&client, name, *definition).await?;
            let saved: JobStatus = client.post("/jobs", &job).await?;
            context.print(&saved, |saved| {
                let next = saved.next_run.map(|at| context.view.with_age(at));
                let when = next.map_or("only when it is asked to".to_owned(), |at| format!("next {at}"));
                format!("The job {} is there; it runs {when}.\n", saved.job.name)
            })
        }
        Command::Run { name, dry_run, no_wait, log } => {
            let queued: RunQueued = client.post(&format!("/jobs/{name}/run"), &RunOrder { dry_run }).await?;
            if no_wait || !log {
                return verify::wait_unless(no_wait, &client, context, queued).await;
            }
            let run = follow::to_the_end(&client, context, queued.run, true).await?;
            follow::report(context, &[run])
        }
        Command::Next { name } => {
            let next: NextRun = client.get(&format!("/jobs/{name}/next")).await?;
            context.print(&next, |next| match next.at {
                Some(at) => format!("{}\n", context.view.with_age(at)),
                None => format!("{name} does not run by itself.\n"),
            })
        }
        Command::Enable { name } => switch(context, &name, true).await,
        Command::Disable { name } => switch(context, &name, false).await,
        Command::Remove { name } => {
            client.act(Method::DELETE, &format!("/jobs/{name}")).await?;
            context.done(&format!("The job {name} is gone. Its history stays."))
        }
    }
}

async fn switch(context: &Context, name: &JobName, enabled: bool) -> Result<(), Failure> {
    let client = context.client()?;
    let path = format!("/jobs/{name}");
    let job = Job { enabled, ..client.get::<JobStatus>(&path).await?.job };
    let saved: JobStatus = client.put(&path, &job).await?;
    context.print(&saved, |saved| match (enabled, saved.next_run) {
        (true, Some(at)) => format!("{name} is on; it runs next {}.\n", context.view.with_age(at)),
        (true, None) => format!("{name} is on; it has no schedule that fires.\n"),
        (false, _) => format!("{name} is off; it runs only when it is asked to.\n"),
    })
}

fn table(context: &Context, jobs: &[JobStatus]) -> String {
    let mut table = Table::new(&[
        Column::Left("JOB"),
        Column::Left("WORK"),
        Column::Left("WHEN"),
        Column::Left("NEXT RUN"),
        Column::Left("NOW"),
    ]);
    for status in jobs {
        let job = &status.job;
        let rules: Vec<String> =
            job.schedules.iter().map(|schedule| format!("{} {}", schedule.cron, schedule.zone)).collect();
        table.row([
            job.name.to_string(),
            work(&job.work),
            if rules.is_empty() { "on request".to_owned() } else { rules.join("; ") },
            status.next_run.map_or("-".to_owned(), |at| context.view.age(at)),
            match (status.active, job.enabled) {
                (true, _) => "running",
                (false, true) => "",
                (false, false) => "off",
            }
            .to_owned(),
        ]);
    }
    table.text("There is no job yet. Add one with `holdfast job add NAME --plugin holdfast.backup --job backup --set vault=VAULT --set servers=SERVER --cron \"0 1 * * *\"`.")
}

/// What a job or run does, in a few words.
pub(super) fn work(work: &Work) -> String {
    match work {
        Work::Plugin { plugin, job, .. } => format!("{plugin} {job}"),
        Work::Task { task } => match task {
            Task::Restore { vault, point, .. } => format!("restore {vault}/{point:.12}"),
            Task::Verify { vault, read_data: true } => format!("verify {vault} with data"),
            Task::Verify { vault, .. } => format!("verify {vault}"),
            Task::Prune { vault, .. } => format!("prune {vault}"),
            Task::ExportState => "export the state".to_owned(),
        },
    }
}

fn details(context: &Context, status: &JobStatus) -> String {
    let job = &status.job;
    let mut text = table(context, std::slice::from_ref(status));
    if let Work::Plugin { settings, .. } = &job.work {
        text.push_str("\nSettings\n");
        for (name, value) in settings.as_object().into_iter().flatten() {
            text.push_str(&format!("  {name} = {value}\n"));
        }
    }
    for schedule in &job.schedules {
        let missed = serde_json::to_value(schedule.missed).unwrap_or_default();
        text.push_str(&format!(
            "\nSchedule {} in {}; missed times: {}; jitter {} s\n",
            schedule.cron,
            schedule.zone,
            missed.as_str().unwrap_or_default(),
            schedule.jitter_seconds
        ));
        for blackout in &schedule.blackouts {
            let days =
                if blackout.days.is_empty() { "every day".to_owned() } else { blackout.days.join(",") };
            text.push_str(&format!("  never from {} to {}, {days}\n", blackout.from, blackout.to));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::time::Viewpoint;

    #[test]
    fn a_job_is_shown_with_all_that_decides_when_it_runs() {
        let mut context = Context::new(Default::default(), false);
        let utc = chrono::FixedOffset::east_opt(0).unwrap();
        context.view = Viewpoint::fixed("2026-03-10T12:00:00Z".parse().unwrap(), utc);
        let status: JobStatus = serde_json::from_value(serde_json::json!({
            "job": {
                "name": "nightly",
                "work": {"type": "plugin", "plugin": "holdfast.backup", "job": "backup",
                         "settings": {"vault": "local", "servers": ["db1", "tag:linux"], "keep_daily": 7}},
                "schedules": [{"cron": "0 1 * * *", "zone": "Europe/Berlin", "jitter_seconds": 300,
                               "blackouts": [{"from": "22:00", "to": "00:30", "days": ["fri"]}]}],
                "enabled": true
            },
            "active": true,
            "next_run": "2026-03-11T00:00:00Z"
        }))
        .unwrap();
        insta::assert_snapshot!(details(&context, &status));
    }
}
