//! Writing a restored disk as a file, in the format a person asked for.
//!
//! ```text
//!  begin ─▶ .NAME.holdfast-part (raw, sparse, locked) ─▶ finish ─▶ qemu-img convert ─▶ .NAME.holdfast-image ─▶ NAME
//!             the vault restores into this                          (not for raw)             one rename, at the end
//! ```
//!
//! The file a person asked for appears whole and synced, or not at all: until the last rename only files with names of
//! our own exist beside it, and they are removed when an [`ImageExport`] goes, however it goes. What a killed process left
//! of them is overwritten by the next restore to the same place. An existing file is replaced only when that was asked for,
//! and never while a machine uses it.
//!
//! Converting needs room for the disk's data twice, for a while. In return nothing but QEMU's own tool ever writes the
//! formats, and a restore that fails half-way has never made a file that looks finished.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_vault::{DiskWriter, FileTarget};
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};

use super::super::program::{MissingProgram, Programs, QEMU_IMG, finish, readable};
use super::locks;
use crate::model::server::DiskFormat;

/// Why a disk could not be written as a file. The recovery point is untouched in every case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportDiskError {
    #[error("{target} exists already; it was left as it is. Choose another name, or ask for it to be replaced", target = .target.display())]
    Exists { target: PathBuf },
    #[error("{target} is {what}; nothing was written. Name a file to restore to", target = .target.display())]
    NotAFile { target: PathBuf, what: &'static str },
    #[error("the folder {folder} cannot be written to; nothing was restored. Create it, or let this user write there", folder = .folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("{target} is in use by {holder}; it was left as it is. Shut that machine down first", target = .target.display())]
    InUse { target: PathBuf, holder: String },
    #[error("another restore is writing {target}; this one wrote nothing. Wait for the other to end", target = .target.display())]
    Busy { target: PathBuf },
    #[error("writing {target} in this format needs another program; nothing was restored", target = .target.display())]
    MissingProgram { target: PathBuf, source: MissingProgram },
    #[error("{target} was not written, because the restore was cancelled; nothing was left behind", target = .target.display())]
    Cancelled { target: PathBuf },
    #[error(
        "converting the restored disk to {target} failed: {message}; nothing was left behind. Check that there is room for \
         the disk's data twice, or restore as raw", target = .target.display()
    )]
    Convert { target: PathBuf, message: String },
    #[error(
        "the restored disk could not be put in place as {target}; nothing was left behind. Check the storage it lies on and \
         restore again", target = .target.display()
    )]
    Finish { target: PathBuf, source: io::Error },
}

/// A disk on its way to becoming a file.
#[derive(Debug)]
pub struct ImageExport {
    target: PathBuf,
    format: DiskFormat,
    replace: bool,
    programs: Programs,
    part: PathBuf,
    image: PathBuf,
    writer: Arc<FileTarget>,
    /// Holds the lock that keeps a second restore from the same place.
    _lock: File,
}

impl ImageExport {
    /// Makes ready to write `target`. Everything that can be refused is refused here, before a long restore.
    pub fn begin(target: &Path, format: DiskFormat, replace: bool) -> Result<Self, ExportDiskError> {
        Self::begin_with(target, format, replace, Programs::from_environment())
    }

    pub(super) fn begin_with(
        target: &Path,
        format: DiskFormat,
        replace: bool,
        programs: Programs,
    ) -> Result<Self, ExportDiskError> {
        let target = std::path::absolute(target)
            .map_err(|source| ExportDiskError::Folder { folder: target.to_owned(), source })?;
        check_target(&target, replace)?;
        if format_option(format).is_some() {
            let missing = |source| ExportDiskError::MissingProgram { target: target.clone(), source };
            programs.command(QEMU_IMG, ["--version"]).map_err(missing)?;
        }
        let (part, image) = (beside(&target, "part"), beside(&target, "image"));
        let lock = take_part(&target, &part)?;
        let writer = FileTarget::existing(&part).map_err(|source| folder_error(&target, source))?;
        Ok(Self { target, format, replace, programs, part, image, writer: Arc::new(writer), _lock: lock })
    }

    /// Where the vault restores to.
    pub fn writer(&self) -> Arc<dyn DiskWriter> {
        Arc::clone(&self.writer) as Arc<dyn DiskWriter>
    }

