//! Orders about vaults and recovery points.

use super::{
    desk::{Desk, store_error, vault_error},
    housekeeping,
};
use crate::{
    admin::ports::{OrderError, VaultUsage, Vaults as VaultOrders},
    model::{
        job::{Task, Work},
        name::VaultName,
        vault::{VaultChoices, VaultDefinition},
    },
    vaults::Vaults,
};
use async_trait::async_trait;
use std::path::PathBuf;

/// Carries out orders about vaults.
pub(super) struct VaultDesk {
    pub(super) desk: Desk,
    pub(super) vaults: Vaults,
}

impl VaultDesk {
    /// A vault is looked after from the day it is here: pruned nightly, its data read through weekly.
    async fn look_after(&self, name: &VaultName) -> Result<(), OrderError> {
        for job in housekeeping::jobs_of_vault(name) {
            self.desk.store.jobs.insert(&job.name, &job).await.map_err(store_error)?;
        }
        Ok(())
    }
}

#[async_trait]
impl VaultOrders for VaultDesk {
    async fn create(
        &self,
        name: VaultName,
        path: PathBuf,
        choices: VaultChoices,
        who: &str,
    ) -> Result<VaultDefinition, OrderError> {
        self.desk.record(who, "vault.create", format!("{name} at {}", path.display()), None).await?;
        let made = self.vaults.create(name, path, &choices).await.map_err(vault_error)?;
        self.look_after(&made.name).await?;
        Ok(made)
    }

    async fn attach(
        &self,
        name: VaultName,
        path: PathBuf,
        key: &str,
        who: &str,
    ) -> Result<VaultDefinition, OrderError> {
        self.desk.record(who, "vault.attach", format!("{name} at {}", path.display()), None).await?;
        let attached = self.vaults.attach(name, path, key).await.map_err(vault_error)?;
        self.look_after(&attached.name).await?;
        Ok(attached)
    }

    async fn detach(&self, name: &VaultName, who: &str) -> Result<(), OrderError> {
        let text = name.as_str();
        let users: Vec<String> = self
            .desk
            .store
            .jobs
            .list()
            .map_err(store_error)?
            .into_iter()
            .filter(|job| match &job.work {
                Work::Plugin { settings, .. } => settings.get("vault").and_then(|v| v.as_str()) == Some(text),
                Work::Task { task: Task::Restore { vault, .. } } => vault == name,
                Work::Task { .. } => false,
            })
            .map(|job| job.name.to_string())
            .collect();
        if !users.is_empty() {
            let why = format!(
                "vault \"{name}\" is used by {}; it stays in use; change or remove these jobs first",
                users.join(", ")
            );
            self.desk.record(who, "vault.detach", text, Some(why.clone())).await?;
            return Err(OrderError::Conflict(why));
        }
        self.desk.record(who, "vault.detach", text, None).await?;
        for job in housekeeping::jobs_of_vault(name) {
            self.desk.store.jobs.remove(&job.name).await.map_err(store_error)?;
        }
        self.vaults.detach(name).await.map_err(vault_error)
    }

    async fn usage(&self, name: &VaultName) -> Result<VaultUsage, OrderError> {
        let vault = self.vaults.open(name).await.map_err(vault_error)?;
        let usage = self.vaults.usage(name).await.map_err(vault_error)?;
        let points = self.desk.store.points.list_prefix(&format!("{name}/")).map_err(store_error)?;
        let settings = vault.settings();
        Ok(VaultUsage {
            stored_bytes: usage.bytes,
            objects: usage.objects,
            points: usage.points,
            logical_bytes: points.iter().map(|p| p.sizes.disks).sum(),
            free_bytes: self.vaults.free_bytes(name),
            grace_hours: u32::try_from(settings.grace_secs / 3600).unwrap_or(u32::MAX),
            minimum_points: settings.minimum.points,
        })
    }

    async fn key(&self, name: &VaultName, who: &str) -> Result<String, OrderError> {
        self.desk.record(who, "vault.key", name.as_str(), None).await?;
        self.vaults.key_text(name).map_err(vault_error)
    }

    async fn hold(&self, vault: &VaultName, point: &str, reason: &str, who: &str) -> Result<(), OrderError> {
        self.desk.record(who, "point.hold", format!("{vault}/{point}"), None).await?;
        self.vaults.hold(vault, point, reason, who).await.map_err(vault_error)
    }

    async fn release(&self, vault: &VaultName, point: &str, who: &str) -> Result<(), OrderError> {
        self.desk.record(who, "point.release", format!("{vault}/{point}"), None).await?;
        self.vaults.release(vault, point, None).await.map_err(vault_error)
    }

    async fn expire(&self, vault: &VaultName, point: &str, who: &str) -> Result<(), OrderError> {
        self.desk.record(who, "point.expire", format!("{vault}/{point}"), None).await?;
        self.vaults.expire(vault, point).await.map_err(vault_error)
    }

    async fn unexpire(&self, vault: &VaultName, point: &str, who: &str) -> Result<(), OrderError> {
        self.desk.record(who, "point.unexpire", format!("{vault}/{point}"), None).await?;
        self.vaults.unexpire(vault, point).await.map_err(vault_error)
    }
}
