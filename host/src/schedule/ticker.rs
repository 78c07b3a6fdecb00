//! The only loop of the room: sleeps until the next start or a change of jobs, decides, and hands what is due on.

use super::{
    due::{Decision, Fire, Moment, decide},
    window::Timetable,
};
use crate::{
    clock::SharedClock,
    model::{job::Job, name::JobName, schedule::Schedule},
    store::{Store, StoreError},
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// The longest sleep: a clock that is set meanwhile is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);
/// How long to wait when the store failed.
const AFTER_FAILURE: TimeDelta = TimeDelta::seconds(10);

/// Who starts runs. Settling the due time and recording the run are one transaction there.
#[async_trait]
pub trait Starts: Send + Sync {
    /// Records a run of `job` for `fire` and settles the due time of `rule`; the run's own fate is not this room's.
    async fn start_due(&self, job: &JobName, rule: &Schedule, fire: Fire) -> Result<(), StoreError>;
}

/// Starts jobs by the clock.
pub struct Ticker {
    store: Store,
    starts: Arc<dyn Starts>,
    clock: SharedClock,
    boot: DateTime<Utc>,
    since: Instant,
}

impl Ticker {
    /// A ticker of an appliance that starts now.
    pub fn new(store: Store, starts: Arc<dyn Starts>, clock: SharedClock) -> Self {
        let boot = clock.now();
        Self { store, starts, clock, boot, since: Instant::now() }
    }

    /// Runs until cancelled.
    pub async fn run(&self, stop: CancellationToken) {
        let mut changes = self.store.subscribe();
        loop {
            let next = self.tick().await;
            let sleep = next
                .and_then(|next| (next - self.clock.now()).to_std().ok())
                .map_or(LONGEST_SLEEP, |sleep| sleep.min(LONGEST_SLEEP));
            let jobs_changed = async {
                loop {
                    match changes.recv().await {
                        Ok(change) if change.table != "jobs" => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => return,
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(sleep) => {}
                () = jobs_changed => {}
            }
        }
    }

    /// Starts what is due now and says when to look again.
    pub async fn tick(&self) -> Option<DateTime<Utc>> {
        let jobs = match self.store.jobs.list() {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::error!(%error, "jobs cannot be read; nothing is started until they can");
                return Some(self.clock.now() + AFTER_FAILURE);
            }
        };
        let mut next: Option<DateTime<Utc>> = None;
        for job in &jobs {
            let until = match self.tick_job(job).await {
                Ok(until) => until,
                Err(error) => {
                    tracing::error!(job = %job.name, %error, "the job could not be started on time; it is tried again");
                    Some(self.clock.now() + AFTER_FAILURE)
                }
            };
            next = next.into_iter().chain(until).min();
        }
        next
    }

    async fn tick_job(&self, job: &Job) -> Result<Option<DateTime<Utc>>, StoreError> {
        if !job.enabled {
            // What passes while a job is off was not missed.
            self.store.due.forget(&job.name).await?;
            return Ok(None);
        }
        let mut next: Option<DateTime<Utc>> = None;
        for rule in &job.schedules {
            next = next.into_iter().chain(self.tick_rule(&job.name, rule).await?).min();
        }
        Ok(next)
    }

    async fn tick_rule(&self, job: &JobName, rule: &Schedule) -> Result<Option<DateTime<Utc>>, StoreError> {
        let table = match Timetable::new(rule) {
            Ok(table) => table,
            Err(error) => {
                tracing::warn!(%job, %error, "a schedule of the job is not used");
                return Ok(None);
            }
        };
        loop {
            let up = TimeDelta::from_std(self.since.elapsed()).unwrap_or(TimeDelta::MAX);
            let moment = Moment { now: self.clock.now(), boot: self.boot, up };
            let settled = self.store.due.settled(job, rule)?;
            match decide(job, &table, rule.missed, settled, moment) {
                Decision::Wait { until } => return Ok(until),
                Decision::Settle { through: _, fire: Some(fire) } => {
                    self.starts.start_due(job, rule, fire).await?;
                }
                Decision::Settle { through, fire: None } => self.store.due.settle(job, rule, through).await?,
                Decision::Restart { from } => {
                    tracing::warn!(%job, "the clock is far behind the job's last time; it counts anew from now");
                    self.store.due.restart(job, rule, from).await?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HandClock;
    use chrono::TimeZone;

    struct Recorder {
        store: Store,
        fired: parking_lot::Mutex<Vec<(String, Fire)>>,
    }

    #[async_trait]
    impl Starts for Recorder {
        async fn start_due(&self, job: &JobName, rule: &Schedule, fire: Fire) -> Result<(), StoreError> {
            self.fired.lock().push((job.to_string(), fire));
            self.store.due.settle(job, rule, fire.due).await
        }
    }

    fn at(hour: u32, minute: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 1, hour, minute, 0).unwrap()
    }

    fn job(name: &str, cron: &str) -> Job {
        serde_json::from_value(serde_json::json!({
            "name": name, "work": {"type": "task", "task": {"task": "export-state"}}, "schedules": [{"cron": cron}]
        }))
        .unwrap()
    }

    async fn site(jobs: &[Job]) -> (tempfile::TempDir, Store, Arc<HandClock>, Arc<Recorder>) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        for job in jobs {
            store.jobs.put(&job.name, job).await.unwrap();
        }
        let recorder = Arc::new(Recorder { store: store.clone(), fired: parking_lot::Mutex::default() });
        (directory, store, HandClock::new(at(0, 0)), recorder)
    }

    #[tokio::test]
    async fn each_due_time_is_handed_on_once_and_the_next_is_known() {
        let (_directory, store, clock, recorder) =
            site(&[job("a", "0 1 * * *"), job("b", "0 2 * * *")]).await;
        let ticker = Ticker::new(store, recorder.clone(), clock.clone());
        assert_eq!(ticker.tick().await, Some(at(1, 0)));
        clock.set(at(1, 0));
        assert_eq!(ticker.tick().await, Some(at(2, 0)));
        assert_eq!(ticker.tick().await, Some(at(2, 0)));
        let fired = recorder.fired.lock().clone();
        assert_eq!(fired, [("a".to_owned(), Fire { due: at(1, 0), caught_up: false })]);
    }

    #[tokio::test]
    async fn what_passes_while_a_job_is_off_is_not_caught_up() {
        let mut off = job("a", "0 * * * *");
        let (_directory, store, clock, recorder) = site(std::slice::from_ref(&off)).await;
        let ticker = Ticker::new(store.clone(), recorder.clone(), clock.clone());
        ticker.tick().await;
        off.enabled = false;
        store.jobs.put(&off.name, &off).await.unwrap();
        clock.set(at(5, 30));
        assert_eq!(ticker.tick().await, None);
        off.enabled = true;
        store.jobs.put(&off.name, &off).await.unwrap();
        assert_eq!(ticker.tick().await, Some(at(6, 0)));
        assert!(recorder.fired.lock().is_empty());
    }

    #[tokio::test]
    async fn a_new_job_wakes_the_loop_and_it_ends_when_told() {
        let (_directory, store, clock, recorder) = site(&[]).await;
        let ticker = Ticker::new(store.clone(), recorder, clock);
        let stop = CancellationToken::new();
        let new = job("a", "0 * * * *");
        let watch = async {
            store.jobs.put(&new.name, &new).await.unwrap();
            let rule = new.schedules.first().unwrap();
            let mut changes = store.subscribe();
            while store.due.settled(&new.name, rule).unwrap().is_none() {
                changes.recv().await.unwrap();
            }
            stop.cancel();
        };
        tokio::join!(ticker.run(stop.clone()), watch);
    }
}
