//! Frames: the unit of compression and sealing.
//!
//! A frame holds up to 256 KiB of blocks (or map pages) that were new together, in disk order. Compressing them as
//! one recovers most of what small blocks lose; sealing them as one costs one tag. A frame is bound to its own header
//! and not to the pack around it, so that it can be copied to another pack or vault without being opened. Each writing
//! session has a random salt, hence a key of its own, and numbers its frames: a nonce never repeats.
//!
//! ```text
//! "HFF1" | codec u8 | kind u8 | slots u16 | slot length u32 | sealed length u32 | number u64 | salt 24   = 48 bytes
//! then `sealed length` bytes: AES-256-GCM over the (compressed) slots, with the header authenticated
//! ```

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::error::{Result, VaultError};
use crate::key::{Secret, random};
use crate::layout::PackKind;
use crate::seal::{Sealer, TAG_LEN};
use crate::wire::{Cursor, len32};

pub(crate) const FRAME_HEADER_LEN: usize = 48;
/// Content of a frame before compression.
pub(crate) const FRAME_CONTENT: usize = 256 << 10;
const MAGIC: &[u8; 4] = b"HFF1";
const FRAME_SALT_LEN: usize = 24;
const RAW: u8 = 0;
const ZSTD: u8 = 1;
/// What compression must save for the reader to be bothered with it.
const WORTHWHILE: usize = 32;

/// Seals the frames of one writing session.
pub(crate) struct FrameWriter {
    sealer: Sealer,
    salt: [u8; FRAME_SALT_LEN],
    next: AtomicU64,
    level: i32,
}

/// One thread's buffers for sealing.
pub(crate) struct Compressor {
    zstd: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
}

/// A sealed frame and whether compression helped.
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) compressed: bool,
}

impl FrameWriter {
    pub(crate) fn new(purpose: &Secret, level: i32) -> Result<Self> {
        let salt = random()?;
        Ok(Self { sealer: Sealer::new(purpose, &salt)?, salt, next: AtomicU64::new(0), level })
    }

    pub(crate) fn compressor(&self) -> Result<Compressor> {
        let zstd = zstd::bulk::Compressor::new(self.level)
            .map_err(|_| VaultError::Internal { doing: "preparing compression" })?;
        Ok(Compressor { zstd, buffer: vec![0; FRAME_CONTENT + WORTHWHILE] })
    }

    /// Seals whole slots of one length.
    pub(crate) fn seal(
        &self,
        compressor: &mut Compressor,
        kind: PackKind,
        slot_len: usize,
        content: &[u8],
    ) -> Result<Sealed> {
        let packed = compressor.compress(content);
        let body = packed.unwrap_or(content);
        let compressed = packed.is_some();
        let number = self.next.fetch_add(1, Relaxed);
        let slots = u16::try_from(content.len().checked_div(slot_len).unwrap_or(0))
            .map_err(|_| VaultError::Internal { doing: "counting the slots of a frame" })?;
        let mut header = Vec::with_capacity(FRAME_HEADER_LEN);
        header.extend_from_slice(MAGIC);
        header.push(if compressed { ZSTD } else { RAW });
        header.push(kind.number());
        header.extend_from_slice(&slots.to_le_bytes());
        header.extend_from_slice(&len32(slot_len).to_le_bytes());
        header.extend_from_slice(&len32(body.len() + TAG_LEN).to_le_bytes());
        header.extend_from_slice(&number.to_le_bytes());
        header.extend_from_slice(&self.salt);
        let mut bytes = Vec::with_capacity(FRAME_HEADER_LEN + body.len() + TAG_LEN);
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(body);
        let tag = self.sealer.seal_detached(
            number,
            &header,
            bytes.get_mut(FRAME_HEADER_LEN..).unwrap_or_default(),
        )?;
        bytes.extend_from_slice(tag.as_ref());
        Ok(Sealed { bytes, compressed })
    }
}

impl Compressor {
    /// The compressed content, or `None` where it would not pay.
    fn compress(&mut self, content: &[u8]) -> Option<&[u8]> {
        if looks_random(content) && !self.sample_shrinks(content) {
            return None;
        }
        self.buffer.resize(content.len().max(1), 0);
        let room = content.len().checked_sub(WORTHWHILE)?;
        let length = self.zstd.compress_to_buffer(content, self.buffer.get_mut(..room)?).ok()?;
        self.buffer.get(..length)
    }

