//! Turning sealed frames into durable packs, while more frames are being made.
//!
//! Any thread pushes frames; a full pack goes through a channel that holds none, so that whoever filled it waits until
//! the one before is durable: that, and nothing else, bounds the memory of a backup.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use object_store::PutPayload;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::control::Control;
use crate::error::{Result, VaultError};
use crate::frame::{Compressor, FRAME_CONTENT, FrameWriter};
use crate::id::ShortId;
use crate::key::{Keys, Secret};
use crate::layout::PackKind;
use crate::object::Objects;
use crate::pack::{PackBuilder, PackRecord};

/// A pack on its way.
pub(crate) type Outgoing = (PackRecord, PutPayload);

/// Where the frames of one writing session go.
pub(crate) struct PackWriter {
    footer_key: Secret,
    frames: FrameWriter,
    pack_size: usize,
    data: Mutex<PackBuilder>,
    map: Mutex<PackBuilder>,
    outbox: SyncSender<Outgoing>,
    /// Stored or about to be in this session.
    seen: Mutex<HashSet<ShortId>>,
    pub(crate) stored: AtomicU64,
    pub(crate) incompressible: AtomicU64,
}

impl PackWriter {
    /// The writer, and the end of the channel at which [`upload`] works.
    pub(crate) fn new(keys: &Keys, level: i32, pack_size: u32) -> Result<(Self, Receiver<Outgoing>)> {
        let (outbox, packs) = sync_channel(0);
        let writer = Self {
            footer_key: keys.footer.clone(),
            frames: FrameWriter::new(&keys.frame, level)?,
            pack_size: usize::try_from(pack_size).unwrap_or(usize::MAX),
            data: Mutex::new(PackBuilder::new(PackKind::Data)),
            map: Mutex::new(PackBuilder::new(PackKind::Map)),
            outbox,
            seen: Mutex::new(HashSet::new()),
            stored: AtomicU64::new(0),
            incompressible: AtomicU64::new(0),
        };
        Ok((writer, packs))
    }

    /// Whether this session has not had this content yet. Who is told yes must store it.
    pub(crate) fn claim(&self, id: ShortId) -> bool {
        self.seen.lock().insert(id)
    }

    /// A builder of frames for one thread.
    pub(crate) fn filler(&self, kind: PackKind, slot_len: usize) -> Result<FrameFiller> {
        let compressor = self.frames.compressor()?;
        let content = Vec::with_capacity(FRAME_CONTENT);
        Ok(FrameFiller { kind, slot_len, compressor, content, ids: Vec::new() })
    }

    /// Adds a frame that is sealed already.
    pub(crate) fn push(
        &self,
        kind: PackKind,
        frame: Vec<u8>,
        ids: Vec<ShortId>,
        control: &Control,
    ) -> Result<()> {
        let length = frame.len() as u64;
        let full = {
            let mut pack = self.builder(kind).lock();
            pack.push(frame, ids);
            (pack.len() >= self.pack_size).then(|| std::mem::replace(&mut *pack, PackBuilder::new(kind)))
        };
        self.stored.fetch_add(length, Relaxed);
        control.add_stored(length);
        match full {
            Some(pack) => self.send(pack),
            None => Ok(()),
        }
    }

    /// Sends what is left and closes the channel.
    pub(crate) fn close(self) -> Result<()> {
        for kind in PackKind::BOTH {
            let rest = std::mem::replace(&mut *self.builder(kind).lock(), PackBuilder::new(kind));
            if !rest.is_empty() {
                self.send(rest)?;
            }
        }
        Ok(())
    }

    fn builder(&self, kind: PackKind) -> &Mutex<PackBuilder> {
        match kind {
            PackKind::Data => &self.data,
            PackKind::Map => &self.map,
        }
    }

    /// The other end hangs up only after a failure of its own, which is what the operation then reports.
    fn send(&self, pack: PackBuilder) -> Result<()> {
        self.outbox.send(pack.finish(&self.footer_key)?).map_err(|_| VaultError::Cancelled)
    }
}

/// One thread's frame in the making.
pub(crate) struct FrameFiller {
    kind: PackKind,
    slot_len: usize,
    compressor: Compressor,
    content: Vec<u8>,
    ids: Vec<ShortId>,
}

impl FrameFiller {
    /// Adds a block or page of exactly the slot's length.
    pub(crate) fn add(
        &mut self,
        writer: &PackWriter,
        id: ShortId,
        slot: &[u8],
        control: &Control,
    ) -> Result<()> {
        self.content.extend_from_slice(slot);
        self.ids.push(id);
        if self.content.len() + self.slot_len > FRAME_CONTENT { self.flush(writer, control) } else { Ok(()) }
    }

    /// Seals what there is.
    pub(crate) fn flush(&mut self, writer: &PackWriter, control: &Control) -> Result<()> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let sealed = writer.frames.seal(&mut self.compressor, self.kind, self.slot_len, &self.content)?;
        if !sealed.compressed && self.kind == PackKind::Data {
            writer.incompressible.fetch_add(self.content.len() as u64, Relaxed);
        }
        self.content.clear();
        writer.push(self.kind, sealed.bytes, std::mem::take(&mut self.ids), control)
    }
}

/// Makes packs durable one after the other until the writer is closed. Blocking.
pub(crate) fn upload(
    objects: &Objects,
    handle: &Handle,
    packs: &Receiver<Outgoing>,
) -> Result<Vec<PackRecord>> {
    let mut durable = Vec::new();
    for (record, payload) in packs {
        handle.block_on(objects.put(&record.name.path(), payload))?;
        durable.push(record);
    }
    Ok(durable)
}
