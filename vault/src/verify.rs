//! Verify.

use serde::Serialize;

use crate::control::Control;
use crate::error::Result;
use crate::id::PointId;
use crate::vault::Inner;

/// How deep to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyRequest {
    /// Also read and check every byte of data; otherwise the structure: config, manifests, maps, index, and that each
    /// pack is there in its right size.
    pub read_data: bool,
}

/// What a verify found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VerifyReport {
    pub points: u64,
    pub objects: u64,
    pub bytes_read: u64,
    pub blocks_checked: u64,
    pub damages: Vec<Damage>,
}

/// One damaged or missing object and what it takes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    pub object: String,
    pub reason: String,
    /// Empty when no recovery point needs what is damaged, or another copy of it is good.
    pub hits: Vec<DamagedRange>,
}

/// A part of a disk that cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DamagedRange {
    pub point: PointId,
    pub server: String,
    pub disk: String,
    pub offset: u64,
    pub length: u64,
}

impl VerifyReport {
    pub fn is_clean(&self) -> bool {
        self.damages.is_empty()
    }
}
pub(crate) async fn run(_: &Inner, _: VerifyRequest, _: &Control) -> Result<VerifyReport> {
    unimplemented!()
}
