//! The only file that names sled. One tree holds all records (key: table, NUL, key), so that one batch changes any of
//! them together; a second tree holds run log lines, which are many and may be lost.
//!
//! Nothing here is durable by itself: `journal` is, and `commit` writes it first. sled flushes behind, twice a second.

use super::StoreError;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

/// Bytes of pages kept in memory.
const CACHE: u64 = 16 << 20;

/// Changes by full key: a value, or none for "removed".
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A full key and its bytes.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// An open database.
#[derive(Clone)]
pub(super) struct Database {
    database: sled::Db,
    records: sled::Tree,
    logs: sled::Tree,
}

impl Database {
    /// Opens or makes the database. Damaged files make sled fail or panic: both are an error here.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |reason: String| StoreError::Open { path: path.to_owned(), reason };
        let opened = catch_unwind(AssertUnwindSafe(|| -> sled::Result<Self> {
            let database = sled::Config::new().path(path).cache_capacity(CACHE).open()?;
            let records = database.open_tree("records")?;
            let logs = database.open_tree("logs")?;
            Ok(Self { database, records, logs })
        }));
        match opened {
            Ok(Ok(database)) => Ok(database),
            Ok(Err(source)) => Err(failed(source.to_string())),
            Err(_) => Err(failed("its files are damaged".to_owned())),
        }
    }

    /// The bytes under a full key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        guarded(|| self.records.get(key).map(|found| found.map(|bytes| bytes.to_vec())))
    }

    /// Everything whose full key begins with `prefix`, in order.
    pub(super) fn scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, String> {
        guarded(|| {
            self.records
                .scan_prefix(prefix)
                .map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())))
                .collect()
        })
    }

    /// Calls `each` with everything from just below `end` down to `start`, until it says false.
    pub(super) fn walk_back(
        &self,
        start: &[u8],
        end: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), String> {
        guarded(|| {
            for entry in self.records.range(start..end).rev() {
                let (key, value) = entry?;
                if !each(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Calls `each` with every record, in order.
    pub(super) fn walk(&self, mut each: impl FnMut(&[u8], &[u8])) -> Result<(), String> {
        guarded(|| {
            for entry in self.records.iter() {
                let (key, value) = entry?;
                each(&key, &value);
            }
            Ok(())
        })
    }

    /// Changes all or none.
    pub(super) fn apply(&self, changes: &Changes) -> Result<(), String> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        guarded(|| self.records.apply_batch(batch))
    }

    /// Waits until everything so far is on disk.
    pub(super) fn flush(&self) -> Result<(), String> {
        guarded(|| self.database.flush().map(|_| ()))
    }

    /// Adds a log line.
    pub(super) fn append_log(&self, key: &[u8], value: &[u8]) -> Result<(), String> {
        guarded(|| self.logs.insert(key, value).map(|_| ()))
    }

    /// Log entries with keys in `start..end`, in order, at most `limit`.
    pub(super) fn logs(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Entry>, String> {
        guarded(|| {
            self.logs
                .range(start..end)
                .take(limit)
                .map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())))
                .collect()
        })
    }

    /// Removes log entries with keys in `start..end`.
    pub(super) fn remove_logs(&self, start: &[u8], end: &[u8]) -> Result<(), String> {
        guarded(|| {
            let mut batch = sled::Batch::default();
            for key in self.logs.range(start..end).keys() {
                batch.remove(key?);
            }
            self.logs.apply_batch(batch)
        })
    }
}

/// Runs `work`; a panic inside sled is an error like any other.
fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|source| source.to_string()),
        Err(_) => Err("the database failed on its own files; they may be damaged".to_owned()),
    }
}
