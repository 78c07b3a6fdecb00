//! What can go wrong with a vault, in words for the person who must act on it.
//!
//! One enum for the crate: the same causes (a full disk, a damaged object) reach every operation. Each message says
//! what happened and to what, what that means for the data, and the next step.

use std::io;

use crate::id::PointId;

/// The result of every operation on a vault.
pub type Result<T, E = VaultError> = std::result::Result<T, E>;

/// Why an operation on a vault did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    #[error(
        "the vault {vault} is full; existing recovery points are intact and this operation left nothing half done: free space there, or expire old points and prune, and run it again"
    )]
    VaultFull { vault: String, source: Source },

    #[error(
        "the vault {vault} cannot be written to; existing recovery points are intact: make it writable for this user (a share mounted read-only is the usual cause) and run it again"
    )]
    ReadOnlyVault { vault: String, source: Source },

    #[error(
        "there is no vault at {vault}; nothing was changed: check the location, or create a vault there first"
    )]
    NotAVault { vault: String },

    #[error(
        "{vault} already holds a vault; nothing was changed: open it with its key, or choose an empty place"
    )]
    AlreadyAVault { vault: String },

    #[error(
        "the key does not fit the vault {vault}: the vault was made with key {expected}, the given key is {given}; nothing was changed: use the key from this vault's recovery kit"
    )]
    WrongKey { vault: String, expected: String, given: String },

    #[error(
        "{object} has format {found}, newer than the {supported} this version understands; nothing was changed: update Holdfast and try again"
    )]
    NewerFormat { object: String, found: u16, supported: u16 },

    #[error(
        "{object} in the vault is damaged ({reason}); nothing from it was used: run verify to see which recovery points it touches, and take a new backup of those servers"
    )]
    Damaged { object: String, reason: String },

    #[error(
        "{object} is missing from the vault; what depends on it cannot be read: run verify to see which recovery points it touches, and take a new backup of those servers"
    )]
    Missing { object: String },

    #[error(
        "the vault {vault} did not answer for {object} ({operation}); what was acknowledged before is intact: check the storage or network and run it again"
    )]
    Storage { vault: String, operation: &'static str, object: String, source: Source },

    #[error(
        "reading disk {disk} at byte {offset} failed; no recovery point was made and older points are intact: check the disk and run the backup again"
    )]
    ReadDisk { disk: String, offset: u64, source: io::Error },

    #[error(
        "disk {disk} changed its size during the backup, from {before} to {now} bytes; no recovery point was made and older points are intact: run the backup again when nothing resizes the disk"
    )]
    DiskResized { disk: String, before: u64, now: u64 },

    #[error(
        "the backup names disk {disk} twice; no recovery point was made: give each disk of the server its own name"
    )]
    DuplicateDisk { disk: String },

    #[error("the backup names no disk; no recovery point was made: give the server at least one disk")]
    NoDisks,

    #[error(
        "writing to {target} at byte {offset} failed; the restored disk is incomplete and must not be used, the vault is unchanged: check the target and restore again"
    )]
    WriteTarget { target: String, offset: u64, source: io::Error },

    #[error(
        "{target} holds {available} bytes but disk {disk} needs {needed}; nothing was written: choose a larger target"
    )]
    TargetTooSmall { target: String, disk: String, needed: u64, available: u64 },

    #[error(
        "there is no recovery point {point} in the vault; nothing was changed: list the points and choose one"
    )]
    NoSuchPoint { point: PointId },

    #[error(
        "recovery point {point} has no disk named {disk}; nothing was changed: choose one of: {available}"
    )]
    NoSuchDisk { point: PointId, disk: String, available: String },

    #[error(
        "{length} bytes at byte {offset} of disk {disk} cannot be restored, their block is damaged or missing in the vault ({source}); nothing wrong was written in their place: restore an older or newer point, and run verify to see which are whole"
    )]
    BlockLost { disk: String, offset: u64, length: u64, source: Box<VaultError> },

    #[error(
        "disk {disk} of the recovery point ends at byte {size}, and byte {end} was asked for; nothing was read: stay within the disk"
    )]
    BeyondEnd { disk: String, size: u64, end: u64 },

    #[error(
        "recovery point {point} is held ({reason}); it was not expired: release the hold first if it may go"
    )]
    PointHeld { point: PointId, reason: String },

    #[error(
        "expiring {point} would leave server {server} below the vault's minimum retention ({minimum}); nothing was expired: keep this point, or take newer ones first"
    )]
    MinimumRetention { point: PointId, server: String, minimum: String },

    #[error(
        "recovery point {point} is being removed by a prune, its grace period is over; it can no longer be kept: use another point"
    )]
    BeingRemoved { point: PointId },

    #[error(
        "the vault's contents changed under this backup {attempts} times; no recovery point was made and older points are intact: run the backup again when the prune has finished"
    )]
    KeptChanging { attempts: u32 },

    #[error(
        "prune stopped before deleting anything: {object} could not be read ({reason}), so what is still needed is not known; no data was lost: run verify, and prune again when it is clean"
    )]
    CannotMark { object: String, reason: String },

    #[error("{setting} cannot be {value}; the vault was not created: {remedy}")]
    BadSetting { setting: &'static str, value: String, remedy: &'static str },

    #[error(
        "the operation was cancelled; what was stored so far will be reused and no recovery point was changed: start it again at any time"
    )]
    Cancelled,

    #[error(
        "internal error in {doing}; existing recovery points are intact: report this to the makers of Holdfast"
    )]
    Internal { doing: &'static str },
}

/// The lower-level cause of an error, kept for logs.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

impl VaultError {
    /// Whether this says "the bytes there are not what was written": the object is damaged or gone.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Missing { .. } | Self::BlockLost { .. })
    }

    pub(crate) fn damaged(object: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Damaged { object: object.into(), reason: reason.into() }
    }
}
