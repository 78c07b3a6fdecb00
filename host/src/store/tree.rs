//! The only file that names sled. One tree holds all records (key: table, NUL, key), so that one batch changes any of
//! them together; a second tree holds run log lines, which are many and may be lost.
//!
//! Nothing here is durable by itself: `journal` is, and `commit` writes it first. sled flushes behind, twice a second.

use super::StoreError;
use parking_lot::RwLock;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

/// Bytes of pages kept in memory.
const CACHE: u64 = 16 << 20;

/// Changes by full key: a value, or none for "removed".
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A full key and its bytes.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// An open database. Clones are the same one, also after it was opened anew.
#[derive(Clone)]
pub(super) struct Database {
    path: Arc<Path>,
    open: Arc<RwLock<Option<Open>>>,
}

struct Open {
    database: sled::Db,
    records: sled::Tree,
    logs: sled::Tree,
}

impl Database {
    /// Opens or makes the database. Damaged files make sled fail or panic: both are an error here.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let open = Open::at(path).map_err(|reason| StoreError::Open { path: path.to_owned(), reason })?;
        Ok(Self { path: path.into(), open: Arc::new(RwLock::new(Some(open))) })
    }

    /// Closes the database and opens it again: after a failed write, for example on a full disk, sled stays broken.
    pub(super) fn reopen(&self) -> Result<(), String> {
        let mut open = self.open.write();
        let old = open.take();
        let _may_fail = catch_unwind(AssertUnwindSafe(|| drop(old)));
        *open = Some(Open::at(&self.path)?);
        Ok(())
    }

    /// Runs `work`; a panic inside sled is an error like any other.
    fn with<T>(&self, work: impl FnOnce(&Open) -> sled::Result<T>) -> Result<T, String> {
        // A walk may look other records up on its way, also while somebody waits to open the database anew.
        let open = self.open.read_recursive();
        let open = open
            .as_ref()
            .ok_or("the database is closed after an error; it is opened again with the next change")?;
        match catch_unwind(AssertUnwindSafe(|| work(open))) {
            Ok(result) => result.map_err(|source| source.to_string()),
            Err(_) => Err("the database failed on its own files; they may be damaged".to_owned()),
        }
    }

    /// The bytes under a full key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        self.with(|open| open.records.get(key).map(|found| found.map(|bytes| bytes.to_vec())))
    }

    /// Everything whose full key begins with `prefix`, in order.
    pub(super) fn scan(&self, prefix: &[u8]) -> Result<Vec<Entry>, String> {
        self.with(|open| {
            open.records
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
        self.with(|open| {
            for entry in open.records.range(start..end).rev() {
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
        self.with(|open| {
            for entry in open.records.iter() {
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
        self.with(|open| open.records.apply_batch(batch))
    }

    /// Waits until everything so far is on disk.
    pub(super) fn flush(&self) -> Result<(), String> {
        self.with(|open| open.database.flush().map(|_| ()))
    }

    /// Adds a log line.
    pub(super) fn append_log(&self, key: &[u8], value: &[u8]) -> Result<(), String> {
        self.with(|open| open.logs.insert(key, value).map(|_| ()))
    }

    /// Log entries with keys in `start..end`, in order, at most `limit`.
    pub(super) fn logs(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Entry>, String> {
        self.with(|open| {
            open.logs
                .range(start..end)
                .take(limit)
                .map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())))
                .collect()
        })
    }

    /// Removes log entries with keys in `start..end`.
    pub(super) fn remove_logs(&self, start: &[u8], end: &[u8]) -> Result<(), String> {
        self.with(|open| {
            let mut batch = sled::Batch::default();
            for key in open.logs.range(start..end).keys() {
                batch.remove(key?);
            }
            open.logs.apply_batch(batch)
        })
    }
}

impl Open {
    fn at(path: &Path) -> Result<Self, String> {
        let opened = catch_unwind(|| -> sled::Result<Self> {
            let database = sled::Config::new().path(path).cache_capacity(CACHE).open()?;
            let records = database.open_tree("records")?;
            let logs = database.open_tree("logs")?;
            Ok(Self { database, records, logs })
        });
        match opened {
            Ok(opened) => opened.map_err(|source| source.to_string()),
            Err(_) => Err("its files are damaged".to_owned()),
        }
    }
}
