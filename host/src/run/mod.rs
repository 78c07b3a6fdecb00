//! Runs: one execution of a job, from "it was asked for" to an end that is on disk.
//!
//! What flows in: requests, from the schedule, a person, an event or a recovery; "run now" is no second path. What flows
//! out: work for a plugin ([`PluginWork`]) or for one of the appliance's own tasks (`task`), and the run's record.
//!
//! ```text
//!              ┌────────────▶ refused      overlap, or the plugin could not be started
//!              │                 ▲
//!  request ─▶ queued ────────▶ started ──▶ succeeded │ degraded │ failed │ cancelled
//!              │                 │
//!              ├─▶ cancelled     └──────▶ interrupted    the appliance stopped under it
//!              └──────────────────────────────▲
//! ```
//!
//! - `queued → started` is on disk, with the name of this boot, before anything is done for the run.
//! - The end is on disk before the next run of the job may begin and before anyone is told.
//! - A run that is queued or started and not of this boot was interrupted. `recover` says so at the start, and asks for
//!   it again if the job wants that, at most three times in a row; engines are idempotent and reuse what is there.
//! - Nothing retries by itself: the next due time is the retry.
//!
//! `state` (what may follow what) and `queue` (who may run, who waits) are pure. The runner is the only place that
//! waits for work, with a deadline; a panic in work costs that run only.
//!
//! What it refuses to know: when (`schedule`), and how a plugin or an engine does its work.
//!
//! **Architecture Invariant:** a run is `started` on disk before anything is done for it, and settled on disk before
//! anyone is told.

mod alarm;
mod cancel;
mod log;
mod queue;
mod recover;
mod request;
mod runner;
mod state;
mod task;

#[cfg(test)]
mod tests;

pub use recover::Recovered;
pub use request::RequestRun;
pub use state::MoveRun;
pub use task::Tasks;

use crate::{
    capability::context::RunContext,
    clock::SharedClock,
    model::{
        name::{JobName, PluginId, RunId},
        run::{Ended, Progress},
    },
    store::Store,
};
use async_trait::async_trait;
use cancel::Live;
use parking_lot::Mutex;
use queue::Queue;
use serde_json::Value;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::broadcast;
use tokio_util::task::TaskTracker;

/// Runs of all jobs together.
const PARALLEL: usize = 4;
/// How long work may take to stop after it was told to.
const GRACE: Duration = Duration::from_secs(60);
/// News that a slow listener may lag behind.
const NEWS: usize = 1024;

/// Whoever runs plugins. Called once for each run, after it is `started` on disk; must not fail otherwise than by the
/// end it returns, and must stop soon after `context.cancel`.
#[async_trait]
pub trait PluginWork: Send + Sync + 'static {
    /// Does the run's work.
    async fn execute(&self, plugin: &PluginId, job: &str, settings: &Value, context: RunContext) -> Ended;
}

/// Something new about a run, for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunNews {
    /// Its record changed.
    State(RunId),
    /// It came further.
    Progress(RunId, Progress),
    /// It said something; the number of its newest line.
    Log(RunId, u64),
}

/// Everything the room needs, handed over by the composition root.
pub struct RunParts {
    /// The state.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// What tells this start of the appliance from all others.
    pub boot: String,
    /// Who runs plugins.
    pub plugins: Arc<dyn PluginWork>,
    /// The appliance's own work.
    pub tasks: Tasks,
}

/// The room's entry. Clones are the same.
#[derive(Clone)]
pub struct Runs(Arc<Room>);

struct Room {
    store: Store,
    clock: SharedClock,
    boot: String,
    plugins: Arc<dyn PluginWork>,
    tasks: Tasks,
    /// Held while it is decided whether a run may wait, and until that is on disk.
    door: tokio::sync::Mutex<Door>,
    board: Mutex<Board>,
    news: broadcast::Sender<RunNews>,
    workers: TaskTracker,
    grace: Duration,
}

/// Open while the appliance takes work.
#[derive(Debug, PartialEq, Eq)]
enum Door {
    Open,
    Closed,
}

/// What is under way.
struct Board {
    queue: Queue,
    live: HashMap<RunId, Arc<Live>>,
}

impl Runs {
    /// Opens the room. Call [`Runs::recover`] before anything else.
    pub fn new(parts: RunParts) -> Self {
        let RunParts { store, clock, boot, plugins, tasks } = parts;
        Self(Arc::new(Room {
            store,
            clock,
            boot,
            plugins,
            tasks,
            door: tokio::sync::Mutex::new(Door::Open),
            board: Mutex::new(Board { queue: Queue::new(PARALLEL), live: HashMap::new() }),
            news: broadcast::channel(NEWS).0,
            workers: TaskTracker::new(),
            grace: GRACE,
        }))
    }

    /// How far a run under way is.
    pub fn progress(&self, run: RunId) -> Option<Progress> {
        self.0.board.lock().live.get(&run).map(|live| live.progress())
    }

    /// Whether a run of the job is queued or started.
    pub fn is_active(&self, job: &JobName) -> bool {
        self.0.board.lock().queue.has(job)
    }

    /// Hears what is new about runs from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<RunNews> {
        self.0.news.subscribe()
    }
}

impl Room {
    fn tell(&self, news: RunNews) {
        let _nobody_listens = self.news.send(news);
    }
}
