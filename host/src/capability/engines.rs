//! What capabilities stand on, as traits: the real site implements them, and so can a simulated one.
//!
//! By the time an engine is called the grant has been checked and the audit record is written. An engine's error text
//! is for a person: what happened, what it means for the data, the next step.

use super::{
    audit::{AuditLog, GrantBook},
    operation::{OperationError, Work},
};
use crate::model::{
    alert::Severity,
    metric::{Sample, SeriesKey},
    name::{JobName, PluginId, RunId, ServerName, VaultName},
    point::PointRecord,
    server::Server,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
pub use holdfast_vault::RetentionRule;
use std::sync::Arc;

/// Why an engine did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// What was asked makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It cannot be done now.
    #[error("{0}")]
    Unavailable(String),
    /// A rule of the vault or the site forbids it, whoever asks.
    #[error("{0}")]
    Refused(String),
    /// There is no room for more.
    #[error("{0}")]
    Quota(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// On whose behalf an engine works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The plugin.
    pub plugin: PluginId,
    /// The job.
    pub job: JobName,
    /// The run.
    pub run: RunId,
}

/// The servers of the site.
#[async_trait]
pub trait Servers: Send + Sync + 'static {
    /// All of them, by name.
    async fn list(&self) -> Result<Vec<Server>, EngineError>;
    /// One of them.
    async fn get(&self, name: &ServerName) -> Result<Option<Server>, EngineError>;
}

/// Recovery points in the site's vaults.
#[async_trait]
pub trait RecoveryPoints: Send + Sync + 'static {
    /// Those of a server in a vault, newest first, expired ones included.
    async fn list(
        &self,
        server: &ServerName,
        vault: &VaultName,
        limit: usize,
    ) -> Result<Vec<PointRecord>, EngineError>;
    /// One of them.
    async fn get(&self, vault: &VaultName, id: &str) -> Result<PointRecord, EngineError>;
    /// Makes one of all the server's disks and returns its id.
    async fn create(
        &self,
        server: &Server,
        vault: &VaultName,
        origin: &Origin,
        work: &Work,
    ) -> Result<String, OperationError>;
    /// Keeps one from retention.
    async fn hold(&self, vault: &VaultName, id: &str, reason: &str, by: &PluginId)
    -> Result<(), EngineError>;
    /// Ends a hold that `by` made; refuses others.
    async fn release(&self, vault: &VaultName, id: &str, by: &PluginId) -> Result<(), EngineError>;
    /// Reads and authenticates everything it needs.
    async fn test(&self, vault: &VaultName, id: &str, work: &Work) -> Result<(), OperationError>;
}

/// Letting recovery points go.
#[async_trait]
pub trait Retention: Send + Sync + 'static {
    /// Ids of the points the rule would let go, oldest first.
    async fn preview(
        &self,
        server: &ServerName,
        vault: &VaultName,
        rule: RetentionRule,
    ) -> Result<Vec<String>, EngineError>;
    /// Expires them and returns their ids.
    async fn apply(
        &self,
        server: &ServerName,
        vault: &VaultName,
        rule: RetentionRule,
    ) -> Result<Vec<String>, EngineError>;
    /// Expires one.
    async fn expire(&self, vault: &VaultName, id: &str) -> Result<(), EngineError>;
}

/// The vaults of the site.
#[async_trait]
pub trait Vaults: Send + Sync + 'static {
    /// Their names.
    async fn list(&self) -> Result<Vec<VaultName>, EngineError>;
    /// What one holds.
    async fn measure(&self, vault: &VaultName) -> Result<Usage, EngineError>;
    /// Checks one; damage is a failure that names it.
    async fn verify(&self, vault: &VaultName, read_data: bool, work: &Work) -> Result<(), OperationError>;
}

/// What a vault holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all objects.
    pub stored_bytes: u64,
    /// Number of objects.
    pub objects: u64,
    /// Recovery points, expired ones included.
    pub points: u64,
    /// Bytes free where it lives.
    pub free_bytes: Option<u64>,
}

/// Telling people.
#[async_trait]
pub trait Alerts: Send + Sync + 'static {
    /// Raises an alert or counts the open one with this key up.
    async fn raise(&self, source: &PluginId, alert: NewAlert) -> Result<(), EngineError>;
    /// Ends the source's alert with this key, if one is open.
    async fn resolve(&self, source: &PluginId, key: &str) -> Result<(), EngineError>;
    /// Keys of the source's open alerts.
    async fn open(&self, source: &PluginId) -> Result<Vec<String>, EngineError>;
}

/// An alert as a plugin words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// What makes it the same alert.
    pub key: String,
    /// How bad.
    pub severity: Severity,
    /// One line: what is wrong.
    pub title: String,
    /// What it means and what to do.
    pub detail: String,
    /// The server it is about.
    pub server: Option<ServerName>,
}

/// Measurements over time.
#[async_trait]
pub trait Metrics: Send + Sync + 'static {
    /// Adds a sample.
    async fn record(&self, series: &SeriesKey, sample: Sample) -> Result<(), EngineError>;
    /// The newest `limit` samples since a time, oldest first.
    async fn query(
        &self,
        series: &SeriesKey,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Sample>, EngineError>;
    /// How many series the source has, and whether this is one of them.
    async fn series(&self, series: &SeriesKey) -> Result<SeriesCount, EngineError>;
}

/// How many series there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesCount {
    /// Of the source in all.
    pub total: usize,
    /// Whether the one asked about exists.
    pub known: bool,
}

/// Plugins' own small data. Writes are durable when they return.
#[async_trait]
pub trait PluginState: Send + Sync + 'static {
    /// The value under a key.
    async fn get(&self, plugin: &PluginId, key: &str) -> Result<Option<Vec<u8>>, EngineError>;
    /// Writes a value.
    async fn set(&self, plugin: &PluginId, key: &str, value: Vec<u8>) -> Result<(), EngineError>;
    /// Removes a value, if there is one.
    async fn delete(&self, plugin: &PluginId, key: &str) -> Result<(), EngineError>;
    /// At most `limit` keys that begin with `prefix`, in order, after `after`.
    async fn keys(
        &self,
        plugin: &PluginId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, EngineError>;
    /// How much there is.
    async fn usage(&self, plugin: &PluginId) -> Result<StateUsage, EngineError>;
}

/// How much a plugin keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateUsage {
    /// Number of keys.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

/// Everything capabilities stand on, handed over by the composition root.
#[derive(Clone)]
pub struct Engines {
    /// Servers.
    pub servers: Arc<dyn Servers>,
    /// Recovery points.
    pub recovery_points: Arc<dyn RecoveryPoints>,
    /// Retention.
    pub retention: Arc<dyn Retention>,
    /// Vaults.
    pub vaults: Arc<dyn Vaults>,
    /// Alerts.
    pub alerts: Arc<dyn Alerts>,
    /// Measurements.
    pub metrics: Arc<dyn Metrics>,
    /// Plugins' own data.
    pub state: Arc<dyn PluginState>,
    /// What the owner granted.
    pub grants: Arc<dyn GrantBook>,
    /// Who asked for what.
    pub audit: Arc<dyn AuditLog>,
}
