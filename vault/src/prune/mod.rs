//! Prune.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::control::Control;
use crate::error::Result;
use crate::id::PointId;
use crate::vault::Inner;

/// How to prune.
#[derive(Clone, Copy, Debug)]
pub struct PruneRequest {
    /// The time by the caller's clock. The vault's own clock follows it, by at most a day per prune.
    pub now: DateTime<Utc>,
    /// Packs of which at least this share (percent) is no longer needed are rewritten.
    pub repack_percent: u8,
}

/// What a prune would do now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PrunePlan {
    /// Expired points whose grace period is over.
    pub points: Vec<PointId>,
    pub packs_to_delete: u64,
    pub packs_to_repack: u64,
    /// Bytes it would free, after rewriting.
    pub bytes_to_free: u64,
    /// Bytes no point needs that still wait for their grace period.
    pub bytes_waiting: u64,
    /// Bytes in use after it.
    pub bytes_kept: u64,
}

/// What a prune did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PruneReport {
    pub plan: PrunePlan,
    pub points_removed: Vec<PointId>,
    pub packs_deleted: u64,
    pub packs_repacked: u64,
    pub bytes_freed: u64,
    /// Packs it spared because a backup or another prune needed them meanwhile.
    pub packs_spared: u64,
}

pub(crate) mod clock;
pub(crate) mod intent;

pub(crate) async fn plan(_: &Inner, _: PruneRequest, _: &Control) -> Result<PrunePlan> {
    unimplemented!()
}
pub(crate) async fn run(_: &Inner, _: PruneRequest, _: &Control) -> Result<PruneReport> {
    unimplemented!()
}
