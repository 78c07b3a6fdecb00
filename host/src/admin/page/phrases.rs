//! Records as phrases: what a run does, what started it, how it ended. Pure.

use super::icon::{Icon, icon};
use crate::model::{
    account::Role,
    job::{EventKind, Job, RestoreFormat, Task, Trigger, Work},
    plugin::{Capability, Grant, Publisher, Scope},
    run::{EndCause, RunState},
    schedule::{MissedPolicy, OverlapPolicy, Schedule},
};
use maud::{Markup, html};

use super::words;

/// What a job or run does.
pub fn work(work: &Work) -> String {
    match work {
        Work::Plugin { plugin, job, .. } => format!("{job} by {plugin}"),
        Work::Task { task } => task_in_words(task),
    }
}

fn task_in_words(task: &Task) -> String {
    match task {
        Task::Restore { vault, point, disk, target, format, .. } => {
            let what = disk.as_deref().map_or("all disks".to_owned(), |disk| format!("disk {disk}"));
            let form = match format {
                RestoreFormat::Raw => "raw",
                RestoreFormat::Qcow2 => "qcow2",
            };
            format!("restore {what} of {} from {vault} to {} as {form}", short(point), target.display())
        }
        Task::Verify { vault, read_data: true } => format!("verify every byte in {vault}"),
        Task::Verify { vault, read_data: false } => format!("verify the structure of {vault}"),
        Task::Prune { vault, dry_run: false } => format!("free what {vault} no longer keeps"),
        Task::Prune { vault, dry_run: true } => format!("say what could be freed in {vault}"),
        Task::ExportState => "write the portable copy of the appliance's state".to_owned(),
    }
}

/// The beginning of a long id.
pub fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

/// What started a run.
pub fn trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Schedule { caught_up: false, .. } => "its schedule".to_owned(),
        Trigger::Schedule { caught_up: true, .. } => {
            "its schedule, caught up after the appliance was off".to_owned()
        }
        Trigger::Person { who } => person(who),
        Trigger::Event { event, server } => {
            let of = server.as_ref().map(|server| format!(" ({server})")).unwrap_or_default();
            format!("{}{of}", event_in_words(*event))
        }
        Trigger::Again { of } => format!("run {of} was interrupted"),
    }
}

/// `user:anna` as people say it.
pub fn person(who: &str) -> String {
    match who.split_once(':') {
        Some(("user", name)) => name.to_owned(),
        Some(("token", name)) => format!("the token {name}"),
        _ if who == "console" => "the console".to_owned(),
        _ => who.to_owned(),
    }
}

fn event_in_words(event: EventKind) -> &'static str {
    match event {
        EventKind::ApplianceStarted => "the appliance started",
        EventKind::ServerChanged => "a server changed",
        EventKind::PointCreated => "a recovery point was made",
        EventKind::AlertRaised => "an alert was raised",
    }
}

/// Class, icon and word of a run's state.
pub fn state(state: RunState) -> (&'static str, Icon, &'static str) {
    match state {
        RunState::Queued => ("none", Icon::Late, "Queued"),
        RunState::Started => ("busy", Icon::Busy, "Running"),
        RunState::Succeeded => ("good", Icon::Good, "Succeeded"),
        RunState::Degraded => ("late", Icon::Look, "Partly done"),
        RunState::Failed => ("bad", Icon::Bad, "Failed"),
        RunState::Cancelled => ("none", Icon::None, "Cancelled"),
        RunState::Refused => ("late", Icon::Look, "Not started"),
        RunState::Interrupted => ("late", Icon::Look, "Interrupted"),
    }
}

/// A run's state as a small mark.
pub fn pill(of: RunState) -> Markup {
    let (class, mark, word) = state(of);
    html! { span class={"pill " (class)} { (icon(mark)) (word) } }
}

