//! Where disks are read from: the trait a source implements, and the one for raw files and block devices.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, SeekFrom, fstat, seek};

/// A run of bytes of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub offset: u64,
    pub length: u64,
    /// Reads as zeroes and need not be read.
    pub hole: bool,
}

/// A disk to back up. Called from several threads at once; calls may block.
pub trait DiskReader: Send + Sync {
    /// The size in bytes, asked before, during and after a backup: a disk that answers differently fails it.
    fn size(&self) -> io::Result<u64>;

    /// What is data and what is a hole in this range, in order. What is left out is taken for data.
    fn extents(&self, offset: u64, length: u64) -> io::Result<Vec<Extent>>;

    /// Fills the buffer. Never called beyond `size`.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// A raw file or block device.
#[derive(Debug)]
pub struct FileDisk {
    file: File,
    path: PathBuf,
}

impl FileDisk {
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let file = File::open(&path)?;
        let kind = FileType::from_raw_mode(fstat(&file)?.st_mode);
        if !matches!(kind, FileType::RegularFile | FileType::BlockDevice) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a block device"));
        }
        Ok(Self { file, path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl DiskReader for FileDisk {
    fn size(&self) -> io::Result<u64> {
        // A block device has no length in its metadata; the end of both is where seeking to the end leads. Positions
        // are never relied upon, so that threads may seek the same file.
        Ok(seek(&self.file, SeekFrom::End(0))?)
    }

    fn extents(&self, offset: u64, length: u64) -> io::Result<Vec<Extent>> {
        let end = offset.saturating_add(length);
        let mut extents = Vec::new();
        let mut at = offset;
        while at < end {
            let data = match seek(&self.file, SeekFrom::Data(at)) {
                Ok(data) => data.min(end),
                Err(rustix::io::Errno::NXIO) => end,
                // No hole detection here (a block device, some network shares): all of it is data.
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::OPNOTSUPP) => at,
                Err(error) => return Err(error.into()),
            };
            if data > at {
                extents.push(Extent { offset: at, length: data - at, hole: true });
            }
            let hole = match data < end {
                true => seek(&self.file, SeekFrom::Hole(data)).map_or(end, |hole| hole.min(end)),
                false => end,
            };
            if hole > data {
                extents.push(Extent { offset: data, length: hole - data, hole: false });
            }
            at = hole.max(data).max(at + 1);
        }
        Ok(extents)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}
