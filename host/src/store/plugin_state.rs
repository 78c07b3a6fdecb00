//! What plugins remember between runs: bytes by plugin and key, within a quota.

use super::{Engine, StoreError, Table, Transaction, key::part};
use crate::model::name::PluginId;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One kept value. Base64, so that an export stays text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    key: String,
    bytes: String,
}

/// Why a value was not kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeepState {
    /// It would take the plugin over its quota.
    #[error(
        "the plugin {plugin} may keep {quota} bytes and this would make it {wanted}; the value was not kept; remove other keys, or ask for more in the manifest's limits"
    )]
    OverQuota {
        /// The plugin.
        plugin: PluginId,
        /// What it may keep.
        quota: u64,
        /// What it would have kept.
        wanted: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Plugins' own data.
#[derive(Clone)]
pub struct PluginState {
    table: Table<String, Kept>,
}

impl PluginState {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        Self { table: Table::new("plugin-state", engine) }
    }

    /// The bytes under a key.
    pub fn get(&self, plugin: &PluginId, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(kept) = self.table.get(&place_of(plugin, key))? else { return Ok(None) };
        let bytes = STANDARD
            .decode(kept.bytes)
            .map_err(|source| StoreError::Decode { table: "plugin-state", reason: source.to_string() })?;
        Ok(Some(bytes))
    }

    /// Keeps bytes under a key, if all the plugin keeps then stays within `quota` bytes (keys count too).
    pub async fn put(&self, plugin: &PluginId, key: &str, bytes: &[u8], quota: u64) -> Result<(), KeepState> {
        let this = self.clone();
        let (plugin, place) = (plugin.clone(), place_of(plugin, key));
        let kept = Kept { key: key.to_owned(), bytes: STANDARD.encode(bytes) };
        self.table
            .engine
            .commit(move |transaction| {
                let all = this.table.list_in(transaction, &prefix_of(&plugin))?;
                let others = all.iter().filter(|(key, _)| *key != place).map(|(_, kept)| size(kept));
                let wanted = others.sum::<u64>() + size(&kept);
                if wanted > quota {
                    return Err(KeepState::OverQuota { plugin, quota, wanted });
                }
                this.table.put_in(transaction, &place, &kept)?;
                Ok(())
            })
            .await
    }

    /// Forgets a key and says whether it was there.
    pub async fn remove(&self, plugin: &PluginId, key: &str) -> Result<bool, StoreError> {
        self.table.remove(&place_of(plugin, key)).await
    }

    /// The keys that begin with `prefix`, in order.
    pub fn keys(&self, plugin: &PluginId, prefix: &str) -> Result<Vec<String>, StoreError> {
        let all = self.table.list_prefix(&prefix_of(plugin))?;
        let mut keys: Vec<String> =
            all.into_iter().map(|kept| kept.key).filter(|key| key.starts_with(prefix)).collect();
        keys.sort();
        Ok(keys)
    }

    /// Bytes the plugin keeps, keys included.
    pub fn usage(&self, plugin: &PluginId) -> Result<u64, StoreError> {
        Ok(self.table.list_prefix(&prefix_of(plugin))?.iter().map(size).sum())
    }

    /// Forgets all a plugin kept, together with other changes.
    pub fn forget_in(&self, transaction: &mut Transaction<'_>, plugin: &PluginId) -> Result<(), StoreError> {
        for (key, _) in self.table.list_in(transaction, &prefix_of(plugin))? {
            self.table.remove_in(transaction, &key);
        }
        Ok(())
    }
}

/// Bytes a kept value counts for.
fn size(kept: &Kept) -> u64 {
    let padding = kept.bytes.bytes().rev().take_while(|byte| *byte == b'=').count();
    (kept.key.len() + kept.bytes.len() / 4 * 3 - padding) as u64
}

fn prefix_of(plugin: &PluginId) -> String {
    format!("{plugin}/")
}

fn place_of(plugin: &PluginId, key: &str) -> String {
    format!("{plugin}/{}", part(key))
}
