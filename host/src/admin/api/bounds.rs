//! How long a text and how many of a thing the API accepts. Names have their own rule in `model::name`.

use super::{body::Bounded, problem::FieldError};
use crate::model::{
    job::{Job, Task, Work},
    schedule::Schedule,
    server::{DiskLocation, Server},
    vault::VaultChoices,
};
use std::path::Path;

/// The longest path Linux knows.
pub(super) const PATH: usize = 4096;
/// A sentence or two.
pub(super) const SENTENCE: usize = 500;
const SHORT: usize = 256;
const MANY: usize = 64;

/// Adds to `errors` when `text` is longer than `most` bytes or has control characters in it.
pub(super) fn text(errors: &mut Vec<FieldError>, field: &str, text: &str, most: usize) {
    if text.len() > most {
        push(errors, field, format!("is {} bytes long; the most is {most}", text.len()));
    } else if text.chars().any(char::is_control) {
        push(errors, field, "has control characters in it; leave them out".to_owned());
    }
}

/// Adds to `errors` when there are more than `most`.
pub(super) fn count(errors: &mut Vec<FieldError>, field: &str, count: usize, most: usize) {
    if count > most {
        push(errors, field, format!("has {count} entries; the most is {most}"));
    }
}

/// Adds to `errors` unless it is a path from the root without `..`, so that it means the same wherever it is read.
pub(super) fn absolute(errors: &mut Vec<FieldError>, field: &str, path: &Path) {
    let shown = path.to_string_lossy();
    text(errors, field, &shown, PATH);
    let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
    if !path.is_absolute() || climbs {
        push(
            errors,
            field,
            format!("\"{shown}\" is not usable: give a path that begins with / and has no .. in it"),
        );
    }
}

fn range(errors: &mut Vec<FieldError>, field: &str, value: u64, least: u64, most: u64) {
    if !(least..=most).contains(&value) {
        push(errors, field, format!("is {value}; give {least} to {most}"));
    }
}

fn push(errors: &mut Vec<FieldError>, field: &str, detail: String) {
    errors.push(FieldError { field: field.to_owned(), detail });
}

impl Bounded for Server {
    fn check(&self, errors: &mut Vec<FieldError>) {
        count(errors, "tags", self.tags.len(), MANY);
        count(errors, "disks", self.disks.len(), MANY);
        range(errors, "rpo_minutes", u64::from(self.rpo_minutes), 1, 5 * 366 * 24 * 60);
        if self.disks.is_empty() {
            push(errors, "disks", "is empty; a server has at least one disk".to_owned());
        }
        for (at, disk) in self.disks.iter().enumerate() {
            match &disk.location {
                DiskLocation::File { path, .. } => {
                    absolute(errors, &format!("disks.{at}.location.path"), path);
                }
                DiskLocation::Nbd { uri } => {
                    text(errors, &format!("disks.{at}.location.uri"), uri, PATH);
                }
            }
            if self.disks.iter().take(at).any(|earlier| earlier.name == disk.name) {
                push(errors, &format!("disks.{at}.name"), format!("\"{}\" is there twice", disk.name));
            }
        }
    }
}

impl Bounded for Schedule {
    fn check(&self, errors: &mut Vec<FieldError>) {
        text(errors, "cron", &self.cron, SHORT);
        text(errors, "zone", &self.zone, SHORT);
        range(errors, "jitter_seconds", u64::from(self.jitter_seconds), 0, 24 * 3600);
        count(errors, "blackouts", self.blackouts.len(), MANY);
        for (at, blackout) in self.blackouts.iter().enumerate() {
            text(errors, &format!("blackouts.{at}.from"), &blackout.from, SHORT);
            text(errors, &format!("blackouts.{at}.to"), &blackout.to, SHORT);
            count(errors, &format!("blackouts.{at}.days"), blackout.days.len(), 7);
        }
    }
}

impl Bounded for Job {
    fn check(&self, errors: &mut Vec<FieldError>) {
        match &self.work {
            Work::Plugin { job, settings, .. } => {
                text(errors, "work.job", job, SHORT);
                if !settings.is_object() && !settings.is_null() {
                    push(errors, "work.settings", "is not an object of settings by name".to_owned());
                }
            }
            Work::Task { task: Task::Restore { target, point, .. } } => {
                text(errors, "work.task.point", point, SHORT);
                absolute(errors, "work.task.target", target);
            }
            Work::Task { .. } => {}
        }
        range(errors, "timeout_seconds", self.timeout_seconds, 1, 30 * 24 * 3600);
        count(errors, "events", self.events.len(), MANY);
        count(errors, "schedules", self.schedules.len(), MANY);
        for (at, schedule) in self.schedules.iter().enumerate() {
            let from = errors.len();
            schedule.check(errors);
            for error in errors.iter_mut().skip(from) {
                error.field = format!("schedules.{at}.{}", error.field);
            }
        }
    }
}

impl Bounded for VaultChoices {
    fn check(&self, errors: &mut Vec<FieldError>) {
        if ![4, 16, 64].contains(&self.block_kib) {
            push(errors, "choices.block_kib", format!("is {}; give 4, 16 or 64", self.block_kib));
        }
        range(errors, "choices.grace_hours", u64::from(self.grace_hours), 0, 10 * 366 * 24);
        range(errors, "choices.minimum_points", u64::from(self.minimum_points), 1, 100_000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(value: &impl Bounded) -> Vec<String> {
        let mut errors = Vec::new();
        value.check(&mut errors);
        errors.into_iter().map(|error| error.field).collect()
    }

    fn server(text: &str) -> Server {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_server_with_relative_paths_or_twice_the_same_disk_is_refused_field_by_field() {
        let disk = |name: &str, path: &str| {
            format!(r#"{{"name":"{name}","location":{{"type":"file","path":"{path}"}}}}"#)
        };
        let text = format!(
            r#"{{"name":"db1","disks":[{},{},{}]}}"#,
            disk("disk0", "/a"),
            disk("disk0", "b"),
            disk("disk1", "/a/../b")
        );
        assert_eq!(wrong(&server(&text)), ["disks.1.location.path", "disks.1.name", "disks.2.location.path"]);
    }

    #[test]
    fn a_server_without_disks_is_refused() {
        assert_eq!(wrong(&server(r#"{"name":"db1","disks":[]}"#)), ["disks"]);
    }

    #[test]
    fn a_jobs_wrong_schedule_is_named_by_its_place() {
        let long = "x".repeat(300);
        let job: Job = serde_json::from_value(serde_json::json!({
            "name": "nightly",
            "work": {"type": "plugin", "plugin": "holdfast.backup", "job": "backup", "settings": 3},
            "schedules": [{"cron": "0 1 * * *"}, {"cron": long}],
        }))
        .unwrap();
        assert_eq!(wrong(&job), ["work.settings", "schedules.1.cron"]);
    }

    #[test]
    fn a_vault_cannot_be_made_without_any_minimum() {
        let choices = VaultChoices { block_kib: 5, grace_hours: 72, minimum_hours: 24, minimum_points: 0 };
        assert_eq!(wrong(&choices), ["choices.block_kib", "choices.minimum_points"]);
    }
}
