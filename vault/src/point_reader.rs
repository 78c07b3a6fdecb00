//! Random access to a disk of a recovery point.

use bytes::Bytes;

use crate::error::Result;
use crate::source::Extent;

/// A disk of a recovery point, readable at any place without restoring it.
#[derive(Clone, Debug)]
pub struct PointReader {
    size: u64,
}

impl PointReader {
    pub fn size(&self) -> u64 {
        self.size
    }
    /// `length` bytes from `offset`; beyond the end is an error.
    pub async fn read(&self, _offset: u64, _length: usize) -> Result<Bytes> {
        unimplemented!()
    }
    /// What is data and what is zeroes in this range.
    pub async fn extents(&self, _offset: u64, _length: u64) -> Result<Vec<Extent>> {
        unimplemented!()
    }
}
