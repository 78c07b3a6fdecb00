//! A recovery point: one manifest for all disks of a server, so that it exists whole or not at all.
//!
//! The manifest is JSON inside a sealed object: it must stay readable for decades and grow fields, and it is small.
//! Readers ignore fields they do not know. Each manifest names the hash of the server's previous one, so that a
//! history from which a point was taken out, or into which one was slipped, shows it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{ContentId, ObjectHash, PointId};

/// A protected machine, as far as the vault knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Stable for the life of the server: parents and retention go by it.
    pub id: String,
    pub name: String,
}

/// What a restored disk looks like to the software on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// As after a power cut.
    Crash,
    /// As after a clean flush: file systems were frozen through the guest agent.
    Application,
}

/// One disk of a recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    pub name: String,
    /// Bytes; not necessarily a multiple of the block size.
    pub size: u64,
    pub block_size: u32,
    pub(crate) root: ContentId,
}

/// The server's point before this one, by name and by the hash of its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    pub point: PointId,
    pub(crate) hash: ObjectHash,
}

/// What a backup did, in bytes of disk unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupStats {
    /// Size of all disks.
    pub size: u64,
    /// Read from the disks.
    pub read: u64,
    /// Not read: holes, or known to be unchanged.
    pub skipped: u64,
    /// Read and all zeroes.
    pub zero: u64,
    /// Different from the parent point; all non-zero blocks when there is no parent.
    pub changed: u64,
    /// Not in the vault before.
    pub new: u64,
    /// Of `new`: did not get smaller when compressed.
    pub incompressible: u64,
    /// Bytes added to the vault for data and maps, after compression.
    pub stored: u64,
}

/// A point someone said must stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub reason: String,
    pub since: DateTime<Utc>,
}

/// A point that will go when the grace period ends; until then it restores and can be un-expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    pub at: DateTime<Utc>,
    /// On the vault clock: how many more seconds of grace are left, at least.
    pub grace_left_secs: u64,
}

/// The state of a server's disks and definition at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecoveryPoint {
    pub id: PointId,
    pub server: Server,
    pub created: DateTime<Utc>,
    pub consistency: Consistency,
    /// The point this backup was compared with.
    pub parent: Option<PointId>,
    pub previous: Option<Previous>,
    pub disks: Vec<Disk>,
    pub stats: BackupStats,
    /// What the caller supplied: firmware, CPUs, cards, how to boot it.
    pub definition: serde_json::Value,
    pub tags: Vec<String>,
    pub held: Option<Hold>,
    pub expired: Option<Expiry>,
}

/// What is stored of a recovery point. Holds and expiry are separate objects, since this one never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) point: PointId,
    pub(crate) server: Server,
    pub(crate) created: DateTime<Utc>,
    pub(crate) consistency: Consistency,
    pub(crate) parent: Option<PointId>,
    pub(crate) previous: Option<Previous>,
    pub(crate) disks: Vec<Disk>,
    #[serde(default)]
    pub(crate) stats: BackupStats,
    #[serde(default)]
    pub(crate) definition: serde_json::Value,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
}

impl Manifest {
    pub(crate) fn into_point(self, held: Option<Hold>, expired: Option<Expiry>) -> RecoveryPoint {
        RecoveryPoint {
            id: self.point,
            server: self.server,
            created: self.created,
            consistency: self.consistency,
            parent: self.parent,
            previous: self.previous,
            disks: self.disks,
            stats: self.stats,
            definition: self.definition,
            tags: self.tags,
            held,
            expired,
        }
    }
}
