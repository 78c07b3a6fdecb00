//! Opening the state, whatever happened to its files.
//!
//! ```text
//!  open ─▶ fits its manifest? ── yes ─▶ bring in what the journal has beyond it ─▶ open
//!     │                      └─ no ─┐
//!     └─ fails, panics ─────────────┴▶ move aside ─▶ newest good export ─▶ journal ─▶ export ─▶ open, healed
//! ```
//!
//! A crash within sled that no process survives would come back on every start, so each attempt is counted in a file
//! and the third does not try again. A state of a newer version is no damage: it is left alone and said so.

use super::{
    StoreError, alerts,
    commit::{self, Snapshot},
    digest::{self, Manifest},
    export::{self, Document},
    file,
    journal::{self, Journal},
    migrate, record, runs,
    tree::{Changes, Database},
};
use crate::model::{alert::Alert, run::Run};
use chrono::{DateTime, Utc};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Damaged databases kept for those who want to look.
const KEPT: usize = 3;

/// What happened to the state while it was opened. Raise an alert, and complete the recovery points from the vaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// What was wrong.
    pub reason: String,
    /// Where the damaged database is now; none if only the journal was damaged.
    pub moved_to: Option<PathBuf>,
    /// When the export that was used was written; none if there was none.
    pub export_of: Option<DateTime<Utc>>,
    /// Commits that the journal added to it.
    pub replayed: u64,
    /// Whether everything that was acknowledged is there, as far as can be known.
    pub complete: bool,
}

/// Everything the store needs to work.
pub(super) struct Ready {
    pub(super) database: Database,
    pub(super) journal: Journal,
    pub(super) manifest: Manifest,
    pub(super) healed: Option<Healed>,
}

/// Opens the state in `data`, healing it where it must.
pub(super) fn open(data: &Path, now: DateTime<Utc>) -> Result<Ready, StoreError> {
    let failed = |source: io::Error| StoreError::Open { path: data.to_owned(), reason: source.to_string() };
    file::make_private_directory(data).map_err(failed)?;
    let attempts = Attempts::begin(data).map_err(failed)?;
    let (database, mut manifest, mut healed) = match examine(data, &attempts)? {
        Examined::Good { database, manifest } => (database, manifest, None),
        Examined::Damaged(reason) => {
            let (database, manifest, healed) = heal(data, now, reason)?;
            (database, manifest, Some(healed))
        }
    };
    if healed.is_none() && journal_is_short(data, manifest.sequence) {
        healed = Some(Healed {
            reason: "the journal of the state is damaged or was removed; the state itself is whole"
                .to_owned(),
            moved_to: None,
            export_of: None,
            replayed: 0,
            complete: true,
        });
    }
    if manifest.version < record::VERSION {
        manifest = migrate(data, &database, manifest, now)?;
    }
    if healed.is_some() {
        let snapshot = snapshot(&database, manifest.sequence)?;
        export::save(data, export::STATE, &snapshot, record::VERSION, now)?;
    }
    let journal = Journal::begin(&data.join("journal"), manifest.sequence + 1).map_err(failed)?;
    attempts.succeeded().map_err(failed)?;
    Ok(Ready { database, journal, manifest, healed })
}

enum Examined {
    Good { database: Database, manifest: Manifest },
    Damaged(String),
}

fn examine(data: &Path, attempts: &Attempts) -> Result<Examined, StoreError> {
    if attempts.before >= 2 {
        let reason = format!("opening it stopped the appliance {} times", attempts.before);
        return Ok(Examined::Damaged(reason));
    }
    let path = data.join("state");
    let database = match Database::open(&path) {
        Ok(database) => database,
        Err(StoreError::Open { reason, .. }) => return Ok(Examined::Damaged(reason)),
        Err(error) => return Err(error),
    };
    let (counted, stored) = match count(&database) {
        Ok(found) => found,
        Err(reason) => return Ok(Examined::Damaged(reason)),
    };
    let Some(mut stored) = stored else {
        let fresh = counted.tables.is_empty() && !was_used(data);
        return Ok(match fresh {
            true => Examined::Good { database, manifest: commit::empty_manifest() },
            false => Examined::Damaged("its contents are gone".to_owned()),
        });
    };
    if stored.version > record::VERSION {
        return Err(StoreError::Newer { path, found: stored.version, known: record::VERSION });
    }
    if counted.tables != stored.tables {
        return Ok(Examined::Damaged("records in it are missing or changed".to_owned()));
    }
    match replay(data, &database, &mut stored) {
        Ok((_, last)) if last > stored.sequence => {
            Ok(Examined::Damaged("it is older than its journal reaches back".to_owned()))
        }
        Ok(_) => Ok(Examined::Good { database, manifest: stored }),
        Err(reason) => Ok(Examined::Damaged(reason)),
    }
}

