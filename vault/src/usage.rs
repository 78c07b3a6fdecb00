//! How much a vault holds.

use serde::Serialize;

/// Objects and bytes of a vault by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    pub points: u64,
    pub expired_points: u64,
    pub objects: u64,
    pub bytes: u64,
    pub data_bytes: u64,
    pub map_bytes: u64,
    pub index_bytes: u64,
    pub other_bytes: u64,
}
