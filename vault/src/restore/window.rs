//! What a window of disk needs: its map, compared with the target, and where each block lies in the vault.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;

use super::Job;
use crate::error::Result;
use crate::fetch::content_id;
use crate::id::ContentId;
use crate::index::run::Location;
use crate::layout::{PackKind, PackName};
use crate::map::LEAF_SPAN;
use crate::threads;

/// Neighbouring frames are fetched with one read up to this length.
const READ: u64 = 4 << 20;
/// What may lie between them without being needed.
const GAP: u64 = 64 << 10;

/// A block of the disk that must be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    pub(super) offset: u64,
    pub(super) id: ContentId,
}

/// One read from a pack and the frames wanted from it.
#[derive(Debug)]
pub(super) struct Read {
    /// `None`: the index does not know where these blocks are; each is looked for by itself.
    pub(super) pack: Option<PackName>,
    pub(super) range: Range<u64>,
    pub(super) frames: Vec<FrameNeed>,
}

/// A frame of a read and the blocks wanted from it, by slot.
#[derive(Debug)]
pub(super) struct FrameNeed {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) blocks: Vec<(u8, Need)>,
}

impl Job {
    /// The blocks of a window that must be written. What must be zero is made so on the way.
    pub(super) fn needed(&self, leaves: Range<u64>) -> Result<Vec<Need>> {
        let needed = Mutex::new(Vec::new());
        let leaves: Vec<u64> = leaves.collect();
        threads::for_each(&leaves, "planning a restore", |leaf| {
            self.control.check()?;
            let found = self.needed_of_leaf(*leaf)?;
            needed.lock().extend(found);
            Ok(())
        })?;
        Ok(needed.into_inner())
    }

    fn needed_of_leaf(&self, leaf: u64) -> Result<Vec<Need>> {
        let start = leaf * LEAF_SPAN;
        let end = (start + LEAF_SPAN).min(self.disk.size);
        let Some(page) = self.handle.block_on(self.map.leaf(&self.fetch, leaf))? else {
            self.make_zero(start..end)?;
            return Ok(Vec::new());
        };
        let block = self.map.shape.block_size;
        let mut needed = Vec::new();
        let mut zeroes = start..start;
        let mut buffer = Vec::new();
        for (id, offset) in page.ids().zip((start..end).step_by(usize::try_from(block).unwrap_or(1))) {
            let block_end = (offset + block).min(end);
            if id.is_zero() {
                if zeroes.end != offset {
                    self.make_zero(zeroes.clone())?;
                    zeroes = offset..offset;
                }
                zeroes.end = block_end;
                continue;
            }
            self.data.fetch_add(block_end - offset, Relaxed);
            if !self.only_what_differs || !self.target_has(offset..block_end, id, &mut buffer)? {
                needed.push(Need { offset, id });
            }
        }
        self.make_zero(zeroes)?;
        Ok(needed)
    }

    fn make_zero(&self, range: Range<u64>) -> Result<()> {
        if self.blank || range.is_empty() {
            return Ok(());
        }
        self.target
            .zero(range.start, range.end - range.start)
            .map_err(|source| self.write_error(range.start, source))
    }

    /// Whether the target holds this very block already.
    fn target_has(&self, range: Range<u64>, id: ContentId, buffer: &mut Vec<u8>) -> Result<bool> {
        if self.blank {
            return Ok(false);
        }
        let wanted = usize::try_from(range.end - range.start).unwrap_or(0);
        buffer.clear();
        buffer.resize(usize::try_from(self.map.shape.block_size).unwrap_or(0), 0);
        let to = buffer.get_mut(..wanted).unwrap_or_default();
        self.target.read_at(range.start, to).map_err(|source| self.write_error(range.start, source))?;
        Ok(content_id(&self.fetch.keys, PackKind::Data, buffer) == id)
    }

    /// Sorts what is needed by where it lies and groups it into reads.
    pub(super) fn reads(&self, needed: Vec<Need>) -> Result<Vec<Read>> {
        let index = self.fetch.index();
        let mut placed: Vec<(Location, Need)> = Vec::with_capacity(needed.len());
        let mut unplaced = Vec::new();
        for need in needed {
            match index.find(need.id.short()).filter(|place| place.pack.kind == PackKind::Data).min() {
                Some(location) => placed.push((location, need)),
                None => unplaced.push((0, need)),
            }
        }
        placed.sort_unstable_by_key(|(location, need)| (*location, need.offset));
        let mut reads: Vec<Read> = Vec::new();
        for (location, need) in placed {
            add(&mut reads, location, need);
        }
        if !unplaced.is_empty() {
            let frames = vec![FrameNeed { offset: 0, length: 0, blocks: unplaced }];
            reads.push(Read { pack: None, range: 0..0, frames });
        }
        Ok(reads)
    }
}

/// Adds a block to the last read if it is near enough, or begins another.
fn add(reads: &mut Vec<Read>, location: Location, need: Need) {
    let (offset, length) = (u64::from(location.offset), u64::from(location.length));
    let near = |read: &Read| {
        read.pack == Some(location.pack)
            && offset <= read.range.end + GAP
            && offset + length - read.range.start <= READ
    };
    if !reads.last().is_some_and(near) {
        let range = offset..offset;
        reads.push(Read { pack: Some(location.pack), range, frames: Vec::new() });
    }
    if let Some(read) = reads.last_mut() {
        read.range.end = read.range.end.max(offset + length);
        if read.frames.last().is_none_or(|frame| frame.offset != offset) {
            read.frames.push(FrameNeed { offset, length, blocks: Vec::new() });
        }
        if let Some(frame) = read.frames.last_mut() {
            frame.blocks.push((location.slot, need));
        }
    }
}
