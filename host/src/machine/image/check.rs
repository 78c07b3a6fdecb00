//! Whether an image is whole: QEMU reads what lies beyond the end of a cut-off image as zeroes, without a word, and a
//! recovery point full of such zeroes would look fine until it is needed.
//!
//! `qemu-img check` follows the tables of qcow2 and VMDK images, which takes about a second for each terabyte of disk. It knows
//! no check for VHDX, whose files always are whole mebibytes, so that one is looked at here.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::program::{Programs, QEMU_IMG, finish, readable};
use super::error::OpenDiskError;
use super::file::DiskFile;

/// Enough for hundreds of terabytes; an image built to be checked for ever does not hold up a backup for longer.
const PATIENCE: Duration = Duration::from_secs(600);
const CORRUPT: i32 = 2;
const LEAKS_ONLY: i32 = 3;
const NOT_SUPPORTED: i32 = 63;

/// Checks one layer of a chain, by the description QEMU was given of it.
pub(super) fn check(programs: &Programs, image: &Path, node: &Value) -> Result<(), OpenDiskError> {
    let path = image.to_owned();
    let mut child = programs
        .command(QEMU_IMG, ["check", "--output=json", &format!("json:{node}")])
        .map_err(|source| OpenDiskError::MissingProgram { path: path.clone(), source })?
        .spawn()
        .map_err(|source| OpenDiskError::StartQemuNbd { path: path.clone(), source })?;
    let deadline = Instant::now() + PATIENCE;
    let outcome = finish(&mut child, &|| Instant::now() > deadline)
        .map_err(|source| OpenDiskError::StartQemuNbd { path: path.clone(), source })?;
    let Some((status, said)) = outcome else {
        return Err(OpenDiskError::QemuNbdSilent { path, seconds: PATIENCE.as_secs() });
    };
    match status.code() {
        Some(0 | LEAKS_ONLY | NOT_SUPPORTED) => Ok(()),
        Some(CORRUPT) => Err(OpenDiskError::Corrupt { path, message: readable(&said) }),
        _ => Err(OpenDiskError::QemuNbdRefused { path, message: readable(&said) }),
    }
}

pub(super) fn check_vhdx_length(disk: &DiskFile) -> Result<(), OpenDiskError> {
    const UNIT: u64 = 1024 * 1024;
    if disk.block_device || disk.metadata.len().is_multiple_of(UNIT) {
        return Ok(());
    }
    Err(OpenDiskError::Malformed { path: disk.path.clone(), what: "its end is cut off" })
}
