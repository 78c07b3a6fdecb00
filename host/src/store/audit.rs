//! The audit log: a chain in which each record holds the hash of the one before it. A record that was changed, taken
//! out or slipped in breaks it.
//!
//! The log is bounded: the oldest records go to a compressed archive first (`audit_archive`), and the chain then
//! begins at a link that names the last archived record and its hash.

use super::{Engine, StoreError, Table, Transaction, key};
use crate::model::audit::{AuditRecord, Verdict};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The mark of the newest record.
pub(super) const HEAD: &str = "audit-head";
/// The mark of the last record that is in an archive.
pub(super) const BASE: &str = "audit-base";

/// One place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    pub(super) sequence: u64,
    pub(super) hash: String,
}

impl Link {
    pub(super) fn origin() -> Self {
        Self { sequence: 0, hash: hex::encode([0; 32]) }
    }
}

/// What happened, from whoever decided it.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// `plugin:ID run:N`, `user:NAME`, `token:NAME`, `console`, `appliance`.
    pub who: String,
    /// What was asked, for example `recovery-points.create`.
    pub action: String,
    /// On what.
    pub subject: String,
    /// Permitted or not.
    pub verdict: Verdict,
    /// Why it was refused or how it failed.
    pub reason: Option<String>,
}

/// Why the chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// A number is missing.
    #[error(
        "audit record {expected} is missing (the next is {found}); the log was changed or damaged there; compare with the exports in the data directory"
    )]
    Gap {
        /// The number that should come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A record does not fit.
    #[error(
        "audit record {sequence} does not fit the one before it; the log was changed or damaged there; compare with the exports in the data directory"
    )]
    Changed {
        /// Its number.
        sequence: u64,
    },
    /// The newest records are gone.
    #[error(
        "the audit log ends at record {found} but {expected} were written; compare with the exports in the data directory"
    )]
    Cut {
        /// The newest that was written.
        expected: u64,
        /// The newest that is there.
        found: u64,
    },
}

/// The audit log.
#[derive(Clone)]
pub struct Audit {
    pub(super) table: Table<String, AuditRecord>,
    pub(super) links: Table<String, Link>,
}

impl Audit {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        Self { table: Table::new("audit", engine), links: Table::new("marks", engine) }
    }

    /// Adds a record; it is durable when this returns.
    pub async fn append(&self, entry: AuditEntry) -> Result<AuditRecord, StoreError> {
        let this = self.clone();
        self.table.engine.commit(move |transaction| this.append_in(transaction, entry)).await
    }

    /// Adds a record without waiting until it is durable: for what has happened in any case.
    pub fn note(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let this = self.clone();
        self.table
            .engine
            .submit(move |transaction| this.append_in(transaction, entry))
            .map(|_: tokio::sync::oneshot::Receiver<Result<AuditRecord, StoreError>>| ())
    }

    /// Adds a record together with the change it is about.
    pub fn append_in(
        &self,
        transaction: &mut Transaction<'_>,
        entry: AuditEntry,
    ) -> Result<AuditRecord, StoreError> {
        let head = match self.links.get_in(transaction, &HEAD.to_owned())? {
            Some(head) => head,
            None => Link::origin(),
        };
        let record = seal(head, entry);
        let head = Link { sequence: record.sequence, hash: record.hash.clone() };
        self.links.put_in(transaction, &HEAD.to_owned(), &head)?;
        self.table.put_in(transaction, &key::number(record.sequence), &record)?;
        Ok(record)
    }

    /// Records, newest first: only those before number `before`, at most `limit`.
    pub fn list(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditRecord>, StoreError> {
        self.matching(before, limit, |_| true)
    }

    /// As [`Audit::list`], only those for which `wanted` is true.
    pub fn matching(
        &self,
        before: Option<u64>,
        limit: usize,
        wanted: impl FnMut(&AuditRecord) -> bool,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let before = before.map(key::number);
        self.table.newest("", before.as_deref(), limit, wanted)
    }

    /// Checks the whole chain, archives included, and says how many records it has.
    pub fn verify_chain(&self) -> Result<Result<u64, BrokenChain>, StoreError> {
        let base = self.links.get(&BASE.to_owned())?.unwrap_or_else(Link::origin);
        let head = self.links.get(&HEAD.to_owned())?.unwrap_or_else(Link::origin);
        let archived = match self.verify_archives(&base)? {
            Ok(count) => count,
            Err(broken) => return Ok(Err(broken)),
        };
        Ok(verify(base, &head, &self.table.list()?).map(|count| count + archived))
    }
}

