//! Index runs: sorted, immutable lists of which block is in which pack.
//!
//! ```text
//! header 16 | salt 32 | head length u32 | sealed head | sealed page | sealed page | ...
//! head: entries u64, entries per page u32, packs u32, then per pack: kind u8, hash 32, size u64; then each page's first id 16
//! entry: id 16 | pack u32 | frame offset u32 | frame length u24 | slot u8      = 28 bytes, sorted as bytes
//! ```
//!
//! The head alone tells in which page an id would be, and each page is sealed by itself, so a run can be searched with
//! two small reads. In memory an entry takes its 28 bytes.

use crate::error::{Result, VaultError};
use crate::id::{ObjectHash, ShortId};
use crate::key::{Secret, random};
use crate::layout::{PackKind, PackName};
use crate::pack::PackRecord;
use crate::seal::{HEADER_LEN, Kind, SALT_LEN, Sealer, TAG_LEN, check_header, header};
use crate::wire::{Cursor, len32};

pub(crate) const ENTRY_LEN: usize = 28;
const ENTRIES_PER_PAGE: usize = 2048;

type Entry = [u8; ENTRY_LEN];

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Location {
    pub(crate) pack: PackName,
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) slot: u8,
}

/// A pack an index run speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackInfo {
    pub(crate) name: PackName,
    pub(crate) size: u64,
}

/// A sorted list of entries and the packs they point into.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) packs: Vec<PackInfo>,
    entries: Vec<Entry>,
}

/// An entry taken apart; `pack` counts in the run's own list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) id: ShortId,
    pub(crate) pack: u32,
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) slot: u8,
}

impl Parsed {
    fn of(entry: &Entry) -> Self {
        let mut cursor = Cursor::new(entry);
        let id = ShortId(cursor.array().unwrap_or_default());
        let pack = cursor.u32().unwrap_or_default();
        let offset = cursor.u32().unwrap_or_default();
        let last = cursor.u32().unwrap_or_default();
        let [a, b, c, slot] = last.to_le_bytes();
        Self { id, pack, offset, length: u32::from_le_bytes([a, b, c, 0]), slot }
    }

    fn entry(&self) -> Entry {
        let [a, b, c, _] = self.length.to_le_bytes();
        let mut entry = [0; ENTRY_LEN];
        let bytes = self.id.0.into_iter().chain(self.pack.to_le_bytes()).chain(self.offset.to_le_bytes());
        entry.iter_mut().zip(bytes.chain([a, b, c, self.slot])).for_each(|(to, from)| *to = from);
        entry
    }
}

