//! How much a vault holds.

use serde::Serialize;

use crate::error::Result;
use crate::layout::{self, PackKind};
use crate::vault::Inner;

/// Objects and bytes of a vault by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    pub points: u64,
    /// Of these, expired and within their grace period.
    pub expired_points: u64,
    pub objects: u64,
    pub bytes: u64,
    /// Blocks of disks.
    pub data_bytes: u64,
    /// Maps of disks.
    pub map_bytes: u64,
    pub index_bytes: u64,
    /// Manifests, the config and the small records.
    pub other_bytes: u64,
}

pub(crate) async fn usage(vault: &Inner) -> Result<Usage> {
    let mut usage = Usage::default();
    for object in vault.objects.list("").await? {
        usage.objects += 1;
        usage.bytes += object.size;
        let kind = object.path.parts().next();
        let kind = kind.as_ref().map_or("", |part| part.as_ref());
        match kind {
            kind if kind == PackKind::Data.prefix() => usage.data_bytes += object.size,
            kind if kind == PackKind::Map.prefix() => usage.map_bytes += object.size,
            layout::INDEX => usage.index_bytes += object.size,
            kind => {
                usage.other_bytes += object.size;
                usage.points += u64::from(kind == layout::POINTS);
                usage.expired_points += u64::from(kind == layout::TOMBSTONES);
            }
        }
    }
    Ok(usage)
}
