//! Exporting and importing a running store, and keeping exports fresh.

use super::{
    Audit, AuditEntry, Change, ExportFile, Store, StoreError, Transaction, alerts, catalog,
    export::{self, Document},
    heal, journal, record, runs,
};
use crate::{clock::SharedClock, model::audit::Verdict};
use chrono::{DateTime, TimeDelta, Utc};
use std::{path::PathBuf, time::Duration};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

/// How eagerly exports are kept fresh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Quiet after a change of settings before an export follows it.
    pub(super) quiet: Duration,
    /// How long changes that keep coming can put it off.
    pub(super) longest: Duration,
    /// How often the age of the newest export is looked at.
    pub(super) look: Duration,
}

const PACE: Pace = Pace {
    quiet: Duration::from_secs(10),
    longest: Duration::from_secs(120),
    look: Duration::from_secs(15 * 60),
};

/// Without any change of settings.
const DAY: TimeDelta = TimeDelta::days(1);
/// Journal that is put into an export rather than kept growing.
const JOURNAL_BYTES: u64 = 32 << 20;

impl Store {
    /// The whole state as the text of an export.
    pub async fn export_text(&self, now: DateTime<Utc>) -> Result<String, StoreError> {
        let snapshot = self.engine.committer.snapshot().await?;
        let failed =
            |source: String| StoreError::Export { path: PathBuf::from("(in memory)"), reason: source };
        let mut text = Vec::new();
        export::render(&snapshot, record::VERSION, now, &mut text)
            .map_err(|source| failed(source.to_string()))?;
        String::from_utf8(text).map_err(|source| failed(source.to_string()))
    }

    /// Writes an export into the data directory, lets the oldest go, and the journal that no kept export needs.
    pub async fn save_export(&self, now: DateTime<Utc>) -> Result<PathBuf, StoreError> {
        self.save_export_as(export::STATE, now).await
    }

    async fn save_export_as(&self, kind: &'static str, now: DateTime<Utc>) -> Result<PathBuf, StoreError> {
        let snapshot = self.engine.committer.snapshot().await?;
        let data = self.engine.data.clone();
        tokio::task::spawn_blocking(move || {
            let path = export::save(&data, kind, &snapshot, record::VERSION, now)?;
            // The newest export may turn out to be damaged: the journal reaches back to the one before it.
            if let Some(second) = export::list(&data, export::STATE).get(1)
                && let Err(source) = journal::forget(&data.join("journal"), second.sequence)
            {
                tracing::warn!(%source, "an old part of the journal could not be removed");
            }
            Ok(path)
        })
        .await
        .map_err(|source| StoreError::write("the state", source))?
    }

    /// The exports in the data directory, newest first.
    pub fn exports(&self) -> Vec<ExportFile> {
        export::list(&self.engine.data, export::STATE)
    }

    /// Replaces the whole state by an export. It is checked whole first, and a copy of the present state is written to
    /// the exports. The audit log continues with a record of it. Browser sessions end.
    pub async fn import_text(
        &self,
        text: &str,
        who: &str,
        now: DateTime<Utc>,
    ) -> Result<PathBuf, StoreError> {
        let document = Document::parse(text).map_err(StoreError::import)?;
        let document = bring_up(document)?;
        document.check().map_err(StoreError::import)?;
        let copy = self.save_export_as(export::BEFORE_IMPORT, now).await?;
        let (audit, who, kept) = (self.audit.clone(), who.to_owned(), copy.clone());
        self.transact(move |transaction| replace(transaction, &document, &audit, &who, &kept, now)).await?;
        self.save_export(now).await?;
        Ok(copy)
    }

    /// Keeps an export that is never older than a day nor than the last change of settings, until cancelled.
    pub async fn keep_exported(&self, clock: SharedClock, stop: CancellationToken) {
        self.keep_exported_at(PACE, clock, stop).await;
    }

    pub(super) async fn keep_exported_at(&self, pace: Pace, clock: SharedClock, stop: CancellationToken) {
        let mut changes = self.subscribe();
        loop {
            if self.export_is_due(clock.now())
                && let Err(error) = self.save_export(clock.now()).await
            {
                tracing::warn!(%error, "the state could not be exported");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pace.look) => {}
                changed = setting_changed(&mut changes) => {
                    if !changed {
                        return;
                    }
                    settle_down(pace, &mut changes, &stop).await;
                    if let Err(error) = self.save_export(clock.now()).await {
                        tracing::warn!(%error, "the state could not be exported");
                    }
                }
            }
        }
    }

    fn export_is_due(&self, now: DateTime<Utc>) -> bool {
        let newest = self.exports().into_iter().next().and_then(|file| file.written());
        let fresh = newest.is_some_and(|written| (now - written).abs() < DAY);
        !fresh || self.engine.committer.journal_bytes() > JOURNAL_BYTES
    }
}

/// Waits for a change that an export should follow; false is: there will be none.
async fn setting_changed(changes: &mut broadcast::Receiver<Change>) -> bool {
    loop {
        match changes.recv().await {
            Ok(change) => {
                let spec = catalog::find(change.table);
                if spec.is_some_and(|spec| spec.kind == catalog::Kind::Setting) {
                    return true;
                }
            }
            Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        }
    }
}

/// Waits until settings have been quiet for a while.
async fn settle_down(pace: Pace, changes: &mut broadcast::Receiver<Change>, stop: &CancellationToken) {
    let quiet =
        async { while let Ok(true) = tokio::time::timeout(pace.quiet, setting_changed(changes)).await {} };
    tokio::select! {
        () = stop.cancelled() => {}
        _late = tokio::time::timeout(pace.longest, quiet) => {}
    }
}

fn bring_up(document: Document) -> Result<Document, StoreError> {
    match document.version {
        record::VERSION => Ok(document),
        older => Err(StoreError::import(format!(
            "it is of state version {older}, which no version of Holdfast wrote"
        ))),
    }
}

fn replace(
    transaction: &mut Transaction<'_>,
    document: &Document,
    audit: &Audit,
    who: &str,
    copy: &std::path::Path,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let counters = [runs::COUNTER, alerts::COUNTER];
    let mut before = Vec::new();
    for counter in counters {
        before.push((counter, transaction.read("marks", counter)?));
    }
    for spec in &catalog::TABLES {
        for (key, _) in transaction.scan(spec.name, "")? {
            transaction.write(spec.name, &key, None);
        }
    }
    for (full, bytes) in document.records() {
        for (place, id) in heal::index_of(&full, &bytes) {
            transaction.write("index", &place, Some(record::encode("index", &id)?));
        }
        if let Some((table, key)) = catalog::split(&full)
            && let Some(spec) = catalog::find(table)
        {
            transaction.write(spec.name, key, Some(bytes));
        }
    }
    // Numbers that were given out here are never used again, whatever the export says.
    for (counter, bytes) in before {
        let old: u64 = bytes.map_or(Ok(0), |bytes| record::decode("marks", &bytes))?;
        let new: u64 =
            transaction.read("marks", counter)?.map_or(Ok(0), |bytes| record::decode("marks", &bytes))?;
        transaction.write("marks", counter, Some(record::encode("marks", &old.max(new))?));
    }
    let entry = AuditEntry {
        at: now,
        who: who.to_owned(),
        action: "state.import".to_owned(),
        subject: format!("the export of {}", document.written),
        verdict: Verdict::Allowed,
        reason: Some(format!("the state and the audit log until now are in {}", copy.display())),
    };
    audit.append_in(transaction, entry).map(|_| ())
}
