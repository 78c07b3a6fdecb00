//! Disks read over NBD: from a server a person named, or from our own `qemu-nbd`.

use std::io;
use std::path::PathBuf;

use holdfast_nbd::{NbdClient, ReadExport};
use holdfast_vault::{DiskReader, Extent};

use super::super::program::Programs;
use super::chain::Chain;
use super::check::check;
use super::error::{DiskChanged, OpenDiskError};
use super::file::Fingerprint;
use super::qemu_nbd::QemuNbd;

/// An export of somebody's NBD server.
#[derive(Debug)]
pub(super) struct ExportDisk {
    client: NbdClient,
}

impl ExportDisk {
    pub(super) fn new(client: NbdClient) -> Result<Self, OpenDiskError> {
        if client.size() == 0 {
            return Err(OpenDiskError::Empty { disk: client.uri().to_string() });
        }
        Ok(Self { client })
    }
}

impl DiskReader for ExportDisk {
    fn size(&self) -> io::Result<u64> {
        Ok(self.client.size())
    }

    fn extents(&self, offset: u64, length: u64) -> io::Result<Vec<Extent>> {
        extents(&self.client, offset, length).map_err(io::Error::other)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.client.read_at(offset, buffer).map_err(io::Error::other)
    }
}

/// An image file in a format that needs QEMU. Fields are dropped in order: the connections before their server.
#[derive(Debug)]
pub(super) struct ImageDisk {
    client: NbdClient,
    qemu: QemuNbd,
    path: PathBuf,
    files: Vec<Fingerprint>,
}

impl ImageDisk {
    pub(super) fn open(programs: &Programs, path: PathBuf, chain: &Chain) -> Result<Self, OpenDiskError> {
        let read_header = |source| OpenDiskError::ReadHeader { path: path.clone(), source };
        let files: Vec<_> = chain
            .files
            .iter()
            .map(|file| Fingerprint::take(file))
            .collect::<Result<_, _>>()
            .map_err(read_header)?;
        let qemu = QemuNbd::start(programs, &path, &chain.node)?;
        let client = qemu.connect()?;
        let allowed: Vec<_> = files.iter().map(|file| file.identity).collect();
        if let Some(opened) = qemu.opened_beyond(&allowed).map_err(read_header)? {
            return Err(OpenDiskError::OpenedMore { path, opened });
        }
        if client.size() == 0 {
            return Err(OpenDiskError::Empty { disk: path.display().to_string() });
        }
        // Now, because from now on QEMU's lock keeps the image as it is.
        for (layer, node) in &chain.layers {
            check(programs, layer, node)?;
        }
        Ok(Self { client, qemu, path, files })
    }

    fn failed(&self, source: ReadExport) -> io::Error {
        let path = self.path.clone();
        let ended = if source.is_temporary() { self.qemu.ended_just_now() } else { self.qemu.ended() };
        io::Error::other(match ended {
            Some(said) if said.is_empty() => DiskChanged::ReaderEnded { path, said },
            Some(said) => DiskChanged::ReaderEnded { path, said: format!(" (\"{said}\")") },
            None => DiskChanged::Unreadable { path, source },
        })
    }
}

impl DiskReader for ImageDisk {
    /// Asked before, during and after a backup, which makes it the place to notice a writer that heeds no locks.
    fn size(&self) -> io::Result<u64> {
        match self.files.iter().find(|file| !file.is_unchanged()) {
            Some(file) => Err(io::Error::other(DiskChanged::Written { path: file.path.clone() })),
            None => Ok(self.client.size()),
        }
    }

    fn extents(&self, offset: u64, length: u64) -> io::Result<Vec<Extent>> {
        extents(&self.client, offset, length).map_err(|source| self.failed(source))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.client.read_at(offset, buffer).map_err(|source| self.failed(source))
    }
}

fn extents(client: &NbdClient, offset: u64, length: u64) -> Result<Vec<Extent>, ReadExport> {
    let found = client.block_status(offset, length)?;
    Ok(found
        .into_iter()
        .map(|extent| Extent {
            offset: extent.offset,
            length: extent.length,
            hole: extent.kind.reads_as_zeroes(),
        })
        .collect())
}
