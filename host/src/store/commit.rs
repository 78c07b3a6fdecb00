//! One thread that commits: it takes what has piled up, runs each transaction on the others' results, writes all of
//! them to the journal with one flush, applies them to the database in one batch, and only then lets anyone know.
//!
//! So transactions are serial, several tables change together or not at all, many small writes share a flush, and
//! when the disk is full nothing has happened.

use super::{
    StoreError, catalog,
    digest::{self, Manifest},
    heal,
    journal::{self, Journal},
    notice::Change,
    record,
    tree::{Changes, Database, Entry},
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::mpsc,
    thread::JoinHandle,
};
use tokio::sync::{broadcast, oneshot};

/// Bytes of journal that one flush takes at most, before those who wait are answered.
const GROUP_BYTES: usize = 4 << 20;
/// Changes that a slow listener may lag behind before it is told that it missed some.
const NOTICES: usize = 1024;

/// Tells a waiting caller how its transaction ended.
type Finish = Box<dyn FnOnce(Option<StoreError>) + Send>;
type Run = Box<dyn FnOnce(&mut Group) -> Option<Finish> + Send>;

enum Work {
    Commit(Run),
    Snapshot(oneshot::Sender<Result<Snapshot, StoreError>>),
}

/// The whole state at one commit.
pub(super) struct Snapshot {
    pub(super) sequence: u64,
    pub(super) records: Vec<Entry>,
}

/// The writing side of an open store.
pub(super) struct Committer {
    queue: parking_lot::Mutex<Option<mpsc::Sender<Work>>>,
    thread: parking_lot::Mutex<Option<JoinHandle<()>>>,
    notices: broadcast::Sender<Change>,
    journal_bytes: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Committer {
    pub(super) fn start(
        data: &Path,
        database: Database,
        journal: Journal,
        manifest: Manifest,
    ) -> Result<Self, StoreError> {
        let (queue, works) = mpsc::channel();
        let (notices, _) = broadcast::channel(NOTICES);
        let journal_bytes = std::sync::Arc::<std::sync::atomic::AtomicU64>::default();
        let mut writer = Writer {
            data: data.to_owned(),
            broken: false,
            database,
            journal,
            manifest,
            notices: notices.clone(),
            journal_bytes: std::sync::Arc::clone(&journal_bytes),
        };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.serve(&works))
            .map_err(|source| StoreError::write("the state", source))?;
        Ok(Self {
            queue: parking_lot::Mutex::new(Some(queue)),
            thread: parking_lot::Mutex::new(Some(thread)),
            notices,
            journal_bytes,
        })
    }

