//! Recovery points and retention of the real site: where a plugin's "create" becomes disks, blocks and a manifest.

use super::{store_error, vault_error};
use crate::{
    capability::{
        engines::{EngineError, Origin, RecoveryPoints, Retention, RetentionRule},
        operation::{OperationError, Work},
    },
    clock::SharedClock,
    machine::image,
    model::{
        name::{PluginId, ServerName, VaultName},
        point::PointRecord,
        run::Progress,
        server::{Disk, Server},
    },
    store::Store,
    vaults::{BackupOrigin, Vaults, VaultsError, server_of},
};
use async_trait::async_trait;
use holdfast_vault::{BackupDisk, BackupRequest, Consistency, Control, Parent, Vault, VaultError};
use std::{future::Future, sync::Arc, time::Duration};

/// How often a vault's counters are carried over to the plugin's operation.
const GLANCE: Duration = Duration::from_millis(200);

/// Recovery points in the site's vaults.
pub(super) struct Points {
    pub(super) store: Store,
    pub(super) vaults: Vaults,
    pub(super) clock: SharedClock,
}

/// Opens every disk of a server, off the async threads: a disk may be a child process or a far server.
async fn open_disks(server: &Server) -> Result<Vec<BackupDisk>, OperationError> {
    let disks = server.disks.clone();
    let opened =
        tokio::task::spawn_blocking(move || disks.iter().map(open_disk).collect::<Result<Vec<_>, _>>()).await;
    opened
        .unwrap_or_else(|_| {
            Err("opening its disks failed inside the appliance, which is a bug in it".to_owned())
        })
        .map_err(|reason| {
            OperationError::Failed(format!(
                "server {}: {reason}; no recovery point was made, older ones are intact",
                server.name
            ))
        })
}

fn open_disk(disk: &Disk) -> Result<BackupDisk, String> {
    let reader = image::open(&disk.location).map_err(|error| format!("{}: {error}", disk.name))?;
    Ok(BackupDisk::new(disk.name.as_str(), Arc::from(reader)))
}

fn failed(error: &VaultError, server: Option<&ServerName>) -> OperationError {
    match (error, server) {
        (VaultError::Cancelled, _) => OperationError::Cancelled,
        (error, Some(server)) => {
            OperationError::Failed(format!("server {server}: {error}{}", cause_of(error)))
        }
        (error, None) => OperationError::Failed(error.to_string()),
    }
}

/// What lies under an error, where the error itself leaves it to its source.
fn cause_of(error: &VaultError) -> String {
    std::error::Error::source(error).map(|source| format!(" (cause: {source})")).unwrap_or_default()
}

fn unusable(error: VaultsError) -> OperationError {
    OperationError::Failed(error.to_string())
}

/// Follows `control` on behalf of a plugin's operation while `work` runs: progress one way, cancellation the other.
pub(super) async fn followed<T>(
    control: &Control,
    work: &Work,
    note: &str,
    doing: impl Future<Output = T>,
) -> T {
    let mut glance = tokio::time::interval(GLANCE);
    tokio::pin!(doing);
    loop {
        tokio::select! {
            outcome = &mut doing => return outcome,
            () = work.cancel().cancelled(), if !control.is_cancelled() => control.cancel(),
            _ = glance.tick() => {
                let now = control.progress();
                work.progress(Progress { done: now.done, total: now.total, note: note.to_owned() });
            }
        }
    }
}

impl Points {
    async fn back_up(
        &self,
        vault: &Vault,
        server: &Server,
        origin: &Origin,
        work: &Work,
    ) -> Result<holdfast_vault::RecoveryPoint, OperationError> {
        let disks = open_disks(server).await?;
        let request = BackupRequest {
            server: server_of(&server.name),
            created: self.clock.now(),
            consistency: Consistency::Crash,
            definition: serde_json::to_value(server).unwrap_or_default(),
            tags: BackupOrigin(origin.run).tags(),
            disks,
            parent: Parent::Newest,
        };
        let control = Control::new();
        let report = followed(&control, work, server.name.as_str(), vault.backup(request, &control)).await;
        report.map(|report| report.point).map_err(|error| failed(&error, Some(&server.name)))
    }
}

