//! Plugins' own small data in the appliance's state.

use super::store_error;
use crate::{
    capability::engines::{EngineError, PluginState, StateUsage},
    model::name::PluginId,
    store::Store,
};
use async_trait::async_trait;

/// Plugin state in the store.
pub(super) struct State {
    pub(super) store: Store,
}

#[async_trait]
impl PluginState for State {
    async fn get(&self, plugin: &PluginId, key: &str) -> Result<Option<Vec<u8>>, EngineError> {
        self.store.plugin_state.get(plugin, key).map_err(store_error)
    }

    async fn set(&self, plugin: &PluginId, key: &str, value: Vec<u8>) -> Result<(), EngineError> {
        // The plugin's own quota was checked before the call; the store's bound is not needed twice.
        let kept = self.store.plugin_state.put(plugin, key, &value, u64::MAX).await;
        kept.map_err(|error| EngineError::Unavailable(error.to_string()))
    }

    async fn delete(&self, plugin: &PluginId, key: &str) -> Result<(), EngineError> {
        self.store.plugin_state.remove(plugin, key).await.map(|_| ()).map_err(store_error)
    }

    async fn keys(
        &self,
        plugin: &PluginId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, EngineError> {
        let keys = self.store.plugin_state.keys(plugin, prefix).map_err(store_error)?;
        Ok(keys
            .into_iter()
            .filter(|key| after.is_none_or(|after| key.as_str() > after))
            .take(limit)
            .collect())
    }

    async fn usage(&self, plugin: &PluginId) -> Result<StateUsage, EngineError> {
        let keys = self.store.plugin_state.keys(plugin, "").map_err(store_error)?.len();
        let bytes = self.store.plugin_state.usage(plugin).map_err(store_error)?;
        Ok(StateUsage { keys: u64::try_from(keys).unwrap_or(u64::MAX), bytes })
    }
}
