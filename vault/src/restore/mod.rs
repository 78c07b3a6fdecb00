//! Restore: a disk of a recovery point, written to a target, every block checked against its id.
//!
//! The disk is worked on in windows of a gigabyte, which bounds memory. Within a window the blocks needed are sorted by
//! where they lie in the vault, so that each frame is fetched and opened once and neighbours come with one read, and
//! several threads fetch and write at once. Zeroes are not written to a blank target. When the target holds an older
//! state, what it already has is neither fetched nor written.

mod fetching;
mod window;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;
use tokio::runtime::Handle;

use crate::control::{Control, Phase, on_blocking_thread};
use crate::error::{Result, VaultError};
use crate::fetch::Fetch;
use crate::id::PointId;
use crate::manifest::Disk;
use crate::map::{LEAF_SPAN, Map};
use crate::target::DiskWriter;
use crate::threads;
use crate::vault::Inner;

/// One disk to restore.
#[derive(Clone)]
pub struct RestoreRequest {
    pub point: PointId,
    pub disk: String,
    pub target: Arc<dyn DiskWriter>,
    /// Read the target first and write only where it differs.
    pub only_what_differs: bool,
}

/// What a restore did, in bytes of disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    pub size: u64,
    /// Not zero in the recovery point.
    pub data: u64,
    pub written: u64,
    /// Fetched from the vault, as it is stored there.
    pub fetched: u64,
}

impl fmt::Debug for RestoreRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestoreRequest")
            .field("point", &self.point)
            .field("disk", &self.disk)
            .finish_non_exhaustive()
    }
}

/// Leaves per window.
const WINDOW: u64 = (1 << 30) / LEAF_SPAN;
/// Opened frames kept: pages of the map mostly.
const FRAMES: usize = 32;

/// One restore's shared state.
struct Job {
    fetch: Fetch,
    map: Map,
    disk: Disk,
    target: Arc<dyn DiskWriter>,
    only_what_differs: bool,
    blank: bool,
    control: Control,
    handle: Handle,
    data: AtomicU64,
    written: AtomicU64,
    fetched: AtomicU64,
}

pub(crate) async fn run(
    vault: &Arc<Inner>,
    request: RestoreRequest,
    control: &Control,
) -> Result<RestoreReport> {
    let disk = vault.disk(request.point, &request.disk).await?;
    let job = Job {
        fetch: vault.fetch(FRAMES).await?,
        map: Map::of(&disk),
        disk,
        blank: request.target.is_blank(),
        target: request.target,
        only_what_differs: request.only_what_differs,
        control: control.clone(),
        handle: Handle::current(),
        data: AtomicU64::new(0),
        written: AtomicU64::new(0),
        fetched: AtomicU64::new(0),
    };
    on_blocking_thread(control, "a restore", move || job.run()).await
}

impl Job {
    fn run(&self) -> Result<RestoreReport> {
        self.control.begin(self.disk.size);
        self.control.enter(Phase::Writing);
        let available = self.target.prepare(self.disk.size).map_err(|source| self.write_error(0, source))?;
        if available < self.disk.size {
            return Err(VaultError::TargetTooSmall {
                target: self.target.name(),
                disk: self.disk.name.clone(),
                needed: self.disk.size,
                available,
            });
        }
        let leaves = self.map.shape.leaves;
        let mut first = 0;
        while first < leaves {
            let last = (first + WINDOW).min(leaves);
            let needed = self.needed(first..last)?;
            let reads = self.reads(needed)?;
            threads::for_each(&reads, "restoring", |read| self.fetch_and_write(read))?;
            let covered = (last * LEAF_SPAN).min(self.disk.size) - first * LEAF_SPAN;
            let done = self.control.progress().done;
            // The reads counted what they wrote; the rest of the window was zero or there already.
            self.control.add_done((first * LEAF_SPAN + covered).saturating_sub(done));
            first = last;
        }
        self.target.finish().map_err(|source| self.write_error(self.disk.size, source))?;
        self.control.enter(Phase::Finished);
        Ok(RestoreReport {
            size: self.disk.size,
            data: self.data.load(Relaxed),
            written: self.written.load(Relaxed),
            fetched: self.fetched.load(Relaxed),
        })
    }

    fn write_error(&self, offset: u64, source: std::io::Error) -> VaultError {
        VaultError::WriteTarget { target: self.target.name(), offset, source }
    }
}