    /// Queues `work`, which runs alone on the newest state. What it changed is durable when its value arrives.
    pub(super) fn submit<T, E>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, E>>, StoreError>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, waiting) = oneshot::channel();
        let run: Run = Box::new(move |group| {
            let mut transaction = Transaction { group, own: Changes::new(), noticed: Vec::new() };
            let done = catch_unwind(AssertUnwindSafe(|| work(&mut transaction))).unwrap_or_else(|_| {
                Err(StoreError::write("the state", "a bug in the appliance stopped the change").into())
            });
            match done.and_then(|value| transaction.close().map(|()| value).map_err(E::from)) {
                Ok(value) => Some(Box::new(move |failed: Option<StoreError>| {
                    let _gone = answer.send(failed.map_or(Ok(value), |error| Err(error.into())));
                })),
                Err(error) => {
                    let _gone = answer.send(Err(error));
                    None
                }
            }
        });
        self.send(Work::Commit(run))?;
        Ok(waiting)
    }

    /// The whole state as of now; the journal begins a new file behind it.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let (answer, waiting) = oneshot::channel();
        self.send(Work::Snapshot(answer))?;
        waiting.await.unwrap_or(Err(StoreError::Closed))
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.notices.subscribe()
    }

    /// Bytes in the journal's present file.
    pub(super) fn journal_bytes(&self) -> u64 {
        self.journal_bytes.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn send(&self, work: Work) -> Result<(), StoreError> {
        let queue = self.queue.lock();
        let queue = queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(work).map_err(|_| StoreError::Closed)
    }

    /// Settles what is queued and stops; later changes are refused.
    pub(super) fn close(&self) {
        drop(self.queue.lock().take());
        // The last one to let go of the store may be a transaction on that very thread.
        if let Some(thread) = self.thread.lock().take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _panicked = thread.join();
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Transactions that share one flush.
struct Group {
    database: Database,
    sequence: u64,
    overlay: Changes,
    journal: Vec<u8>,
    noticed: Vec<Change>,
}

struct Writer {
    data: PathBuf,
    /// The database failed to write, and has to be opened anew before it can again.
    broken: bool,
    database: Database,
    journal: Journal,
    manifest: Manifest,
    notices: broadcast::Sender<Change>,
    journal_bytes: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Writer {
    fn serve(&mut self, works: &mpsc::Receiver<Work>) {
        while let Ok(first) = works.recv() {
            let mut group = self.group();
            let mut finishes = Vec::new();
            let mut next = Some(first);
            while let Some(work) = next.take() {
                match work {
                    Work::Commit(run) => finishes.extend(run(&mut group)),
                    Work::Snapshot(answer) => {
                        self.settle(std::mem::replace(&mut group, self.group()), &mut finishes);
                        group = self.group();
                        let _gone = answer.send(self.snapshot());
                    }
                }
                if group.journal.len() < GROUP_BYTES {
                    next = works.try_recv().ok();
                }
            }
            self.settle(group, &mut finishes);
        }
        if let Err(reason) = self.database.flush() {
            tracing::warn!(
                reason,
                "the database could not be flushed at its end; the journal has everything"
            );
        }
    }

    fn group(&self) -> Group {
        Group {
            database: self.database.clone(),
            sequence: self.manifest.sequence,
            overlay: Changes::new(),
            journal: Vec::new(),
            noticed: Vec::new(),
        }
    }

    fn settle(&mut self, group: Group, finishes: &mut Vec<Finish>) {
        let noticed = group.noticed.clone();
        let failed = if group.journal.is_empty() { None } else { self.write(group).err() };
        for finish in finishes.drain(..) {
            finish(failed.clone());
        }
        self.journal_bytes.store(self.journal.length(), std::sync::atomic::Ordering::Relaxed);
        if failed.is_none() {
            for change in noticed {
                let _nobody = self.notices.send(change);
            }
        }
    }

    fn write(&mut self, group: Group) -> Result<(), StoreError> {
        let failed = |reason: String| StoreError::Write { table: "the state", reason };
        self.mend().map_err(failed)?;
        let mut manifest = self.manifest.clone();
        manifest.sequence = group.sequence;
        manifest.follow(&group.overlay, |key| self.database.get(key)).map_err(failed)?;
        let bytes = serde_json::to_vec(&manifest).map_err(|source| failed(source.to_string()))?;
        let mut changes = group.overlay;
        changes.insert(digest::KEY.to_vec(), Some(bytes));
        self.journal.append(&group.journal).map_err(|source| failed(source.to_string()))?;
        if let Err(reason) = self.database.apply(&changes) {
            self.journal.take_back(group.journal.len() as u64);
            self.broken = true;
            return Err(failed(reason));
        }
        self.manifest = manifest;
        Ok(())
    }

    /// Opens a database that failed again, and brings in from the journal what it had not yet on disk. Transactions of
    /// the group that is about to be written have read what was acknowledged, which is just that.
    fn mend(&mut self) -> Result<(), String> {
        if !self.broken {
            return Ok(());
        }
        self.database.reopen()?;
        let stored = self.database.get(digest::KEY)?;
        let mut manifest = match stored {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|source| source.to_string())?,
            None => empty_manifest(),
        };
        heal::replay(&self.data, &self.database, &mut manifest)?;
        if manifest != self.manifest {
            return Err("the database lost acknowledged records; start the appliance again to restore them"
                .to_owned());
        }
        self.broken = false;
        tracing::warn!(
            "the database had failed to write and was opened again; nothing acknowledged was lost"
        );
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Snapshot, StoreError> {
        let sequence = self.manifest.sequence;
        self.journal.rotate(sequence + 1).map_err(|source| StoreError::write("the state", source))?;
        let mut records = self.database.scan(b"").map_err(|reason| StoreError::read("whole", reason))?;
        records.retain(|(key, _)| key != digest::KEY);
        Ok(Snapshot { sequence, records })
    }
}

/// Changes that belong together: all of them are saved, or none.
pub struct Transaction<'a> {
    group: &'a mut Group,
    own: Changes,
    noticed: Vec<Change>,
}

impl Transaction<'_> {
    pub(super) fn read(&self, table: &'static str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = full_key(table, key);
        if let Some(changed) = self.own.get(&key).or_else(|| self.group.overlay.get(&key)) {
            return Ok(changed.clone());
        }
        self.group.database.get(&key).map_err(|reason| StoreError::read(table, reason))
    }

    pub(super) fn write(&mut self, table: &'static str, key: &str, value: Option<Vec<u8>>) {
        self.own.insert(full_key(table, key), value);
        self.noticed.push(Change { table, key: key.to_owned() });
    }

    /// Keys (without the table) and bytes of what begins with `prefix`, in order.
    pub(super) fn scan(
        &self,
        table: &'static str,
        prefix: &str,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let start = full_key(table, prefix);
        let stored = self.group.database.scan(&start).map_err(|reason| StoreError::read(table, reason))?;
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = stored.into_iter().collect();
        for changes in [&self.group.overlay, &self.own] {
            for (key, value) in changes.range(start.clone()..).take_while(|(key, _)| key.starts_with(&start))
            {
                match value {
                    Some(value) => merged.insert(key.clone(), value.clone()),
                    None => merged.remove(key),
                };
            }
        }
        Ok(merged.into_iter().map(|(key, value)| (catalog::key_of(&key), value)).collect())
    }

    fn close(self) -> Result<(), StoreError> {
        if self.own.is_empty() {
            return Ok(());
        }
        let sequence = self.group.sequence + 1;
        journal::encode(sequence, &self.own, &mut self.group.journal)
            .map_err(|source| StoreError::write("the state", source))?;
        self.group.sequence = sequence;
        self.group.overlay.extend(self.own);
        self.group.noticed.extend(self.noticed);
        Ok(())
    }
}

/// Table, NUL, key.
pub(super) fn full_key(table: &str, key: &str) -> Vec<u8> {
    [table.as_bytes(), b"\0", key.as_bytes()].concat()
}

/// The manifest that a new state begins with.
pub(super) fn empty_manifest() -> Manifest {
    Manifest { version: record::VERSION, ..Manifest::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(data: &Path) -> Writer {
        let database = Database::open(&data.join("state")).unwrap();
        let journal = Journal::begin(&data.join("journal"), 1).unwrap();
        Writer {
            data: data.to_owned(),
            broken: false,
            database,
            journal,
            manifest: empty_manifest(),
            notices: broadcast::channel(1).0,
            journal_bytes: std::sync::Arc::default(),
        }
    }

    fn put(writer: &mut Writer, key: &str) -> Result<(), StoreError> {
        let mut group = writer.group();
        let mut transaction = Transaction { group: &mut group, own: Changes::new(), noticed: Vec::new() };
        transaction.write("settings", key, Some(b"{}".to_vec()));
        transaction.close().unwrap();
        writer.write(group)
    }

    #[test]
    fn a_database_that_failed_is_opened_anew_with_everything_acknowledged() {
        let data = tempfile::tempdir().unwrap();
        let mut writer = writer(data.path());
        put(&mut writer, "before").unwrap();
        let elsewhere = writer.database.clone();
        writer.broken = true;
        put(&mut writer, "after").unwrap();
        assert!(!writer.broken);
        for key in ["before", "after"] {
            assert!(elsewhere.get(&full_key("settings", key)).unwrap().is_some(), "{key}");
        }
    }

    #[test]
    fn a_database_that_came_back_without_something_is_not_written_to() {
        let data = tempfile::tempdir().unwrap();
        let mut writer = writer(data.path());
        put(&mut writer, "one").unwrap();
        put(&mut writer, "two").unwrap();
        writer.broken = true;
        let lost = Changes::from([(digest::KEY.to_vec(), None)]);
        writer.database.apply(&lost).unwrap();
        std::fs::remove_dir_all(data.path().join("journal")).unwrap();
        let said = put(&mut writer, "three").unwrap_err().to_string();
        assert!(said.contains("start the appliance again"), "{said}");
    }
}
