//! State: everything the appliance remembers except recovery points, which the vaults own.
//!
//! What flows in: records of `model`, from whichever room settled them. What flows out: the same records, and a notice
//! of each change for the page and the ticker. A write is on disk before it is acknowledged.
//!
//! What it refuses to know: what any record means, and every other room.
//!
//! **Architecture Invariant:** `tree` is the only file of the workspace that names sled.

mod tree;

use crate::model::{
    account::{Session, Token, User},
    alert::Alert,
    job::Job,
    name::{AlertId, JobName, PluginId, ServerName, TokenName, UserName, VaultName},
    plugin::{Grant, InstalledPlugin},
    point::PointRecord,
    server::Server,
    vault::VaultDefinition,
};
use std::path::{Path, PathBuf};
pub use tree::Table;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not open.
    #[error("the state in {} does not open: {reason}; recovery points are not affected", path.display())]
    Open {
        /// Its directory.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },
    /// A record could not be read.
    #[error("the {table} table could not be read: {reason}; nothing was changed")]
    Read {
        /// Which table.
        table: &'static str,
        /// What the database said.
        reason: String,
    },
    /// A record could not be written.
    #[error(
        "the {table} table could not be written: {reason}; the change is not saved; check the disk's free space and try again"
    )]
    Write {
        /// Which table.
        table: &'static str,
        /// What the database said.
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
}

impl StoreError {
    fn read(table: &'static str, source: impl std::fmt::Display) -> Self {
        Self::Read { table, reason: source.to_string() }
    }
    fn write(table: &'static str, source: impl std::fmt::Display) -> Self {
        Self::Write { table, reason: source.to_string() }
    }
}

/// The appliance's state.
#[derive(Clone)]
pub struct Store {
    /// Protected machines.
    pub servers: Table<ServerName, Server>,
    /// Vaults in use.
    pub vaults: Table<VaultName, VaultDefinition>,
    /// Jobs.
    pub jobs: Table<JobName, Job>,
    /// Cache of recovery points; key `VAULT/POINT`.
    pub points: Table<String, PointRecord>,
    /// Installed plugins.
    pub plugins: Table<PluginId, InstalledPlugin>,
    /// Grants; key `PLUGIN/CAPABILITY`.
    pub grants: Table<String, Grant>,
    /// Publishers' pinned keys, by the part of the plugin id before the first dot.
    pub publishers: Table<String, String>,
    /// Alerts, open and past.
    pub alerts: Table<AlertId, Alert>,
    /// People.
    pub users: Table<UserName, User>,
    /// API tokens.
    pub tokens: Table<TokenName, Token>,
    /// Browser sessions, by digest.
    pub sessions: Table<String, Session>,
}

impl Store {
    /// Opens the state in `directory`, making it where there is none.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let database = tree::Database::open(&directory.join("state"))?;
        Ok(Self {
            servers: database.table("servers")?,
            vaults: database.table("vaults")?,
            jobs: database.table("jobs")?,
            points: database.table("points")?,
            plugins: database.table("plugins")?,
            grants: database.table("grants")?,
            publishers: database.table("publishers")?,
            alerts: database.table("alerts")?,
            users: database.table("users")?,
            tokens: database.table("tokens")?,
            sessions: database.table("sessions")?,
        })
    }
}