/// Counts what is there, and reads what ought to be.
fn count(database: &Database) -> Result<(Manifest, Option<Manifest>), String> {
    let mut counted = Manifest::default();
    let mut stored = None;
    database.walk(|key, value| match key == digest::KEY {
        true => stored = Some(serde_json::from_slice(value)),
        false => counted.add(key, value),
    })?;
    let stored = stored.transpose().map_err(|source| source.to_string())?;
    Ok((counted, stored))
}

/// Whether there are traces of an earlier state.
fn was_used(data: &Path) -> bool {
    let commits = journal::replay(&data.join("journal"), u64::MAX - 1, |_, _| Ok::<(), ()>(()));
    commits != Ok(0) || !export::list(data, export::STATE).is_empty()
}

/// Brings in the commits after the manifest's; says how many there were and the last one the journal has.
pub(super) fn replay(
    data: &Path,
    database: &Database,
    manifest: &mut Manifest,
) -> Result<(u64, u64), String> {
    let mut replayed = 0;
    let last = journal::replay(&data.join("journal"), manifest.sequence, |sequence, changes| {
        manifest.sequence = sequence;
        replayed += 1;
        apply(database, manifest, changes)
    })?;
    Ok((replayed, last))
}

fn apply(database: &Database, manifest: &mut Manifest, mut changes: Changes) -> Result<(), String> {
    manifest.follow(&changes, |key| database.get(key))?;
    let bytes = serde_json::to_vec(manifest).map_err(|source| source.to_string())?;
    changes.insert(digest::KEY.to_vec(), Some(bytes));
    database.apply(&changes)
}

/// Whether the journal ends before the state does, which no crash can bring about.
fn journal_is_short(data: &Path, sequence: u64) -> bool {
    let directory = data.join("journal");
    let begins_after = journal::files(&directory).iter().any(|(first, _)| *first == sequence + 1);
    let last = journal::replay(&directory, u64::MAX - 1, |_, _| Ok::<(), ()>(())).unwrap_or(0);
    !begins_after && last < sequence
}

/// Makes the state anew from the newest good export and the journal.
fn heal(data: &Path, now: DateTime<Utc>, reason: String) -> Result<(Database, Manifest, Healed), StoreError> {
    let path = data.join("state");
    let failed = |reason: String| StoreError::Open { path: path.clone(), reason };
    let moved_to = move_aside(data, now).map_err(|source| failed(source.to_string()))?;
    let database = Database::open(&path)?;
    let base = newest_good(data);
    let export_of = base.as_ref().map(|document| document.written);
    let mut manifest = commit::empty_manifest();
    if let Some(document) = base {
        manifest.sequence = document.sequence;
        let changes = document.records().map(|(key, bytes)| (key, Some(bytes))).collect();
        apply(&database, &mut manifest, changes).map_err(failed)?;
    }
    let (mut replayed, mut last) = replay(data, &database, &mut manifest).map_err(failed)?;
    let complete = last <= manifest.sequence;
    while last > manifest.sequence {
        // Commits are missing between the export and the rest of the journal: later ones still say how things ended.
        let sequence = manifest.sequence;
        manifest.sequence = next_after_gap(data, sequence).unwrap_or(last).saturating_sub(1);
        let more = replay(data, &database, &mut manifest).map_err(failed)?;
        manifest.sequence = manifest.sequence.max(sequence + 1);
        replayed += more.0;
        last = more.1;
    }
    migrate::bring_up(&database, migrate::STEPS)?;
    make_index(&database, &mut manifest).map_err(failed)?;
    database.flush().map_err(failed)?;
    Ok((database, manifest, Healed { reason, moved_to: Some(moved_to), export_of, replayed, complete }))
}

/// The first commit the journal has after `sequence`.
fn next_after_gap(data: &Path, sequence: u64) -> Option<u64> {
    journal::commits(&data.join("journal")).into_iter().filter(|commit| *commit > sequence).min()
}

