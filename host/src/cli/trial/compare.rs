//! Is a restored disk the disk? Both are read as the vault reads disks, so that the format of the image does not matter.

use holdfast_vault::DiskReader;
use std::io;

const PIECE: u64 = 1 << 20;

/// BLAKE3 of a disk's bytes, hex.
pub(super) fn digest(disk: &dyn DiskReader) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = Vec::new();
    for (offset, length) in pieces(disk.size()?) {
        read(disk, offset, length, &mut buffer)?;
        hasher.update(&buffer);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The first byte at which two disks differ; none when they are the same to the last one.
pub(super) fn first_difference(one: &dyn DiskReader, other: &dyn DiskReader) -> io::Result<Option<u64>> {
    let (size, other_size) = (one.size()?, other.size()?);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (offset, length) in pieces(size.min(other_size)) {
        read(one, offset, length, &mut left)?;
        read(other, offset, length, &mut right)?;
        if let Some(at) = left.iter().zip(&right).position(|(a, b)| a != b) {
            return Ok(Some(offset + at as u64));
        }
    }
    Ok((size != other_size).then_some(size.min(other_size)))
}

fn pieces(size: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..size.div_ceil(PIECE)).map(move |piece| (piece * PIECE, PIECE.min(size - piece * PIECE)))
}

fn read(disk: &dyn DiskReader, offset: u64, length: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
    disk.read_at(offset, buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_vault::FileDisk;

    #[test]
    fn one_flipped_bit_and_one_missing_byte_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            FileDisk::open(path).unwrap()
        };
        let piece = usize::try_from(PIECE).unwrap();
        let bytes: Vec<u8> = (0..piece + 7).map(|at| (at % 251) as u8).collect();
        let mut flipped = bytes.clone();
        flipped[piece + 3] ^= 1;
        let whole = write("whole", &bytes);
        assert_eq!(first_difference(&whole, &write("same", &bytes)).unwrap(), None);
        assert_eq!(first_difference(&whole, &write("flipped", &flipped)).unwrap(), Some(PIECE + 3));
        let short = write("short", &bytes[..piece]);
        assert_eq!(first_difference(&whole, &short).unwrap(), Some(PIECE));
        assert_ne!(digest(&whole).unwrap(), digest(&short).unwrap());
    }
}
