//! State: everything the appliance remembers except recovery points, which the vaults own.
//!
//! What flows in: records of `model`, from whichever room settled them. What flows out: the same records, and a notice
//! of each change for the page and the ticker. What was acknowledged is on disk.
//!
//! ```text
//!  transaction ─▶ commit ─▶ journal (flushed) ─▶ sled ─▶ acknowledged ─▶ notice
//!                              │                   │
//!                              └──── heal ◀── export (daily, and after each change of settings)
//! ```
//!
//! The database is sled, and sled 0.34 is not trusted alone. Three things lie beside it: a *journal* with every commit
//! since the exports that are kept, *exports* of the whole state as one JSON document, and within the database a
//! *manifest* (count and sum of hashes of each table) that tells whether what came up is what was written. A database
//! that does not open, or does not fit its manifest, is moved aside and made again from the newest good export and the
//! journal; the caller is told, raises an alert, and completes the recovery points from the vaults.
//!
//! What it refuses to know: what any record means, and every other room.
//!
//! Current limitations: log lines of runs are in neither journal nor export and are lost in healing.
//!
//! **Architecture Invariant:** `tree` is the only file of the workspace that names sled.

mod alerts;
mod audit;
mod audit_archive;
mod catalog;
mod commit;
mod digest;
mod due;
mod error;
mod export;
mod file;
mod heal;
mod import;
mod journal;
mod key;
mod lock;
mod logs;
mod metrics;
mod migrate;
mod notice;
mod plugin_state;
mod record;
mod runs;
mod settings;
mod table;
mod tree;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

pub use alerts::{Alerts, NewAlert};
pub use audit::{Audit, AuditEntry, BrokenChain};
pub use commit::Transaction;
pub use due::DueTimes;
pub use error::StoreError;
pub use export::ExportFile;
pub use heal::Healed;
pub use key::Key;
pub use lock::DirectoryLock;
pub use logs::{Logs, NumberedLine};
pub use metrics::{AppendSample, Metrics};
pub use notice::Change;
pub use plugin_state::{KeepState, PluginState};
pub use runs::{RunFilter, RunHistory, Runs};
pub use settings::Settings;
pub use table::Table;

use crate::clock::{Clock, SystemClock};
use crate::model::{
    account::{Session, Token, User},
    job::Job,
    name::{JobName, PluginId, ServerName, TokenName, UserName, VaultName},
    plugin::{Grant, InstalledPlugin},
    point::PointRecord,
    server::Server,
    vault::VaultDefinition,
};
use chrono::{DateTime, Utc};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::{broadcast, oneshot};

/// The appliance's state. Clones are the same state.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
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
    /// People.
    pub users: Table<UserName, User>,
    /// API tokens.
    pub tokens: Table<TokenName, Token>,
    /// Browser sessions, by digest.
    pub sessions: Table<String, Session>,
    /// Alerts, open and past.
    pub alerts: Alerts,
    /// Runs, newest and past, and what they said.
    pub runs: Runs,
    /// The audit log.
    pub audit: Audit,
    /// Measurements.
    pub metrics: Metrics,
    /// What plugins remember.
    pub plugin_state: PluginState,
    /// Single values.
    pub settings: Settings,
    /// Bookkeeping of schedules.
    pub due: DueTimes,
}

/// An open store, and what had to be done for it.
pub struct Opened {
    /// The state.
    pub store: Store,
    /// Set if it was damaged.
    pub healed: Option<Healed>,
}

/// What every table works on.
struct Engine {
    data: PathBuf,
    database: tree::Database,
    committer: commit::Committer,
}

impl Engine {
    async fn commit<T, E>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let waiting = self.submit(work)?;
        waiting.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    fn submit<T, E>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, E>>, StoreError>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.committer.submit(work)
    }
}

impl Store {
    /// Opens the state in `data`, making it where there is none and healing it where it is damaged. Whoever calls this
    /// holds the [`DirectoryLock`] of `data`.
    pub fn open_healing(data: &Path, now: DateTime<Utc>) -> Result<Opened, StoreError> {
        let heal::Ready { database, journal, manifest, healed } = heal::open(data, now)?;
        let committer = commit::Committer::start(data, database.clone(), journal, manifest)?;
        let store = Self::over(Engine { data: data.to_owned(), database, committer });
        Ok(Opened { store, healed })
    }

    /// As [`Store::open_healing`] for tools and tests: healing is only logged.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let opened = Self::open_healing(data, SystemClock.now())?;
        if let Some(healed) = &opened.healed {
            tracing::warn!(reason = healed.reason, "the state was damaged and has been restored");
        }
        Ok(opened.store)
    }

    fn over(engine: Engine) -> Self {
        let engine = Arc::new(engine);
        Self {
            servers: Table::new("servers", &engine),
            vaults: Table::new("vaults", &engine),
            jobs: Table::new("jobs", &engine),
            points: Table::new("points", &engine),
            plugins: Table::new("plugins", &engine),
            grants: Table::new("grants", &engine),
            publishers: Table::new("publishers", &engine),
            users: Table::new("users", &engine),
            tokens: Table::new("tokens", &engine),
            sessions: Table::new("sessions", &engine),
            alerts: Alerts::new(&engine),
            runs: Runs::new(&engine),
            audit: Audit::new(&engine),
            metrics: Metrics::new(&engine),
            plugin_state: PluginState::new(&engine),
            settings: Settings::new(&engine),
            due: DueTimes::new(&engine),
            engine,
        }
    }

    /// Runs `work` alone on the newest state. All it changed is saved when this returns its value, or nothing is.
    /// Use the tables' `_in` methods inside; clones of the store may be moved in.
    pub async fn transact<T, E>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.engine.commit(work).await
    }

    /// Hears of every change from now on, after it is durable. One that lags far behind is told that it missed some.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.engine.committer.subscribe()
    }

    /// Settles what is under way and refuses what comes later.
    pub fn close(&self) {
        self.engine.committer.close();
    }
}
