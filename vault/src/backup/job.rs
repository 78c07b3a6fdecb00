//! What the threads of one backup share: the disks, the parent, the index, the counters.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::worker::STRETCH;
use crate::control::Control;
use crate::error::{Result, VaultError};
use crate::fetch::Fetch;
use crate::id::ContentId;
use crate::index::Index;
use crate::manifest::BackupStats;
use crate::map::{LEAF_SPAN, Map};
use crate::source::DiskReader;

/// One backup's shared state.
pub(super) struct Job {
    pub(super) disks: Vec<DiskJob>,
    pub(super) block_size: u32,
    pub(super) fetch: Fetch,
    /// What may be relied on: without packs a prune is about to delete.
    pub(super) index: Arc<Index>,
    pub(super) stats: Counters,
    pub(super) control: Control,
    pub(super) handle: Handle,
    next: AtomicU64,
    stopped: AtomicBool,
}

/// One disk of a backup.
pub(super) struct DiskJob {
    pub(super) name: String,
    pub(super) reader: Arc<dyn DiskReader>,
    pub(super) size: u64,
    pub(super) parent: Option<Map>,
    pub(super) changed: Option<Changed>,
    leaves: Mutex<Vec<ContentId>>,
}

/// A leaf page of the parent point.
pub(super) struct OldLeaf {
    pub(super) id: ContentId,
    pub(super) ids: Vec<ContentId>,
}

/// Byte ranges that changed, sorted and disjoint.
#[derive(Debug)]
pub(super) struct Changed(Vec<Range<u64>>);

#[derive(Default)]
pub(super) struct Counters {
    pub(super) read: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) zero: AtomicU64,
    pub(super) changed: AtomicU64,
    pub(super) new: AtomicU64,
}

impl Job {
    pub(super) fn new(
        disks: Vec<DiskJob>,
        block_size: u32,
        fetch: Fetch,
        control: Control,
        handle: Handle,
    ) -> Self {
        let index = fetch.index();
        Self {
            disks,
            block_size,
            fetch,
            index,
            stats: Counters::default(),
            control,
            handle,
            next: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// Another thread failed: all stop.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Relaxed);
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.stopped.load(Relaxed) { Err(VaultError::Cancelled) } else { self.control.check() }
    }

    pub(super) fn block_len(&self) -> usize {
        usize::try_from(self.block_size).unwrap_or(0)
    }

    pub(super) fn fanout(&self) -> u64 {
        LEAF_SPAN / u64::from(self.block_size.max(1))
    }

    pub(super) fn size(&self) -> u64 {
        self.disks.iter().map(|disk| disk.size).sum()
    }

    /// The next leaves to work on, of the disks in turn.
    pub(super) fn next_stretch(&self) -> Option<(&DiskJob, Range<u64>)> {
        let mut number = self.next.fetch_add(1, Relaxed);
        for disk in &self.disks {
            let leaves = disk.size.div_ceil(LEAF_SPAN);
            let stretches = leaves.div_ceil(STRETCH);
            if number < stretches {
                let start = number * STRETCH;
                return Some((disk, start..(start + STRETCH).min(leaves)));
            }
            number -= stretches;
        }
        None
    }

    /// What the parent says of a leaf; `None` without a parent. A parent page that cannot be read is as good as none; its
    /// id is then distrusted, so that the page is stored again.
    pub(super) fn parent_leaf(&self, disk: &DiskJob, leaf: u64) -> Result<Option<OldLeaf>> {
        let Some(map) = disk.parent else { return Ok(None) };
        let read = async {
            let id = map.leaf_id(&self.fetch, leaf).await?;
            let ids = match id.is_zero() {
                true => vec![ContentId::ZERO; usize::try_from(self.fanout()).unwrap_or(0)],
                false => self.fetch.page(id).await?.ids().collect(),
            };
            Ok(OldLeaf { id, ids })
        };
        match self.handle.block_on(read) {
            Ok(old) => Ok(Some(old)),
            Err(error) if VaultError::is_damage(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every disk must still have the size it had.
    pub(super) fn check_sizes(&self) -> Result<()> {
        for disk in &self.disks {
            let now = disk.reader.size().map_err(|source| VaultError::ReadDisk {
                disk: disk.name.clone(),
                offset: 0,
                source,
            })?;
            if now != disk.size {
                return Err(VaultError::DiskResized { disk: disk.name.clone(), before: disk.size, now });
            }
        }
        Ok(())
    }
}

impl DiskJob {
    pub(super) fn new(
        name: String,
        reader: Arc<dyn DiskReader>,
        size: u64,
        parent: Option<Map>,
        changed: Option<Changed>,
    ) -> Self {
        let leaves = usize::try_from(size.div_ceil(LEAF_SPAN)).unwrap_or(0);
        Self { name, reader, size, parent, changed, leaves: Mutex::new(vec![ContentId::ZERO; leaves]) }
    }

    pub(super) fn set_leaves(&self, first: u64, ids: &[ContentId]) {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        self.leaves.lock().iter_mut().skip(first).zip(ids).for_each(|(leaf, id)| *leaf = *id);
    }

    pub(super) fn take_leaves(&self) -> Vec<ContentId> {
        std::mem::take(&mut *self.leaves.lock())
    }
}

impl Changed {
    pub(super) fn new(ranges: &[Range<u64>]) -> Self {
        let mut ranges: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        ranges.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self(merged)
    }

    pub(super) fn touches(&self, span: Range<u64>) -> bool {
        let first = self.0.partition_point(|range| range.end <= span.start);
        self.0.get(first).is_some_and(|range| range.start < span.end)
    }
}

impl Counters {
    pub(super) fn stats(&self, size: u64, incompressible: u64, stored: u64) -> BackupStats {
        BackupStats {
            size,
            read: self.read.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
            zero: self.zero.load(Relaxed),
            changed: self.changed.load(Relaxed),
            new: self.new.load(Relaxed),
            incompressible,
            stored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_touched_only_by_a_range_that_overlaps_it() {
        let changed = Changed::new(&[40..50, 10..20, 15..30, 60..60]);
        assert!(changed.touches(0..11));
        assert!(!changed.touches(0..10));
        assert!(changed.touches(29..40));
        assert!(!changed.touches(30..40));
        assert!(!changed.touches(50..100));
    }
}
