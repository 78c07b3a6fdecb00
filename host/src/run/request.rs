//! The one way to start anything: schedule, person, event and recovery all come through here.

use super::{
    Door, Room, RunNews, Runs,
    queue::{Admission, Turn},
    runner,
};
use crate::{
    model::{
        job::{EventKind, Job, Trigger, Work},
        name::{JobName, RunId, ServerName},
        run::{EndCause, Progress, Run, RunState},
        schedule::Schedule,
    },
    store::{Store, StoreError},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Why a run was not recorded at all. One that was recorded and refused is no error: its record says why.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RequestRun {
    /// There is no such job.
    #[error("there is no job {job}; nothing was started; see the list of jobs for its name")]
    NoSuchJob {
        /// What was asked for.
        job: JobName,
    },
    /// The job is switched off and this was not a person.
    #[error("the job {job} is switched off; nothing was started; switch it on, or run it by hand")]
    Disabled {
        /// Which job.
        job: JobName,
    },
    /// The appliance stops.
    #[error("the appliance is stopping; nothing was started; ask again when it is up")]
    Stopping,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A due time that the run settles.
struct Due {
    rule: Schedule,
    at: DateTime<Utc>,
}

/// What is asked for.
struct Request {
    job: JobName,
    work: Work,
    trigger: Trigger,
    dry_run: bool,
    turn: Turn,
    due: Option<Due>,
}

impl Runs {
    /// Records a run of a job and starts it when its turn comes. The record may say `refused`, because of an overlap.
    pub async fn request(&self, job: &JobName, trigger: Trigger, dry_run: bool) -> Result<Run, RequestRun> {
        let job = self.0.startable(job, &trigger)?;
        Room::admit(&self.0, Request::of(job, trigger, dry_run, None)).await
    }

    /// As [`Runs::request`] for a due time of one of the job's rules, which is settled in the same transaction.
    pub async fn request_due(
        &self,
        job: &JobName,
        rule: &Schedule,
        due: DateTime<Utc>,
        caught_up: bool,
    ) -> Result<Run, RequestRun> {
        let trigger = Trigger::Schedule { due, caught_up };
        let job = self.0.startable(job, &trigger)?;
        let due = Due { rule: rule.clone(), at: due };
        Room::admit(&self.0, Request::of(job, trigger, false, Some(due))).await
    }

    /// Records a run of work that is no job's, for example one restore; it is listed under `name`.
    pub async fn request_once(&self, name: JobName, work: Work, trigger: Trigger) -> Result<Run, RequestRun> {
        let request = Request { job: name, work, trigger, dry_run: false, turn: Turn::Once, due: None };
        Room::admit(&self.0, request).await
    }

    /// Starts every job that waits for `event`. A job that is under way is left out: what happens while it runs may well
    /// be its own doing, and would start it for ever.
    pub async fn event(&self, event: EventKind, server: Option<ServerName>) {
        let jobs = match self.0.store.jobs.list() {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::error!(%error, ?event, "jobs that wait for this event were not started");
                return;
            }
        };
        let waiting = jobs.iter().filter(|job| job.enabled && job.events.contains(&event));
        for job in waiting.filter(|job| !self.is_active(&job.name)) {
            let trigger = Trigger::Event { event, server: server.clone() };
            if let Err(error) = self.request(&job.name, trigger, false).await {
                tracing::error!(job = %job.name, %error, ?event, "the job was not started by the event");
            }
        }
    }
}

impl Request {
    fn of(job: Job, trigger: Trigger, dry_run: bool, due: Option<Due>) -> Self {
        Self { job: job.name, work: job.work, trigger, dry_run, turn: Turn::Job(job.overlap), due }
    }

    fn record(&self, now: DateTime<Utc>) -> Run {
        Run {
            id: RunId(0),
            job: self.job.clone(),
            work: self.work.clone(),
            trigger: self.trigger.clone(),
            dry_run: self.dry_run,
            state: RunState::Queued,
            queued: now,
            started: None,
            ended: None,
            boot: None,
            message: None,
            cause: None,
            progress: Progress::default(),
        }
    }
}

impl Room {
    fn startable(&self, job: &JobName, trigger: &Trigger) -> Result<Job, RequestRun> {
        let by_hand = matches!(trigger, Trigger::Person { .. });
        match self.store.jobs.get(job)? {
            None => Err(RequestRun::NoSuchJob { job: job.clone() }),
            Some(job) if !job.enabled && !by_hand => Err(RequestRun::Disabled { job: job.name }),
            Some(job) => Ok(job),
        }
    }

    async fn admit(room: &Arc<Self>, request: Request) -> Result<Run, RequestRun> {
        let door = room.door.lock().await;
        if *door == Door::Closed {
            return Err(RequestRun::Stopping);
        }
        let admission = room.board.lock().queue.consider(&request.job, request.turn);
        let now = room.clock.now();
        let mut draft = request.record(now);
        if let Admission::Refuse { because_of, waits } = admission {
            let what = if waits { "is waiting already" } else { "is still under way" };
            draft.state = RunState::Refused;
            draft.ended = Some(now);
            draft.cause = Some(EndCause::Overlap);
            draft.message = Some(format!(
                "not started: run {because_of} of this job {what}; nothing was done; wait for its end, or let the job queue or replace"
            ));
        }
        let run = record(&room.store, draft, request.due).await?;
        if run.state == RunState::Queued {
            room.board.lock().queue.enter(run.id, &run.job, request.turn);
        }
        room.tell(RunNews::State(run.id));
        if let Admission::Replace(others) = admission {
            for other in others {
                if let Err(error) = room.stop_run(other, super::cancel::Stop::Replaced).await {
                    tracing::error!(run = %other, %error, "a replaced run could not be settled");
                }
            }
        }
        drop(door);
        runner::start_waiting(room);
        Ok(run)
    }
}

/// Writes the run, and that its due time is settled, together.
async fn record(store: &Store, draft: Run, due: Option<Due>) -> Result<Run, StoreError> {
    let (runs, times) = (store.runs.clone(), store.due.clone());
    store
        .transact(move |transaction| {
            if let Some(due) = due {
                times.settle_in(transaction, &draft.job, &due.rule, due.at)?;
            }
            runs.create_in(transaction, draft)
        })
        .await
}
