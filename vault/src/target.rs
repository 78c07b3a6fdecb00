//! Where disks are restored to: the trait a target implements, and the one for raw files and block devices.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FileType, SeekFrom, fallocate, fstat, seek};

static ZEROES: [u8; 64 << 10] = [0; 64 << 10];

/// A disk to restore to. Called from several threads at once, each with its own range; calls may block.
pub trait DiskWriter: Send + Sync {
    /// How messages name it.
    fn name(&self) -> String;

    /// Called once before anything is written. Makes room for `size` bytes, or says how many there are.
    fn prepare(&self, size: u64) -> io::Result<u64>;

    /// Whether all of it reads as zeroes now, so that zeroes need not be written.
    fn is_blank(&self) -> bool;

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Makes a range read as zeroes, without taking space where that is possible.
    fn zero(&self, offset: u64, length: u64) -> io::Result<()>;

    /// Called once at the end: what was written is durable when it returns.
    fn finish(&self) -> io::Result<()>;
}

/// A raw file (made sparse) or a block device.
#[derive(Debug)]
pub struct FileTarget {
    file: File,
    path: PathBuf,
    device: bool,
    blank: bool,
}

impl FileTarget {
    /// A new file; one that exists is refused, so that a typing error overwrites nothing.
    pub fn create(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, device: false, blank: true })
    }

    /// An existing file or block device, whose content will be replaced.
    pub fn existing(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let device = FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::BlockDevice;
        let blank = !device && file.metadata()?.len() == 0;
        Ok(Self { file, path, device, blank })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl DiskWriter for FileTarget {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn prepare(&self, size: u64) -> io::Result<u64> {
        if self.device {
            return Ok(seek(&self.file, SeekFrom::End(0))?);
        }
        self.file.set_len(size)?;
        Ok(size)
    }

    fn is_blank(&self) -> bool {
        self.blank
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if fallocate(&self.file, punch, offset, length).is_ok() {
            return Ok(());
        }
        let mut left = length;
        let mut at = offset;
        while left > 0 {
            let part = left.min(ZEROES.len() as u64);
            let zeroes = ZEROES.get(..usize::try_from(part).unwrap_or(0)).unwrap_or(&ZEROES);
            self.file.write_all_at(zeroes, at)?;
            at += part;
            left -= part;
        }
        Ok(())
    }

    fn finish(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}