#[async_trait]
impl RecoveryPoints for Points {
    async fn list(
        &self,
        server: &ServerName,
        vault: &VaultName,
        limit: usize,
    ) -> Result<Vec<PointRecord>, EngineError> {
        let mut points = self.store.points.list_prefix(&format!("{vault}/")).map_err(store_error)?;
        points.retain(|point| point.server == *server);
        points.sort_by(|a, b| b.taken.cmp(&a.taken).then_with(|| b.id.cmp(&a.id)));
        points.truncate(limit);
        Ok(points)
    }

    async fn get(&self, vault: &VaultName, id: &str) -> Result<PointRecord, EngineError> {
        let known = self.store.points.get(&format!("{vault}/{id}")).map_err(store_error)?;
        known.ok_or_else(|| {
            EngineError::NotFound(format!("there is no recovery point {id} in vault \"{vault}\""))
        })
    }

    async fn create(
        &self,
        server: &Server,
        vault: &VaultName,
        origin: &Origin,
        work: &Work,
    ) -> Result<String, OperationError> {
        let open = self.vaults.open(vault).await.map_err(unusable)?;
        let point = self.back_up(&open, server, origin, work).await?;
        // The point exists and is durable from here on; a cache that cannot be written is made anew at the next start.
        if let Err(error) = self.vaults.remember(vault, &point).await {
            tracing::warn!(%error, point = %point.id, "the new recovery point is not in the page's cache yet");
        }
        Ok(point.id.to_string())
    }

    async fn hold(
        &self,
        vault: &VaultName,
        id: &str,
        reason: &str,
        by: &PluginId,
    ) -> Result<(), EngineError> {
        self.vaults.hold(vault, id, reason, &format!("plugin:{by}")).await.map_err(vault_error)
    }

    async fn release(&self, vault: &VaultName, id: &str, by: &PluginId) -> Result<(), EngineError> {
        self.vaults.release(vault, id, Some(&format!("plugin:{by}"))).await.map_err(vault_error)
    }

    async fn test(&self, vault: &VaultName, id: &str, work: &Work) -> Result<(), OperationError> {
        let open = self.vaults.open(vault).await.map_err(unusable)?;
        let point = self.vaults.point(vault, id).await.map_err(unusable)?;
        for disk in &point.disks {
            let reader = open.open_disk(point.id, &disk.name).await.map_err(|error| failed(&error, None))?;
            read_through(&reader, disk, work).await?;
        }
        self.vaults.mark_verified(vault, &[id.to_owned()]).await.map_err(unusable)
    }
}

/// Reads every data byte of a disk of a point; each block is checked against its id on the way.
async fn read_through(
    reader: &holdfast_vault::PointReader,
    disk: &holdfast_vault::Disk,
    work: &Work,
) -> Result<(), OperationError> {
    const STEP: u64 = 1 << 20;
    let mut at = 0;
    while at < disk.size {
        if work.cancel().is_cancelled() {
            return Err(OperationError::Cancelled);
        }
        let length = STEP.min(disk.size - at);
        let extents = reader.extents(at, length).await.map_err(|error| failed(&error, None))?;
        for extent in extents.iter().filter(|extent| !extent.hole) {
            let bytes = usize::try_from(extent.length).unwrap_or(usize::MAX);
            reader.read(extent.offset, bytes).await.map_err(|error| failed(&error, None))?;
        }
        at += length;
        work.progress(Progress { done: at, total: disk.size, note: format!("reading {}", disk.name) });
    }
    Ok(())
}

#[async_trait]
impl Retention for Points {
    async fn preview(
        &self,
        server: &ServerName,
        vault: &VaultName,
        rule: RetentionRule,
    ) -> Result<Vec<String>, EngineError> {
        self.vaults.would_expire(server, vault, &rule).await.map_err(vault_error)
    }

    async fn apply(
        &self,
        server: &ServerName,
        vault: &VaultName,
        rule: RetentionRule,
    ) -> Result<Vec<String>, EngineError> {
        self.vaults.apply_retention(server, vault, &rule).await.map_err(vault_error)
    }

    async fn expire(&self, vault: &VaultName, id: &str) -> Result<(), EngineError> {
        self.vaults.expire(vault, id).await.map_err(vault_error)
    }
}
