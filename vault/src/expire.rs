//! Which points stay and which go: listing, expiring, holding.
//!
//! Expiring writes a tombstone beside the point, dated on the vault clock; nothing else happens until the grace period is
//! over and a prune comes by. A hold is an object, too. Taking back an expiry and holding race with a prune that is about to
//! remove the point: both write first and then look for its intent, and the prune writes its intent first and then looks for
//! them, so that never both succeed.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use crate::catalog::{Catalog, HoldRecord, Tombstone, load_records, seal_record};
use crate::config::MinimumRetention;
use crate::error::{Result, VaultError};
use crate::id::PointId;
use crate::layout;
use crate::manifest::{Expiry, Hold};
use crate::prune::clock::VaultClock;
use crate::prune::intent::Intents;
use crate::seal::Kind;
use crate::vault::{Inner, PointList, UnreadablePoint};

/// The records beside the points.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) tombstones: BTreeMap<PointId, Tombstone>,
    pub(crate) holds: BTreeMap<PointId, HoldRecord>,
}

impl Records {
    pub(crate) async fn load(vault: &Inner) -> Result<Self> {
        let (objects, keys) = (&vault.objects, &vault.keys);
        // A tombstone that cannot be read expires nothing; a point whose hold cannot be read is held all the same.
        let (tombstones, _) =
            load_records(objects, keys, layout::TOMBSTONES, Kind::Tombstone, |t: &Tombstone| t.point).await?;
        let (mut holds, bad) =
            load_records(objects, keys, layout::HOLDS, Kind::Hold, |h: &HoldRecord| h.point).await?;
        for (path, _) in &bad {
            if let Some(point) = layout::id_of(path) {
                let reason = "its hold record is damaged".to_owned();
                holds.insert(point, HoldRecord { point, reason, at: DateTime::UNIX_EPOCH });
            }
        }
        Ok(Self { tombstones, holds })
    }
}

/// All points with what is said about them.
pub(crate) async fn points(vault: &Inner) -> Result<PointList> {
    let catalog = vault.catalog().await?;
    let records = Records::load(vault).await?;
    let clock = VaultClock::load(&vault.objects, &vault.keys).await?;
    let mut list = PointList::default();
    for stored in catalog.points.values() {
        let id = stored.manifest.point;
        let held = records.holds.get(&id).map(|hold| Hold { reason: hold.reason.clone(), since: hold.at });
        let expired = records.tombstones.get(&id).map(|tombstone| Expiry {
            at: tombstone.at,
            grace_left_secs: grace_left(tombstone, clock, vault.settings.grace_secs),
        });
        list.points.push(stored.manifest.clone().into_point(held, expired));
    }
    list.points.sort_by_key(|point| (point.created, point.id));
    list.unreadable = catalog
        .unreadable
        .iter()
        .map(|(path, error)| UnreadablePoint { object: path.to_string(), reason: error.to_string() })
        .collect();
    Ok(list)
}

/// Seconds on the vault clock until the point may be removed.
pub(crate) fn grace_left(tombstone: &Tombstone, clock: VaultClock, grace: u64) -> u64 {
    tombstone.vault_clock.saturating_add(grace).saturating_sub(clock.seconds)
}

pub(crate) async fn expire(vault: &Inner, points: &[PointId], now: DateTime<Utc>) -> Result<()> {
    let catalog = vault.catalog().await?;
    let records = Records::load(vault).await?;
    let going: HashSet<PointId> = points.iter().copied().collect();
    for point in &going {
        if !catalog.points.contains_key(point) {
            return Err(VaultError::NoSuchPoint { point: *point });
        }
        if let Some(hold) = records.holds.get(point) {
            return Err(VaultError::PointHeld { point: *point, reason: hold.reason.clone() });
        }
    }
    check_minimum(&catalog, &records, &going, vault.settings.minimum)?;
    let clock = VaultClock::load(&vault.objects, &vault.keys).await?;
    for point in going.into_iter().filter(|point| !records.tombstones.contains_key(point)) {
        let tombstone = Tombstone { point, vault_clock: clock.seconds, at: now };
        let bytes = seal_record(&vault.keys.record, Kind::Tombstone, &tombstone)?;
        vault.objects.put(&layout::of_point(layout::TOMBSTONES, point), bytes).await?;
    }
    Ok(())
}

/// Refuses what would leave a server with too few points, or with none from its last days.
fn check_minimum(
    catalog: &Catalog,
    records: &Records,
    going: &HashSet<PointId>,
    minimum: MinimumRetention,
) -> Result<()> {
    for point in going.iter().filter(|point| !records.tombstones.contains_key(point)) {
        let Some(stored) = catalog.points.get(point) else { continue };
        let server = &stored.manifest.server;
        let of_server = || catalog.points.values().filter(|other| other.manifest.server.id == server.id);
        let stays = |id: &PointId| !going.contains(id) && !records.tombstones.contains_key(id);
        let left = of_server().filter(|other| stays(&other.manifest.point)).count();
        let newest = of_server().map(|other| other.manifest.created).max().unwrap_or(stored.manifest.created);
        let age = newest.signed_duration_since(stored.manifest.created).num_seconds();
        let too_few = left < usize::try_from(minimum.points).unwrap_or(usize::MAX);
        let too_young = u64::try_from(age).unwrap_or(0) < minimum.age_secs;
        if too_few || too_young {
            return Err(VaultError::MinimumRetention {
                point: *point,
                server: server.name.clone(),
                minimum: format!(
                    "{} points, and all of the last {} hours",
                    minimum.points,
                    minimum.age_secs / 3600
                ),
            });
        }
    }
    Ok(())
}

pub(crate) async fn unexpire(vault: &Inner, point: PointId) -> Result<()> {
    vault.stored_point(point).await?;
    vault.objects.delete(&layout::of_point(layout::TOMBSTONES, point)).await?;
    still_there(vault, point).await
}

pub(crate) async fn hold(vault: &Inner, point: PointId, reason: &str, now: DateTime<Utc>) -> Result<()> {
    vault.stored_point(point).await?;
    let record = HoldRecord { point, reason: reason.to_owned(), at: now };
    let bytes = seal_record(&vault.keys.record, Kind::Hold, &record)?;
    vault.objects.put(&layout::of_point(layout::HOLDS, point), bytes).await?;
    still_there(vault, point).await
}

pub(crate) async fn release(vault: &Inner, point: PointId) -> Result<()> {
    vault.stored_point(point).await?;
    vault.objects.delete(&layout::of_point(layout::HOLDS, point)).await
}

/// Looks for a prune that is removing this very point, then for the point: a prune that is done has taken it away.
async fn still_there(vault: &Inner, point: PointId) -> Result<()> {
    if Intents::load(&vault.objects, &vault.keys).await?.names_point(point) {
        return Err(VaultError::BeingRemoved { point });
    }
    match vault.objects.size(&layout::of_point(layout::POINTS, point)).await? {
        Some(_) => Ok(()),
        None => Err(VaultError::BeingRemoved { point }),
    }
}
