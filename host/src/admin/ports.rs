//! What the page and the API ask of the rest of the house, as narrow traits that `appliance` implements.
//!
//! Reading goes straight to the store. Everything that changes something, or that needs an engine, is an order through
//! one of these: the other side checks it, writes the audit record, settles it, and tells those who watch.

use crate::model::{
    alert::Severity,
    job::{Job, Trigger, Work},
    name::{AlertId, JobName, PluginId, RunId, ServerName, VaultName},
    plugin::{Capability, Grant, InstalledPlugin, Manifest, Publisher},
    run::Progress,
    schedule::Schedule,
    server::Server,
    vault::{VaultChoices, VaultDefinition},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc};

/// Why an order was not carried out. The text is for a person: what happened, what it means, the next step.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OrderError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The order itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// It collides with what there is.
    #[error("{0}")]
    Conflict(String),
    /// A rule forbids it, whoever asks.
    #[error("{0}")]
    Refused(String),
    /// It cannot be done now.
    #[error("{0}")]
    Unavailable(String),
    /// The appliance is at fault.
    #[error("{0}")]
    Internal(String),
}

/// Runs: ask for one, stop one, look at one that is under way.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Queues a run of a job.
    async fn request(&self, job: &JobName, trigger: Trigger, dry_run: bool) -> Result<RunId, OrderError>;
    /// Queues a run of work that is no job's, for example one restore; it is recorded under `name`.
    async fn request_once(&self, name: JobName, work: Work, trigger: Trigger) -> Result<RunId, OrderError>;
    /// Asks a run to stop.
    async fn cancel(&self, run: RunId, who: &str) -> Result<(), OrderError>;
    /// How far a run under way is.
    fn progress(&self, run: RunId) -> Option<Progress>;
    /// Whether another run of the job is under way.
    fn is_active(&self, job: &JobName) -> bool;
}

/// Definitions: servers, jobs, schedules.
#[async_trait]
pub trait Definitions: Send + Sync {
    /// Checks a server's disks (opens each, reads its size), then saves the definition. `replace` is false for a new one.
    async fn save_server(&self, server: Server, replace: bool, who: &str) -> Result<ServerCheck, OrderError>;
    /// Forgets a server's definition. Its recovery points stay.
    async fn remove_server(&self, name: &ServerName, who: &str) -> Result<(), OrderError>;
    /// Checks a job (plugin installed, settings fit, cron rules fire, zone exists), then saves it.
    async fn save_job(&self, job: Job, replace: bool, who: &str) -> Result<(), OrderError>;
    /// Forgets a job. Its history stays.
    async fn remove_job(&self, name: &JobName, who: &str) -> Result<(), OrderError>;
    /// The next times a schedule would fire after `after`.
    fn preview(
        &self,
        schedule: &Schedule,
        after: DateTime<Utc>,
        count: usize,
    ) -> Result<Vec<DateTime<Utc>>, OrderError>;
    /// The next time any schedule of the job fires.
    fn next_run(&self, job: &Job) -> Option<DateTime<Utc>>;
    /// The newest usable job that would back this server up, to say when its next recovery point comes.
    fn backup_job_of(&self, server: &Server) -> Option<Job>;
}

/// What adding a server found out.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ServerCheck {
    /// Each disk's name and size in bytes.
    pub disks: Vec<(String, u64)>,
}

/// Vaults and the recovery points in them.
#[async_trait]
pub trait Vaults: Send + Sync {
    /// Makes a vault and its key.
    async fn create(
        &self,
        name: VaultName,
        path: PathBuf,
        choices: VaultChoices,
        who: &str,
    ) -> Result<VaultDefinition, OrderError>;
    /// Takes an existing vault into use with its key and lists its points.
    async fn attach(
        &self,
        name: VaultName,
        path: PathBuf,
        key: &str,
        who: &str,
    ) -> Result<VaultDefinition, OrderError>;
    /// Stops using a vault. Nothing in it is touched; its key file stays.
    async fn detach(&self, name: &VaultName, who: &str) -> Result<(), OrderError>;
    /// Measures a vault.
    async fn usage(&self, name: &VaultName) -> Result<VaultUsage, OrderError>;
    /// The vault's key as text. Audited.
    async fn key(&self, name: &VaultName, who: &str) -> Result<String, OrderError>;
    /// Keeps a point from retention.
    async fn hold(&self, vault: &VaultName, point: &str, reason: &str, who: &str) -> Result<(), OrderError>;
    /// Ends a hold.
    async fn release(&self, vault: &VaultName, point: &str, who: &str) -> Result<(), OrderError>;
    /// Lets a point go after the grace period; refused below the minimum.
    async fn expire(&self, vault: &VaultName, point: &str, who: &str) -> Result<(), OrderError>;
    /// Takes an expired point back while its grace lasts.
    async fn unexpire(&self, vault: &VaultName, point: &str, who: &str) -> Result<(), OrderError>;
}

