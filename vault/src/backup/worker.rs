//! One thread of a backup: it takes stretches of disk and turns them into leaf pages of the map.
//!
//! For each block the cheapest question first: hole? known unchanged? all zeroes? the parent's block at this place?
//! somewhere in the vault? Only what survives all five is compressed, sealed and stored.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use super::job::{DiskJob, Job};
use crate::error::{Result, VaultError};
use crate::fetch::content_id;
use crate::id::ContentId;
use crate::layout::{PackKind, PackName};
use crate::map::{LEAF_SPAN, page_bytes, page_len};
use crate::pack_writer::{FrameFiller, PackWriter};
use crate::source::Extent;

/// What is read at once.
const READ: u64 = 1 << 20;
/// Leaves a thread takes at a time: long enough for sequential reading, short enough to share evenly.
pub(super) const STRETCH: u64 = 8;

/// One thread's buffers.
pub(super) struct Worker<'a> {
    job: &'a Job,
    writer: &'a PackWriter,
    data: FrameFiller,
    map: FrameFiller,
    buffer: Vec<u8>,
    /// Packs whose blocks this backup relies on without having them from its parent.
    used: HashSet<PackName>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(job: &'a Job, writer: &'a PackWriter) -> Result<Self> {
        let data = writer.filler(PackKind::Data, job.block_len())?;
        let map = writer.filler(PackKind::Map, page_len(job.block_size))?;
        Ok(Self { job, writer, data, map, buffer: Vec::new(), used: HashSet::new() })
    }

    /// Works until no stretch is left, then seals what is pending.
    pub(super) fn run(mut self) -> Result<HashSet<PackName>> {
        while let Some((disk, leaves)) = self.job.next_stretch() {
            self.stretch(disk, leaves)?;
        }
        self.finish()
    }

    pub(super) fn finish(mut self) -> Result<HashSet<PackName>> {
        self.data.flush(self.writer, &self.job.control)?;
        self.map.flush(self.writer, &self.job.control)?;
        Ok(self.used)
    }

    fn stretch(&mut self, disk: &DiskJob, leaves: Range<u64>) -> Result<()> {
        let start = leaves.start * LEAF_SPAN;
        let end = (leaves.end * LEAF_SPAN).min(disk.size);
        let extents =
            disk.reader.extents(start, end - start).map_err(|source| disk.read_error(start, source))?;
        let mut ids = Vec::with_capacity(usize::try_from(STRETCH).unwrap_or(0));
        for leaf in leaves.clone() {
            self.job.check()?;
            ids.push(self.leaf(disk, leaf, &extents)?);
            let covered = ((leaf + 1) * LEAF_SPAN).min(disk.size) - leaf * LEAF_SPAN;
            self.job.control.add_done(covered);
        }
        disk.set_leaves(leaves.start, &ids);
        Ok(())
    }

    /// The id of a leaf page, stored if it is new.
    fn leaf(&mut self, disk: &DiskJob, leaf: u64, extents: &[Extent]) -> Result<ContentId> {
        let old = self.job.parent_leaf(disk, leaf)?;
        let start = leaf * LEAF_SPAN;
        let end = (start + LEAF_SPAN).min(disk.size);
        if let (Some(old), Some(changed)) = (&old, &disk.changed)
            && !changed.touches(start..end)
        {
            self.job.stats.skipped.fetch_add(end - start, Relaxed);
            return Ok(old.id);
        }
        let block = u64::from(self.job.block_size);
        let mut ids = vec![ContentId::ZERO; usize::try_from(self.job.fanout()).unwrap_or(0)];
        let mut at = start;
        while at < end {
            let part = self.part(disk, extents, at, end, old.is_some());
            let first = usize::try_from((at - start) / block).unwrap_or(usize::MAX);
            let count = usize::try_from((part.end - at).div_ceil(block)).unwrap_or(0);
            let slots = ids.get_mut(first..first + count).unwrap_or_default();
            let known = old.as_ref().map(|old| old.ids.get(first..first + count).unwrap_or_default());
            match part.kind {
                PartKind::Hole => {
                    self.job.stats.skipped.fetch_add(part.end - at, Relaxed);
                    self.count_zeroed(known);
                }
                PartKind::Unchanged => {
                    self.job.stats.skipped.fetch_add(part.end - at, Relaxed);
                    slots.iter_mut().zip(known.unwrap_or_default()).for_each(|(slot, id)| *slot = *id);
                }
                PartKind::Read => self.read(disk, at..part.end, slots, known)?,
            }
            at = part.end;
        }
        if let Some(old) = old
            && old.ids == ids
            && !self.job.fetch.is_distrusted(old.id)
        {
            return Ok(old.id);
        }
        self.store_page(&ids)
    }

    /// Blocks that were something and are now a hole have changed, too.
    fn count_zeroed(&self, known: Option<&[ContentId]>) {
        let zeroed = known.unwrap_or_default().iter().filter(|id| !id.is_zero()).count() as u64;
        self.job.stats.changed.fetch_add(zeroed * u64::from(self.job.block_size), Relaxed);
    }

    /// The longest run of whole blocks from `at` that is treated alike.
    fn part(&self, disk: &DiskJob, extents: &[Extent], at: u64, end: u64, has_old: bool) -> Part {
        let block = u64::from(self.job.block_size);
        let kind_of = |at: u64| {
            let span = at..(at + block).min(disk.size);
            match (&disk.changed, has_old) {
                (Some(changed), true) if !changed.touches(span.clone()) => PartKind::Unchanged,
                _ if is_hole(extents, span) => PartKind::Hole,
                _ => PartKind::Read,
            }
        };
        let kind = kind_of(at);
        let mut next = at + block;
        let limit = if kind == PartKind::Read { end.min(at + READ) } else { end };
        while next < limit && kind_of(next) == kind {
            next += block;
        }
        Part { kind, end: next.min(end) }
    }

    fn read(
        &mut self,
        disk: &DiskJob,
        range: Range<u64>,
        slots: &mut [ContentId],
        known: Option<&[ContentId]>,
    ) -> Result<()> {
        let block = self.job.block_len();
        let wanted = usize::try_from(range.end - range.start).unwrap_or(0);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(slots.len() * block, 0);
        // The last block of a disk whose size is no multiple is filled up with zeroes.
        let (to, padding) = buffer.split_at_mut_checked(wanted).unwrap_or_default();
        padding.fill(0);
        disk.reader.read_at(range.start, to).map_err(|source| disk.read_error(range.start, source))?;
        self.job.stats.read.fetch_add(wanted as u64, Relaxed);
        self.job.control.add_read(wanted as u64);
        for ((slot, content), number) in slots.iter_mut().zip(buffer.chunks_exact(block)).zip(0..) {
            let old = known.map(|known| known.get::<usize>(number).copied().unwrap_or(ContentId::ZERO));
            *slot = self.block(content, old)?;
        }
        self.buffer = buffer;
        Ok(())
    }

    fn block(&mut self, content: &[u8], old: Option<ContentId>) -> Result<ContentId> {
        let length = content.len() as u64;
        let stats = &self.job.stats;
        if is_zero(content) {
            stats.zero.fetch_add(length, Relaxed);
            if old.is_some_and(|old| !old.is_zero()) {
                stats.changed.fetch_add(length, Relaxed);
            }
            return Ok(ContentId::ZERO);
        }
        let id = content_id(&self.job.fetch.keys, PackKind::Data, content);
        if old == Some(id) && !self.job.fetch.is_distrusted(id) {
            return Ok(id);
        }
        if old != Some(id) {
            stats.changed.fetch_add(length, Relaxed);
        }
        if self.is_new(PackKind::Data, id) {
            stats.new.fetch_add(length, Relaxed);
            self.job.control.add_new(length);
            self.data.add(self.writer, id.short(), content, &self.job.control)?;
        }
        Ok(id)
    }

    /// Stores a map page unless the vault has it.
    pub(super) fn store_page(&mut self, ids: &[ContentId]) -> Result<ContentId> {
        if ids.iter().all(ContentId::is_zero) {
            return Ok(ContentId::ZERO);
        }
        self.store_page_bytes(&page_bytes(ids, page_len(self.job.block_size)))
    }

    pub(super) fn store_page_bytes(&mut self, bytes: &[u8]) -> Result<ContentId> {
        let id = content_id(&self.job.fetch.keys, PackKind::Map, bytes);
        if self.is_new(PackKind::Map, id) {
            self.map.add(self.writer, id.short(), bytes, &self.job.control)?;
        }
        Ok(id)
    }

    fn is_new(&mut self, kind: PackKind, id: ContentId) -> bool {
        let found = self.job.index.find(id.short()).find(|location| location.pack.kind == kind);
        match found {
            Some(location) if !self.job.fetch.is_distrusted(id) => {
                self.used.insert(location.pack);
                false
            }
            _ => self.writer.claim(id.short()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PartKind {
    Hole,
    Unchanged,
    Read,
}

struct Part {
    kind: PartKind,
    end: u64,
}

/// Whether the source says that all of a range is a hole.
fn is_hole(extents: &[Extent], range: Range<u64>) -> bool {
    let first = extents.partition_point(|extent| extent.offset.saturating_add(extent.length) <= range.start);
    let mut at = range.start;
    for extent in extents.get(first..).unwrap_or_default() {
        if at >= range.end {
            break;
        }
        if extent.offset > at || !extent.hole {
            return false;
        }
        at = extent.offset.saturating_add(extent.length);
    }
    at >= range.end
}

/// Whether a block is nothing but zeroes.
fn is_zero(content: &[u8]) -> bool {
    let (words, rest) = content.as_chunks::<64>();
    words.iter().all(|word| *word == [0; 64]) && rest.iter().all(|byte| *byte == 0)
}

impl DiskJob {
    /// A failed read, told apart from a disk that got shorter.
    fn read_error(&self, offset: u64, source: std::io::Error) -> VaultError {
        match self.reader.size() {
            Ok(now) if now != self.size => {
                VaultError::DiskResized { disk: self.name.clone(), before: self.size, now }
            }
            _ => VaultError::ReadDisk { disk: self.name.clone(), offset, source },
        }
    }
}
