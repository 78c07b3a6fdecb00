//! Exports: the whole state as one JSON document that a person can read and another appliance can take in.
//!
//! `DATA/exports/state-SEQUENCE-TIME.json`, mode 0600, there whole or not at all. It holds every table but sessions and
//! what follows from other tables; passwords only as their hashes, vault keys not at all. The last member is the BLAKE3
//! of every byte before it. Names sort by commit, not by the clock, which may be wrong.

use super::{StoreError, catalog, commit::Snapshot, file, record};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Exports kept; the oldest go.
pub(super) const KEPT: usize = 14;

const DIGEST: &str = ",\n\"blake3\":\"";

/// An export as it was read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// Version of the state.
    #[serde(rename = "holdfast-state")]
    pub(super) version: u32,
    /// The last commit in it.
    pub(super) sequence: u64,
    /// When it was written.
    pub(super) written: DateTime<Utc>,
    /// Records by table and key.
    pub(super) tables: BTreeMap<String, BTreeMap<String, Value>>,
    /// Tables that the vaults can make anew.
    #[serde(default, rename = "caches")]
    _caches: Vec<String>,
    /// Of everything before it.
    #[serde(default, rename = "blake3")]
    _blake3: Option<String>,
}

impl Document {
    /// Reads an export. One without its hash is accepted: a person may have changed it on purpose.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(at) = text.rfind(DIGEST) {
            let (body, tail) = text.split_at(at);
            let said = tail.get(DIGEST.len()..DIGEST.len() + 64).unwrap_or_default();
            if blake3::hash(body.as_bytes()).to_hex().as_str() != said {
                return Err("it is damaged or was changed since it was written (to take in a document that was changed on purpose, remove its last member, blake3)".to_owned());
            }
        }
        let document: Self =
            serde_json::from_str(text).map_err(|source| format!("it is not a Holdfast export: {source}"))?;
        if document.version > record::VERSION {
            return Err(format!(
                "it is of state version {}, this Holdfast knows {}: update first",
                document.version,
                record::VERSION
            ));
        }
        Ok(document)
    }

    /// Whether every record is one of its table's.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, records) in &self.tables {
            let spec = catalog::find(name)
                .filter(|spec| spec.exported())
                .ok_or_else(|| format!("it has a table {name}, which this Holdfast does not know"))?;
            for (key, record) in records {
                (spec.check)(key, record).map_err(|reason| format!("its {name} record {key}: {reason}"))?;
            }
        }
        Ok(())
    }

    /// Full keys and stored bytes of all records.
    pub(super) fn records(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        self.tables.iter().flat_map(move |(table, records)| {
            records.iter().map(move |(key, value)| {
                let bytes = record::wrap(self.version, &value.to_string());
                (super::commit::full_key(table, key), bytes)
            })
        })
    }
}

/// Writes a snapshot as a document.
pub(super) fn render(
    snapshot: &Snapshot,
    version: u32,
    now: DateTime<Utc>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut out = Hashing { inner: out, hasher: blake3::Hasher::new() };
    let written = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    write!(
        out,
        "{{\"holdfast-state\":{version},\n\"sequence\":{},\n\"written\":\"{written}\",\n",
        snapshot.sequence
    )?;
    write!(out, "\"tables\":{{")?;
    let mut open = "";
    for (key, bytes) in &snapshot.records {
        let Some((table, key)) = catalog::split(key) else { continue };
        let Some(spec) = catalog::find(table).filter(|spec| spec.exported()) else { continue };
        let Some((_, inner)) = record::open(bytes) else {
            return Err(io::Error::other(format!("the {table} record {key} cannot be read")));
        };
        if open == spec.name {
            writeln!(out, ",")?;
        } else {
            let end = if open.is_empty() { "" } else { "\n}," };
            write!(out, "{end}\n\"{}\":{{\n", spec.name)?;
            open = spec.name;
        }
        write!(out, "{}:{inner}", Value::from(key))?;
    }
    let end = if open.is_empty() { "" } else { "\n}" };
    let caches: Vec<Value> = catalog::TABLES
        .iter()
        .filter(|spec| spec.kind == catalog::Kind::Cache)
        .map(|spec| Value::from(spec.name))
        .collect();
    write!(out, "{end}\n}},\n\"caches\":{}", Value::from(caches))?;
    let hash = out.hasher.finalize().to_hex();
    writeln!(out, "{DIGEST}{hash}\"}}")
}

struct Hashing<'a, W> {
    inner: &'a mut W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes a snapshot into `DATA/exports` under a name that begins with `kind`, and lets the oldest of that kind go.
pub(super) fn save(
    data: &Path,
    kind: &str,
    snapshot: &Snapshot,
    version: u32,
    now: DateTime<Utc>,
) -> Result<PathBuf, StoreError> {
    let directory = data.join("exports");
    let name = format!("{kind}-{:020}-{}.json", snapshot.sequence, now.format("%Y%m%dT%H%M%SZ"));
    let path = directory.join(name);
    let saved = file::make_private_directory(&directory)
        .and_then(|()| file::write_whole(&path, |out| render(snapshot, version, now, out)));
    saved.map_err(|source| StoreError::Export { path: path.clone(), reason: source.to_string() })?;
    for old in list(data, kind).into_iter().skip(KEPT) {
        if let Err(source) = fs::remove_file(&old.path) {
            tracing::warn!(path = %old.path.display(), %source, "an old export could not be removed");
        }
    }
    Ok(path)
}

/// An export in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFile {
    /// The last commit in it.
    pub sequence: u64,
    /// Where it is.
    pub path: PathBuf,
}

impl ExportFile {
    /// When it was written, by its name.
    pub fn written(&self) -> Option<DateTime<Utc>> {
        let name = self.path.file_stem()?.to_str()?;
        let (_, stamp) = name.rsplit_once('-')?;
        Some(chrono::NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%SZ").ok()?.and_utc())
    }
}

/// The exports of a kind, newest first.
pub(super) fn list(data: &Path, kind: &str) -> Vec<ExportFile> {
    let mut found: Vec<ExportFile> = fs::read_dir(data.join("exports"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let rest = name.to_str()?.strip_suffix(".json")?.strip_prefix(kind)?.strip_prefix('-')?;
            let (sequence, _) = rest.split_once('-')?;
            Some(ExportFile { sequence: sequence.parse().ok()?, path: entry.path() })
        })
        .collect();
    found.sort_by(|a, b| (b.sequence, &b.path).cmp(&(a.sequence, &a.path)));
    found
}

/// The kind that healing uses.
pub(super) const STATE: &str = "state";
/// What there was before an import replaced it.
pub(super) const BEFORE_IMPORT: &str = "before-import";
/// What there was before a migration.
pub(super) const BEFORE_MIGRATION: &str = "before-migration";