fn newest_good(data: &Path) -> Option<Document> {
    export::list(data, export::STATE).into_iter().find_map(|file| {
        let text = fs::read_to_string(&file.path).ok()?;
        match Document::parse(&text) {
            Ok(document) => Some(document),
            Err(reason) => {
                tracing::warn!(path = %file.path.display(), reason, "an export is not used");
                None
            }
        }
    })
}

/// Moves the database out of the way and keeps only the newest few of those.
fn move_aside(data: &Path, now: DateTime<Utc>) -> io::Result<PathBuf> {
    let stamp = now.format("%Y%m%dT%H%M%SZ");
    let free = (0..100)
        .map(|number| match number {
            0 => data.join(format!("state.damaged-{stamp}")),
            number => data.join(format!("state.damaged-{stamp}.{number:02}")),
        })
        .find(|path| !path.exists())
        .ok_or_else(|| io::Error::other("too many damaged states of this second"))?;
    match fs::rename(data.join("state"), &free) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => {}
        other => other?,
    }
    file::sync_parent(&free)?;
    let mut kept: Vec<PathBuf> = fs::read_dir(data)?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("state.damaged-"))
        .map(|entry| entry.path())
        .collect();
    kept.sort();
    for old in kept.iter().rev().skip(KEPT) {
        fs::remove_dir_all(old)?;
    }
    Ok(free)
}

/// Makes the tables that follow from others.
pub(super) fn make_index(database: &Database, manifest: &mut Manifest) -> Result<(), String> {
    let snapshot = database.scan(b"")?;
    let mut changes = Changes::new();
    for (key, bytes) in &snapshot {
        for (place, id) in index_of(key, bytes) {
            let bytes = record::encode("index", &id).map_err(|error| error.to_string())?;
            changes.insert(commit::full_key("index", &place), Some(bytes));
        }
    }
    let old = snapshot.iter().map(|(key, _)| key).filter(|key| key.starts_with(b"index\0"));
    for key in old {
        changes.entry(key.clone()).or_insert(None);
    }
    manifest.sequence += 1;
    apply(database, manifest, changes)
}

/// Index entries that a record gives rise to.
pub(super) fn index_of(key: &[u8], bytes: &[u8]) -> Vec<(String, u64)> {
    if key.starts_with(b"runs\0")
        && let Ok(run) = record::decode::<Run>("runs", bytes)
    {
        let places = runs::index_of(&run).into_iter().filter(|(_, present)| *present);
        return places.map(|(place, _)| (place, run.id.0)).collect();
    }
    if key.starts_with(b"alerts\0")
        && let Ok(alert) = record::decode::<Alert>("alerts", bytes)
        && let (place, true) = alerts::index_of(&alert)
    {
        return vec![(place, alert.id.0)];
    }
    Vec::new()
}

fn migrate(
    data: &Path,
    database: &Database,
    before: Manifest,
    now: DateTime<Utc>,
) -> Result<Manifest, StoreError> {
    let failed = |reason: String| StoreError::Write { table: "the state", reason };
    let snapshot = snapshot(database, before.sequence)?;
    export::save(data, export::BEFORE_MIGRATION, &snapshot, before.version, now)?;
    migrate::bring_up(database, migrate::STEPS)?;
    let (mut manifest, _) = count(database).map_err(failed)?;
    manifest.version = record::VERSION;
    manifest.sequence = before.sequence;
    make_index(database, &mut manifest).map_err(failed)?;
    database.flush().map_err(failed)?;
    Ok(manifest)
}

fn snapshot(database: &Database, sequence: u64) -> Result<Snapshot, StoreError> {
    let mut records = database.scan(b"").map_err(|reason| StoreError::read("whole", reason))?;
    records.retain(|(key, _)| key != digest::KEY);
    Ok(Snapshot { sequence, records })
}

/// Counts attempts to open that nobody lived to see the end of.
struct Attempts {
    path: PathBuf,
    before: u32,
}

impl Attempts {
    fn begin(data: &Path) -> io::Result<Self> {
        let path = data.join("state.opening");
        let before = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        file::write_whole(&path, |out| io::Write::write_fmt(out, format_args!("{}\n", before + 1)))?;
        Ok(Self { path, before })
    }

    fn succeeded(self) -> io::Result<()> {
        fs::remove_file(self.path)
    }
}
