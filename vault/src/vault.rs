//! The vault as its users hold it: opening, and one method per operation.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::backup::{self, BackupReport, BackupRequest};
use crate::catalog::{self, Catalog, ManifestCache};
use crate::config::{self, Settings};
use crate::control::Control;
use crate::directory::VaultStore;
use crate::error::{Result, VaultError};
use crate::expire;
use crate::fetch::Fetch;
use crate::id::{PointId, VaultId};
use crate::index::{Index, RunCache};
use crate::key::{Keys, VaultKey};
use crate::layout;
use crate::manifest::{Disk, RecoveryPoint};
use crate::object::Objects;
use crate::point_reader::PointReader;
use crate::prune::{self, PrunePlan, PruneReport, PruneRequest};
use crate::restore::{self, RestoreReport, RestoreRequest};
use crate::usage::{self, Usage};
use crate::verify::{self, VerifyReport, VerifyRequest};

/// An open vault. Cheap to clone; usable from any thread; several processes may use one vault at once.
#[derive(Clone, Debug)]
pub struct Vault {
    inner: Arc<Inner>,
}

/// What all operations share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) objects: Objects,
    pub(crate) keys: Arc<Keys>,
    pub(crate) id: VaultId,
    pub(crate) settings: Settings,
    pub(crate) runs: Arc<RunCache>,
    pub(crate) manifests: ManifestCache,
}

/// The recovery points of a vault, oldest first, and what could not be read of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PointList {
    pub points: Vec<RecoveryPoint>,
    pub unreadable: Vec<UnreadablePoint>,
}

/// A manifest that is there and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadablePoint {
    pub object: String,
    pub reason: String,
}

impl Vault {
    /// Makes a vault in an empty place.
    pub async fn create(store: VaultStore, key: &VaultKey, settings: Settings) -> Result<Self> {
        settings.check()?;
        let objects = Objects::new(store);
        let listed = objects.list("").await?;
        if listed.iter().any(|object| layout::is_ours(&object.path)) {
            return Err(VaultError::AlreadyAVault { vault: objects.label().to_owned() });
        }
        objects.place.prepare()?;
        let keys = Keys::of(key);
        let id = config::write(&objects, key, &keys, &settings).await?;
        // Of two sessions that create a vault in one place, the last one has it.
        if config::read(&objects, key, &keys).await.map_or(true, |(there, _)| there != id) {
            return Err(VaultError::AlreadyAVault { vault: objects.label().to_owned() });
        }
        Ok(Self::new(objects, keys, id, settings))
    }

    /// Opens a vault with its key.
    pub async fn open(store: VaultStore, key: &VaultKey) -> Result<Self> {
        let objects = Objects::new(store);
        let keys = Keys::of(key);
        let (id, settings) = config::read(&objects, key, &keys).await?;
        Ok(Self::new(objects, keys, id, settings))
    }

    fn new(objects: Objects, keys: Keys, id: VaultId, settings: Settings) -> Self {
        let (runs, manifests) = Default::default();
        Self { inner: Arc::new(Inner { objects, keys: Arc::new(keys), id, settings, runs, manifests }) }
    }

    pub fn id(&self) -> VaultId {
        self.inner.id
    }

    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// How the vault's place is named in messages.
    pub fn label(&self) -> &str {
        self.inner.objects.label()
    }

    /// All recovery points, oldest first. Points that cannot be read do not hide the others.
    pub async fn points(&self) -> Result<PointList> {
        expire::points(&self.inner).await
    }

    pub async fn point(&self, id: PointId) -> Result<RecoveryPoint> {
        let found = self.points().await?.points.into_iter().find(|point| point.id == id);
        match found {
            Some(point) => Ok(point),
            // Tells a damaged manifest from one that never was.
            None => {
                Err(self.inner.stored_point(id).await.err().unwrap_or(VaultError::NoSuchPoint { point: id }))
            }
        }
    }

    /// Takes a recovery point. It exists, whole and durable, when and only when this returns `Ok`.
    pub async fn backup(&self, request: BackupRequest, control: &Control) -> Result<BackupReport> {
        backup::run(&self.inner, request, control).await
    }

    /// Restores one disk, every block checked.
    pub async fn restore_disk(&self, request: RestoreRequest, control: &Control) -> Result<RestoreReport> {
        restore::run(&self.inner, request, control).await
    }

    /// Opens one disk for reading at any place, without restoring it.
    pub async fn open_disk(&self, point: PointId, disk: &str) -> Result<PointReader> {
        let disk = self.inner.disk(point, disk).await?;
        Ok(PointReader::new(self.inner.fetch(PointReader::CACHED_FRAMES).await?, &disk))
    }

