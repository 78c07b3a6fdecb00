//! The journal: every commit, appended and flushed to disk before anyone hears that it is saved.
//!
//! sled 0.34 has open reports of corruption after hard stops, so it is not trusted with the only copy of a write. The
//! journal holds each commit since the exports that are kept: with the newest export it makes the whole state again,
//! and after a crash it brings what sled had not flushed yet. Files are `journal/FIRST.log`:
//!
//! ```text
//! "HFJRNL1\n"  first:u64   then, per commit:  length:u32  tag:[16]  payload
//! payload = sequence:u64  count:u32  { key_length:u32 key  0 | 1 value_length:u32 value }*     (little endian)
//! ```
//!
//! `tag` is the first half of BLAKE3 of the payload. A commit that does not fit its tag ends the file: after a crash
//! that is the torn end of something never acknowledged.

use super::tree::Changes;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 8] = b"HFJRNL1\n";
const HEADER: u64 = 16;
/// No commit is larger: a length beyond it is damage, not a reason to allocate.
const LARGEST: usize = 1 << 30;

/// The journal, open for appending.
pub(super) struct Journal {
    directory: PathBuf,
    file: File,
    length: u64,
    /// An append failed and left bytes behind `length`.
    soiled: bool,
}

impl Journal {
    /// Begins a new file whose first commit will be `first`.
    pub(super) fn begin(directory: &Path, first: u64) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join(format!("{first:020}.log"));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all_at(MAGIC, 0)?;
        file.write_all_at(&first.to_le_bytes(), 8)?;
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
        Ok(Self { directory: directory.to_owned(), file, length: HEADER, soiled: false })
    }

    /// Appends encoded commits; they are on disk when this returns. On an error none of them is.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.soiled {
            self.file.set_len(self.length)?;
            self.soiled = false;
        }
        self.soiled = true;
        let written = self.file.write_all_at(bytes, self.length).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.length += bytes.len() as u64;
                self.soiled = false;
                Ok(())
            }
            Err(source) => {
                self.take_back(0);
                Err(source)
            }
        }
    }

    /// Forgets the newest `bytes` again, as far as that is possible now.
    pub(super) fn take_back(&mut self, bytes: u64) {
        self.length = self.length.saturating_sub(bytes).max(HEADER);
        self.soiled = self.file.set_len(self.length).and_then(|()| self.file.sync_data()).is_err();
    }

    /// Bytes in the present file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Begins a new file, so that older ones can go once an export has what they hold.
    pub(super) fn rotate(&mut self, first: u64) -> io::Result<()> {
        if self.length > HEADER {
            *self = Self::begin(&self.directory, first)?;
        }
        Ok(())
    }
}

/// Encodes one commit.
pub(super) fn encode(sequence: u64, changes: &Changes, into: &mut Vec<u8>) -> io::Result<()> {
    let narrow = |length: usize| u32::try_from(length).map_err(io::Error::other);
    let mut payload = Vec::new();
    payload.extend_from_slice(&sequence.to_le_bytes());
    payload.extend_from_slice(&narrow(changes.len())?.to_le_bytes());
    for (key, value) in changes {
        payload.extend_from_slice(&narrow(key.len())?.to_le_bytes());
        payload.extend_from_slice(key);
        match value {
            None => payload.push(0),
            Some(value) => {
                payload.push(1);
                payload.extend_from_slice(&narrow(value.len())?.to_le_bytes());
                payload.extend_from_slice(value);
            }
        }
    }
    if payload.len() > LARGEST {
        return Err(io::Error::other("the change is larger than a gigabyte"));
    }
    into.extend_from_slice(&narrow(payload.len())?.to_le_bytes());
    into.extend_from_slice(&tag(&payload));
    into.extend_from_slice(&payload);
    Ok(())
}