impl Run {
    /// A run of everything in some packs.
    pub(crate) fn of_packs<'a>(packs: impl IntoIterator<Item = &'a PackRecord>) -> Self {
        let mut run = Self::default();
        for pack in packs {
            let number = len32(run.packs.len());
            run.packs.push(PackInfo { name: pack.name, size: pack.size });
            for frame in &pack.frames {
                run.entries.extend(frame.ids.iter().zip(0..=u8::MAX).map(|(id, slot)| {
                    let (offset, length) = (frame.offset, frame.length);
                    Parsed { id: *id, pack: number, offset, length, slot }.entry()
                }));
            }
        }
        run.entries.sort_unstable();
        run
    }

    /// A run of entries whose packs count in `packs`.
    pub(crate) fn of_entries(packs: Vec<PackInfo>, entries: &[Parsed]) -> Self {
        let mut entries: Vec<Entry> = entries.iter().map(Parsed::entry).collect();
        entries.sort_unstable();
        Self { packs, entries }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = Parsed> {
        self.entries.iter().map(Parsed::of)
    }

    /// The place and content of all entries of an id.
    pub(crate) fn find(&self, id: ShortId) -> impl Iterator<Item = (usize, Parsed)> {
        let start = self.entries.partition_point(|entry| entry.split_at(16).0 < &id.0[..]);
        let rest = self.entries.get(start..).unwrap_or_default();
        rest.iter()
            .zip(start..)
            .take_while(move |(entry, _)| entry.starts_with(&id.0))
            .map(|(entry, at)| (at, Parsed::of(entry)))
    }

    pub(crate) fn location(&self, entry: &Parsed) -> Option<Location> {
        let pack = self.packs.get(usize::try_from(entry.pack).ok()?)?.name;
        Some(Location { pack, offset: entry.offset, length: entry.length, slot: entry.slot })
    }

    /// The object and its name.
    pub(crate) fn encode(&self, key: &Secret) -> Result<(ObjectHash, Vec<u8>)> {
        let salt: [u8; SALT_LEN] = random()?;
        let sealer = Sealer::new(key, &salt)?;
        let mut object = header(Kind::IndexRun).to_vec();
        object.extend_from_slice(&salt);
        let aad = object.clone();
        let mut head = (self.entries.len() as u64).to_le_bytes().to_vec();
        head.extend_from_slice(&len32(ENTRIES_PER_PAGE).to_le_bytes());
        head.extend_from_slice(&len32(self.packs.len()).to_le_bytes());
        for pack in &self.packs {
            head.push(pack.name.kind.number());
            head.extend_from_slice(&pack.name.hash.0);
            head.extend_from_slice(&pack.size.to_le_bytes());
        }
        for page in self.entries.chunks(ENTRIES_PER_PAGE) {
            head.extend(page.iter().take(1).flat_map(|entry| entry.iter().take(16)));
        }
        sealer.seal(0, &aad, &mut head)?;
        object.extend_from_slice(&len32(head.len()).to_le_bytes());
        object.extend_from_slice(&head);
        for (page, number) in self.entries.chunks(ENTRIES_PER_PAGE).zip(1..) {
            let mut sealed = page.as_flattened().to_vec();
            sealer.seal(number, &aad, &mut sealed)?;
            object.extend_from_slice(&sealed);
        }
        Ok((ObjectHash(*blake3::hash(&object).as_bytes()), object))
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(key: &Secret, name: &str, bytes: &[u8]) -> Result<Self> {
        check_header(name, Kind::IndexRun, bytes)?;
        Self::decode_body(key, bytes)
            .ok_or_else(|| VaultError::damaged(name, "its seal or structure does not fit"))
    }

    fn decode_body(key: &Secret, bytes: &[u8]) -> Option<Self> {
        let (aad, rest) = bytes.split_at_checked(HEADER_LEN + SALT_LEN)?;
        let sealer = Sealer::new(key, aad.get(HEADER_LEN..)?).ok()?;
        let mut rest = Cursor::new(rest);
        let head_len = rest.count()?;
        let mut head = rest.take(head_len)?.to_vec();
        let mut head = Cursor::new(sealer.open(0, aad, &mut head)?);
        let count = usize::try_from(head.u64()?).ok()?;
        let per_page = head.count().filter(|per_page| *per_page > 0)?;
        let pack_count = head.count()?;
        let mut packs = Vec::new();
        for _ in 0..pack_count {
            let kind = PackKind::from_number(head.u8()?)?;
            let hash = ObjectHash(head.array()?);
            packs.push(PackInfo { name: PackName { kind, hash }, size: head.u64()? });
        }
        let mut body = rest.rest();
        let page_len = per_page.checked_mul(ENTRY_LEN)?.checked_add(TAG_LEN)?;
        let mut entries = Vec::with_capacity(count.min(body.len() / ENTRY_LEN));
        let mut number = 1;
        while !body.is_empty() {
            let (page, after) = body.split_at_checked(page_len.min(body.len()))?;
            body = after;
            let mut page = page.to_vec();
            entries.extend_from_slice(sealer.open(number, aad, &mut page)?.as_chunks::<ENTRY_LEN>().0);
            number += 1;
        }
        (entries.len() == count && entries.is_sorted()).then_some(Self { packs, entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::FrameRecord;

    fn sample(count: u32) -> Run {
        let ids: Vec<ShortId> = (0..count)
            .map(|n| {
                let hash = blake3::hash(&n.to_le_bytes());
                ShortId(hash.as_bytes()[..16].try_into().unwrap())
            })
            .collect();
        let frames = ids
            .chunks(16)
            .zip(0..)
            .map(|(ids, n)| FrameRecord { offset: 16 + n * 1000, length: 1000, ids: ids.to_vec() })
            .collect();
        let name = PackName { kind: PackKind::Data, hash: ObjectHash([3; 32]) };
        Run::of_packs(&[PackRecord { name, size: 9, frames }])
    }

    #[test]
    fn every_entry_is_found_after_a_round_trip() {
        let key = Secret([1; 32]);
        let run = sample(5000);
        let (_, bytes) = run.encode(&key).unwrap();
        let read = Run::decode(&key, "index/x", &bytes).unwrap();
        assert_eq!(read.len(), 5000);
        for entry in run.entries() {
            let found: Vec<Parsed> = read.find(entry.id).map(|(_, found)| found).collect();
            assert_eq!(found, [entry]);
        }
        assert_eq!(read.find(ShortId([0; 16])).count(), 0);
    }

    #[test]
    fn no_changed_or_missing_byte_goes_unnoticed() {
        let key = Secret([1; 32]);
        let (_, bytes) = sample(40).encode(&key).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(Run::decode(&key, "index/x", &changed).is_err(), "byte {at}");
            assert!(Run::decode(&key, "index/x", &bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
