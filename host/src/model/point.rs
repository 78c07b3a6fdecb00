//! What the store remembers of a recovery point: a cache that the vault's manifests can always rebuild.

use super::name::{RunId, ServerName, VaultName};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One recovery point in one vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PointRecord {
    /// The vault's id of the point.
    pub id: String,
    /// The vault it is in.
    pub vault: VaultName,
    /// The server it is of.
    pub server: ServerName,
    /// The moment whose state it holds.
    #[schema(value_type = String, format = DateTime)]
    pub taken: DateTime<Utc>,
    /// Crash- or application-consistent.
    pub consistency: Consistency,
    /// Kept from retention until released.
    #[serde(default)]
    pub held: bool,
    /// Since when it is expired and waits out the grace period.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expired: Option<DateTime<Utc>>,
    /// The run that made it, where known.
    #[serde(default)]
    pub run: Option<RunId>,
    /// Sizes, in bytes.
    pub sizes: PointSizes,
    /// Each disk's name and size in bytes.
    pub disks: Vec<(String, u64)>,
    /// The newest full data check that covered it.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub verified: Option<DateTime<Utc>>,
}

/// How consistent a recovery point's file systems are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// As after pulling the plug.
    #[default]
    Crash,
    /// File systems frozen through the guest agent.
    Application,
}

/// What a recovery point cost, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PointSizes {
    /// Size of all disks.
    pub disks: u64,
    /// Read from the source.
    pub read: u64,
    /// Different from the parent point.
    pub changed: u64,
    /// Of the changed bytes, how many did not compress.
    pub incompressible: u64,
    /// Added to the vault after deduplication, compression and sealing.
    pub stored: u64,
}
