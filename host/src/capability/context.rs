//! What a capability knows of the run it serves. Made by the room `run`, carried in the plugin's store.

use crate::model::{
    job::Trigger,
    name::{JobName, RunId},
    run::{LogLevel, Progress},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where a run's words and progress go. Must not block.
pub trait RunSink: Send + Sync + 'static {
    /// Adds a line to the run's log.
    fn log(&self, level: LogLevel, text: String);
    /// Replaces the run's progress.
    fn progress(&self, progress: Progress);
}

/// One run, as those who work for it see it.
#[derive(Clone)]
pub struct RunContext {
    /// Its number.
    pub run: RunId,
    /// The job it is of.
    pub job: JobName,
    /// What started it.
    pub trigger: Trigger,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Cancelled when a person, a policy or a shutdown wants the run to stop.
    pub cancel: CancellationToken,
    /// When its wall-clock limit is reached.
    pub deadline: DateTime<Utc>,
    /// Where its words go.
    pub sink: Arc<dyn RunSink>,
}
