//! The vault as its users hold it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::*;

/// An open vault. Cheap to clone; usable from any thread; several processes may use one vault at once.
#[derive(Clone, Debug)]
pub struct Vault {
    _inner: Arc<()>,
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
    pub async fn create(_store: VaultStore, _key: &VaultKey, _settings: Settings) -> Result<Self> {
        unimplemented!()
    }
    pub async fn open(_store: VaultStore, _key: &VaultKey) -> Result<Self> {
        unimplemented!()
    }
    pub fn id(&self) -> VaultId {
        unimplemented!()
    }
    pub fn settings(&self) -> &Settings {
        unimplemented!()
    }
    /// How the vault's place is named in messages.
    pub fn label(&self) -> &str {
        unimplemented!()
    }
    pub async fn points(&self) -> Result<PointList> {
        unimplemented!()
    }
    pub async fn point(&self, _id: PointId) -> Result<RecoveryPoint> {
        unimplemented!()
    }
    pub async fn backup(&self, _request: BackupRequest, _control: &Control) -> Result<BackupReport> {
        unimplemented!()
    }
    pub async fn restore_disk(&self, _request: RestoreRequest, _control: &Control) -> Result<RestoreReport> {
        unimplemented!()
    }
    pub async fn open_disk(&self, _point: PointId, _disk: &str) -> Result<PointReader> {
        unimplemented!()
    }
    pub async fn verify(&self, _request: VerifyRequest, _control: &Control) -> Result<VerifyReport> {
        unimplemented!()
    }
    /// What a prune at `now` would do; changes nothing.
    pub async fn plan_prune(&self, _request: PruneRequest, _control: &Control) -> Result<PrunePlan> {
        unimplemented!()
    }
    pub async fn prune(&self, _request: PruneRequest, _control: &Control) -> Result<PruneReport> {
        unimplemented!()
    }
    /// All or none: held points and points under the minimum retention are refused.
    pub async fn expire(&self, _points: &[PointId], _now: DateTime<Utc>) -> Result<()> {
        unimplemented!()
    }
    pub async fn unexpire(&self, _point: PointId) -> Result<()> {
        unimplemented!()
    }
    pub async fn hold(&self, _point: PointId, _reason: &str, _now: DateTime<Utc>) -> Result<()> {
        unimplemented!()
    }
    pub async fn release(&self, _point: PointId) -> Result<()> {
        unimplemented!()
    }
    pub async fn usage(&self) -> Result<Usage> {
        unimplemented!()
    }
}