/// Why a run ended, where the state does not say it.
pub fn cause(cause: EndCause) -> Option<&'static str> {
    match cause {
        EndCause::Reported | EndCause::Cancel => None,
        EndCause::Trap => Some("The plugin broke: a bug in it. Nothing else was disturbed."),
        EndCause::MemoryLimit => Some("The plugin wanted more memory than it may have."),
        EndCause::CpuLimit => Some("The plugin used more CPU time than it may."),
        EndCause::TimeLimit => Some("It took longer than it may."),
        EndCause::OtherLimit => Some("The plugin went over one of its limits."),
        EndCause::Crash => Some("The appliance stopped while it ran."),
        EndCause::NotStarted => Some("It could not be started."),
        EndCause::Overlap => Some("Another run of the job was still under way."),
        EndCause::HostFault => Some("A bug in the appliance."),
    }
}

/// When a job runs by itself.
pub fn schedules(job: &Job) -> String {
    let mut parts: Vec<String> = job.schedules.iter().map(schedule).collect();
    parts.extend(job.events.iter().map(|event| format!("when {}", event_in_words(*event))));
    if parts.is_empty() { "only when somebody starts it".to_owned() } else { parts.join("; ") }
}

fn schedule(schedule: &Schedule) -> String {
    let zone = if schedule.zone == "UTC" { String::new() } else { format!(" ({})", schedule.zone) };
    format!("{}{zone}", words::rule(&schedule.cron))
}

/// What happens when a job overlaps with itself.
pub fn overlap(policy: OverlapPolicy) -> &'static str {
    match policy {
        OverlapPolicy::Skip => "leave that start out",
        OverlapPolicy::Queue => "run once more afterwards",
        OverlapPolicy::Replace => "cancel the present run and start anew",
    }
}

/// What happens with times that passed while the appliance was off.
pub fn missed(policy: MissedPolicy) -> &'static str {
    match policy {
        MissedPolicy::CatchUpOnce => "run once as soon as it is on again",
        MissedPolicy::Skip => "wait for the next time",
    }
}

/// Whether a capability is granted on named servers.
pub fn names_servers(capability: Capability) -> bool {
    matches!(capability, Capability::Servers | Capability::RecoveryPoints | Capability::Retention)
}

/// Whether a capability is granted on named vaults.
pub fn names_vaults(capability: Capability) -> bool {
    matches!(capability, Capability::RecoveryPoints | Capability::Retention | Capability::Vaults)
}

/// On what a grant holds; nothing where the capability does not distinguish.
pub fn reach(grant: &Grant) -> Option<String> {
    let (servers, vaults) = (names_servers(grant.capability), names_vaults(grant.capability));
    if !servers && !vaults {
        return None;
    }
    let mut parts = Vec::new();
    match &grant.servers {
        _ if !servers => {}
        Scope::All => parts.push("all servers".to_owned()),
        Scope::Only(names) if names.is_empty() && grant.tags.is_empty() => {}
        Scope::Only(names) => {
            let tags = grant.tags.iter().map(|tag| format!("servers tagged {tag}"));
            parts.extend(names.iter().map(ToString::to_string).chain(tags));
        }
    }
    match &grant.vaults {
        _ if !vaults => {}
        Scope::All => parts.push("all vaults".to_owned()),
        Scope::Only(names) => parts.extend(names.iter().map(|name| format!("vault {name}"))),
    }
    Some(if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") })
}

/// Who stands behind a plugin.
pub fn publisher(publisher: &Publisher) -> String {
    match publisher {
        Publisher::Bundled => "part of the appliance".to_owned(),
        Publisher::Signed { key } => {
            format!("signed with the key {}…", key.chars().take(16).collect::<String>())
        }
        Publisher::Unsigned => "not signed".to_owned(),
    }
}

/// What a role may do.
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Viewer => "sees everything but secrets",
        Role::Operator => "also runs and cancels jobs, restores, holds, acknowledges",
        Role::Owner => "also changes servers, vaults, jobs, plugins, grants, people",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::{RunId, ServerName};

    #[test]
    fn triggers_name_who_or_what_it_was() {
        assert_eq!(trigger(&Trigger::Person { who: "user:anna".into() }), "anna");
        assert_eq!(trigger(&Trigger::Person { who: "console".into() }), "the console");
        assert_eq!(trigger(&Trigger::Again { of: RunId(7) }), "run 7 was interrupted");
        let server = Some(ServerName::new("db1").unwrap());
        assert_eq!(
            trigger(&Trigger::Event { event: EventKind::ServerChanged, server }),
            "a server changed (db1)"
        );
    }
}
