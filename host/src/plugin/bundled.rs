//! Plugins that come inside the binary: entered in the store at every start, and granted what they ask the first time.
//!
//! The owner chose them with the appliance, so a fresh box backs up without a tour through a permission page. Each grant
//! is an ordinary one, in the store and in the audit log, and the owner can narrow or revoke it: that stays, because
//! grants are given only when a bundled plugin, or a permission of it, is new here.

use super::{OpenPlugins, Plugins, package::Package};
use crate::{
    capability::audit::AuditEntry,
    model::{
        audit::Verdict,
        plugin::{Capability, Grant, InstalledPlugin, Manifest, Publisher, Scope},
    },
};

/// Who gave the grants.
const APPLIANCE: &str = "appliance";

impl Plugins {
    pub(super) async fn enter_bundled(&self) -> Result<(), OpenPlugins> {
        for package in self.catalog.bundled() {
            let id = &package.manifest.id;
            let before = self.store.plugins.get(id)?;
            if before.as_ref().is_some_and(|before| before.digest == package.digest) {
                continue;
            }
            for capability in new_asks(before.as_ref().map(|before| &before.manifest), &package.manifest) {
                self.grant_bundled(package, capability).await?;
            }
            let record = InstalledPlugin {
                manifest: package.manifest.clone(),
                digest: package.digest.clone(),
                publisher: Publisher::Bundled,
                installed: self.clock.now(),
                paused: before.and_then(|before| before.paused),
            };
            self.store.plugins.put(id, &record).await?;
        }
        Ok(())
    }

    async fn grant_bundled(&self, package: &Package, capability: Capability) -> Result<(), OpenPlugins> {
        let plugin = package.manifest.id.clone();
        let entry = AuditEntry {
            who: APPLIANCE.to_owned(),
            action: "plugin.grant".to_owned(),
            subject: format!("plugin {plugin}, {}", capability.name()),
            verdict: Verdict::Allowed,
            reason: Some("comes with the appliance".to_owned()),
        };
        self.engines
            .audit
            .record(entry)
            .await
            .map_err(|error| OpenPlugins::Bundled { reason: error.to_string() })?;
        let grant = Grant {
            plugin: plugin.clone(),
            capability,
            servers: Scope::All,
            tags: Vec::new(),
            vaults: Scope::All,
            by: APPLIANCE.to_owned(),
            at: self.clock.now(),
        };
        self.store.grants.put(&format!("{plugin}/{}", capability.name()), &grant).await?;
        Ok(())
    }
}

/// What the new manifest asks and the old one did not.
fn new_asks(before: Option<&Manifest>, now: &Manifest) -> Vec<Capability> {
    let asked = |manifest: &Manifest| -> Vec<Capability> {
        manifest.permissions.iter().map(|permission| permission.capability).collect()
    };
    let old = before.map(asked).unwrap_or_default();
    asked(now).into_iter().filter(|capability| !old.contains(capability)).collect()
}
