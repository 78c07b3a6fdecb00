//! One execution of a job, as it is recorded.

use super::job::{Trigger, Work};
use super::name::{JobName, RunId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A run. `state` only moves forwards; the legal moves are in `run::state`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Run {
    /// Counts up, never used again.
    pub id: RunId,
    /// The job it is of.
    pub job: JobName,
    /// What it does, copied when it was queued, so that a later change of the job does not rewrite history.
    pub work: Work,
    /// What started it.
    pub trigger: Trigger,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// Where it stands.
    pub state: RunState,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub queued: DateTime<Utc>,
    /// When it began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended: Option<DateTime<Utc>>,
    /// The boot of the appliance in which it began; a `started` run of an earlier boot was interrupted.
    pub boot: Option<String>,
    /// For a person: what it did, or why it did not.
    pub message: Option<String>,
    /// What kind of end it was, finer than the state.
    pub cause: Option<EndCause>,
    /// How far it came, last known.
    #[serde(default)]
    pub progress: Progress,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Waits for its turn.
    Queued,
    /// Runs now.
    Started,
    /// Did all it should.
    Succeeded,
    /// Did part of it; the message says what is missing.
    Degraded,
    /// Did not do it.
    Failed,
    /// Was told to stop.
    Cancelled,
    /// Was not let: overlap, a missing grant, a plugin that does not fit, settings that do not check.
    Refused,
    /// The appliance stopped under it.
    Interrupted,
}

impl RunState {
    /// Whether nothing more will happen to the run.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Queued | Self::Started)
    }
}

/// Why a run ended, where the state alone does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndCause {
    /// The plugin or task itself reported it.
    Reported,
    /// The plugin trapped: a bug in it.
    Trap,
    /// It asked for more memory than its limit.
    MemoryLimit,
    /// It used more CPU than its limit.
    CpuLimit,
    /// It ran longer than its limit.
    TimeLimit,
    /// It went over another of its limits (handles, tables, call stack).
    OtherLimit,
    /// A person or policy cancelled it.
    Cancel,
    /// The appliance stopped or crashed.
    Crash,
    /// It could not be started: not installed, not granted, does not fit, bad settings.
    NotStarted,
    /// It overlapped with another run of the job.
    Overlap,
    /// A bug in the appliance.
    HostFault,
}

/// How far a run has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Progress {
    /// Units done (bytes where the work moves data).
    pub done: u64,
    /// Units in all; 0 is unknown.
    pub total: u64,
    /// What it is at.
    pub note: String,
}

/// One line of a run's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogLine {
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    pub at: DateTime<Utc>,
    /// How important.
    pub level: LogLevel,
    /// What, with control characters removed.
    pub text: String,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// What happens.
    Info,
    /// Worth a look.
    Warn,
    /// Something did not work.
    Error,
}

/// How a run ended, from whoever did its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// A settled state.
    pub state: RunState,
    /// Why.
    pub cause: EndCause,
    /// For a person.
    pub message: String,
}
