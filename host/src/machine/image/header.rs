//! Telling image formats apart by their magic numbers. Pure: what flows in is the start and the end of a file.

/// How much of a file's start is looked at.
pub(super) const HEAD: usize = 64 * 1024;
/// How much of its end.
pub(super) const TAIL: usize = 512;
/// A VMDK descriptor is a text of a few lines. A guest's disk is never this small, so a text on it is not mistaken for one.
const MAX_DESCRIPTOR: u64 = 64 * 1024;

/// What a file's bytes say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No format leaves a mark like this: the bytes are the disk's own.
    Raw,
    Qcow2,
    /// A VMDK with its descriptor inside.
    VmdkSparse,
    /// A text that names the files of a VMDK.
    VmdkDescriptor,
    Vhdx,
    /// A known format that is not read.
    Other(&'static str),
}

impl Found {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Raw => "a disk without a header",
            Self::Qcow2 => "a qcow2 image",
            Self::VmdkSparse => "a VMDK image",
            Self::VmdkDescriptor => "a VMDK descriptor",
            Self::Vhdx => "a VHDX image",
            Self::Other(name) => name,
        }
    }
}

/// `head` is the first [`HEAD`] bytes, `tail` the last [`TAIL`], each shorter if the file of `length` bytes is.
pub(super) fn identify(head: &[u8], tail: &[u8], length: u64) -> Found {
    if head.starts_with(b"QFI\xfb") {
        Found::Qcow2
    } else if head.starts_with(b"KDMV") {
        Found::VmdkSparse
    } else if head.starts_with(b"vhdxfile") {
        Found::Vhdx
    } else if length <= MAX_DESCRIPTOR && head.trim_ascii_start().starts_with(b"# Disk DescriptorFile") {
        Found::VmdkDescriptor
    } else if head.starts_with(b"COWD") {
        Found::Other("one extent of a VMware ESX disk (name its descriptor file instead)")
    } else if head.starts_with(b"QED\0") {
        Found::Other("a QED image")
    } else if head.get(64..68) == Some(&[0x7f, 0x10, 0xda, 0xbe]) {
        Found::Other("a VirtualBox VDI image")
    } else if head.starts_with(b"conectix") || tail.starts_with(b"conectix") {
        Found::Other("a VHD image")
    } else {
        Found::Raw
    }
}
