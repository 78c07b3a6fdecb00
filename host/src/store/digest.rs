//! What the records ought to be: how many of each table, and a sum over their hashes.
//!
//! The sum does not depend on order and follows each change, so it is kept up to date for the price of one hash.
//! It lies beside the records and changes in the same batch; when the database comes up with a record missing,
//! garbled or brought back from the past, the two no longer agree.

use super::tree::Changes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The key of the manifest itself: it sorts before every table.
pub(super) const KEY: &[u8] = b"\0manifest";

/// The manifest of the records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The version of the state.
    pub(super) version: u32,
    /// The number of the last commit in it.
    pub(super) sequence: u64,
    /// Sums by table.
    pub(super) tables: BTreeMap<String, Sum>,
}

/// Of one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum {
    /// Number of records.
    pub(super) records: u64,
    /// Low and high half of the sum of their hashes.
    low: u64,
    high: u64,
}

impl Sum {
    fn value(self) -> u128 {
        (u128::from(self.high) << 64) | u128::from(self.low)
    }

    fn set(&mut self, value: u128) {
        #[expect(clippy::cast_possible_truncation, reason = "the halves are taken apart on purpose")]
        let (low, high) = (value as u64, (value >> 64) as u64);
        (self.low, self.high) = (low, high);
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.records = self.records.wrapping_add(1);
        self.set(self.value().wrapping_add(hash(key, value)));
    }

    fn subtract(&mut self, key: &[u8], value: &[u8]) {
        self.records = self.records.wrapping_sub(1);
        self.set(self.value().wrapping_sub(hash(key, value)));
    }
}

impl Manifest {
    /// Takes one record in.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.tables.entry(table_of(key)).or_default().add(key, value);
    }

    /// Follows `changes`; `before` gives the bytes a key had.
    pub(super) fn follow(
        &mut self,
        changes: &Changes,
        before: impl Fn(&[u8]) -> Result<Option<Vec<u8>>, String>,
    ) -> Result<(), String> {
        for (key, value) in changes {
            let sum = self.tables.entry(table_of(key)).or_default();
            if let Some(old) = before(key)? {
                sum.subtract(key, &old);
            }
            if let Some(new) = value {
                sum.add(key, new);
            }
        }
        self.tables.retain(|_, sum| sum.records > 0);
        Ok(())
    }
}

fn table_of(key: &[u8]) -> String {
    let name = key.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

fn hash(key: &[u8], value: &[u8]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes()).update(key).update(value);
    let mut half = [0; 16];
    hasher.finalize_xof().fill(&mut half);
    u128::from_le_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn following_changes_equals_counting_anew(
            steps in prop::collection::vec((0u8..6, prop::option::of(0u8..4)), 0..40)
        ) {
            let mut records: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            let mut followed = Manifest::default();
            for (key, value) in steps {
                let key = vec![b't', key % 2 + b'0', 0, key];
                let changes = Changes::from([(key.clone(), value.map(|v| vec![v]))]);
                followed.follow(&changes, |key| Ok(records.get(key).cloned())).unwrap();
                match value {
                    Some(v) => { records.insert(key, vec![v]); }
                    None => { records.remove(&key); }
                }
            }
            let mut counted = Manifest::default();
            records.iter().for_each(|(key, value)| counted.add(key, value));
            prop_assert_eq!(followed, counted);
        }
    }

    #[test]
    fn a_flipped_bit_or_a_lost_record_shows() {
        let mut whole = Manifest::default();
        whole.add(b"jobs\0a", b"1");
        whole.add(b"jobs\0b", b"2");
        let mut lost = Manifest::default();
        lost.add(b"jobs\0a", b"1");
        let mut flipped = Manifest::default();
        flipped.add(b"jobs\0a", b"1");
        flipped.add(b"jobs\0b", b"3");
        assert_ne!(whole, lost);
        assert_ne!(whole, flipped);
    }
}
