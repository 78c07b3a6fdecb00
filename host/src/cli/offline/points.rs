//! `holdfast points --vault DIR --key-file F`.

use super::{
    super::{context::Context, failure::Failure, points::table},
    failed, open,
};
use crate::model::{
    name::{ServerName, VaultName},
    point::{Consistency, PointRecord, PointSizes},
};
use holdfast_vault::RecoveryPoint;
use std::path::Path;

/// Points as the appliance would list them. A vault without an appliance has no name, so it is called after its directory.
pub(in super::super) async fn points(
    context: &Context,
    directory: &Path,
    key_file: &Path,
    server: Option<&ServerName>,
    limit: usize,
) -> Result<(), Failure> {
    let vault = open(directory, key_file).await?;
    let found = vault.points().await.map_err(failed)?;
    let name = vault_name(directory);
    let mut points = Vec::new();
    for point in found.points.iter().rev() {
        let record = record(point, &name)?;
        if server.is_none_or(|server| *server == record.server) {
            points.push(record);
        }
    }
    points.truncate(limit);
    context.print(&points, |points| table(context, points))?;
    for unreadable in &found.unreadable {
        eprintln!(
            "holdfast: {} cannot be read ({}): run `holdfast verify`",
            unreadable.object, unreadable.reason
        );
    }
    if found.unreadable.is_empty() { Ok(()) } else { Err(Failure::Said) }
}

fn vault_name(directory: &Path) -> VaultName {
    let last = directory.file_name().map(|name| name.to_string_lossy().to_lowercase());
    last.and_then(|name| VaultName::new(name).ok())
        .or_else(|| VaultName::new("vault").ok())
        .unwrap_or_else(|| unreachable!("\"vault\" is a name"))
}

fn record(point: &RecoveryPoint, vault: &VaultName) -> Result<PointRecord, Failure> {
    Ok(PointRecord {
        id: point.id.to_string(),
        vault: vault.clone(),
        server: ServerName::new(&point.server.name)?,
        taken: point.created,
        consistency: match point.consistency {
            holdfast_vault::Consistency::Crash => Consistency::Crash,
            holdfast_vault::Consistency::Application => Consistency::Application,
        },
        held: point.held.is_some(),
        expired: point.expired.as_ref().map(|expiry| expiry.at),
        run: None,
        sizes: PointSizes {
            disks: point.stats.size,
            read: point.stats.read,
            changed: point.stats.changed,
            incompressible: point.stats.incompressible,
            stored: point.stats.stored,
        },
        disks: point.disks.iter().map(|disk| (disk.name.clone(), disk.size)).collect(),
        verified: None,
    })
}
