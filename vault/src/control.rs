//! The handle a caller keeps on a running operation: how far it is, and "stop".

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use crate::error::{Result, VaultError};

/// Progress and cancellation of one operation. Cheap to clone; all clones are the same handle.
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    cancelled: AtomicBool,
    phase: AtomicU8,
    total: AtomicU64,
    done: AtomicU64,
    read: AtomicU64,
    new: AtomicU64,
    stored: AtomicU64,
}

/// What an operation is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    #[default]
    Starting,
    Reading,
    Committing,
    Writing,
    Checking,
    Marking,
    Repacking,
    Deleting,
    Finished,
}

const PHASES: [Phase; 9] = [
    Phase::Starting,
    Phase::Reading,
    Phase::Committing,
    Phase::Writing,
    Phase::Checking,
    Phase::Marking,
    Phase::Repacking,
    Phase::Deleting,
    Phase::Finished,
];

/// A snapshot of how far an operation is. Bytes; `total` is 0 until it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    pub phase: Phase,
    pub total: u64,
    /// Of `total`: handled, whether read, skipped as a hole, or known to be unchanged.
    pub done: u64,
    /// Read from the disk or the vault.
    pub read: u64,
    /// Not in the vault before.
    pub new: u64,
    /// Written to the vault or the target, compressed where it is.
    pub stored: u64,
}

impl Control {
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the operation to stop. It ends with [`VaultError::Cancelled`] within a fraction of a second of work.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Relaxed)
    }

    pub fn progress(&self) -> Progress {
        Progress {
            phase: PHASES.get(usize::from(self.0.phase.load(Relaxed))).copied().unwrap_or_default(),
            total: self.0.total.load(Relaxed),
            done: self.0.done.load(Relaxed),
            read: self.0.read.load(Relaxed),
            new: self.0.new.load(Relaxed),
            stored: self.0.stored.load(Relaxed),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(VaultError::Cancelled) } else { Ok(()) }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let number = PHASES.iter().position(|p| *p == phase).unwrap_or(0);
        self.0.phase.store(u8::try_from(number).unwrap_or(0), Relaxed);
    }

    /// Starts counting anew: an operation that must begin again must not report more than the whole.
    pub(crate) fn begin(&self, total: u64) {
        self.0.total.store(total, Relaxed);
        for counter in [&self.0.done, &self.0.read, &self.0.new, &self.0.stored] {
            counter.store(0, Relaxed);
        }
    }

    pub(crate) fn add_done(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn add_read(&self, bytes: u64) {
        self.0.read.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn add_new(&self, bytes: u64) {
        self.0.new.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn add_stored(&self, bytes: u64) {
        self.0.stored.fetch_add(bytes, Relaxed);
    }
}

/// Cancels the work on blocking threads when the future that waits for it is dropped.
pub(crate) struct CancelOnDrop(pub(crate) Control, pub(crate) bool);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if self.1 {
            self.0.cancel();
        }
    }
}

/// Runs blocking work on its own thread; dropping the returned future cancels it.
pub(crate) async fn on_blocking_thread<T: Send + 'static>(
    control: &Control,
    doing: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let mut guard = CancelOnDrop(control.clone(), true);
    let outcome = tokio::task::spawn_blocking(work).await;
    guard.1 = false;
    outcome.map_err(|_| VaultError::Internal { doing })?
}
