//! A checked schedule: rule, zone, windows and jitter together. Pure.
//!
//! A start never comes before the start of an earlier due time: jitter is always shorter than the pause to the next
//! due time, and due times that a window moves to its end share one start. `due` relies on that order.

use super::{
    blackout::Blackouts,
    check::{CheckSchedule, check},
    cron::Rule,
    next::{in_reach, next},
};
use crate::model::{
    job::Job,
    name::JobName,
    schedule::{MissedPolicy, Schedule},
};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// Starts spread over more than a day would no longer be the rule's.
pub const LONGEST_JITTER_SECONDS: u32 = 24 * 3600;
/// More times than this nobody reads, and a rule for each second would go on for centuries.
pub const MOST_PREVIEWED: usize = 1000;

/// When one schedule fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    pub(super) rule: Rule,
    pub(super) zone: Tz,
    pub(super) closed: Blackouts,
    pub(super) jitter_seconds: u32,
    pub(super) missed: MissedPolicy,
}

/// A due time and when it leads to a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The time the rule names.
    pub due: DateTime<Utc>,
    /// That time after blackout windows and jitter.
    pub start: DateTime<Utc>,
}

impl Timetable {
    /// When the rule fires, in words.
    pub fn in_words(&self) -> String {
        self.rule.in_words()
    }

    /// The first due time after `after`.
    pub fn next_due(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        next(&self.rule, self.zone, after)
    }

    /// The end of the blackout windows that cover `at`, if any do.
    pub fn closed_until(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if in_reach(at) { self.closed.closed_until(self.zone, at) } else { None }
    }

    /// When a due time of that job leads to a start.
    pub fn start_of(&self, job: &JobName, due: DateTime<Utc>) -> DateTime<Utc> {
        let opened = self.closed_until(due).unwrap_or(due);
        let delayed = opened + self.jitter(job, opened);
        self.closed_until(delayed).unwrap_or(delayed)
    }

    /// The same for the same job and time on every boot, so that a restart neither repeats nor skips a start.
    fn jitter(&self, job: &JobName, opened: DateTime<Utc>) -> TimeDelta {
        if self.jitter_seconds == 0 {
            return TimeDelta::zero();
        }
        let pause = self.next_due(opened).map_or(i64::MAX, |following| (following - opened).num_seconds());
        let most = i64::from(self.jitter_seconds.min(LONGEST_JITTER_SECONDS)).min(pause - 1).max(0);
        let digest = blake3::hash(format!("{job}\n{}", opened.timestamp()).as_bytes());
        let [a, b, c, d, ..] = *digest.as_bytes();
        TimeDelta::seconds(i64::from(u32::from_le_bytes([a, b, c, d])) % (most + 1))
    }

    /// The first start after `now` among due times after `settled`.
    pub fn first_start(
        &self,
        job: &JobName,
        settled: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<Due> {
        if !in_reach(now) {
            return None;
        }
        // A due time that has passed may still wait for its jitter or for a window to end.
        let begun = |at| self.closed.closed_since(self.zone, at).unwrap_or(at);
        let back = TimeDelta::seconds(i64::from(self.jitter_seconds.min(LONGEST_JITTER_SECONDS)) + 1);
        let earliest = begun(begun(now) - back) - TimeDelta::seconds(1);
        let earliest = settled.map_or(earliest, |settled| settled.max(earliest));
        // Starts keep the order of due times: before one that has started, none is left to start.
        let mut width = TimeDelta::seconds(1);
        let mut due = loop {
            let from = earliest.max(now - width);
            let due = self.next_due(from)?;
            if from <= earliest || self.start_of(job, due) <= now {
                break due;
            }
            width = width * 2;
        };
        loop {
            let start = self.start_of(job, due);
            if start > now {
                return Some(Due { due, start });
            }
            due = self.next_due(due)?;
        }
    }

    /// The last due time after `settled` whose start has come by `now`.
    pub fn last_started(&self, job: &JobName, settled: DateTime<Utc>, now: DateTime<Utc>) -> Option<Due> {
        if !in_reach(now) || !in_reach(settled) {
            return None;
        }
        // After a long time off, only the end of it is walked through, in steps twice as long each.
        let mut width = TimeDelta::seconds(1);
        loop {
            let from = settled.max(now - width);
            let dues = std::iter::successors(self.next_due(from), |due| self.next_due(*due));
            let started = dues
                .take_while(|due| *due <= now)
                .map(|due| Due { due, start: self.start_of(job, due) })
                .take_while(|due| due.start <= now)
                .last();
            if started.is_some() || from <= settled {
                return started;
            }
            width = width * 2;
        }
    }
}

/// The next `count` times (at most [`MOST_PREVIEWED`]) at which the schedule fires after `after`, moved out of blackout
/// windows. Jitter is left out: it differs from job to job.
pub fn preview(
    schedule: &Schedule,
    after: DateTime<Utc>,
    count: usize,
) -> Result<Vec<DateTime<Utc>>, CheckSchedule> {
    let table = check(schedule)?;
    let mut times = Vec::new();
    // What was due earlier in a window that covers `after` still comes at its end.
    let begun = if in_reach(after) { table.closed.closed_since(table.zone, after) } else { None };
    let mut at = begun.map_or(after, |begun| begun - TimeDelta::seconds(1));
    while times.len() < count.min(MOST_PREVIEWED) {
        let Some(due) = table.next_due(at) else { break };
        // What else is due before the window ends moves to the same end, so it is not looked at.
        let opened = table.closed_until(due).unwrap_or(due);
        times.push(opened);
        at = opened;
    }
    Ok(times)
}

/// When the job starts next by itself: the earliest start of all its schedules after `now`. None for a job that is off,
/// has no schedule, or whose schedules cannot be read.
pub fn next_of(job: &Job, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let tables = job.schedules.iter().filter(|_| job.enabled).filter_map(|schedule| check(schedule).ok());
    tables.filter_map(|table| table.first_start(&job.name, None, now)).map(|due| due.start).min()
}

#[cfg(test)]
#[path = "timetable_tests.rs"]
mod tests;
