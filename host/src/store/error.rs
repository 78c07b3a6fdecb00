//! Why the store could not do what was asked, in words for whoever must act on it.

use std::path::PathBuf;

/// Why the store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The state did not open and could not be healed.
    #[error(
        "the state in {} does not open: {reason}; recovery points are not affected; check the disk and its free space, then start again", path.display()
    )]
    Open {
        /// Its directory.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// Another process has the directory.
    #[error(
        "the data directory {} is in use by another Holdfast (process {holder}); nothing was changed; stop that one first, or choose another directory with --data", path.display()
    )]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// The holder's process id, as it wrote it.
        holder: String,
    },
    /// Written by a newer version.
    #[error(
        "the state in {} was written by a newer Holdfast (state version {found}, this one knows {known}); nothing was changed; start the newer version, or import an export made by this one", path.display()
    )]
    Newer {
        /// Its directory.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The newest this binary reads.
        known: u32,
    },
    /// A record could not be read.
    #[error(
        "the {table} table could not be read: {reason}; nothing was changed; check the disk and start again"
    )]
    Read {
        /// Which table.
        table: &'static str,
        /// What the database said.
        reason: String,
    },
    /// A record could not be written.
    #[error(
        "a change of {table} could not be saved: {reason}; it is not saved and nothing else was changed; check the disk's free space and try again"
    )]
    Write {
        /// Which table, or `the state`.
        table: &'static str,
        /// What the system said.
        reason: String,
    },
    /// A record could not be turned into bytes.
    #[error(
        "a {table} record cannot be encoded: {reason}; nothing was changed; this is a bug in the appliance"
    )]
    Encode {
        /// Which table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Stored bytes are not a record.
    #[error(
        "a {table} record cannot be decoded: {reason}; it is left as it is; restore the state from an export"
    )]
    Decode {
        /// Which table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The writer thread is gone.
    #[error("the state is closing down; the change is not saved; try again when the appliance has started")]
    Closed,
    /// An export could not be written.
    #[error(
        "the export {} could not be written: {reason}; the state itself is not affected; check the disk's free space and try again", path.display()
    )]
    Export {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A text is not an export that can be taken in.
    #[error("this export cannot be imported: {reason}; nothing was changed; choose another export")]
    Import {
        /// What is wrong.
        reason: String,
    },
}

impl StoreError {
    pub(super) fn read(table: &'static str, source: impl std::fmt::Display) -> Self {
        Self::Read { table, reason: source.to_string() }
    }
    pub(super) fn write(table: &'static str, source: impl std::fmt::Display) -> Self {
        Self::Write { table, reason: source.to_string() }
    }
    pub(super) fn import(reason: impl Into<String>) -> Self {
        Self::Import { reason: reason.into() }
    }
}
