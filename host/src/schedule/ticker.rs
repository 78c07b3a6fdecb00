//! The only loop of the room: looks at all rules, starts what is due, sleeps until the next start or a change of jobs.
//!
//! Whoever starts a run settles its due time in the same transaction, so a power cut neither loses a start nor repeats
//! one. A start that failed is tried again. No sleep is trusted for longer than [`LONGEST_NAP`], because the wall clock
//! may be set while we sleep. A break of more than [`STALL`] between two looks (suspend, a clock set forward) counts as
//! time off, with the schedule's missed policy.
//!
//! A rule that appears while we run (new, changed, or its job switched on) begins at that moment and catches up nothing,
//! even if it was in use long ago.

use super::{
    check::check,
    due::{Fire, Look, Verdict, judge},
    timetable::Timetable,
};
use crate::{
    clock::SharedClock,
    model::{job::Job, name::JobName, schedule::Schedule},
    store::{Change, Store, StoreError},
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

/// The longest time without a look at the wall clock.
pub const LONGEST_NAP: Duration = Duration::from_secs(20);
/// A longer break than this between two looks counts as time off: six naps, so that a busy box is not taken for one
/// that was switched off.
pub const STALL: TimeDelta = TimeDelta::seconds(120);
/// When to try again what failed.
const AFTER_FAILURE: TimeDelta = TimeDelta::seconds(10);
/// More than it takes from a rule never seen to the time of its next start.
const MOST_STEPS: usize = 4;

/// Who starts runs.
#[async_trait]
pub trait Starts: Send + Sync {
    /// Records a run of `job` for `fire` and settles the due time of `rule`, in one transaction; what becomes of the run
    /// is not this room's. To settle nothing is to be asked again.
    async fn start_due(&self, job: &JobName, rule: &Schedule, fire: Fire) -> Result<(), StoreError>;
}

/// A rule of a job, as the store tells them apart.
type Place = (JobName, String, String);

/// Starts jobs by the clock.
pub struct Ticker {
    store: Store,
    starts: Arc<dyn Starts>,
    clock: SharedClock,
    last: Look,
    /// The rules in force at the last look; none before the first.
    seen: Option<HashSet<Place>>,
    complaints: HashMap<String, String>,
}

impl Ticker {
    /// A ticker of an appliance that starts now.
    pub fn new(store: Store, starts: Arc<dyn Starts>, clock: SharedClock) -> Self {
        let now = clock.now();
        let last = Look { now, awake_since: now, steady_since: now };
        Self { store, starts, clock, last, seen: None, complaints: HashMap::new() }
    }

    /// Runs until `stop`. A start under way is finished first.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.store.subscribe();
        while !stop.is_cancelled() {
            let next = self.look().await;
            let nap = nap(self.clock.now(), next);
            tokio::select! {
                () = stop.cancelled() => return,
                () = jobs_changed(&mut changes) => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Starts what is due and says when to look again.
    async fn look(&mut self) -> Option<DateTime<Utc>> {
        let look = look_after(self.last, self.clock.now());
        self.last = look;
        let again = look.now.checked_add_signed(AFTER_FAILURE);
        let jobs = self.store.jobs.list().map_err(|error| error.to_string());
        let Some(jobs) = self.heard("the list of jobs", jobs) else { return again };
        let before = self.seen.take();
        let mut seen = HashSet::new();
        let mut next: Option<DateTime<Utc>> = None;
        for job in &jobs {
            if !job.enabled {
                let forgotten = self.store.due.forget(&job.name).await.map_err(|error| error.to_string());
                self.heard(&format!("job {}, what is settled of it while it is off", job.name), forgotten);
                continue;
            }
            for rule in &job.schedules {
                let subject = format!("job {}, rule \"{}\" in {}", job.name, rule.cron, rule.zone);
                let table = check(rule).map_err(|problems| problems.to_string());
                let Some(table) = self.heard(&subject, table) else { continue };
                let place = (job.name.clone(), rule.cron.clone(), rule.zone.clone());
                let new = before.as_ref().is_some_and(|before| !before.contains(&place));
                let new = new && !seen.contains(&place);
                let until =
                    self.look_at(job, rule, &table, new, look).await.map_err(|error| error.to_string());
                let until = self.heard(&format!("{subject}, its start"), until);
                if until.is_some() || !new {
                    seen.insert(place);
                }
                next = next.into_iter().chain(until.unwrap_or(again)).min();
            }
        }
        self.seen = Some(seen);
        next
    }

    async fn look_at(
        &self,
        job: &Job,
        rule: &Schedule,
        table: &Timetable,
        new: bool,
        look: Look,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        if new {
            self.store.due.settle(&job.name, rule, look.now).await?;
        }
        for _ in 0..MOST_STEPS {
            let settled = self.store.due.settled(&job.name, rule)?;
            match judge(&job.name, table, settled, look) {
                Verdict::Wait(until) => return Ok(until),
                Verdict::Start(fire) => {
                    self.starts.start_due(&job.name, rule, fire).await?;
                    if self.store.due.settled(&job.name, rule)? == settled {
                        break;
                    }
                }
                Verdict::Pass { through } => self.store.due.settle(&job.name, rule, through).await?,
                Verdict::Restart { from } => {
                    tracing::warn!(
                        job = %job.name,
                        "the clock is far behind the job's last start; it counts anew from now and catches up nothing"
                    );
                    self.store.due.restart(&job.name, rule, from).await?;
                }
            }
        }
        // Not started and not refused, as when the job was switched off this moment.
        Ok(look.now.checked_add_signed(AFTER_FAILURE))
    }

    /// Logs a failure once, however often it comes back.
    fn heard<T>(&mut self, subject: &str, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => {
                if self.complaints.remove(subject).is_some() {
                    tracing::info!("schedule: {subject}: works again");
                }
                Some(value)
            }
            Err(reason) => {
                if self.complaints.get(subject) != Some(&reason) {
                    tracing::warn!(
                        "schedule: {subject}: {reason}; nothing of it starts until this is mended"
                    );
                    self.complaints.insert(subject.to_owned(), reason);
                }
                None
            }
        }
    }
}

/// Since when we have been looking without a long break, and since when the clock has run as it should.
fn look_after(last: Look, now: DateTime<Utc>) -> Look {
    let passed = now.signed_duration_since(last.now);
    let awake_since = if passed <= STALL { last.awake_since.min(now) } else { now };
    let steady = (TimeDelta::zero()..=STALL).contains(&passed);
    Look { now, awake_since, steady_since: if steady { last.steady_since } else { now } }
}

async fn jobs_changed(changes: &mut Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(change) if change.table != "jobs" => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn nap(now: DateTime<Utc>, next: Option<DateTime<Utc>>) -> Duration {
    let until = next.map(|next| next.signed_duration_since(now).to_std().unwrap_or(Duration::ZERO));
    until.map_or(LONGEST_NAP, |until| until.min(LONGEST_NAP))
}

#[cfg(test)]
#[path = "ticker_tests.rs"]
mod tests;
