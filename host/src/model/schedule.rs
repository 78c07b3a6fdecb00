//! When a job runs by itself. The arithmetic is in the room `schedule`; this is only what a person wrote.

use serde::{Deserialize, Serialize};

/// A cron rule with everything that decides when it fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Five fields (minute hour day month weekday) or six (seconds first).
    pub cron: String,
    /// IANA time zone, for example `Europe/Berlin`.
    #[serde(default = "utc")]
    pub zone: String,
    /// What to do about times that passed while the appliance was off.
    #[serde(default)]
    pub missed: MissedPolicy,
    /// Seconds by which the start may be delayed at random (fixed per job and time), so that sites do not all start at once.
    #[serde(default)]
    pub jitter_seconds: u32,
    /// Local-time windows in which nothing starts; a time inside one moves to its end.
    #[serde(default)]
    pub blackouts: Vec<Blackout>,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Times that passed while the appliance was off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MissedPolicy {
    /// However many were missed, run once as soon as the appliance is up.
    #[default]
    CatchUpOnce,
    /// Wait for the next time.
    Skip,
}

/// A start that comes while the job is still running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OverlapPolicy {
    /// Leave it out, and say so in the job's history.
    #[default]
    Skip,
    /// Run once more when the present run has ended.
    Queue,
    /// Cancel the present run and start anew.
    Replace,
}

/// A local-time window, possibly across midnight, on some weekdays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Blackout {
    /// `HH:MM`, local time in the schedule's zone.
    pub from: String,
    /// `HH:MM`; at or before `from` means the next day.
    pub to: String,
    /// Weekdays on which the window begins (`mon` … `sun`); empty is every day.
    #[serde(default)]
    pub days: Vec<String>,
}
