//! A run under way, and how it is told to stop.

use super::{
    Room, RunNews, Runs,
    state::{self, MoveRun},
};
use crate::model::{
    name::RunId,
    run::{EndCause, Ended, Progress, Run, RunState},
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Who wants a run to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// A person, by name.
    Person(String),
    /// A newer run of the job.
    Replaced,
    /// Its time is over.
    Deadline,
    /// The appliance stops.
    Shutdown,
}

impl Stop {
    /// The end of a run that stopped because of this.
    pub(super) fn ended(&self) -> Ended {
        let (state, cause, message) = match self {
            Self::Person(who) => {
                (RunState::Cancelled, EndCause::Cancel, format!("cancelled by {who}; what it had finished is kept"))
            }
            Self::Replaced => (
                RunState::Cancelled,
                EndCause::Cancel,
                "cancelled because a newer run of the job takes its place; what it had finished is kept".to_owned(),
            ),
            Self::Deadline => (
                RunState::Failed,
                EndCause::TimeLimit,
                "it ran longer than the job allows and was stopped; what it had finished is kept; allow it more time, or see in its log what was slow".to_owned(),
            ),
            Self::Shutdown => (
                RunState::Cancelled,
                EndCause::Cancel,
                "cancelled because the appliance stopped; what it had finished is kept".to_owned(),
            ),
        };
        Ended { state, cause, message }
    }
}

/// One run under way.
pub(super) struct Live {
    pub(super) run: RunId,
    pub(super) cancel: CancellationToken,
    stop: Mutex<Option<Stop>>,
    progress: Mutex<Progress>,
}

impl Live {
    pub(super) fn new(run: RunId) -> Self {
        let (stop, progress) = (Mutex::default(), Mutex::default());
        Self { run, cancel: CancellationToken::new(), stop, progress }
    }

    /// Tells it to stop; the first reason counts.
    pub(super) fn stop(&self, stop: Stop) {
        self.stop.lock().get_or_insert(stop);
        self.cancel.cancel();
    }

    pub(super) fn stopped_by(&self) -> Option<Stop> {
        self.stop.lock().clone()
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.lock().clone()
    }

    pub(super) fn set_progress(&self, progress: Progress) {
        *self.progress.lock() = progress;
    }
}

impl Runs {
    /// Asks a run to stop. True: it will, soon, or never begin. False: it has ended already, or never was.
    pub async fn cancel(&self, run: RunId, who: &str) -> Result<bool, MoveRun> {
        self.0.stop_run(run, Stop::Person(who.to_owned())).await
    }
}

impl Room {
    pub(super) async fn stop_run(&self, run: RunId, stop: Stop) -> Result<bool, MoveRun> {
        let (live, waited) = {
            let mut board = self.board.lock();
            (board.live.get(&run).cloned(), board.queue.withdraw(run))
        };
        if let Some(live) = live {
            live.stop(stop);
            return Ok(true);
        }
        if waited {
            let now = self.clock.now();
            let ended = stop.ended();
            let settle = move |record: &mut Run| state::end(record, ended, Progress::default(), now);
            self.store.runs.update(run, settle).await?;
            self.tell(RunNews::State(run));
        }
        Ok(waited)
    }
}
