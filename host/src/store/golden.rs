//! The bytes of version 1, as they lie on customers' disks: every later version has to read them.

use super::{catalog, record};
use crate::model::{
    account::{Session, Token, User},
    alert::Alert,
    audit::AuditRecord,
    job::Job,
    plugin::{Grant, InstalledPlugin},
    point::PointRecord,
    run::{LogLine, Run},
    server::Server,
    vault::VaultDefinition,
};
use serde::{Serialize, de::DeserializeOwned};

/// Table, key, and the stored bytes.
const GOLDEN: &str = include_str!("golden_v1.txt");

fn lines() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    GOLDEN.lines().filter(|line| !line.is_empty()).map(|line| {
        let mut parts = line.splitn(3, '\t');
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
    })
}

/// Read, and written again, it is the same record: fields may have been added, none lost or changed.
fn survives<T: Serialize + DeserializeOwned>(table: &'static str, bytes: &str) {
    let record: T = record::decode(table, bytes.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let again = record::encode(table, &record).unwrap();
    let new: serde_json::Value = serde_json::from_slice(&again).unwrap();
    let old: serde_json::Value = serde_json::from_str(bytes).unwrap();
    includes(&new["r"], &old["r"], table);
}

fn includes(new: &serde_json::Value, old: &serde_json::Value, place: &str) {
    match (new, old) {
        (serde_json::Value::Object(new), serde_json::Value::Object(old)) => {
            for (name, value) in old {
                let place = format!("{place}.{name}");
                includes(new.get(name).unwrap_or_else(|| panic!("{place} is lost")), value, &place);
            }
        }
        _ => assert_eq!(new, old, "{place}"),
    }
}

#[test]
fn records_of_version_1_are_read_and_lose_nothing() {
    let mut seen = Vec::new();
    for (table, key, bytes) in lines() {
        match table {
            "servers" => survives::<Server>("servers", bytes),
            "vaults" => survives::<VaultDefinition>("vaults", bytes),
            "jobs" => survives::<Job>("jobs", bytes),
            "plugins" => survives::<InstalledPlugin>("plugins", bytes),
            "grants" => survives::<Grant>("grants", bytes),
            "users" => survives::<User>("users", bytes),
            "tokens" => survives::<Token>("tokens", bytes),
            "sessions" => survives::<Session>("sessions", bytes),
            "points" => survives::<PointRecord>("points", bytes),
            "runs" => survives::<Run>("runs", bytes),
            "logs" => survives::<LogLine>("logs", bytes),
            "alerts" => survives::<Alert>("alerts", bytes),
            "audit" => survives::<AuditRecord>("audit", bytes),
            "publishers" | "settings" | "series" | "samples" | "plugin-state" | "due" | "marks" => {}
            other => panic!("{other} has no type here"),
        }
        let (version, inner) = record::open(bytes.as_bytes()).unwrap();
        assert_eq!(version, 1);
        if table != "logs" {
            let spec = catalog::find(table).unwrap();
            let record = serde_json::from_str(inner).unwrap();
            (spec.check)(key, &record).unwrap_or_else(|reason| panic!("{table} {key}: {reason}"));
        }
        seen.push(table);
    }
    for spec in catalog::TABLES.iter().filter(|spec| spec.exported()) {
        assert!(seen.contains(&spec.name), "no golden record of {}", spec.name);
    }
}
