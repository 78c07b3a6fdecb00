//! A job: what to run, with which settings, when, and what to do when it overlaps or is interrupted.

use super::name::{JobName, PluginId, ServerName, VaultName};
use super::schedule::{OverlapPolicy, Schedule};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A plugin with settings and triggers, or one of the appliance's own tasks with triggers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Unique name on this appliance.
    pub name: JobName,
    /// What runs.
    pub work: Work,
    /// When it runs by itself; empty means only on request.
    #[serde(default)]
    pub schedules: Vec<Schedule>,
    /// Events that start it, for example `server-added`.
    #[serde(default)]
    pub events: Vec<EventKind>,
    /// A start that comes while it is still running.
    #[serde(default)]
    pub overlap: OverlapPolicy,
    /// Whether a run that a crash or power cut interrupted is run again at once.
    #[serde(default = "yes")]
    pub rerun_interrupted: bool,
    /// Wall-clock limit of one run, in seconds.
    #[serde(default = "six_hours")]
    pub timeout_seconds: u64,
    /// Off means: keeps its settings and history, starts only by hand.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}
fn six_hours() -> u64 {
    6 * 3600
}

/// What a run does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Work {
    /// One of a plugin's jobs.
    Plugin {
        /// Which plugin.
        plugin: PluginId,
        /// Which of its jobs, as its manifest names it.
        job: String,
        /// Settings, checked against the manifest's schema.
        #[serde(default)]
        settings: serde_json::Value,
    },
    /// Something the appliance does itself.
    Task {
        /// What exactly.
        task: Task,
    },
}

/// Things the appliance does itself, on the same path as plugins: queued, recorded, cancellable, shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Task {
    /// Write one recovery point's disks to files.
    Restore {
        /// The vault.
        vault: VaultName,
        /// The recovery point's id.
        point: String,
        /// Only this disk; none is all.
        disk: Option<String>,
        /// A directory (one file a disk) or, with `disk`, a file.
        #[schema(value_type = String)]
        target: PathBuf,
        /// `raw` or `qcow2`.
        format: RestoreFormat,
        /// Write over an existing target, only what differs.
        overwrite: bool,
    },
    /// Check a vault.
    Verify {
        /// The vault.
        vault: VaultName,
        /// Read and authenticate every byte, not only the structure.
        read_data: bool,
    },
    /// Delete what retention let go and grace has passed.
    Prune {
        /// The vault.
        vault: VaultName,
        /// Say what would be freed and change nothing.
        dry_run: bool,
    },
    /// Write the portable copy of the appliance's state.
    ExportState,
}

/// The form of a restored disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreFormat {
    /// Bytes as they were, sparse.
    #[default]
    Raw,
    /// QEMU copy-on-write version 3.
    Qcow2,
}

/// Things that happen at a site and can start a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The appliance has started.
    ApplianceStarted,
    /// A server was added or its definition changed.
    ServerChanged,
    /// A recovery point was made.
    PointCreated,
    /// An alert was raised.
    AlertRaised,
}

/// What started a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Trigger {
    /// A cron rule; `due` is the time it named.
    Schedule {
        /// The time the rule named, before jitter.
        #[schema(value_type = String, format = DateTime)]
        due: chrono::DateTime<chrono::Utc>,
        /// True when that time passed while the appliance was off.
        caught_up: bool,
    },
    /// Somebody asked.
    Person {
        /// Who: a user, a token, or `console` for the box's own command line.
        who: String,
    },
    /// Something happened.
    Event {
        /// What.
        event: EventKind,
        /// Of which server, where it is about one.
        server: Option<ServerName>,
    },
    /// An earlier run was interrupted.
    Again {
        /// That run.
        of: super::name::RunId,
    },
}
