//! The only file that names sled: one database, typed tables, durable writes.
//!
//! A write is durable when its future resolves: the log is flushed to disk before the caller hears of it. Values are
//! JSON, so that the portable export is the same text and a person can read it.

use super::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Display, marker::PhantomData, path::Path, str::FromStr};

/// An open database.
#[derive(Clone)]
pub(super) struct Database(sled::Db);

impl Database {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        sled::Config::new()
            .path(path)
            .cache_capacity(16 << 20)
            .open()
            .map(Self)
            .map_err(|source| StoreError::Open { path: path.to_owned(), reason: source.to_string() })
    }

    pub(super) fn table<K, V>(&self, name: &'static str) -> Result<Table<K, V>, StoreError> {
        let tree = self.0.open_tree(name).map_err(|source| StoreError::read(name, source))?;
        Ok(Table { name, tree, types: PhantomData })
    }
}

/// Records of one kind by key.
pub struct Table<K, V> {
    name: &'static str,
    tree: sled::Tree,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self { name: self.name, tree: self.tree.clone(), types: PhantomData }
    }
}

impl<K: Display + FromStr, V: Serialize + DeserializeOwned> Table<K, V> {
    /// The record under `key`.
    pub fn get(&self, key: &K) -> Result<Option<V>, StoreError> {
        let found = self.tree.get(key.to_string()).map_err(|source| StoreError::read(self.name, source))?;
        found.map(|bytes| self.decode(&bytes)).transpose()
    }

    /// All records in the order of their keys.
    pub fn list(&self) -> Result<Vec<V>, StoreError> {
        self.list_prefix("")
    }

    /// The records whose keys begin with `prefix`.
    pub fn list_prefix(&self, prefix: &str) -> Result<Vec<V>, StoreError> {
        self.tree
            .scan_prefix(prefix)
            .map(|entry| {
                let (_, bytes) = entry.map_err(|source| StoreError::read(self.name, source))?;
                self.decode(&bytes)
            })
            .collect()
    }

    /// Writes a record; durable when this returns.
    pub async fn put(&self, key: &K, value: &V) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(value)
            .map_err(|source| StoreError::Encode { table: self.name, reason: source.to_string() })?;
        self.tree.insert(key.to_string(), bytes).map_err(|source| StoreError::write(self.name, source))?;
        self.flush().await
    }

    /// Removes a record and says whether there was one; durable when this returns.
    pub async fn remove(&self, key: &K) -> Result<bool, StoreError> {
        let had = self
            .tree
            .remove(key.to_string())
            .map_err(|source| StoreError::write(self.name, source))?
            .is_some();
        self.flush().await?;
        Ok(had)
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.tree.flush_async().await.map(|_| ()).map_err(|source| StoreError::write(self.name, source))
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, StoreError> {
        serde_json::from_slice(bytes)
            .map_err(|source| StoreError::Decode { table: self.name, reason: source.to_string() })
    }
}
