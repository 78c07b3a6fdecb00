//! `holdfast restore SERVER --vault DIR --key-file F --to PATH`.

use super::{
    super::{
        context::Context,
        failure::Failure,
        restore::{Arguments, Wanted, one_disk, wants_directory},
        show::{size, time::span},
    },
    failed, open,
    watch::watch,
};
use crate::{
    machine::image::export::ImageExport,
    model::{job::RestoreFormat, server::DiskFormat},
};
use chrono::TimeDelta;
use holdfast_vault::{
    Control, DiskWriter, FileTarget, PointId, RecoveryPoint, RestoreReport, RestoreRequest, Vault,
};
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

/// One disk that was written.
#[derive(Debug, Serialize)]
struct Written {
    point: PointId,
    disk: String,
    target: PathBuf,
    seconds: f64,
    #[serde(flatten)]
    report: RestoreReport,
}

/// Writes the disks of one recovery point.
pub(in super::super) async fn restore(
    context: &Context,
    directory: &Path,
    key_file: &Path,
    arguments: &Arguments,
) -> Result<(), Failure> {
    let vault = open(directory, key_file).await?;
    let point = find(&vault, &arguments.what).await?;
    let names: Vec<&str> = point.disks.iter().map(|disk| disk.name.as_str()).collect();
    let to_directory = wants_directory(&arguments.to, true);
    let only = one_disk(arguments.disk.as_deref(), &names, to_directory)?;
    let mut written = Vec::new();
    for disk in names.iter().filter(|name| only.as_deref().is_none_or(|only| only == **name)) {
        let path = match only {
            Some(_) => arguments.to.clone(),
            None => arguments.to.join(file_name(disk, arguments.format)?),
        };
        written.push(one(context, &vault, &point, disk, path, arguments).await?);
    }
    context.print(&written, |written| written.iter().map(|written| text(&point, written)).collect())
}

async fn one(
    context: &Context,
    vault: &Vault,
    point: &RecoveryPoint,
    disk: &str,
    path: PathBuf,
    arguments: &Arguments,
) -> Result<Written, Failure> {
    if let Some(parent) = path.parent().filter(|_| arguments.disk.is_none()) {
        std::fs::create_dir_all(parent).map_err(|error| cannot_write(&path, &error))?;
    }
    let began = Instant::now();
    let target = Target::begin(&path, arguments.format, arguments.overwrite)?;
    let control = Control::new();
    let request = RestoreRequest {
        point: point.id,
        disk: disk.to_owned(),
        target: target.writer(),
        only_what_differs: matches!(target, Target::InPlace(_)),
    };
    let work = vault.restore_disk(request, &control);
    let report = watch(&format!("{disk} to {}", path.display()), !context.json, &control, work).await?;
    target.finish(&control).await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Written { point: point.id, disk: disk.to_owned(), target: path, seconds, report })
}

/// What a disk is written to.
enum Target {
    /// A file that appears whole or not at all.
    New(Box<ImageExport>),
    /// A file or block device that is there already; only what differs is written.
    InPlace(Arc<FileTarget>),
}

impl Target {
    fn begin(path: &Path, format: RestoreFormat, overwrite: bool) -> Result<Self, Failure> {
        let format = match format {
            RestoreFormat::Raw if overwrite && path.exists() => {
                let there = FileTarget::existing(path).map_err(|error| cannot_write(path, &error))?;
                return Ok(Self::InPlace(Arc::new(there)));
            }
            RestoreFormat::Raw => DiskFormat::Raw,
            RestoreFormat::Qcow2 => DiskFormat::Qcow2,
        };
        let export = ImageExport::begin(path, format, overwrite)
            .map_err(|error| Failure::failed(error.to_string()))?;
        Ok(Self::New(Box::new(export)))
    }

    fn writer(&self) -> Arc<dyn DiskWriter> {
        match self {
            Self::New(export) => export.writer(),
            Self::InPlace(there) => Arc::clone(there) as Arc<dyn DiskWriter>,
        }
    }

    async fn finish(self, control: &Control) -> Result<(), Failure> {
        let Self::New(export) = self else { return Ok(()) };
        let control = control.clone();
        let finished = tokio::task::spawn_blocking(move || export.finish(&|| control.is_cancelled())).await;
        finished
            .map_err(|error| {
                Failure::failed(format!(
                    "the restored disk was not put in place ({error}); nothing was written: report this"
                ))
            })?
            .map_err(|error| Failure::failed(error.to_string()))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    let remedy = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "this user may not write there: choose another place or user",
        _ => "choose another place",
    };
    Failure::failed(format!(
        "{} cannot be written ({error}); nothing was written and the vault is unchanged: {remedy}",
        path.display()
    ))
}

/// A disk's name in a vault is data: it must not lead out of the directory.
fn file_name(disk: &str, format: RestoreFormat) -> Result<String, Failure> {
    let name = crate::model::name::DiskName::new(disk)?;
    let ending = match format {
        RestoreFormat::Raw => "raw",
        RestoreFormat::Qcow2 => "qcow2",
    };
    Ok(format!("{name}.{ending}"))
}

async fn find(vault: &Vault, wanted: &Wanted) -> Result<RecoveryPoint, Failure> {
    let found = vault.points().await.map_err(failed)?;
    let mut own: Vec<RecoveryPoint> =
        found.points.into_iter().filter(|point| point.server.name == wanted.server.as_str()).collect();
    let Some(text) = &wanted.point else {
        return own.into_iter().rev().find(|point| point.expired.is_none()).ok_or_else(|| missing(wanted));
    };
    own.retain(|point| point.id.to_string().starts_with(text));
    match (own.pop(), own.is_empty()) {
        (Some(point), true) => Ok(point),
        (None, _) => Err(missing(wanted)),
        (Some(_), false) => Err(Failure::failed(format!(
            "several recovery points begin with \"{text}\"; nothing was written: give more of the id"
        ))),
    }
}

fn missing(wanted: &Wanted) -> Failure {
    let which = wanted
        .point
        .as_deref()
        .map_or("no recovery point".to_owned(), |text| format!("no recovery point \"{text}\""));
    Failure::failed(format!(
        "there is {which} of {} to restore in this vault; nothing was written: `holdfast points` with the same --vault and --key-file shows which there are",
        wanted.server
    ))
}

fn text(point: &RecoveryPoint, written: &Written) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a time for reading")]
    let took = TimeDelta::milliseconds((written.seconds * 1000.0) as i64);
    format!(
        "{} of {}@{} is in {}: {}, {} of it data, in {} ({})\n",
        written.disk,
        point.server.name,
        point.id,
        written.target.display(),
        size::human(written.report.size),
        size::human(written.report.data),
        span(took),
        size::rate(written.report.data, written.seconds),
    )
}
