//! Every table: what its records are, whether an export holds it, and how a record from outside is checked.

use super::{alerts, audit, key, key::Key, metrics, plugin_state};
use crate::model::{
    account::{Session, Token, User},
    alert::Alert,
    audit::AuditRecord,
    job::Job,
    metric::Sample,
    plugin::{Grant, InstalledPlugin},
    point::PointRecord,
    run::Run,
    server::Server,
    vault::VaultDefinition,
};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a table is, to exports and to healing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What people set: an export follows each change.
    Setting,
    /// What happened, and what plugins remember.
    History,
    /// Can be made anew from the vaults; exported all the same, so that the first page after healing is right.
    Cache,
    /// Follows from other tables; made anew, never exported.
    Derived,
    /// Worth nothing elsewhere; never exported.
    Fleeting,
}

/// One table.
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether `key` and `record` are a record of this table.
    pub(super) check: fn(key: &str, record: &Value) -> Result<(), String>,
}

impl Spec {
    pub(super) fn exported(&self) -> bool {
        !matches!(self.kind, Kind::Derived | Kind::Fleeting)
    }
}

pub(super) static TABLES: [Spec; 20] = [
    table("servers", Kind::Setting, |k, v| named::<Server>(k, v, |r| r.name.stored())),
    table("vaults", Kind::Setting, |k, v| named::<VaultDefinition>(k, v, |r| r.name.stored())),
    table("jobs", Kind::Setting, |k, v| named::<Job>(k, v, |r| r.name.stored())),
    table("plugins", Kind::Setting, |k, v| named::<InstalledPlugin>(k, v, |r| r.manifest.id.stored())),
    table("grants", Kind::Setting, |_, v| typed::<Grant>(v)),
    table("publishers", Kind::Setting, |_, v| typed::<String>(v)),
    table("users", Kind::Setting, |k, v| named::<User>(k, v, |r| r.name.stored())),
    table("tokens", Kind::Setting, |k, v| named::<Token>(k, v, |r| r.name.stored())),
    table("settings", Kind::Setting, |_, _| Ok(())),
    table("points", Kind::Cache, |_, v| typed::<PointRecord>(v)),
    table("runs", Kind::History, |k, v| named::<Run>(k, v, |r| r.id.stored())),
    table("alerts", Kind::History, |k, v| named::<Alert>(k, v, |r| r.id.stored())),
    table("audit", Kind::History, |k, v| named::<AuditRecord>(k, v, |r| key::number(r.sequence))),
    table("series", Kind::History, |_, v| typed::<metrics::Series>(v)),
    table("samples", Kind::History, |_, v| typed::<Sample>(v)),
    table("plugin-state", Kind::History, |_, v| typed::<plugin_state::Kept>(v)),
    table("due", Kind::History, |_, v| typed::<DateTime<Utc>>(v)),
    table("marks", Kind::History, check_mark),
    table("index", Kind::Derived, |_, _| Ok(())),
    table("sessions", Kind::Fleeting, |_, v| typed::<Session>(v)),
];

const fn table(name: &'static str, kind: Kind, check: fn(&str, &Value) -> Result<(), String>) -> Spec {
    Spec { name, kind, check }
}

/// The table of that name.
pub(super) fn find(name: &str) -> Option<&'static Spec> {
    TABLES.iter().find(|spec| spec.name == name)
}

/// The key without its table.
pub(super) fn key_of(full: &[u8]) -> String {
    split(full).map(|(_, key)| key.to_owned()).unwrap_or_default()
}

/// Table and key of a full key.
pub(super) fn split(full: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(full).ok()?.split_once('\0')
}

/// Counters and the head of the audit chain.
fn check_mark(key: &str, value: &Value) -> Result<(), String> {
    match key {
        audit::HEAD | audit::BASE => typed::<audit::Link>(value),
        alerts::COUNTER | super::runs::COUNTER => typed::<u64>(value),
        _ => Ok(()),
    }
}

fn typed<T: DeserializeOwned>(value: &Value) -> Result<(), String> {
    T::deserialize(value).map(|_| ()).map_err(|source| source.to_string())
}

fn named<T: DeserializeOwned>(key: &str, value: &Value, name: fn(&T) -> String) -> Result<(), String> {
    let record = T::deserialize(value).map_err(|source| source.to_string())?;
    if name(&record) == key { Ok(()) } else { Err(format!("it says it is {}", name(&record))) }
}
