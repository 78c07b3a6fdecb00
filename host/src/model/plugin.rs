//! An installed plugin: its manifest as the author wrote it and the grants the site's owner gave.

use super::name::{PluginId, ServerName, Tag, VaultName};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `plugin.toml`: what the author says of the plugin. Travels inside the component, under the signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `publisher.name`.
    pub id: PluginId,
    /// For people.
    pub name: String,
    /// Semantic version.
    #[schema(value_type = String)]
    pub version: semver::Version,
    /// The contract it was written for, `0.1`.
    pub api: String,
    /// One sentence: what it does.
    #[serde(default)]
    pub description: String,
    /// Its jobs.
    #[serde(rename = "job")]
    pub jobs: Vec<JobOffer>,
    /// What it asks to use.
    #[serde(default, rename = "permission")]
    pub permissions: Vec<Permission>,
    /// Limits it asks for; the appliance caps them.
    #[serde(default)]
    pub limits: LimitsAsked,
    /// Settings by name.
    #[serde(default)]
    pub settings: BTreeMap<String, SettingSchema>,
}

/// One job a plugin offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobOffer {
    /// What the host passes to `run`.
    pub name: String,
    /// The author's suggestion; the site decides.
    #[serde(default)]
    pub cron: Option<String>,
    /// The author's words: what it is for.
    pub why: String,
}

/// One capability a plugin asks for. No servers, vaults or hosts named means: as far as the owner grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// The WIT interface.
    #[serde(rename = "use")]
    pub capability: Capability,
    /// The author's words: what it is for.
    pub why: String,
}

/// The WIT interfaces a site can grant or refuse. `run` and `state` are always granted and not listed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// See servers and their disks' sizes and policy.
    Servers,
    /// List, create, hold recovery points, test their integrity.
    RecoveryPoints,
    /// Expire recovery points.
    Retention,
    /// See vaults' usage, verify them.
    Vaults,
    /// Raise and resolve alerts.
    Alerts,
    /// Record and query measurements.
    Metrics,
}

impl Capability {
    /// All of them, in the order people read them.
    pub const ALL: [Self; 6] =
        [Self::Servers, Self::RecoveryPoints, Self::Retention, Self::Vaults, Self::Alerts, Self::Metrics];

    /// The interface's name in `wit/` and in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::RecoveryPoints => "recovery-points",
            Self::Retention => "retention",
            Self::Vaults => "vaults",
            Self::Alerts => "alerts",
            Self::Metrics => "metrics",
        }
    }

    /// What granting it means, for the site's owner.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Servers => {
                "See the servers it is granted: names, tags, disks, and how old their newest recovery point may be"
            }
            Self::RecoveryPoints => {
                "Make, list and hold recovery points of the servers it is granted; check that they are intact"
            }
            Self::Retention => {
                "Let old recovery points expire. They stay restorable through the grace period and never go below the vault's minimum"
            }
            Self::Vaults => "See how full the vaults it is granted are, and check them",
            Self::Alerts => "Raise alerts and resolve its own",
            Self::Metrics => "Record measurements and read them back",
        }
    }

    /// Whether granting it lets the plugin take something away.
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Retention)
    }
}

/// Limits as asked for in the manifest; none means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsAsked {
    /// Linear memory of one run, in MiB.
    #[serde(default)]
    pub memory_mib: Option<u32>,
    /// CPU seconds of one run.
    #[serde(default)]
    pub cpu_seconds: Option<u32>,
    /// Wall-clock seconds of one run.
    #[serde(default)]
    pub wall_seconds: Option<u32>,
    /// Kept log of one run, in KiB.
    #[serde(default)]
    pub log_kib: Option<u32>,
    /// State kept between runs, in KiB.
    #[serde(default)]
    pub state_kib: Option<u32>,
    /// Operations under way at once.
    #[serde(default)]
    pub operations: Option<u32>,
}

/// What a setting may be. From this the page makes a form and the host checks what a person gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingSchema {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: SettingKind,
    /// For the form.
    pub title: String,
    /// For the form, smaller.
    #[serde(default)]
    pub help: String,
    /// Used when nothing is given.
    #[serde(default)]
    pub default: Option<serde_json::Value>,
    /// Must be given.
    #[serde(default)]
    pub required: bool,
    /// Allowed values, where they are few.
    #[serde(default)]
    pub choices: Vec<String>,
    /// Smallest number.
    #[serde(default)]
    pub minimum: Option<i64>,
    /// Largest number.
    #[serde(default)]
    pub maximum: Option<i64>,
}

/// Types a setting may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SettingKind {
    /// One line of text.
    Text,
    /// A whole number.
    Integer,
    /// Yes or no.
    Boolean,
    /// Several lines of text.
    TextList,
    /// The name of a vault here.
    Vault,
    /// Names or `tag:` of servers here.
    Servers,
}

/// The site's permission for one plugin to use one capability on named things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Grant {
    /// To whom.
    pub plugin: PluginId,
    /// To use what.
    pub capability: Capability,
    /// On which servers.
    pub servers: Scope<ServerName>,
    /// On servers with one of these labels, besides.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// On which vaults.
    pub vaults: Scope<VaultName>,
    /// Who granted it.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: DateTime<Utc>,
}

/// Everything, or only what is named; an empty list is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope<T> {
    /// Everything there is, now and later.
    All,
    /// Only these.
    Only(Vec<T>),
}

/// An installed plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InstalledPlugin {
    /// Its manifest.
    pub manifest: Manifest,
    /// Hex BLAKE3 of the whole package file.
    pub digest: String,
    /// Who signed it.
    pub publisher: Publisher,
    /// When it was installed.
    #[schema(value_type = String, format = DateTime)]
    pub installed: DateTime<Utc>,
    /// Not started by any trigger until a person says so, and why.
    #[serde(default)]
    pub paused: Option<String>,
}

/// Who stands behind a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Publisher {
    /// Part of the appliance's own binary.
    Bundled,
    /// Signed; hex ed25519 public key, pinned at first install.
    Signed {
        /// The publisher's key.
        key: String,
    },
    /// Not signed; accepted only because the developer flag is on.
    Unsigned,
}
