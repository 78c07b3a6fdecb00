//! Fetching frames and writing their blocks. A frame that is damaged or gone is no reason to give up: each of its blocks is
//! then looked for elsewhere in the vault, and only a block that is nowhere whole ends the restore.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

use super::Job;
use super::window::{FrameNeed, Need, Read};
use crate::error::{Result, VaultError};
use crate::fetch::content_id;
use crate::frame::Frame;
use crate::layout::PackKind;

impl Job {
    pub(super) fn fetch_and_write(&self, read: &Read) -> Result<()> {
        self.control.check()?;
        let bytes = match read.pack {
            None => None,
            Some(pack) => {
                let length = read.range.end - read.range.start;
                let path = pack.path();
                match self.handle.block_on(self.fetch.objects.get_range(&path, read.range.start, length)) {
                    Ok(bytes) => Some(bytes),
                    Err(error) if error.is_damage() => None,
                    Err(error) => return Err(error),
                }
            }
        };
        self.fetched.fetch_add(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64), Relaxed);
        for frame in &read.frames {
            match bytes.as_ref().and_then(|bytes| self.open(bytes, read.range.start, frame)) {
                Some(opened) => self.write_frame(&opened, frame)?,
                None => self.write_each(frame)?,
            }
        }
        Ok(())
    }

    fn open(&self, bytes: &Bytes, start: u64, need: &FrameNeed) -> Option<Frame> {
        let from = usize::try_from(need.offset.checked_sub(start)?).ok()?;
        let bytes = bytes.get(from..from.checked_add(usize::try_from(need.length).ok()?)?)?;
        let frame = Frame::open(&self.fetch.keys.frame, PackKind::Data, bytes).ok()?;
        let whole = need.blocks.iter().all(|(slot, need)| {
            let content = frame.slot(usize::from(*slot));
            content.is_some_and(|content| content_id(&self.fetch.keys, PackKind::Data, content) == need.id)
        });
        whole.then_some(frame)
    }

    /// Writes the blocks of an opened and checked frame; what are neighbours both here and on the disk at once.
    fn write_frame(&self, frame: &Frame, need: &FrameNeed) -> Result<()> {
        let block = self.map.shape.block_size;
        let mut blocks: Vec<(u64, usize)> =
            need.blocks.iter().map(|(slot, need)| (need.offset, usize::from(*slot))).collect();
        blocks.sort_unstable();
        for run in blocks.chunk_by(|a, b| a.0 + block == b.0 && a.1 + 1 == b.1) {
            if let Some((offset, slot)) = run.first()
                && let Some(content) = frame.slots(*slot, run.len())
            {
                self.write(*offset, content)?;
            }
        }
        Ok(())
    }

    /// Looks for each block by itself.
    fn write_each(&self, frame: &FrameNeed) -> Result<()> {
        for (_, Need { offset, id }) in &frame.blocks {
            self.control.check()?;
            let content = self.handle.block_on(self.fetch.content(PackKind::Data, *id));
            let content = content.map_err(|error| self.block_error(*offset, error))?;
            self.write(*offset, content.bytes())?;
        }
        Ok(())
    }

    /// Names the place on the disk as well as the object.
    fn block_error(&self, offset: u64, error: VaultError) -> VaultError {
        match error {
            VaultError::Damaged { .. } | VaultError::Missing { .. } => VaultError::BlockLost {
                disk: self.disk.name.clone(),
                offset,
                length: self.map.shape.block_size.min(self.disk.size - offset),
                source: Box::new(error),
            },
            error => error,
        }
    }

    /// Writes blocks; the padding of a disk's last block is not part of it.
    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let room = usize::try_from(self.disk.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let data = data.get(..data.len().min(room)).unwrap_or_default();
        if data.is_empty() {
            return Ok(());
        }
        self.target.write_at(offset, data).map_err(|source| self.write_error(offset, source))?;
        self.written.fetch_add(data.len() as u64, Relaxed);
        self.control.add_stored(data.len() as u64);
        self.control.add_done(data.len() as u64);
        Ok(())
    }
}
