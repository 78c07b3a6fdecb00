//! A place where recovery points live, as the site defined it.

use super::name::VaultName;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A vault this appliance uses. Its format, grace and minimum retention live in the vault itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VaultDefinition {
    /// Unique name on this appliance.
    pub name: VaultName,
    /// Where its objects are.
    pub location: VaultLocation,
    /// The vault's own id (hex), read when it was made or attached.
    pub id: String,
    /// When it was made or attached here.
    #[schema(value_type = String, format = DateTime)]
    pub added: DateTime<Utc>,
}

/// Where a vault's objects are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum VaultLocation {
    /// A directory on this box or on a mounted share.
    Directory {
        /// Absolute path.
        #[schema(value_type = String)]
        path: PathBuf,
    },
}

impl std::fmt::Display for VaultLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory { path } => write!(f, "{}", path.display()),
        }
    }
}

/// What a person chooses when a vault is made; fixed in the vault from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VaultChoices {
    /// Block size in KiB: 4, 16 or 64.
    #[serde(default = "default_block")]
    pub block_kib: u32,
    /// Hours between "expired" and "deleted"; no session can shorten it.
    #[serde(default = "default_grace")]
    pub grace_hours: u32,
    /// Points younger than this many hours, against the newest of their server, cannot be expired, whoever asks.
    #[serde(default = "default_minimum_hours")]
    pub minimum_hours: u32,
    /// The fewest recovery points a server keeps, whoever asks.
    #[serde(default = "default_minimum")]
    pub minimum_points: u32,
}

impl Default for VaultChoices {
    fn default() -> Self {
        Self {
            block_kib: default_block(),
            grace_hours: default_grace(),
            minimum_hours: default_minimum_hours(),
            minimum_points: default_minimum(),
        }
    }
}

fn default_block() -> u32 {
    16
}
fn default_grace() -> u32 {
    72
}
fn default_minimum_hours() -> u32 {
    24
}
fn default_minimum() -> u32 {
    2
}
