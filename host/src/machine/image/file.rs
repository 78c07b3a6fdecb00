//! A file or block device on this box: what must be true of it before it is opened as a disk, and raw disks.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use holdfast_vault::{DiskReader, Extent, FileDisk};
use rustix::fs::{Mode, OFlags};

use super::error::{DiskChanged, OpenDiskError};
use super::header::{self, Found, HEAD, TAIL};
use super::locks;

/// A disk's file, checked and open for a look at its header.
#[derive(Debug)]
pub(super) struct DiskFile {
    /// Without links, so that "the same folder" means something.
    pub(super) path: PathBuf,
    pub(super) block_device: bool,
    pub(super) metadata: Metadata,
    file: File,
}

impl DiskFile {
    /// Opens a path for reading, if it is a disk nobody else is writing.
    pub(super) fn open(path: &Path) -> Result<Self, OpenDiskError> {
        if !path.is_absolute() {
            return Err(OpenDiskError::Relative { path: path.to_owned() });
        }
        let failed = |source| open_failed(path, source);
        let canonical = path.canonicalize().map_err(failed)?;
        let kind = canonical.metadata().map_err(failed)?.file_type();
        let block_device = kind.is_block_device();
        if !kind.is_file() && !block_device {
            // Said before opening: opening a pipe would wait for somebody to write to it.
            let what = if kind.is_dir() { "a folder" } else { "a special file" };
            return Err(OpenDiskError::NotADisk { path: path.to_owned(), what });
        }
        let file = File::open(&canonical).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let disk = Self { path: canonical, block_device, metadata, file };
        if let Some(holder) = disk.holder().map_err(failed)? {
            return Err(OpenDiskError::InUse { path: path.to_owned(), holder });
        }
        Ok(disk)
    }

    fn holder(&self) -> io::Result<Option<String>> {
        if self.block_device && is_held_by_system(&self.path)? {
            return Ok(Some("this box itself: it is mounted, or part of a volume group or array".to_owned()));
        }
        locks::holder(&self.metadata)
    }

    pub(super) fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, OpenDiskError> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(filled as u64);
            match self.file.read_at(rest, at) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(OpenDiskError::ReadHeader { path: self.path.clone(), source }),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    pub(super) fn head(&self) -> Result<Vec<u8>, OpenDiskError> {
        self.read(0, HEAD)
    }

    /// What the file is by its own bytes. A guest may own those bytes, so the answer never widens what is opened.
    pub(super) fn identify(&self) -> Result<Found, OpenDiskError> {
        let length = self.metadata.len();
        let tail = self.read(length.saturating_sub(TAIL as u64), TAIL)?;
        Ok(header::identify(&self.head()?, &tail, length))
    }
}

pub(super) fn open_failed(path: &Path, source: io::Error) -> OpenDiskError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => OpenDiskError::Missing { path },
        io::ErrorKind::PermissionDenied => OpenDiskError::NotPermitted { path },
        _ => OpenDiskError::ReadHeader { path, source },
    }
}

/// Whether the kernel itself holds a block device: mounted, swap, or a member of something larger.
fn is_held_by_system(path: &Path) -> io::Result<bool> {
    match rustix::fs::open(path, OFlags::RDONLY | OFlags::EXCL | OFlags::CLOEXEC, Mode::empty()) {
        Ok(_) => Ok(false),
        Err(rustix::io::Errno::BUSY) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// A raw disk that is refused as soon as a machine starts to use it.
#[derive(Debug)]
pub(super) struct RawDisk {
    disk: FileDisk,
    checked: DiskFile,
}

impl RawDisk {
    pub(super) fn open(checked: DiskFile) -> Result<Self, OpenDiskError> {
        let read_header = |source| OpenDiskError::ReadHeader { path: checked.path.clone(), source };
        let disk = FileDisk::open(&checked.path).map_err(read_header)?;
        if disk.size().map_err(read_header)? == 0 {
            return Err(OpenDiskError::Empty { disk: checked.path.display().to_string() });
        }
        Ok(Self { disk, checked })
    }
}

impl DiskReader for RawDisk {
    /// Asked before, during and after a backup, which makes it the place to notice a machine that started meanwhile.
    fn size(&self) -> io::Result<u64> {
        if let Some(holder) = self.checked.holder()? {
            return Err(io::Error::other(DiskChanged::InUse { path: self.checked.path.clone(), holder }));
        }
        self.disk.size()
    }

    fn extents(&self, offset: u64, length: u64) -> io::Result<Vec<Extent>> {
        self.disk.extents(offset, length)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(offset, buffer)
    }
}

/// A file as it was when reading began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    pub(super) path: PathBuf,
    pub(super) identity: (u64, u64),
    length: u64,
    modified: Option<SystemTime>,
}

impl Fingerprint {
    pub(super) fn take(path: &Path) -> io::Result<Self> {
        let metadata = path.metadata()?;
        Ok(Self {
            path: path.to_owned(),
            identity: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }

    pub(super) fn is_unchanged(&self) -> bool {
        Self::take(&self.path).is_ok_and(|now| now == *self)
    }
}
