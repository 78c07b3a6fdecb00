//! Why a disk cannot be read, told to the person who named it.

use std::io;
use std::path::PathBuf;

use holdfast_nbd::{ConnectExport, ParseUri, ReadExport};

use super::super::program::MissingProgram;

/// Why a disk could not be opened. No recovery point was begun, and existing ones are untouched, in every case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenDiskError {
    #[error(
        "the disk path {path} is not absolute; nothing was read. Give the whole path, from / on", path = .path.display()
    )]
    Relative { path: PathBuf },
    #[error(
        "there is no disk at {path}; nothing was backed up, older recovery points are untouched. Correct the path, or \
         mount the storage it lies on", path = .path.display()
    )]
    Missing { path: PathBuf },
    #[error(
        "this appliance may not read {path}; nothing was backed up. Allow its user to read the file and to enter the \
         folders above it", path = .path.display()
    )]
    NotPermitted { path: PathBuf },
    #[error("{path} is {what}, not a disk; nothing was read. Name a disk image or a block device", path = .path.display())]
    NotADisk { path: PathBuf, what: &'static str },
    #[error(
        "{disk} is empty; nothing was backed up, older recovery points are untouched. Check that it is the right disk"
    )]
    Empty { disk: String },
    #[error(
        "the start of {path} could not be read; nothing was backed up. Check the storage it lies on", path = .path.display()
    )]
    ReadHeader { path: PathBuf, source: io::Error },
    #[error(
        "{path} is in use by {holder}, so a copy of it would not hold together; nothing was backed up. Shut that machine \
         down first, or back up a snapshot of the disk", path = .path.display()
    )]
    InUse { path: PathBuf, holder: String },
    #[error("{path} is not a {expected} image ({found}); nothing was read. Correct the disk's format", path = .path.display())]
    NotOfFormat { path: PathBuf, expected: &'static str, found: String },
    #[error(
        "{path} is {found}, which cannot be read; nothing was read. Convert it with qemu-img convert, or set the disk's \
         format to raw if it is a plain copy of a disk after all", path = .path.display()
    )]
    UnsupportedFormat { path: PathBuf, found: &'static str },
    #[error("{path} is damaged: {what}; nothing was read. Check it with qemu-img check", path = .path.display())]
    Malformed { path: PathBuf, what: &'static str },
    #[error(
        "{path} is damaged or cut off ({message}); nothing was backed up, because the missing parts would read as zeroes. \
         Copy the image again, or repair it with qemu-img check -r all", path = .path.display()
    )]
    Corrupt { path: PathBuf, message: String },
    #[error("{path} cannot be read: {what}; nothing was read. {remedy}", path = .path.display())]
    Unreadable { path: PathBuf, what: &'static str, remedy: &'static str },
    #[error(
        "{path} is an overlay on \"{reference}\"; nothing was read, because a guest could have written that into its own \
         disk. If it is right, set the disk's format instead of auto", path = .path.display()
    )]
    OverlayNeedsFormat { path: PathBuf, reference: String },
    #[error(
        "{path} refers to \"{reference}\", which is not a file in the same folder; nothing was read, because an image could \
         so show any file of this box. Put the files side by side, or merge them with qemu-img convert", path = .path.display()
    )]
    OutsideFolder { path: PathBuf, reference: String },
    #[error(
        "{path} does not say in which format its backing file \"{reference}\" is; nothing was read, because guessing would \
         trust what a guest wrote. Say it with qemu-img rebase -u -F FORMAT -b FILE", path = .path.display()
    )]
    BackingFormat { path: PathBuf, reference: String },
    #[error(
        "qemu-nbd opened {opened}, which {path} has no business with; it was stopped and nothing was read. Treat the image \
         as hostile", path = .path.display(), opened = .opened.display()
    )]
    OpenedMore { path: PathBuf, opened: PathBuf },
    #[error("reading {path} needs another program; nothing was backed up", path = .path.display())]
    MissingProgram { path: PathBuf, source: MissingProgram },
    #[error("qemu-nbd could not be started for {path}; nothing was backed up. Check the box's memory and limits", path = .path.display())]
    StartQemuNbd { path: PathBuf, source: io::Error },
    #[error("qemu-nbd cannot open {path}: {message}; nothing was backed up. Check the image with qemu-img check", path = .path.display())]
    QemuNbdRefused { path: PathBuf, message: String },
    #[error(
        "qemu-nbd did not get ready to read {path} within {seconds} s; nothing was backed up. Check the storage it lies on \
         and how busy this box is", path = .path.display()
    )]
    QemuNbdSilent { path: PathBuf, seconds: u64 },
    #[error(transparent)]
    Uri(#[from] ParseUri),
    #[error(transparent)]
    Export(#[from] ConnectExport),
}

/// Why a disk that was open can no longer be relied on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskChanged {
    #[error(
        "{path} came into use by {holder} while it was read, so what was read does not hold together. Run the backup again \
         when that machine is off", path = .path.display()
    )]
    InUse { path: PathBuf, holder: String },
    #[error(
        "something wrote to {path} while it was read, so what was read does not hold together. Run the backup again when \
         nothing uses the image", path = .path.display()
    )]
    Written { path: PathBuf },
    #[error(
        "qemu-nbd ended while it read {path}{said}. Check the image with qemu-img check and run the backup again",
        path = .path.display()
    )]
    ReaderEnded { path: PathBuf, said: String },
    #[error(
        "part of {path} could not be read. Check the image with qemu-img check and the storage it lies on, then run the \
         backup again", path = .path.display()
    )]
    Unreadable { path: PathBuf, source: ReadExport },
}
