//! Machines: where the disks of a server are read, and later where servers run.
//!
//! What flows in: a [`DiskLocation`](crate::model::server::DiskLocation) a person gave. What flows out: a
//! [`DiskReader`](holdfast_vault::DiskReader) the vault can back up from, or a file in the image format a person asked
//! for. One folder per technology; [`image`] is the one that needs nothing but the disks themselves.
//!
//! ```text
//!   raw file, block device ───────────────────────────────▶ ┐
//!   qcow2, VMDK, VHDX ──▶ qemu-nbd --read-only (private) ──▶ ├─ DiskReader ──▶ vault
//!   nbd://, nbd+unix:// ─────────────▶ holdfast-nbd ────────▶ ┘
//! ```
//!
//! This room starts programs (`qemu-nbd`, `qemu-img`), always with an argument vector, never through a shell, always so
//! that they end with the appliance. It knows nothing of jobs, plugins, grants or the store, and it never writes to a
//! disk it reads.
//!
//! Current limitations: disks of running virtual machines are refused, because a copy of a disk that changes meanwhile is
//! no recovery point.

pub mod image;
mod program;
