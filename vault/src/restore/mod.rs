//! Restore.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::id::PointId;
use crate::target::DiskWriter;

/// One disk to restore.
#[derive(Clone)]
pub struct RestoreRequest {
    pub point: PointId,
    pub disk: String,
    pub target: Arc<dyn DiskWriter>,
    /// Read the target first and write only where it differs.
    pub only_what_differs: bool,
}

/// What a restore did, in bytes of disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    pub size: u64,
    /// Not zero in the recovery point.
    pub data: u64,
    pub written: u64,
    /// Fetched from the vault.
    pub fetched: u64,
}

impl fmt::Debug for RestoreRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestoreRequest")
            .field("point", &self.point)
            .field("disk", &self.disk)
            .finish_non_exhaustive()
    }
}
