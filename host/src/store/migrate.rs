//! Bringing records of an older version of the state up to this one, step by step.
//!
//! A step changes the JSON of one table's record from version N to N + 1. An export is written before any step runs
//! (`heal`), so that the older binary can still be given its state back.

use super::{
    StoreError, catalog, digest, record,
    tree::{Changes, Database},
};
use serde_json::Value;

/// One step: the record of a table in version N, as version N + 1.
pub(super) type Step = fn(table: &str, record: Value) -> Result<Value, String>;

/// The steps from version 1 on. Version 1 is the first, so there is none yet.
pub(super) const STEPS: &[Step] = &[];

/// Rewrites every record that is of an older version. All at once: a crash leaves the old state.
pub(super) fn bring_up(database: &Database, steps: &[Step]) -> Result<(), StoreError> {
    let failed = |reason: String| StoreError::Write { table: "the state", reason };
    let to = 1 + u32::try_from(steps.len()).map_err(|source| failed(source.to_string()))?;
    let mut changes = Changes::new();
    let mut broken = None;
    database
        .walk(|key, bytes| {
            if key == digest::KEY {
                return;
            }
            match bring_up_record(key, bytes, steps, to) {
                Ok(Some(new)) => {
                    changes.insert(key.to_vec(), Some(new));
                }
                Ok(None) => {}
                Err(reason) => broken = Some(reason),
            }
        })
        .map_err(failed)?;
    if let Some(reason) = broken {
        return Err(failed(reason));
    }
    database.apply(&changes).map_err(failed)
}

fn bring_up_record(key: &[u8], bytes: &[u8], steps: &[Step], to: u32) -> Result<Option<Vec<u8>>, String> {
    let name = String::from_utf8_lossy(key).replace('\0', " ");
    let (table, _) = catalog::split(key).ok_or_else(|| format!("{name} is no record's key"))?;
    let (from, inner) = record::open(bytes).ok_or_else(|| format!("{name} is no record"))?;
    if from >= to {
        return Ok(None);
    }
    let mut record: Value = serde_json::from_str(inner).map_err(|source| format!("{name}: {source}"))?;
    for step in steps.iter().skip(from.saturating_sub(1) as usize) {
        record = step(table, record).map_err(|reason| format!("{name}: {reason}"))?;
    }
    Ok(Some(record::wrap(to, &record.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rename_title(table: &str, mut record: Value) -> Result<Value, String> {
        if table == "notes" {
            let title = record.get("title").cloned().ok_or("no title")?;
            record = serde_json::json!({ "name": title });
        }
        Ok(record)
    }

    fn database_with(records: &[(&str, &[u8])]) -> (tempfile::TempDir, Database) {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path()).unwrap();
        let changes = records.iter().map(|(k, v)| (k.as_bytes().to_vec(), Some(v.to_vec())));
        database.apply(&changes.collect()).unwrap();
        (directory, database)
    }

    #[test]
    fn old_records_are_brought_up_and_new_ones_left() {
        let (_directory, database) = database_with(&[
            ("notes\0a", br#"{"v":1,"r":{"title":"x"}}"#),
            ("notes\0b", br#"{"v":2,"r":{"name":"y"}}"#),
        ]);
        bring_up(&database, &[rename_title]).unwrap();
        let read = |key: &[u8]| String::from_utf8(database.get(key).unwrap().unwrap()).unwrap();
        assert_eq!(read(b"notes\0a"), r#"{"v":2,"r":{"name":"x"}}"#);
        assert_eq!(read(b"notes\0b"), r#"{"v":2,"r":{"name":"y"}}"#);
    }

    #[test]
    fn one_record_that_cannot_be_brought_up_changes_nothing() {
        let (_directory, database) = database_with(&[
            ("notes\0a", br#"{"v":1,"r":{"title":"x"}}"#),
            ("notes\0b", br#"{"v":1,"r":{}}"#),
        ]);
        let said = bring_up(&database, &[rename_title]).unwrap_err().to_string();
        assert!(said.contains("notes b: no title"), "{said}");
        assert_eq!(database.get(b"notes\0a").unwrap().unwrap(), br#"{"v":1,"r":{"title":"x"}}"#);
    }
}
