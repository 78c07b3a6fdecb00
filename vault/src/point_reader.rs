//! Random access to a disk of a recovery point: what instant boot and file-level restore stand on.
//!
//! A read of a few kilobytes decodes one frame; opened frames are kept, up to a bound, so that the reads near it are free.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::error::{Result, VaultError};
use crate::fetch::Fetch;
use crate::layout::PackKind;
use crate::manifest::Disk;
use crate::map::{LEAF_SPAN, Map};
use crate::source::Extent;

/// A disk of a recovery point, readable at any place without restoring it. Cheap to clone; clones share the cache.
#[derive(Clone, Debug)]
pub struct PointReader {
    fetch: Arc<Fetch>,
    map: Map,
    size: u64,
    name: Arc<str>,
}

impl PointReader {
    /// 16 MiB of opened frames.
    pub(crate) const CACHED_FRAMES: usize = 64;

    pub(crate) fn new(fetch: Fetch, disk: &Disk) -> Self {
        Self { fetch: Arc::new(fetch), map: Map::of(disk), size: disk.size, name: Arc::from(&*disk.name) }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// `length` bytes from `offset`. What lies beyond the end is not there to be read.
    pub async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        let end = offset.saturating_add(length as u64);
        if end > self.size {
            return Err(VaultError::BeyondEnd { disk: self.name.to_string(), size: self.size, end });
        }
        let mut data = BytesMut::with_capacity(length);
        let block = self.map.shape.block_size;
        let mut at = offset;
        while at < end {
            let block_start = at - at % block;
            let part = (block_start + block).min(end) - at;
            let (skip, part) = (as_usize(at - block_start), as_usize(part));
            let leaf = self.map.leaf(&self.fetch, at / LEAF_SPAN).await?;
            let number = as_usize((at % LEAF_SPAN) / block);
            let id = leaf.and_then(|page| page.ids().nth(number)).filter(|id| !id.is_zero());
            match id {
                None => data.resize(data.len() + part, 0),
                Some(id) => {
                    let content = self.fetch.content(PackKind::Data, id).await?;
                    data.extend_from_slice(content.bytes().get(skip..skip + part).unwrap_or_default());
                }
            }
            at += part as u64;
        }
        Ok(data.freeze())
    }

    /// What is data and what reads as zeroes in this range, in order.
    pub async fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>> {
        let end = offset.saturating_add(length).min(self.size);
        let block = self.map.shape.block_size;
        let mut extents: Vec<Extent> = Vec::new();
        let mut at = offset;
        while at < end {
            let leaf_end = (at - at % LEAF_SPAN + LEAF_SPAN).min(end);
            let ids: Option<Vec<_>> =
                self.map.leaf(&self.fetch, at / LEAF_SPAN).await?.map(|page| page.ids().collect());
            while at < leaf_end {
                let next = match &ids {
                    None => leaf_end,
                    Some(_) => (at - at % block + block).min(leaf_end),
                };
                let number = as_usize((at % LEAF_SPAN) / block);
                let id = ids.as_ref().and_then(|ids| ids.get(number));
                add(&mut extents, at, next, id.is_none_or(|id| id.is_zero()));
                at = next;
            }
        }
        Ok(extents)
    }
}

fn add(extents: &mut Vec<Extent>, start: u64, end: u64, hole: bool) {
    match extents.last_mut() {
        Some(last) if last.hole == hole => last.length += end - start,
        _ => extents.push(Extent { offset: start, length: end - start, hole }),
    }
}

fn as_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
