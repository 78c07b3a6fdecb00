//! Writing a recovery point's disks to files or devices.

use super::{Tasks, Trouble, bytes, watched};
use crate::{
    capability::context::RunContext,
    machine::image::export::{ExportDiskError, ImageExport},
    model::{job::RestoreFormat, name::VaultName, run::LogLevel, server::DiskFormat},
};
use holdfast_vault::{
    Control, DiskWriter, FileTarget, PointId, RecoveryPoint, RestoreReport, RestoreRequest, Vault,
};
use std::{
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What to restore, and where to.
pub(super) struct Order {
    pub(super) vault: VaultName,
    pub(super) point: String,
    pub(super) disk: Option<String>,
    pub(super) target: PathBuf,
    pub(super) format: RestoreFormat,
    pub(super) overwrite: bool,
}

impl Tasks {
    pub(super) async fn restore(&self, order: Order, context: &RunContext) -> Result<String, Trouble> {
        let vault = self.vaults.open(&order.vault).await?;
        let point = self.vaults.point(&order.vault, &order.point).await?;
        let disks = places(&order, &point)?;
        if context.dry_run {
            let names: Vec<String> = disks.iter().map(|(_, path)| path.display().to_string()).collect();
            return Ok(format!("dry run, nothing was written; this would write {}", names.join(", ")));
        }
        let mut written = 0;
        for (disk, path) in &disks {
            let report = one_disk(&vault, point.id, disk, path, &order, context).await?;
            let line = format!(
                "disk {disk} of {} restored to {}: {}, of which {} are data",
                point.server.name,
                path.display(),
                bytes(report.size),
                bytes(report.data)
            );
            context.sink.log(LogLevel::Info, line);
            written += report.written;
        }
        Ok(format!(
            "{} disks of {} as of {} restored to {}; {} written",
            disks.len(),
            point.server.name,
            point.created.format("%Y-%m-%d %H:%M:%S UTC"),
            order.target.display(),
            bytes(written)
        ))
    }
}

/// Each disk and where it goes. A single disk may name its file; several go into a directory.
fn places(order: &Order, point: &RecoveryPoint) -> Result<Vec<(String, PathBuf)>, Trouble> {
    let extension = match order.format {
        RestoreFormat::Raw => "raw",
        RestoreFormat::Qcow2 => "qcow2",
    };
    let inside = |disk: &str| order.target.join(format!("{disk}.{extension}"));
    if let Some(disk) = &order.disk {
        let path = if order.target.is_dir() { inside(disk) } else { order.target.clone() };
        return Ok(vec![(disk.clone(), path)]);
    }
    std::fs::create_dir_all(&order.target).map_err(|source| {
        Trouble::Failed(format!(
            "{} is no directory and cannot be made one ({source}); nothing was written; name a directory, or one disk and a file",
            order.target.display()
        ))
    })?;
    // A disk's name comes out of the vault: only its last part may become a file name.
    let file = |name: &str| Path::new(name).file_name().is_some_and(|last| last == name);
    match point.disks.iter().find(|disk| !file(&disk.name)) {
        Some(odd) => Err(Trouble::Failed(format!(
            "disk \"{}\" has a name that cannot be a file's; nothing was written; restore it by itself to a file you name",
            odd.name
        ))),
        None => Ok(point.disks.iter().map(|disk| (disk.name.clone(), inside(&disk.name))).collect()),
    }
}

async fn one_disk(
    vault: &Vault,
    point: PointId,
    disk: &str,
    path: &Path,
    order: &Order,
    context: &RunContext,
) -> Result<RestoreReport, Trouble> {
    let control = Control::new();
    if let Some(target) = in_place(path, order)? {
        let request = RestoreRequest { point, disk: disk.to_owned(), target, only_what_differs: true };
        return Ok(watched(context, &control, disk, vault.restore_disk(request, &control)).await?);
    }
    let format = match order.format {
        RestoreFormat::Raw => DiskFormat::Raw,
        RestoreFormat::Qcow2 => DiskFormat::Qcow2,
    };
    let export = ImageExport::begin(path, format, order.overwrite).map_err(trouble)?;
    let target = export.writer();
    let request = RestoreRequest { point, disk: disk.to_owned(), target, only_what_differs: false };
    let report = watched(context, &control, disk, vault.restore_disk(request, &control)).await?;
    let cancel = context.cancel.clone();
    tokio::task::spawn_blocking(move || export.finish(&|| cancel.is_cancelled()))
        .await
        .map_err(|_| {
            Trouble::Failed("a bug in the appliance stopped the restore; the target is not there".to_owned())
        })?
        .map_err(trouble)?;
    Ok(report)
}

/// The target if it is written where it is: a device, or a raw file that may be written over, of which only what differs
/// is touched.
fn in_place(path: &Path, order: &Order) -> Result<Option<Arc<dyn DiskWriter>>, Trouble> {
    let Ok(found) = std::fs::metadata(path) else { return Ok(None) };
    let device = found.file_type().is_block_device();
    if device && !order.overwrite {
        return Err(Trouble::Failed(format!(
            "{} is a device with contents of its own; nothing was written; ask for it to be overwritten if that is meant",
            path.display()
        )));
    }
    let raw = order.format == RestoreFormat::Raw;
    if device && !raw {
        return Err(Trouble::Failed(format!(
            "{} is a device and takes raw bytes only; nothing was written; restore to it as raw",
            path.display()
        )));
    }
    if !(order.overwrite && raw && (device || found.is_file())) {
        return Ok(None);
    }
    let target = FileTarget::existing(path).map_err(|source| {
        Trouble::Failed(format!(
            "{} cannot be opened for writing ({source}); nothing was written; check its permissions",
            path.display()
        ))
    })?;
    Ok(Some(Arc::new(target)))
}

fn trouble(error: ExportDiskError) -> Trouble {
    match error {
        ExportDiskError::Cancelled { .. } => Trouble::Cancelled,
        error => Trouble::Failed(error.to_string()),
    }
}
