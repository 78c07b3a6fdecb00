//! Backup: the disks of a server become a recovery point, whole or not at all.
//!
//! ```text
//!  stretches of disk ─▶ workers (one per core) ─▶ pack writer ─▶ upload ─┐
//!                        read, zero? parent? vault?    frames into packs      ├─▶ index run ─▶ commit
//!                        compress, seal                                        ┘
//! ```
//!
//! - **Nothing acknowledged is lost.** Packs are durable before the index run that names them, that before the manifest,
//!   that before the caller hears of success. Before the manifest exists there is no recovery point, after it there is all of it.
//! - **Nothing is wasted.** What an interrupted backup stored is found by its packs' footers and used by the next one.
//! - **Bounded.** A few buffers per thread, a pack being filled and one under way; the index is the only thing that grows.
//! - **A prune may run at any moment.** `commit` sees whether it took away something this backup relied on; then the backup
//!   begins again, and what it stored the first time is found. The argument is in `prune`.

mod commit;
mod job;
mod run;
mod worker;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::id::PointId;
use crate::manifest::{Consistency, RecoveryPoint, Server};
use crate::source::DiskReader;

pub(crate) use run::run;

/// What to back up. The caller gives the time: the vault reads no clock.
#[derive(Clone, Debug)]
pub struct BackupRequest {
    pub server: Server,
    /// The moment whose state the disks hold.
    pub created: DateTime<Utc>,
    pub consistency: Consistency,
    pub definition: serde_json::Value,
    pub tags: Vec<String>,
    /// All of the server's disks; names are unique.
    pub disks: Vec<BackupDisk>,
    pub parent: Parent,
}

/// One disk to back up.
#[derive(Clone)]
pub struct BackupDisk {
    pub name: String,
    pub reader: Arc<dyn DiskReader>,
    /// When the source knows what changed, the rest is not read.
    pub changed: Option<ChangedBlocks>,
}

/// What changed on a disk since a recovery point, by the source's own account.
#[derive(Clone, Debug)]
pub struct ChangedBlocks {
    /// Used only if the backup's parent is this very point; otherwise all of the disk is read.
    pub since: PointId,
    /// Byte ranges, in any order.
    pub ranges: Vec<Range<u64>>,
}

/// Which older point the disks are compared with, block by block at the same place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parent {
    /// The server's newest.
    #[default]
    Newest,
    /// None: every block is looked up in the whole vault.
    None,
    Point(PointId),
}

/// What a backup made.
#[derive(Clone, Debug, Serialize)]
pub struct BackupReport {
    pub point: RecoveryPoint,
    /// How often the backup began again because a prune removed what it had built on; nearly always 0.
    pub restarts: u32,
}

impl BackupDisk {
    pub fn new(name: impl Into<String>, reader: Arc<dyn DiskReader>) -> Self {
        Self { name: name.into(), reader, changed: None }
    }
}

impl fmt::Debug for BackupDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupDisk").field("name", &self.name).field("changed", &self.changed).finish()
    }
}
