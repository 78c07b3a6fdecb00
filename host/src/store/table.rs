//! Records of one kind by key.

use super::{Engine, StoreError, Transaction, commit::full_key, key::Key, record};
use serde::{Serialize, de::DeserializeOwned};
use std::{marker::PhantomData, sync::Arc};

/// Records of one kind by key. Reading sees what was committed; writing is durable when it returns.
pub struct Table<K, V> {
    pub(super) name: &'static str,
    pub(super) engine: Arc<Engine>,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self { name: self.name, engine: Arc::clone(&self.engine), types: PhantomData }
    }
}

impl<K: Key, V: Serialize + DeserializeOwned> Table<K, V> {
    pub(super) fn new(name: &'static str, engine: &Arc<Engine>) -> Self {
        Self { name, engine: Arc::clone(engine), types: PhantomData }
    }

    /// The record under `key`.
    pub fn get(&self, key: &K) -> Result<Option<V>, StoreError> {
        let found = self
            .engine
            .database
            .get(&full_key(self.name, &key.stored()))
            .map_err(|reason| StoreError::read(self.name, reason))?;
        found.map(|bytes| record::decode(self.name, &bytes)).transpose()
    }

    /// All records in the order of their keys.
    pub fn list(&self) -> Result<Vec<V>, StoreError> {
        self.list_prefix("")
    }

    /// The records whose keys begin with `prefix`.
    pub fn list_prefix(&self, prefix: &str) -> Result<Vec<V>, StoreError> {
        let found = self
            .engine
            .database
            .scan(&full_key(self.name, prefix))
            .map_err(|reason| StoreError::read(self.name, reason))?;
        found.iter().map(|(_, bytes)| record::decode(self.name, bytes)).collect()
    }

    /// Writes a record.
    pub async fn put(&self, key: &K, value: &V) -> Result<(), StoreError> {
        let (name, key, bytes) = (self.name, key.stored(), record::encode(self.name, value)?);
        self.engine
            .commit(move |transaction| {
                transaction.write(name, &key, Some(bytes));
                Ok(())
            })
            .await
    }

    /// Writes a record unless there is one under `key`; says whether it did.
    pub async fn insert(&self, key: &K, value: &V) -> Result<bool, StoreError> {
        let (name, key, bytes) = (self.name, key.stored(), record::encode(self.name, value)?);
        self.engine
            .commit(move |transaction| {
                let free = transaction.read(name, &key)?.is_none();
                if free {
                    transaction.write(name, &key, Some(bytes));
                }
                Ok(free)
            })
            .await
    }

    /// Removes a record and says whether there was one.
    pub async fn remove(&self, key: &K) -> Result<bool, StoreError> {
        let (name, key) = (self.name, key.stored());
        self.engine
            .commit(move |transaction| {
                let had = transaction.read(name, &key)?.is_some();
                if had {
                    transaction.write(name, &key, None);
                }
                Ok(had)
            })
            .await
    }

    /// The record under `key`, within a transaction.
    pub fn get_in(&self, transaction: &Transaction<'_>, key: &K) -> Result<Option<V>, StoreError> {
        let found = transaction.read(self.name, &key.stored())?;
        found.map(|bytes| record::decode(self.name, &bytes)).transpose()
    }

    /// The records whose keys begin with `prefix`, with their keys, within a transaction.
    pub fn list_in(
        &self,
        transaction: &Transaction<'_>,
        prefix: &str,
    ) -> Result<Vec<(String, V)>, StoreError> {
        let found = transaction.scan(self.name, prefix)?;
        found.into_iter().map(|(key, bytes)| Ok((key, record::decode(self.name, &bytes)?))).collect()
    }

    /// Writes a record within a transaction.
    pub fn put_in(&self, transaction: &mut Transaction<'_>, key: &K, value: &V) -> Result<(), StoreError> {
        transaction.write(self.name, &key.stored(), Some(record::encode(self.name, value)?));
        Ok(())
    }

    /// Removes a record within a transaction.
    pub fn remove_in(&self, transaction: &mut Transaction<'_>, key: &K) {
        transaction.write(self.name, &key.stored(), None);
    }

    /// The newest records (greatest keys) below `before`, for which `wanted` is true, at most `limit`.
    pub(super) fn newest(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
        mut wanted: impl FnMut(&V) -> bool,
    ) -> Result<Vec<V>, StoreError> {
        let mut found = Vec::new();
        let mut broken = None;
        let start = full_key(self.name, prefix);
        let end =
            before.map_or_else(|| past(&start), |before| full_key(self.name, &format!("{prefix}{before}")));
        if limit == 0 {
            return Ok(found);
        }
        self.engine
            .database
            .walk_back(&start, &end, |_, bytes| {
                match record::decode(self.name, bytes) {
                    Ok(record) if wanted(&record) => found.push(record),
                    Ok(_) => {}
                    Err(error) => broken = Some(error),
                }
                broken.is_none() && found.len() < limit
            })
            .map_err(|reason| StoreError::read(self.name, reason))?;
        broken.map_or(Ok(found), Err)
    }
}

/// The first key after everything that begins with `prefix`. Keys are UTF-8, which never holds 0xff.
fn past(prefix: &[u8]) -> Vec<u8> {
    [prefix, &[0xff]].concat()
}