    /// Converts what was restored and puts it in place. Blocks; looks at `cancelled` many times a second.
    pub fn finish(self, cancelled: &dyn Fn() -> bool) -> Result<(), ExportDiskError> {
        let ready = match format_option(self.format) {
            Some(format) => {
                self.convert(format, cancelled)?;
                &self.image
            }
            None => &self.part,
        };
        if cancelled() {
            return Err(ExportDiskError::Cancelled { target: self.target.clone() });
        }
        if self.replace {
            // A machine may have been started on the old file while we restored.
            check_target(&self.target, true)?;
        }
        put_in_place(ready, &self.target, self.replace).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => ExportDiskError::Exists { target: self.target.clone() },
            _ => ExportDiskError::Finish { target: self.target.clone(), source },
        })
    }

    fn convert(&self, format: &str, cancelled: &dyn Fn() -> bool) -> Result<(), ExportDiskError> {
        let failed = |message: String| ExportDiskError::Convert { target: self.target.clone(), message };
        let missing = |source| ExportDiskError::MissingProgram { target: self.target.clone(), source };
        let arguments: [OsString; 7] = [
            "convert".into(),
            "-f".into(),
            "raw".into(),
            "-O".into(),
            format.into(),
            self.part.clone().into(),
            self.image.clone().into(),
        ];
        let mut command = self.programs.command(QEMU_IMG, arguments).map_err(missing)?;
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        match finish(&mut child, cancelled).map_err(|error| failed(error.to_string()))? {
            None => Err(ExportDiskError::Cancelled { target: self.target.clone() }),
            Some((status, _)) if status.success() => Ok(()),
            Some((_, said)) => Err(failed(readable(&said))),
        }
    }
}

impl Drop for ImageExport {
    fn drop(&mut self) {
        // Gone already if one of them became the target. The lock is released after this.
        let _ = std::fs::remove_file(&self.image);
        let _ = std::fs::remove_file(&self.part);
    }
}

/// What `qemu-img` calls the format; nothing for a format that needs no converting.
fn format_option(format: DiskFormat) -> Option<&'static str> {
    match format {
        DiskFormat::Auto | DiskFormat::Raw => None,
        DiskFormat::Qcow2 => Some("qcow2"),
        DiskFormat::Vmdk => Some("vmdk"),
        DiskFormat::Vhdx => Some("vhdx"),
    }
}

fn beside(target: &Path, kind: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".holdfast-");
    name.push(kind);
    target.with_file_name(name)
}

fn check_target(target: &Path, replace: bool) -> Result<(), ExportDiskError> {
    let target = target.to_owned();
    if target.file_name().is_none() {
        return Err(ExportDiskError::NotAFile { target, what: "no file name" });
    }
    let metadata = match target.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(folder_error(&target, source)),
    };
    if metadata.is_dir() {
        return Err(ExportDiskError::NotAFile { target, what: "a folder" });
    }
    if !metadata.is_file() {
        // Renaming over a link or a device would replace the name, not what it stands for.
        return Err(ExportDiskError::NotAFile { target, what: "a link or a special file" });
    }
    if !replace {
        return Err(ExportDiskError::Exists { target });
    }
    match locks::holder(&metadata) {
        Ok(None) => Ok(()),
        Ok(Some(holder)) => Err(ExportDiskError::InUse { target, holder }),
        Err(source) => Err(folder_error(&target, source)),
    }
}

/// Creates the file to restore into, or takes over what a killed restore left, and locks it.
fn take_part(target: &Path, part: &Path) -> Result<File, ExportDiskError> {
    let failed = |source| folder_error(target, source);
    let busy = || ExportDiskError::Busy { target: target.to_owned() };
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(part).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(busy()),
        Err(error) => return Err(failed(error.into())),
    }
    // Whoever had the lock before may have removed the name between our opening and our locking.
    let ours = file.metadata().map_err(failed)?;
    let there = part.symlink_metadata().map_err(|_| busy())?;
    if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
        return Err(busy());
    }
    file.set_len(0).map_err(failed)?;
    Ok(file)
}

/// Makes `ready` durable and gives it its name, in one step that never replaces a file unasked.
fn put_in_place(ready: &Path, target: &Path, replace: bool) -> io::Result<()> {
    File::open(ready)?.sync_all()?;
    if replace {
        std::fs::rename(ready, target)?;
    } else {
        match renameat_with(CWD, ready, CWD, target, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            // Not every file system knows how; a second name does the same in two steps.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => {
                std::fs::hard_link(ready, target)?;
                std::fs::remove_file(ready)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    File::open(target.parent().unwrap_or(Path::new("/")))?.sync_all()
}

fn folder_error(target: &Path, source: io::Error) -> ExportDiskError {
    ExportDiskError::Folder { folder: target.parent().unwrap_or(target).to_owned(), source }
}