    /// Whether a piece from the middle gets at least 3 % smaller.
    fn sample_shrinks(&mut self, content: &[u8]) -> bool {
        let middle = content.len() / 2;
        let piece = content.get(middle..(middle + (16 << 10)).min(content.len())).unwrap_or_default();
        let room = piece.len() - piece.len() / 32;
        self.buffer.get_mut(..room).is_some_and(|to| self.zstd.compress_to_buffer(piece, to).is_ok())
    }
}

/// A cheap first opinion: whether 4 KiB taken evenly from the content use all byte values about equally. Only a "yes"
/// costs a second look, so that data which merely looks random is still compressed.
fn looks_random(content: &[u8]) -> bool {
    const SAMPLE: usize = 4096;
    if content.len() < 4 * SAMPLE {
        return false;
    }
    let mut counts = [0u32; 256];
    let step = content.len() / (SAMPLE / 64);
    for piece in content.chunks(step.max(64)) {
        for byte in piece.iter().take(64) {
            if let Some(count) = counts.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
    }
    // The sum of squares is about 69,500 for 4096 uniformly random bytes (standard deviation 360), and grows with
    // any skew.
    let squares: u32 = counts.iter().map(|count| count * count).sum();
    squares < 73_000
}

/// The clear part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    codec: u8,
    pub(crate) kind: PackKind,
    pub(crate) slots: usize,
    pub(crate) slot_len: usize,
    sealed_len: usize,
    number: u64,
    salt: [u8; FRAME_SALT_LEN],
}

impl FrameHeader {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        (cursor.take(4)? == MAGIC).then_some(())?;
        let codec = cursor.u8()?;
        let kind = PackKind::from_number(cursor.u8()?)?;
        let slots = usize::from(cursor.u16()?);
        let slot_len = cursor.count()?;
        let sealed_len = cursor.count()?;
        let number = cursor.u64()?;
        let salt = cursor.array()?;
        let header = Self { codec, kind, slots, slot_len, sealed_len, number, salt };
        (slot_len > 0 && header.content_len()? <= FRAME_CONTENT && codec <= ZSTD).then_some(header)
    }

    fn content_len(&self) -> Option<usize> {
        self.slots.checked_mul(self.slot_len)
    }
}

/// Opened content of a frame: slots of one length.
#[derive(Debug)]
pub(crate) struct Frame {
    content: Vec<u8>,
    slot_len: usize,
}

impl Frame {
    /// Opens a whole frame, or says in a few words what is wrong with it.
    pub(crate) fn open(purpose: &Secret, kind: PackKind, bytes: &[u8]) -> Result<Self, &'static str> {
        let header = FrameHeader::parse(bytes).ok_or("a frame's header makes no sense")?;
        if header.kind != kind {
            return Err("a frame is of the wrong kind");
        }
        let (aad, sealed) = bytes.split_at_checked(FRAME_HEADER_LEN).ok_or("a frame is cut off")?;
        let mut sealed = sealed.get(..header.sealed_len).ok_or("a frame is cut off")?.to_vec();
        let sealer = Sealer::new(purpose, &header.salt).map_err(|_| "a frame's key cannot be made")?;
        let plain = sealer.open(header.number, aad, &mut sealed).ok_or("a frame's seal does not fit")?.len();
        sealed.truncate(plain);
        let expected = header.content_len().ok_or("a frame's header makes no sense")?;
        let content = match header.codec {
            RAW => sealed,
            _ => decompress(&sealed, expected).ok_or("a frame does not decompress")?,
        };
        if content.len() != expected {
            return Err("a frame has the wrong length");
        }
        Ok(Self { content, slot_len: header.slot_len })
    }

    /// Neighbouring slots at once.
    pub(crate) fn slots(&self, first: usize, count: usize) -> Option<&[u8]> {
        let start = first.checked_mul(self.slot_len)?;
        self.content.get(start..start.checked_add(count.checked_mul(self.slot_len)?)?)
    }

    pub(crate) fn slot(&self, number: usize) -> Option<&[u8]> {
        let start = number.checked_mul(self.slot_len)?;
        self.content.get(start..start.checked_add(self.slot_len)?)
    }

    pub(crate) fn slot_count(&self) -> usize {
        self.content.len().checked_div(self.slot_len).unwrap_or(0)
    }
}

thread_local! {
    /// Making a decompressor costs more than a frame's decompression; one per thread is kept.
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// At most `room` bytes of content.
fn decompress(packed: &[u8], room: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(zstd::bulk::Decompressor::new().ok()?),
        };
        decompressor.decompress(packed, room).ok()
    })
}
