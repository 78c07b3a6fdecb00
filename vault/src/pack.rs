//! Packs: immutable objects of some 32 MiB that hold frames, named by the hash of their bytes.
//!
//! ```text
//! header 16 | frame | frame | ... | footer: salt 32, sealed list of frames and their ids | footer length u32, 0 u32, "PACKEND1"
//! ```
//!
//! The footer makes a pack self-describing: what an index run says of a pack can always be had from the pack itself, so
//! a lost or damaged index costs time and nothing else, and a crashed backup's packs are found and used again.

use bytes::Bytes;
use object_store::PutPayload;

use crate::error::{Result, VaultError};
use crate::id::{ObjectHash, ShortId};
use crate::key::{Secret, random};
use crate::layout::{PackKind, PackName};
use crate::object::Objects;
use crate::seal::{HEADER_LEN, Kind, SALT_LEN, Sealer, TAG_LEN, check_header, header};
use crate::wire::{Cursor, len32};

const TRAILER_LEN: usize = 16;
const TRAILER_MAGIC: &[u8; 8] = b"PACKEND1";
/// What is fetched from a pack's end in the hope that it holds the footer.
const TAIL: u64 = 256 << 10;

/// Where in a pack a frame is, and whose blocks it holds in its slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FrameRecord {
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) ids: Vec<ShortId>,
}

/// A pack that is durable, or about to be.
#[derive(Clone, Debug)]
pub(crate) struct PackRecord {
    pub(crate) name: PackName,
    pub(crate) size: u64,
    pub(crate) frames: Vec<FrameRecord>,
}

/// A pack being filled.
pub(crate) struct PackBuilder {
    kind: PackKind,
    chunks: Vec<Bytes>,
    length: usize,
    hasher: blake3::Hasher,
    frames: Vec<FrameRecord>,
}

fn object_kind(kind: PackKind) -> Kind {
    match kind {
        PackKind::Data => Kind::DataPack,
        PackKind::Map => Kind::MapPack,
    }
}

impl PackBuilder {
    pub(crate) fn new(kind: PackKind) -> Self {
        let mut pack =
            Self { kind, chunks: Vec::new(), length: 0, hasher: blake3::Hasher::new(), frames: Vec::new() };
        pack.append(header(object_kind(kind)).to_vec());
        pack
    }

    fn append(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.hasher.update(&bytes);
        self.length += bytes.len();
        self.chunks.push(bytes);
    }

    pub(crate) fn push(&mut self, frame: impl Into<Bytes>, ids: Vec<ShortId>) {
        let frame = frame.into();
        self.frames.push(FrameRecord { offset: len32(self.length), length: len32(frame.len()), ids });
        self.append(frame);
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Closes the pack with its footer.
    pub(crate) fn finish(mut self, footer_key: &Secret) -> Result<(PackRecord, PutPayload)> {
        let salt: [u8; SALT_LEN] = random()?;
        let mut footer = len32(self.frames.len()).to_le_bytes().to_vec();
        for frame in &self.frames {
            footer.extend_from_slice(&frame.length.to_le_bytes());
            footer.extend_from_slice(&len32(frame.ids.len()).to_le_bytes());
            frame.ids.iter().for_each(|id| footer.extend_from_slice(&id.0));
        }
        let aad = header(object_kind(self.kind));
        Sealer::new(footer_key, &salt)?.seal(0, &aad, &mut footer)?;
        let footer_len = len32(SALT_LEN + footer.len());
        self.append(salt.to_vec());
        self.append(footer);
        let mut trailer = footer_len.to_le_bytes().to_vec();
        trailer.extend_from_slice(&[0; 4]);
        trailer.extend_from_slice(TRAILER_MAGIC);
        self.append(trailer);
        let hash = ObjectHash(*self.hasher.finalize().as_bytes());
        let record = PackRecord {
            name: PackName { kind: self.kind, hash },
            size: self.length as u64,
            frames: self.frames,
        };
        Ok((record, self.chunks.into_iter().collect()))
    }
}

/// Reads a pack's footer from its end.
pub(crate) async fn read_footer(
    objects: &Objects,
    footer_key: &Secret,
    name: PackName,
    size: u64,
) -> Result<PackRecord> {
    let path = name.path();
    let damaged = |reason: &str| VaultError::damaged(path.as_ref(), reason);
    let tail_len = size.min(TAIL);
    let mut tail = objects.get_range(&path, size - tail_len, tail_len).await?;
    let (_, trailer) = tail
        .len()
        .checked_sub(TRAILER_LEN)
        .and_then(|at| tail.split_at_checked(at))
        .ok_or_else(|| damaged("it is cut off"))?;
    let footer_len = parse_trailer(trailer).ok_or_else(|| damaged("its end is not that of a pack"))?;
    let whole = footer_len + TRAILER_LEN as u64;
    if whole + HEADER_LEN as u64 > size {
        return Err(damaged("its footer is longer than itself"));
    }
    if whole > tail_len {
        tail = objects.get_range(&path, size - whole, whole).await?;
    }
    let start = tail.len().saturating_sub(usize::try_from(whole).unwrap_or(usize::MAX));
    let footer = tail.get(start..tail.len() - TRAILER_LEN).unwrap_or_default();
    let head = objects.get_range(&path, 0, HEADER_LEN as u64).await?;
    check_header(path.as_ref(), object_kind(name.kind), &head)?;
    parse_footer(footer_key, name.kind, footer, size - whole)
        .map(|frames| PackRecord { name, size, frames })
        .ok_or_else(|| damaged("the seal of its footer does not fit"))
}

/// The same from a pack that is in memory already.
pub(crate) fn footer_of(footer_key: &Secret, name: PackName, bytes: &[u8]) -> Option<PackRecord> {
    let at = bytes.len().checked_sub(TRAILER_LEN)?;
    let (rest, trailer) = bytes.split_at_checked(at)?;
    let start = rest.len().checked_sub(usize::try_from(parse_trailer(trailer)?).ok()?)?;
    let frames = parse_footer(footer_key, name.kind, rest.get(start..)?, start as u64)?;
    Some(PackRecord { name, size: bytes.len() as u64, frames })
}

fn parse_trailer(trailer: &[u8]) -> Option<u64> {
    let mut cursor = Cursor::new(trailer);
    let length = cursor.u32()?;
    let reserved = cursor.u32()?;
    (reserved == 0 && cursor.rest() == TRAILER_MAGIC).then_some(u64::from(length))
}

/// `end`: where the frames end and the footer begins.
fn parse_footer(footer_key: &Secret, kind: PackKind, footer: &[u8], end: u64) -> Option<Vec<FrameRecord>> {
    let (salt, sealed) = footer.split_at_checked(SALT_LEN)?;
    (sealed.len() >= TAG_LEN).then_some(())?;
    let mut sealed = sealed.to_vec();
    let plain = Sealer::new(footer_key, salt).ok()?.open(0, &header(object_kind(kind)), &mut sealed)?;
    let mut cursor = Cursor::new(plain);
    let count = cursor.u32()?;
    let mut offset = len32(HEADER_LEN);
    let mut frames = Vec::new();
    for _ in 0..count {
        let length = cursor.u32()?;
        let ids = cursor.count()?;
        let ids = cursor.take(ids.checked_mul(16)?)?;
        let ids = ids.as_chunks::<16>().0.iter().map(|id| ShortId(*id)).collect();
        frames.push(FrameRecord { offset, length, ids });
        offset = offset.checked_add(length)?;
    }
    (cursor.is_empty() && u64::from(offset) == end).then_some(frames)
}
