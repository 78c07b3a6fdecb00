//! The small objects: each is read and opened.

use futures::FutureExt;
use object_store::path::Path;
use serde::de::IgnoredAny;

use super::VerifyReport;
use crate::catalog::{Catalog, ManifestCache, open_record};
use crate::config;
use crate::error::Result;
use crate::layout;
use crate::object::a_few_at_a_time;
use crate::seal::Kind;
use crate::vault::Inner;

/// Records by where they lie.
const RECORDS: [(&str, Kind); 6] = [
    (layout::TOMBSTONES, Kind::Tombstone),
    (layout::HOLDS, Kind::Hold),
    (layout::INTENTS, Kind::Intent),
    (layout::DAMAGED, Kind::Damage),
    (layout::CLOCK, Kind::Clock),
    (layout::CONDEMNED, Kind::Condemned),
];

/// Checks config, manifests and records; hands back the manifests that can be read.
pub(super) async fn objects(vault: &Inner, report: &mut VerifyReport) -> Result<Catalog> {
    let (objects, keys) = (&vault.objects, &vault.keys);
    match config::check(objects, keys).await {
        Ok(()) => {}
        Err(error) => report.note(layout::CONFIG, error)?,
    }
    report.objects += 1;
    // Not what was read before: what is there now.
    let mut catalog = Catalog::load(objects, keys, &ManifestCache::default()).await?;
    let pending = Catalog::load_pending(objects, keys).await?;
    report.points = catalog.points.len() as u64;
    report.objects += report.points + pending.points.len() as u64;
    for (path, error) in catalog.unreadable.drain(..).chain(pending.unreadable) {
        report.objects += 1;
        report.note(path.as_ref(), error)?;
    }
    for stored in catalog.points.values() {
        let missing = stored.manifest.previous.as_ref().filter(|previous| {
            // A previous point that was pruned says nothing; one that is there must be the one meant.
            catalog.points.get(&previous.point).is_some_and(|there| there.hash != previous.hash)
        });
        if let Some(previous) = missing {
            let path = layout::of_point(layout::POINTS, previous.point);
            report.add(
                path.as_ref(),
                format!("point {} was made after another version of it", stored.manifest.point),
            );
        }
    }
    for (prefix, kind) in RECORDS {
        records(vault, prefix, kind, report).await?;
    }
    Ok(catalog)
}

async fn records(vault: &Inner, prefix: &str, kind: Kind, report: &mut VerifyReport) -> Result<()> {
    let paths: Vec<Path> = match kind {
        Kind::Clock | Kind::Condemned => vec![Path::from(prefix)],
        _ => vault.objects.list(prefix).await?.into_iter().map(|object| object.path).collect(),
    };
    let read = a_few_at_a_time(paths.iter().map(|path| vault.objects.find(path).boxed()).collect()).await;
    for (path, bytes) in paths.iter().zip(read) {
        let Some(bytes) = bytes? else { continue };
        report.objects += 1;
        report.bytes_read += bytes.len() as u64;
        if let Err(error) = open_record::<IgnoredAny>(&vault.keys.record, kind, path, &bytes) {
            report.note(path.as_ref(), error)?;
        }
    }
    Ok(())
}
