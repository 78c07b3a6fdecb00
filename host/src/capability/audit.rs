//! What every capability call reads and leaves behind: the owner's grant, and one audit record.

use super::engines::EngineError;
use crate::model::{
    audit::Verdict,
    name::PluginId,
    plugin::{Capability, Grant},
};
use async_trait::async_trait;

/// The grants of the site. Read at every call, so that a revoked grant ends with the call under way.
#[async_trait]
pub trait GrantBook: Send + Sync + 'static {
    /// The grant, if there is one.
    async fn granted(&self, plugin: &PluginId, capability: Capability) -> Result<Option<Grant>, EngineError>;
}

/// The audit log.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// Adds a record. If it cannot be written, the call it is about must not happen.
    async fn record(&self, entry: AuditEntry) -> Result<(), EngineError>;
}

/// What becomes an audit record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Who: `plugin:ID run:N`.
    pub who: String,
    /// What was asked, for example `recovery-points.create`.
    pub action: String,
    /// On what.
    pub subject: String,
    /// Whether it was let.
    pub verdict: Verdict,
    /// Why not.
    pub reason: Option<String>,
}
