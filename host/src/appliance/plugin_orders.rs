//! Orders about plugins and their grants.

use super::desk::{Desk, store_error};
use crate::{
    admin::ports::{Inspection, OrderError, Plugins as PluginOrders},
    model::{
        name::PluginId,
        plugin::{Capability, Grant, InstalledPlugin},
    },
    plugin::{InstallPlugin, Plugins},
};
use async_trait::async_trait;
use std::sync::Arc;

/// Carries out orders about plugins.
pub(super) struct PluginDesk {
    pub(super) desk: Desk,
    pub(super) plugins: Arc<Plugins>,
}

fn install_error(error: InstallPlugin) -> OrderError {
    let text = error.to_string();
    match error {
        InstallPlugin::Package(_) | InstallPlugin::Unfit { .. } | InstallPlugin::Compile(_) => {
            OrderError::Invalid(text)
        }
        InstallPlugin::Refused(_) => OrderError::Refused(text),
        InstallPlugin::Bundled { .. } | InstallPlugin::InUse { .. } => OrderError::Conflict(text),
        InstallPlugin::Find(_) => OrderError::NotFound(text),
        InstallPlugin::Write { .. } => OrderError::Unavailable(text),
        InstallPlugin::Store(_) | InstallPlugin::Audit(_) => OrderError::Internal(text),
    }
}

impl PluginDesk {
    fn installed(&self, id: &PluginId) -> Result<InstalledPlugin, OrderError> {
        let known = self.desk.store.plugins.get(id).map_err(store_error)?;
        known.ok_or_else(|| {
            OrderError::NotFound(format!(
                "plugin {id} is not installed; nothing was changed; see `holdfast plugin list`"
            ))
        })
    }
}

fn key(plugin: &PluginId, capability: Capability) -> String {
    format!("{plugin}/{}", capability.name())
}

#[async_trait]
impl PluginOrders for PluginDesk {
    async fn inspect(&self, package: Vec<u8>) -> Result<Inspection, OrderError> {
        let bytes = u64::try_from(package.len()).unwrap_or(u64::MAX);
        let seen = self.plugins.inspect(package.into()).await.map_err(install_error)?;
        Ok(Inspection {
            manifest: seen.package.manifest.clone(),
            publisher: seen.publisher,
            digest: seen.package.digest.clone(),
            bytes,
            imports: seen.imports,
            problems: seen.problems,
        })
    }

    async fn install(&self, package: Vec<u8>, who: &str) -> Result<InstalledPlugin, OrderError> {
        self.plugins.install(package.into(), who).await.map_err(install_error)
    }

    async fn remove(&self, id: &PluginId, who: &str) -> Result<(), OrderError> {
        self.plugins.remove(id, who).await.map_err(install_error)
    }

    async fn grant(&self, grant: Grant) -> Result<(), OrderError> {
        let plugin = self.installed(&grant.plugin)?;
        let subject = format!("{} {}", grant.plugin, grant.capability.name());
        if !plugin.manifest.permissions.iter().any(|asked| asked.capability == grant.capability) {
            let why = format!(
                "plugin {} does not ask for \"{}\"; nothing was granted; its manifest asks for: {}",
                grant.plugin,
                grant.capability.name(),
                plugin
                    .manifest
                    .permissions
                    .iter()
                    .map(|p| p.capability.name())
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            self.desk.record(&grant.by, "plugin.grant", subject, Some(why.clone())).await?;
            return Err(OrderError::Invalid(why));
        }
        self.desk.record(&grant.by, "plugin.grant", subject, None).await?;
        self.desk.store.grants.put(&key(&grant.plugin, grant.capability), &grant).await.map_err(store_error)
    }

    async fn revoke(&self, id: &PluginId, capability: Capability, who: &str) -> Result<(), OrderError> {
        self.desk.record(who, "plugin.revoke", format!("{id} {}", capability.name()), None).await?;
        if self.desk.store.grants.remove(&key(id, capability)).await.map_err(store_error)? {
            return Ok(());
        }
        Err(OrderError::NotFound(format!(
            "plugin {id} is not granted \"{}\"; nothing was changed",
            capability.name()
        )))
    }

    async fn resume(&self, id: &PluginId, who: &str) -> Result<(), OrderError> {
        let mut plugin = self.installed(id)?;
        self.desk.record(who, "plugin.resume", id.as_str(), None).await?;
        plugin.paused = None;
        self.desk.store.plugins.put(id, &plugin).await.map_err(store_error)
    }

    fn accepts_unsigned(&self) -> bool {
        self.plugins.accepts_unsigned()
    }
}