/// What a vault holds.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VaultUsage {
    /// Bytes of all objects.
    pub stored_bytes: u64,
    /// Number of objects.
    pub objects: u64,
    /// Recovery points, expired ones included.
    pub points: u64,
    /// Bytes of the disks of all points together, before deduplication and compression.
    pub logical_bytes: u64,
    /// Bytes free where it lives.
    pub free_bytes: Option<u64>,
    /// Hours between "expired" and "deleted".
    pub grace_hours: u32,
    /// The fewest points a server keeps.
    pub minimum_points: u32,
}

/// Plugins and their grants.
#[async_trait]
pub trait Plugins: Send + Sync {
    /// Looks at a package without installing it.
    async fn inspect(&self, package: Vec<u8>) -> Result<Inspection, OrderError>;
    /// Verifies, compiles, links and installs a package. Grants nothing.
    async fn install(&self, package: Vec<u8>, who: &str) -> Result<InstalledPlugin, OrderError>;
    /// Removes a plugin, its grants and its state. Refused while a job uses it.
    async fn remove(&self, id: &PluginId, who: &str) -> Result<(), OrderError>;
    /// Grants a capability the manifest asks for.
    async fn grant(&self, grant: Grant) -> Result<(), OrderError>;
    /// Takes a grant back; running calls that were allowed end, the next is refused.
    async fn revoke(&self, id: &PluginId, capability: Capability, who: &str) -> Result<(), OrderError>;
    /// Lets a paused plugin run again.
    async fn resume(&self, id: &PluginId, who: &str) -> Result<(), OrderError>;
    /// Whether unsigned plugins are accepted here; every page says so.
    fn accepts_unsigned(&self) -> bool;
}

/// What a package says of itself and what it really imports.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Inspection {
    /// Its manifest.
    pub manifest: Manifest,
    /// Who signed it.
    pub publisher: Publisher,
    /// Hex BLAKE3 of the file.
    pub digest: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// The appliance's interfaces that the component imports: an upper bound of what it can use.
    pub imports: Vec<String>,
    /// Why it would not install here; empty is good.
    pub problems: Vec<String>,
}

/// Alerts and the appliance's own state.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Marks an alert as seen and taken.
    async fn acknowledge(&self, alert: AlertId, who: &str) -> Result<(), OrderError>;
    /// Ends an alert by hand.
    async fn resolve(&self, alert: AlertId, who: &str) -> Result<(), OrderError>;
    /// The worst severity among open alerts.
    fn worst(&self) -> Option<Severity>;
    /// The whole state in portable form (JSON text).
    async fn export(&self, who: &str) -> Result<String, OrderError>;
    /// Replaces the whole state by an export, after keeping a copy of the present one.
    async fn import(&self, export: &str, who: &str) -> Result<(), OrderError>;
    /// Adds an audit record for something admin itself settles (sign-in, password, token).
    async fn audit(&self, who: &str, action: &str, subject: &str, allowed: bool, reason: Option<String>);
    /// Facts for the foot of each page.
    fn about(&self) -> About;
}

/// Facts about this appliance.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct About {
    /// The binary's version.
    pub version: String,
    /// When this boot of it began.
    #[schema(value_type = String, format = DateTime)]
    pub started: DateTime<Utc>,
    /// Its data directory.
    pub data: String,
    /// Bytes free there.
    pub data_free_bytes: Option<u64>,
    /// True for `holdfast try`.
    pub demo: bool,
}

/// Everything admin needs, handed over by the composition root.
#[derive(Clone)]
pub struct Ports {
    /// Runs.
    pub runs: Arc<dyn Runs>,
    /// Definitions.
    pub definitions: Arc<dyn Definitions>,
    /// Vaults.
    pub vaults: Arc<dyn Vaults>,
    /// Plugins.
    pub plugins: Arc<dyn Plugins>,
    /// Upkeep.
    pub upkeep: Arc<dyn Upkeep>,
}
