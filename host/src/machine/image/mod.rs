//! Disks of kind `image`: whatever this box can read without the help of a hypervisor.
//!
//! [`open`] turns a [`DiskLocation`] into a [`DiskReader`]; [`detect`] says what format a file is in, for the moment a
//! server is added; [`export`] writes a restored disk in another format.
//!
//! An image comes from outside and may be hostile, and the guest on a raw disk writes its every byte. Hence:
//!
//! - formats are told apart here, by magic number, never by QEMU; a block device is raw unless a person said otherwise,
//!   and whoever adds a server should store what [`detect`] found instead of asking at each backup;
//! - what an image says of other files is read here and must lie in its own folder (`chain`), and an image whose format
//!   nobody but its own header vouches for may not refer to other files at all;
//! - QEMU gets a complete description of what to open (`chain`), runs as a process of its own without new privileges
//!   (`qemu_nbd`), and what it has opened is compared with what it should have before a byte is used (`served`).
//!
//! A disk that is being written is refused, when it is opened and while it is read: QEMU's locks and exclusive locks are
//! looked up in the kernel's list (`locks`), a mounted block device is noticed, a changed image file too. Not noticed:
//! a program that writes a raw file without any lock, or from another machine through a share. An image that is cut off
//! or damaged is refused (`check`), because QEMU would read the missing parts as zeroes.

mod chain;
mod check;
mod error;
pub mod export;
mod file;
mod header;
mod locks;
mod qcow2;
mod qemu_nbd;
mod served;
mod vmdk;

#[cfg(test)]
mod tests;

use std::path::Path;

use holdfast_nbd::{ClientOptions, NbdClient, NbdUri};
use holdfast_vault::DiskReader;

use self::chain::FormatBy;
use self::file::{DiskFile, RawDisk};
use self::header::Found;
use self::served::{ExportDisk, ImageDisk};
use super::program::Programs;
use crate::model::server::{DiskFormat, DiskLocation};

pub use error::{DiskChanged, OpenDiskError};

/// Opens a disk for reading. Blocks, for as long as half a minute if a server or a share is slow.
pub fn open(location: &DiskLocation) -> Result<Box<dyn DiskReader>, OpenDiskError> {
    open_with(location, &Programs::from_environment())
}

/// What format a file is in, by its first bytes. Never [`DiskFormat::Auto`].
pub fn detect(path: &Path) -> Result<DiskFormat, OpenDiskError> {
    detect_open(&DiskFile::open(path)?)
}

fn open_with(location: &DiskLocation, programs: &Programs) -> Result<Box<dyn DiskReader>, OpenDiskError> {
    match location {
        DiskLocation::Nbd { uri } => {
            let client = NbdClient::connect(&NbdUri::parse(uri)?, ClientOptions::default())?;
            Ok(Box::new(ExportDisk::new(client)?))
        }
        DiskLocation::File { path, format } => {
            let disk = DiskFile::open(path)?;
            let (format, by) = match format {
                DiskFormat::Auto => (detect_open(&disk)?, FormatBy::Header),
                known => (*known, FormatBy::Person),
            };
            if format == DiskFormat::Raw {
                return Ok(Box::new(RawDisk::open(disk)?));
            }
            if !disk.block_device && disk.metadata.len() == 0 {
                return Err(OpenDiskError::Empty { disk: disk.path.display().to_string() });
            }
            let chain = chain::build(&disk, format, by)?;
            Ok(Box::new(ImageDisk::open(programs, disk.path, &chain)?))
        }
    }
}

fn detect_open(disk: &DiskFile) -> Result<DiskFormat, OpenDiskError> {
    if disk.block_device {
        return Ok(DiskFormat::Raw);
    }
    match disk.identify()? {
        Found::Raw => Ok(DiskFormat::Raw),
        Found::Qcow2 => Ok(DiskFormat::Qcow2),
        Found::VmdkSparse | Found::VmdkDescriptor => Ok(DiskFormat::Vmdk),
        Found::Vhdx => Ok(DiskFormat::Vhdx),
        Found::Other(found) => Err(OpenDiskError::UnsupportedFormat { path: disk.path.clone(), found }),
    }
}

fn format_name(format: DiskFormat) -> &'static str {
    match format {
        DiskFormat::Auto | DiskFormat::Raw => "raw",
        DiskFormat::Qcow2 => "qcow2",
        DiskFormat::Vmdk => "VMDK",
        DiskFormat::Vhdx => "VHDX",
    }
}
