//! What runs say while they run. Lines are many and small: each is in the database at once, flushed within a second,
//! and lost if the state has to be healed. Runs themselves are not.

use super::{Engine, StoreError, record};
use crate::model::{name::RunId, run::LogLine};
use std::sync::Arc;

/// Log lines of runs.
#[derive(Clone)]
pub struct Logs {
    engine: Arc<Engine>,
}

/// A line and its number within its run, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedLine {
    /// Its number.
    pub sequence: u64,
    /// The line.
    pub line: LogLine,
}

impl Logs {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        Self { engine: Arc::clone(engine) }
    }

    /// Adds a line. Cheap; on disk within a second or after [`Logs::flush`].
    pub fn append(&self, run: RunId, sequence: u64, line: &LogLine) -> Result<(), StoreError> {
        let bytes = record::encode("logs", line)?;
        self.engine
            .database
            .append_log(&key(run, sequence), &bytes)
            .map_err(|reason| StoreError::write("logs", reason))
    }

    /// The lines after number `after`, at most `limit`. A line that is damaged is left out.
    pub fn read(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<NumberedLine>, StoreError> {
        let found = self
            .engine
            .database
            .logs(&key(run, after.saturating_add(1)), &key(RunId(run.0 + 1), 0), limit)
            .map_err(|reason| StoreError::read("logs", reason))?;
        Ok(found
            .iter()
            .filter_map(|(key, bytes)| {
                let sequence = u64::from_be_bytes(key.get(8..)?.try_into().ok()?);
                Some(NumberedLine { sequence, line: record::decode("logs", bytes).ok()? })
            })
            .collect())
    }

    /// Waits until every line so far is on disk.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let database = self.engine.database.clone();
        tokio::task::spawn_blocking(move || database.flush())
            .await
            .map_err(|source| StoreError::write("logs", source))?
            .map_err(|reason| StoreError::write("logs", reason))
    }

    pub(super) fn remove(&self, run: RunId) -> Result<(), StoreError> {
        self.engine
            .database
            .remove_logs(&key(run, 0), &key(RunId(run.0 + 1), 0))
            .map_err(|reason| StoreError::write("logs", reason))
    }
}

fn key(run: RunId, sequence: u64) -> [u8; 16] {
    ((u128::from(run.0) << 64) | u128::from(sequence)).to_be_bytes()
}
