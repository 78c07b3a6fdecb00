//! A job as it is typed: settings as `name=value`, read the way the plugin's manifest says they are meant.

use super::{client::Client, failure::Failure, schedule::Rule, show::time::parse_span};
use crate::model::{
    job::{EventKind, Job, Task, Work},
    name::{JobName, PluginId, VaultName},
    plugin::{InstalledPlugin, Manifest, SettingKind},
    schedule::{OverlapPolicy, Schedule},
};
use serde_json::{Map, Value};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Definition {
    /// The plugin that does the work
    #[arg(long, required_unless_present = "task", conflicts_with = "task")]
    plugin: Option<PluginId>,
    /// Which of the plugin's jobs [default: its first]
    #[arg(long, requires = "plugin")]
    job: Option<String>,
    /// A setting of the plugin; lists are separated by commas
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "plugin")]
    settings: Vec<String>,
    /// One of the appliance's own tasks instead of a plugin
    #[arg(long, value_enum)]
    task: Option<OwnTask>,
    /// The vault of --task verify and --task prune
    #[arg(long, requires = "task")]
    vault: Option<VaultName>,
    #[command(flatten)]
    keep: Keep,
    /// When it runs by itself: five cron fields, or six with seconds first; may be given several times
    #[arg(long = "cron", value_name = "RULE")]
    crons: Vec<String>,
    #[command(flatten)]
    rule: Rule,
    /// Something that starts it
    #[arg(long = "event", value_parser = parse_word::<EventKind>, value_name = "appliance-started|server-changed|point-created|alert-raised")]
    events: Vec<EventKind>,
    /// A start that comes while it is still running
    #[arg(long, value_parser = parse_word::<OverlapPolicy>, default_value = "skip", value_name = "skip|queue|replace")]
    overlap: OverlapPolicy,
    /// The longest one run may take
    #[arg(long, value_parser = parse_span, default_value = "6h", value_name = "90m|6h")]
    timeout: Duration,
    /// Do not run it again when a power cut interrupted it
    #[arg(long)]
    no_rerun: bool,
    /// Keep it from running by itself for now
    #[arg(long)]
    off: bool,
}

/// Retention, for plugins whose manifest has settings of these names.
#[derive(Debug, clap::Args)]
struct Keep {
    /// Keep the newest recovery points, so many
    #[arg(long, value_name = "COUNT", requires = "plugin")]
    keep_last: Option<u32>,
    /// Keep the newest point of each of so many hours
    #[arg(long, value_name = "COUNT", requires = "plugin")]
    keep_hourly: Option<u32>,
    /// … of so many days
    #[arg(long, value_name = "COUNT", requires = "plugin")]
    keep_daily: Option<u32>,
    /// … of so many weeks
    #[arg(long, value_name = "COUNT", requires = "plugin")]
    keep_weekly: Option<u32>,
    /// … of so many months
    #[arg(long, value_name = "COUNT", requires = "plugin")]
    keep_monthly: Option<u32>,
    /// … of so many years
    #[arg(long, value_name = "COUNT", requires = "plugin")]
    keep_yearly: Option<u32>,
}

