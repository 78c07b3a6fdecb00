//! Doing a run: recorded as started, worked on until its deadline, recorded as ended.

use super::{
    Door, Room, RunNews, Runs, alarm,
    cancel::{Live, Stop},
    log::RunLog,
    state,
};
use crate::{
    capability::context::{RunContext, RunSink},
    model::{
        job::Work,
        name::RunId,
        run::{EndCause, Ended, LogLevel, Progress, Run, RunState},
    },
};
use chrono::TimeDelta;
use std::{sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;

/// How often progress is written down.
const PROGRESS: Duration = Duration::from_secs(5);
/// The time limit of work that is no job's: a large disk over a thin line.
const ONCE: u64 = 7 * 24 * 3600;
/// How often the end of a run is tried to be written when the store fails, and the pause between.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(3);

/// Starts every waiting run whose turn it is.
pub(super) fn start_waiting(room: &Arc<Room>) {
    while let Some(live) = room.next() {
        let worker = Arc::clone(room);
        room.workers.spawn(async move {
            Room::carry_out(&worker, &live).await;
            worker.over(live.run);
            start_waiting(&worker);
        });
    }
}

impl Room {
    fn next(&self) -> Option<Arc<Live>> {
        let mut board = self.board.lock();
        let run = board.queue.next()?;
        let live = Arc::new(Live::new(run));
        board.live.insert(run, Arc::clone(&live));
        Some(live)
    }

    fn over(&self, run: RunId) {
        let mut board = self.board.lock();
        board.live.remove(&run);
        board.queue.ended(run);
    }

    /// One run from `queued` to its end.
    async fn carry_out(room: &Arc<Self>, live: &Arc<Live>) {
        let id = live.run;
        match live.stopped_by() {
            None => {}
            Some(Stop::Shutdown) => return,
            Some(stop) => return Self::settle(room, live, stop.ended()).await,
        }
        let (boot, now) = (room.boot.clone(), room.clock.now());
        let started = room.store.runs.update(id, move |run| state::start(run, &boot, now)).await;
        let run = match started {
            Ok(Some(run)) => run,
            Ok(None) => return tracing::error!(run = %id, "a queued run is not in the store; it is not run"),
            // It stays queued on disk and reads as interrupted at the next start.
            Err(error) => {
                return tracing::error!(run = %id, %error, "a run could not be recorded as started; it is not run");
            }
        };
        room.tell(RunNews::State(id));
        let ended = Self::work(room, &run, live).await;
        if let Err(error) = room.store.runs.logs().flush().await {
            tracing::warn!(run = %id, %error, "the end of a run's log may be lost");
        }
        match ended {
            Some(ended) => Self::settle(room, live, ended).await,
            None => {
                tracing::info!(run = %id, "left under way by the shutdown; the next start finds it interrupted")
            }
        }
    }

    /// Does the work. None is: the shutdown stopped it, so it is neither done nor wanted to be over.
    async fn work(room: &Arc<Self>, run: &Run, live: &Arc<Live>) -> Option<Ended> {
        let limit = match room.store.jobs.get(&run.job) {
            Ok(Some(job)) => job.timeout_seconds,
            _ => ONCE,
        };
        let limit = TimeDelta::seconds(i64::try_from(limit).unwrap_or(i64::MAX / 1000));
        let log = RunLog::new(
            Arc::clone(live),
            room.store.runs.logs().clone(),
            Arc::clone(&room.clock),
            room.news.clone(),
        );
        let sink: Arc<dyn RunSink> = Arc::new(log);
        let context = RunContext {
            run: run.id,
            job: run.job.clone(),
            trigger: run.trigger.clone(),
            dry_run: run.dry_run,
            cancel: live.cancel.clone(),
            deadline: room.clock.now() + limit,
            sink: Arc::clone(&sink),
        };
        let work = tokio::spawn(Arc::clone(room).execute(run.work.clone(), context));
        let ended = room.watch(live, work, limit.to_std().unwrap_or(Duration::MAX)).await;
        let ended = in_the_end(ended, live.stopped_by());
        if let Some(ended) = &ended
            && !matches!(ended.state, RunState::Succeeded)
        {
            sink.log(LogLevel::Error, ended.message.clone());
        }
        ended
    }

    async fn execute(self: Arc<Self>, work: Work, context: RunContext) -> Ended {
        match work {
            Work::Plugin { plugin, job, settings } => {
                self.plugins.execute(&plugin, &job, &settings, context).await
            }
            Work::Task { task } => self.tasks.execute(task, context).await,
        }
    }

    /// Waits for the work, its deadline, and after either "stop" for a while until it really has.
    async fn watch(
        &self,
        live: &Arc<Live>,
        mut work: tokio::task::JoinHandle<Ended>,
        limit: Duration,
    ) -> Option<Ended> {
        let mut tick = tokio::time::interval(PROGRESS);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let deadline = tokio::time::sleep(limit.min(Duration::from_secs(365 * 24 * 3600)));
        tokio::pin!(deadline);
        let mut written = Progress::default();
        loop {
            tokio::select! {
                ended = &mut work => return Some(ended.unwrap_or_else(|panic| host_fault(&panic))),
                () = &mut deadline, if !live.cancel.is_cancelled() => live.stop(Stop::Deadline),
                () = live.cancel.cancelled() => break,
                _at = tick.tick() => self.write_progress(live, &mut written).await,
            }
        }
        match tokio::time::timeout(self.grace, &mut work).await {
            Ok(ended) => Some(ended.unwrap_or_else(|panic| host_fault(&panic))),
            Err(_) => {
                work.abort();
                tracing::warn!(run = %live.run, "the work did not stop when told to and was dropped");
                None
            }
        }
    }

    async fn write_progress(&self, live: &Arc<Live>, written: &mut Progress) {
        let progress = live.progress();
        if progress == *written {
            return;
        }
        let new = progress.clone();
        let update = move |run: &mut Run| {
            run.progress = new;
            Ok::<(), crate::store::StoreError>(())
        };
        match self.store.runs.update(live.run, update).await {
            Ok(_) => *written = progress,
            Err(error) => tracing::warn!(run = %live.run, %error, "progress was not written down"),
        }
    }

    /// Writes the end down, and again if the store cannot just now: until then the run counts as under way.
    async fn settle(room: &Arc<Self>, live: &Arc<Live>, ended: Ended) {
        let (id, now) = (live.run, room.clock.now());
        for attempt in 1.. {
            let (ended, progress) = (ended.clone(), live.progress());
            let settled = room.store.runs.update(id, move |run| state::end(run, ended, progress, now)).await;
            match settled {
                Ok(Some(run)) => {
                    room.tell(RunNews::State(id));
                    return alarm::after(&room.store, &run, now).await;
                }
                Ok(None) => return tracing::error!(run = %id, "a run that has ended is not in the store"),
                Err(error) => {
                    tracing::error!(run = %id, %error, "the end of a run could not be written down")
                }
            }
            if attempt >= TRIES || *room.door.lock().await == Door::Closed {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Runs {
    /// Takes no more work, tells everything under way to stop, and waits at most `wait` for it. What is left then, and
    /// what is still queued, stays on disk as it is and reads as interrupted at the next start.
    pub async fn shutdown(&self, wait: Duration) {
        *self.0.door.lock().await = Door::Closed;
        let live: Vec<Arc<Live>> = {
            let mut board = self.0.board.lock();
            board.queue.close();
            board.live.values().cloned().collect()
        };
        for run in live {
            run.stop(Stop::Shutdown);
        }
        self.0.workers.close();
        if tokio::time::timeout(wait, self.0.workers.wait()).await.is_err() {
            tracing::warn!("some runs did not stop in time; the next start finds them interrupted");
        }
    }
}

/// What the work's own end and the wish to stop it make together.
fn in_the_end(ended: Option<Ended>, stop: Option<Stop>) -> Option<Ended> {
    let finished = |ended: &Ended| matches!(ended.state, RunState::Succeeded | RunState::Degraded);
    match (ended, stop) {
        (Some(ended), None) if !ended.state.is_settled() => Some(Ended {
            state: RunState::Failed,
            cause: EndCause::HostFault,
            message: "the work ended without saying how; this is a bug in the appliance".to_owned(),
        }),
        (Some(ended), None) => Some(ended),
        (Some(ended), Some(_)) if finished(&ended) => Some(ended),
        (_, Some(Stop::Shutdown)) | (None, None) => None,
        (_, Some(stop)) => Some(stop.ended()),
    }
}

fn host_fault(panic: &tokio::task::JoinError) -> Ended {
    tracing::error!(%panic, "a bug in the appliance ended a run");
    Ended {
        state: RunState::Failed,
        cause: EndCause::HostFault,
        message: "a bug in the appliance ended this run; recovery points are not affected; its log and the appliance's log say more".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(state: RunState) -> Option<Ended> {
        Some(Ended { state, cause: EndCause::Reported, message: "m".into() })
    }

    #[test]
    fn what_was_finished_counts_even_if_it_was_told_to_stop() {
        for stop in [None, Some(Stop::Shutdown), Some(Stop::Deadline), Some(Stop::Person("eva".into()))] {
            assert_eq!(in_the_end(ended(RunState::Succeeded), stop), ended(RunState::Succeeded));
        }
    }

    #[test]
    fn a_run_that_did_not_stop_by_itself_ends_as_what_stopped_it() {
        let over = in_the_end(None, Some(Stop::Deadline)).unwrap();
        assert_eq!((over.state, over.cause), (RunState::Failed, EndCause::TimeLimit));
        let cancelled = in_the_end(ended(RunState::Failed), Some(Stop::Person("user:eva".into()))).unwrap();
        assert_eq!(cancelled.state, RunState::Cancelled);
        assert!(cancelled.message.contains("user:eva"));
        assert_eq!(in_the_end(ended(RunState::Cancelled), Some(Stop::Shutdown)), None);
    }

    #[test]
    fn work_that_ends_in_no_settled_state_is_a_bug_and_says_so() {
        let odd = in_the_end(ended(RunState::Started), None).unwrap();
        assert_eq!(odd.cause, EndCause::HostFault);
    }
}
