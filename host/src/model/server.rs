//! A protected machine and where its disks can be read.

use super::name::{DiskName, ServerName, Tag};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A protected machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Unique name on this appliance.
    pub name: ServerName,
    /// What technology the server is; `image` is disks this box can read.
    #[serde(default)]
    pub kind: ServerKind,
    /// Labels that jobs and grants can name.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// All disks; a recovery point holds all of them or does not exist.
    pub disks: Vec<Disk>,
    /// The oldest the newest recovery point may be, in minutes, before the server counts as not recoverable.
    #[serde(default = "default_rpo")]
    pub rpo_minutes: u32,
}

fn default_rpo() -> u32 {
    24 * 60
}

/// The technology behind a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerKind {
    /// Disks the box can read: raw, qcow2, VMDK, VHDX, block devices, NBD.
    #[default]
    Image,
}

/// One disk of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Unique within the server; `disk0`, `disk1`, … unless given.
    pub name: DiskName,
    /// Where its bytes are.
    pub location: DiskLocation,
}

/// Where a disk's bytes can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum DiskLocation {
    /// A file or block device on this box.
    File {
        /// Absolute path.
        #[schema(value_type = String)]
        path: PathBuf,
        /// The image format; `auto` looks at the file's first bytes, never at what the guest wrote.
        #[serde(default)]
        format: DiskFormat,
    },
    /// A network block device: `nbd://host:port/export` or `nbd+unix:///export?socket=PATH`.
    Nbd {
        /// The NBD URI.
        uri: String,
    },
}

impl DiskLocation {
    /// A location from what a person typed: a URI if it looks like one, else a path.
    pub fn from_text(text: &str) -> Self {
        if text.starts_with("nbd://") || text.starts_with("nbd+unix://") {
            Self::Nbd { uri: text.to_owned() }
        } else {
            Self::File { path: PathBuf::from(text), format: DiskFormat::Auto }
        }
    }
}

impl std::fmt::Display for DiskLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "{}", path.display()),
            Self::Nbd { uri } => f.write_str(uri),
        }
    }
}

/// A disk image's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFormat {
    /// Decide by the file's header.
    #[default]
    Auto,
    /// Bytes as they are; also block devices.
    Raw,
    /// QEMU copy-on-write, version 2 or 3.
    Qcow2,
    /// VMware virtual disk.
    Vmdk,
    /// Hyper-V virtual disk.
    Vhdx,
}