/// The journal's files, oldest first, each with the number of its first commit.
pub(super) fn files(directory: &Path) -> Vec<(u64, PathBuf)> {
    let mut found: Vec<(u64, PathBuf)> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let first = name.to_str()?.strip_suffix(".log")?.parse().ok()?;
            Some((first, entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// Hands every readable commit after `after` to `each`, in order and without gaps, and says which was the last that
/// could be read at all (0 is none).
pub(super) fn replay<E>(
    directory: &Path,
    after: u64,
    mut each: impl FnMut(u64, Changes) -> Result<(), E>,
) -> Result<u64, E> {
    let mut last = 0;
    let mut next = after + 1;
    for (_, path) in files(directory) {
        let Ok(bytes) = read(&path) else { continue };
        let mut rest = bytes.as_slice();
        while let Some((sequence, changes)) = take_commit(&mut rest) {
            last = last.max(sequence);
            if sequence == next {
                each(sequence, changes)?;
                next += 1;
            }
        }
    }
    Ok(last)
}

/// The numbers of all readable commits.
pub(super) fn commits(directory: &Path) -> Vec<u64> {
    let mut found = Vec::new();
    for (_, path) in files(directory) {
        let Ok(bytes) = read(&path) else { continue };
        let mut rest = bytes.as_slice();
        while let Some((sequence, _)) = take_commit(&mut rest) {
            found.push(sequence);
        }
    }
    found
}

/// Deletes the files that hold only commits up to `through`.
pub(super) fn forget(directory: &Path, through: u64) -> io::Result<()> {
    let found = files(directory);
    for (this, following) in found.iter().zip(found.iter().skip(1)) {
        if following.0 <= through.saturating_add(1) {
            fs::remove_file(&this.1)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let head = bytes.get(..8) == Some(MAGIC);
    if !head || bytes.len() < 16 {
        return Err(io::Error::other("not a journal file"));
    }
    Ok(bytes.split_off(16))
}

fn take_commit(rest: &mut &[u8]) -> Option<(u64, Changes)> {
    let mut bytes = *rest;
    let length = take_length(&mut bytes)?;
    if length > LARGEST {
        return None;
    }
    let expected = take(&mut bytes, 16)?;
    let mut payload = take(&mut bytes, length)?;
    if tag(payload) != expected {
        return None;
    }
    let commit = decode(&mut payload)?;
    *rest = bytes;
    Some(commit)
}

fn decode(payload: &mut &[u8]) -> Option<(u64, Changes)> {
    let sequence = u64::from_le_bytes(take(payload, 8)?.try_into().ok()?);
    let count = take_length(payload)?;
    let mut changes = Changes::new();
    for _ in 0..count {
        let length = take_length(payload)?;
        let key = take(payload, length)?.to_vec();
        let value = match take(payload, 1)? {
            [0] => None,
            _ => {
                let length = take_length(payload)?;
                Some(take(payload, length)?.to_vec())
            }
        };
        changes.insert(key, value);
    }
    Some((sequence, changes))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let raw = take(bytes, 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(raw)).ok()
}

fn tag(payload: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    blake3::Hasher::new().update(payload).finalize_xof().fill(&mut half);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, value: Option<&str>) -> Changes {
        Changes::from([(key.as_bytes().to_vec(), value.map(|v| v.as_bytes().to_vec()))])
    }

    fn write(directory: &Path, range: std::ops::RangeInclusive<u64>) {
        let mut journal = Journal::begin(directory, *range.start()).unwrap();
        for sequence in range {
            let mut bytes = Vec::new();
            encode(sequence, &change(&format!("k{sequence}"), Some("v")), &mut bytes).unwrap();
            journal.append(&bytes).unwrap();
        }
    }

    fn read_all(directory: &Path, after: u64) -> (Vec<u64>, u64) {
        let mut seen = Vec::new();
        let last = replay(directory, after, |sequence, _| {
            seen.push(sequence);
            Ok::<(), ()>(())
        });
        (seen, last.unwrap())
    }

    #[test]
    fn commits_come_back_in_order_across_files_and_from_any_point() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), 1..=3);
        write(directory.path(), 4..=5);
        assert_eq!(read_all(directory.path(), 0), (vec![1, 2, 3, 4, 5], 5));
        assert_eq!(read_all(directory.path(), 3), (vec![4, 5], 5));
    }

    #[test]
    fn a_file_cut_at_any_byte_gives_the_commits_before_the_cut() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), 1..=3);
        let (_, path) = files(directory.path()).remove(0);
        let whole = fs::read(&path).unwrap();
        let entry = (whole.len() - 16) / 3;
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let expected = cut.saturating_sub(16) / entry;
            assert_eq!(read_all(directory.path(), 0).0.len(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_never_gives_a_wrong_commit() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), 1..=3);
        let (_, path) = files(directory.path()).remove(0);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            replay(directory.path(), 0, |sequence, changes| {
                assert_eq!(changes, change(&format!("k{sequence}"), Some("v")));
                Ok::<(), ()>(())
            })
            .unwrap();
        }
    }

    #[test]
    fn only_files_that_an_export_covers_whole_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), 1..=3);
        write(directory.path(), 4..=5);
        write(directory.path(), 6..=6);
        forget(directory.path(), 4).unwrap();
        let left: Vec<u64> = files(directory.path()).into_iter().map(|(first, _)| first).collect();
        assert_eq!(left, [4, 6]);
    }

    #[test]
    fn what_is_taken_back_does_not_come_back() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = Journal::begin(directory.path(), 1).unwrap();
        let mut bytes = Vec::new();
        encode(1, &change("k1", None), &mut bytes).unwrap();
        journal.append(&bytes).unwrap();
        journal.append(&bytes).unwrap();
        journal.take_back(bytes.len() as u64);
        assert_eq!(journal.length(), 16 + bytes.len() as u64);
        assert_eq!(read_all(directory.path(), 0), (vec![1], 1));
    }
}
