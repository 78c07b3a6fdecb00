//! Recovery points of server disks, in an encrypted and deduplicating vault.
//!
//! A *vault* is a set of immutable, authenticated objects in a directory or a bucket. What flows in: the disks of
//! a server, read through [`DiskReader`], and the 32-byte [`VaultKey`]. What flows out: [`RecoveryPoint`]s that
//! restore bit for bit, and reports that say what was stored, found or freed.
//!
//! ```text
//!  disk ─▶ blocks ─▶ frames ─▶ packs ─▶ index runs ─▶ map ─▶ manifest     = one recovery point
//!         (identity) (sealed)  (objects) (where)      (which) (all disks)
//! ```
//!
//! Three promises, each with its argument in the module that keeps it: nothing acknowledged is lost (`backup`,
//! `prune`), nothing corrupt is returned (`frame`, `fetch`), nothing needs a lock that can go stale (`prune`).
//!
//! The crate knows nothing of plugins, HTTP, hypervisors or file systems inside the disks. It reads no clock: the
//! caller says when a point was taken and what time it is. `docs/vault-format.md` specifies every byte.

mod backup;
mod catalog;
mod config;
mod control;
mod damage;
mod directory;
mod error;
mod expire;
mod fetch;
mod frame;
mod id;
mod index;
mod key;
mod layout;
mod manifest;
mod map;
mod object;
mod pack;
mod pack_writer;
mod point_reader;
mod prune;
mod restore;
mod retention;
mod seal;
mod source;
mod target;
mod threads;
mod usage;
mod vault;
mod verify;
mod wire;

pub use backup::{BackupDisk, BackupReport, BackupRequest, ChangedBlocks, Parent};
pub use config::{BlockSize, MinimumRetention, Settings};
pub use control::{Control, Phase, Progress};
pub use directory::VaultStore;
pub use error::{Result, VaultError};
pub use id::{KeyId, PointId, VaultId};
pub use key::{KeyText, VaultKey};
pub use manifest::{BackupStats, Consistency, Disk, Expiry, Hold, Previous, RecoveryPoint, Server};
pub use point_reader::PointReader;
pub use prune::{PrunePlan, PruneReport, PruneRequest};
pub use restore::{RestoreReport, RestoreRequest};
pub use retention::{KeepReason, PointTime, RetentionRule, Verdict, keep};
pub use source::{DiskReader, Extent, FileDisk};
pub use target::{DiskWriter, FileTarget};
pub use usage::Usage;
pub use vault::{PointList, UnreadablePoint, Vault};
pub use verify::{Damage, DamagedRange, VerifyReport, VerifyRequest};