fn verify(base: Link, head: &Link, records: &[AuditRecord]) -> Result<u64, BrokenChain> {
    let end = follow(base, records)?;
    match end == *head {
        true => Ok(records.len() as u64),
        false if end.sequence == head.sequence => Err(BrokenChain::Changed { sequence: end.sequence }),
        false => Err(BrokenChain::Cut { expected: head.sequence, found: end.sequence }),
    }
}

/// Walks the chain on from `from` and gives its end.
pub(super) fn follow(from: Link, records: &[AuditRecord]) -> Result<Link, BrokenChain> {
    let mut at = from;
    for record in records {
        let expected = at.sequence + 1;
        if record.sequence != expected {
            return Err(BrokenChain::Gap { expected, found: record.sequence });
        }
        if record.previous != at.hash || record.hash != hash(record) {
            return Err(BrokenChain::Changed { sequence: record.sequence });
        }
        at = Link { sequence: record.sequence, hash: record.hash.clone() };
    }
    Ok(at)
}

fn seal(head: Link, entry: AuditEntry) -> AuditRecord {
    let AuditEntry { at, who, action, subject, verdict, reason } = entry;
    let sequence = head.sequence + 1;
    let mut record = AuditRecord {
        sequence,
        at,
        who,
        action,
        subject,
        verdict,
        reason,
        previous: head.hash,
        hash: String::new(),
    };
    record.hash = hash(&record);
    record
}

/// Hex BLAKE3 over every field but `hash`, each with its length before it, so that no two records read alike.
fn hash(record: &AuditRecord) -> String {
    let verdict = match record.verdict {
        Verdict::Allowed => "allowed",
        Verdict::Refused => "refused",
    };
    let mut hasher = blake3::Hasher::new();
    let mut field = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    };
    field("holdfast audit 1");
    field(&record.sequence.to_string());
    field(&record.at.timestamp_micros().to_string());
    field(&record.who);
    field(&record.action);
    field(&record.subject);
    field(verdict);
    field(if record.reason.is_some() { "reason" } else { "no reason" });
    field(record.reason.as_deref().unwrap_or_default());
    field(&record.previous);
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: u64) -> (Link, Vec<AuditRecord>) {
        let mut head = Link::origin();
        let mut records = Vec::new();
        for number in 0..length {
            let entry = AuditEntry {
                at: DateTime::UNIX_EPOCH,
                who: "user:eva".into(),
                action: "server.save".into(),
                subject: format!("db{number}"),
                verdict: Verdict::Allowed,
                reason: None,
            };
            let record = seal(head, entry);
            head = Link { sequence: record.sequence, hash: record.hash.clone() };
            records.push(record);
        }
        (head, records)
    }

    #[test]
    fn a_whole_chain_holds() {
        let (head, records) = chain(5);
        assert_eq!(verify(Link::origin(), &head, &records), Ok(5));
    }

    #[test]
    fn every_way_to_tamper_shows() {
        let (head, records) = chain(5);
        for at in 0..records.len() {
            let mut changed = records.clone();
            changed[at].who = "user:mallory".into();
            assert!(verify(Link::origin(), &head, &changed).is_err(), "changed {at}");
            changed[at].hash = hash(&changed[at]);
            assert!(verify(Link::origin(), &head, &changed).is_err(), "changed and sealed anew {at}");
            let mut removed = records.clone();
            removed.remove(at);
            assert!(verify(Link::origin(), &head, &removed).is_err(), "removed {at}");
        }
        let mut swapped = records.clone();
        swapped.swap(1, 2);
        assert!(verify(Link::origin(), &head, &swapped).is_err());
    }

    #[test]
    fn moving_text_between_fields_changes_the_hash() {
        let (_, records) = chain(1);
        let one = &records[0];
        let moved = AuditRecord { who: "user:evas".into(), action: "erver.save".into(), ..one.clone() };
        assert_ne!(hash(one), hash(&moved));
        let empty = AuditRecord { reason: Some(String::new()), ..one.clone() };
        assert_ne!(hash(one), hash(&empty));
    }
}