impl Keep {
    fn given(&self) -> impl Iterator<Item = (&'static str, u32)> {
        [
            ("last", self.keep_last),
            ("hourly", self.keep_hourly),
            ("daily", self.keep_daily),
            ("weekly", self.keep_weekly),
            ("monthly", self.keep_monthly),
            ("yearly", self.keep_yearly),
        ]
        .into_iter()
        .filter_map(|(period, count)| count.map(|count| (period, count)))
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum OwnTask {
    /// Check a vault, every byte
    Verify,
    /// Delete what retention let go and whose grace period is over
    Prune,
    /// Write the portable copy of the appliance's state
    ExportState,
}

fn parse_word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

/// The job that was typed. Asks the appliance for the plugin's manifest to know how settings are meant.
pub(super) async fn job(client: &Client, name: JobName, definition: Definition) -> Result<Job, Failure> {
    let work = match (&definition.plugin, definition.task) {
        (Some(plugin), _) => {
            let installed: InstalledPlugin = client.get(&format!("/plugins/{plugin}")).await?;
            plugin_work(&installed.manifest, &definition)?
        }
        (None, Some(task)) => Work::Task { task: own_task(task, definition.vault)? },
        (None, None) => {
            return Err(Failure::usage(
                "nothing to run was given; nothing was added: give --plugin or --task",
            ));
        }
    };
    let schedules: Vec<Schedule> =
        definition.crons.iter().map(|cron| definition.rule.schedule(cron)).collect::<Result<_, _>>()?;
    Ok(Job {
        name,
        work,
        schedules,
        events: definition.events,
        overlap: definition.overlap,
        rerun_interrupted: !definition.no_rerun,
        timeout_seconds: definition.timeout.as_secs(),
        enabled: !definition.off,
    })
}

fn own_task(task: OwnTask, vault: Option<VaultName>) -> Result<Task, Failure> {
    let needed = || Failure::usage("this task is about a vault; nothing was added: give --vault");
    Ok(match task {
        OwnTask::Verify => Task::Verify { vault: vault.ok_or_else(needed)?, read_data: true },
        OwnTask::Prune => Task::Prune { vault: vault.ok_or_else(needed)?, dry_run: false },
        OwnTask::ExportState => Task::ExportState,
    })
}

fn plugin_work(manifest: &Manifest, definition: &Definition) -> Result<Work, Failure> {
    let job = match (&definition.job, manifest.jobs.first()) {
        (Some(job), _) => job.clone(),
        (None, Some(first)) => first.name.clone(),
        (None, None) => {
            return Err(Failure::failed(format!(
                "the plugin {} offers no job; nothing was added",
                manifest.id
            )));
        }
    };
    let mut settings = Map::new();
    for text in &definition.settings {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::usage(format!("\"{text}\" is no setting; nothing was added: write it as NAME=VALUE"))
        })?;
        settings.insert(name.to_owned(), setting(manifest, name, value)?);
    }
    for (period, count) in definition.keep.given() {
        let names = [format!("keep-{period}"), format!("keep_{period}")];
        let name = names.iter().find(|name| manifest.settings.contains_key(*name)).ok_or_else(|| {
            Failure::usage(format!(
                "the plugin {} has no setting for --keep-{period}; nothing was added: its settings are {}",
                manifest.id,
                names_of(manifest)
            ))
        })?;
        settings.insert(name.clone(), count.into());
    }
    Ok(Work::Plugin { plugin: manifest.id.clone(), job, settings: Value::Object(settings) })
}

/// A setting's value as its kind in the manifest says it is meant.
fn setting(manifest: &Manifest, name: &str, value: &str) -> Result<Value, Failure> {
    let schema = manifest.settings.get(name).ok_or_else(|| {
        Failure::usage(format!(
            "the plugin {} has no setting \"{name}\"; nothing was added: its settings are {}",
            manifest.id,
            names_of(manifest)
        ))
    })?;
    let wrong = |what: &str| {
        Failure::usage(format!(
            "\"{value}\" is no {what}, which the setting \"{name}\" is; nothing was added"
        ))
    };
    Ok(match schema.kind {
        SettingKind::Text | SettingKind::Vault => value.into(),
        SettingKind::Integer => value.parse::<i64>().map_err(|_| wrong("whole number"))?.into(),
        SettingKind::Boolean => match value {
            "true" | "yes" | "on" => true.into(),
            "false" | "no" | "off" => false.into(),
            _ => return Err(wrong("yes or no")),
        },
        SettingKind::TextList | SettingKind::Servers => {
            value.split(',').map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().into()
        }
    })
}

fn names_of(manifest: &Manifest) -> String {
    manifest.settings.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        serde_json::from_value(serde_json::json!({
            "id": "acme.copy", "name": "Copy", "version": "1.0.0", "api": "0.1",
            "job": [{"name": "copy", "why": "to copy"}],
            "settings": {
                "servers": {"type": "servers", "title": "Servers"},
                "vault": {"type": "vault", "title": "Vault"},
                "keep_daily": {"type": "integer", "title": "Days"},
                "strict": {"type": "boolean", "title": "Strict"}
            }
        }))
        .unwrap()
    }

    #[test]
    fn settings_are_read_as_the_manifest_says() {
        let read = |name, value| setting(&manifest(), name, value).unwrap();
        assert_eq!(read("servers", "db1, tag:linux"), serde_json::json!(["db1", "tag:linux"]));
        assert_eq!(read("vault", "local"), serde_json::json!("local"));
        assert_eq!(read("keep_daily", "7"), serde_json::json!(7));
        assert_eq!(read("strict", "yes"), serde_json::json!(true));
    }

    #[test]
    fn a_setting_that_is_not_there_is_answered_with_those_that_are() {
        let error = setting(&manifest(), "server", "db1").unwrap_err();
        assert_eq!(error.code(), 2);
        assert!(error.to_string().contains("keep_daily, servers, strict, vault"), "{error}");
        assert!(
            setting(&manifest(), "keep_daily", "seven").unwrap_err().to_string().contains("whole number")
        );
    }
}