    /// Looks for damage and says what it hits.
    pub async fn verify(&self, request: VerifyRequest, control: &Control) -> Result<VerifyReport> {
        verify::run(&self.inner, request, control).await
    }

    /// What a prune would do now; changes nothing.
    pub async fn plan_prune(&self, request: PruneRequest, control: &Control) -> Result<PrunePlan> {
        prune::plan(&self.inner, request, control).await
    }

    /// Removes points whose grace period is over, and what no point needs any more.
    pub async fn prune(&self, request: PruneRequest, control: &Control) -> Result<PruneReport> {
        prune::run(&self.inner, request, control).await
    }

    /// Expires points, all or none. They can be restored and un-expired until the grace period ends. Held points and points
    /// under the minimum retention are refused.
    pub async fn expire(&self, points: &[PointId], now: DateTime<Utc>) -> Result<()> {
        expire::expire(&self.inner, points, now).await
    }

    /// Takes back an expiry.
    pub async fn unexpire(&self, point: PointId) -> Result<()> {
        expire::unexpire(&self.inner, point).await
    }

    /// Makes sure that a point stays, whatever retention says, until it is released.
    pub async fn hold(&self, point: PointId, reason: &str, now: DateTime<Utc>) -> Result<()> {
        expire::hold(&self.inner, point, reason, now).await
    }

    /// Takes back a hold.
    pub async fn release(&self, point: PointId) -> Result<()> {
        expire::release(&self.inner, point).await
    }

    /// How much the vault holds.
    pub async fn usage(&self) -> Result<Usage> {
        usage::usage(&self.inner).await
    }
}

impl Inner {
    pub(crate) async fn catalog(&self) -> Result<Catalog> {
        Catalog::load(&self.objects, &self.keys, &self.manifests).await
    }

    pub(crate) async fn stored_point(&self, id: PointId) -> Result<Arc<catalog::Stored>> {
        catalog::find(&self.objects, &self.keys, layout::POINTS, Some(&self.manifests), id)
            .await?
            .ok_or(VaultError::NoSuchPoint { point: id })
    }

    pub(crate) async fn disk(&self, point: PointId, name: &str) -> Result<Disk> {
        let stored = self.stored_point(point).await?;
        let disks = &stored.manifest.disks;
        disks.iter().find(|disk| disk.name == name).cloned().ok_or_else(|| VaultError::NoSuchDisk {
            point,
            disk: name.to_owned(),
            available: disks.iter().map(|disk| disk.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// A reader of blocks with the index as it is now.
    pub(crate) async fn fetch(&self, cached_frames: usize) -> Result<Fetch> {
        let index = Index::load(&self.objects, &self.keys, &self.runs).await?;
        Ok(Fetch::new(
            self.objects.clone(),
            Arc::clone(&self.keys),
            Arc::clone(&self.runs),
            index,
            cached_frames,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Callers spawn operations; a future that is not `Send` would be found out only in their code.
    #[test]
    fn every_operation_can_be_spawned() {
        fn spawnable<T: Send>(_: impl FnOnce(Vault, Control) -> T) {}
        let point = PointId([0; 16]);
        spawnable(|_, _| async { Vault::open(VaultStore::directory("x")?, &VaultKey::generate()?).await });
        spawnable(|_, _| async {
            Vault::create(VaultStore::directory("x")?, &VaultKey::generate()?, Settings::default()).await
        });
        let backup = |vault: Vault, control: Control, request: BackupRequest| async move {
            vault.backup(request, &control).await
        };
        let restore = |vault: Vault, control: Control, request: RestoreRequest| async move {
            vault.restore_disk(request, &control).await
        };
        fn curried<A, B, C, T: Send>(_: impl FnOnce(A, B, C) -> T) {}
        curried(backup);
        curried(restore);
        spawnable(|vault, _| async move { vault.points().await });
        spawnable(|vault, _| async move { vault.point(point).await });
        spawnable(|vault, _| async move { vault.open_disk(point, "root").await?.read(0, 1).await });
        spawnable(|vault, control| async move { vault.verify(VerifyRequest::default(), &control).await });
        spawnable(|vault, control| async move {
            vault.prune(PruneRequest::at(DateTime::UNIX_EPOCH), &control).await
        });
        spawnable(|vault, _| async move { vault.expire(&[point], DateTime::UNIX_EPOCH).await });
        spawnable(|vault, _| async move { vault.hold(point, "", DateTime::UNIX_EPOCH).await });
        spawnable(|vault, _| async move { vault.usage().await });
    }
}
