//! Recovery points as the store remembers them, and what people and plugins do to them.

use super::{Vaults, VaultsError};
use crate::model::{
    name::{RunId, ServerName, VaultName},
    point::{Consistency, PointRecord, PointSizes},
};
use holdfast_vault::{Damage, PointId, RecoveryPoint, Server, VerifyReport};
use std::collections::BTreeMap;

/// The tag that says which run made a point.
const RUN_TAG: &str = "run:";

/// The key of a point in the store's cache.
pub(super) fn cache_key(vault: &VaultName, point: &str) -> String {
    format!("{vault}/{point}")
}

/// How the vault knows a server of this site. The name is its identity: a machine that takes over a name takes over its
/// history.
pub fn server_of(name: &ServerName) -> Server {
    Server { id: name.to_string(), name: name.to_string() }
}

/// Which run a backup belongs to, as it is written into the point.
#[derive(Debug, Clone, Copy)]
pub struct BackupOrigin(pub RunId);

impl BackupOrigin {
    /// The point's tags.
    pub fn tags(self) -> Vec<String> {
        vec![format!("{RUN_TAG}{}", self.0)]
    }
}

/// What the store remembers of a point.
pub fn record_of(vault: &VaultName, point: &RecoveryPoint) -> Result<PointRecord, VaultsError> {
    let server = ServerName::new(point.server.name.clone())
        .map_err(|e| VaultsError::NotAPoint(format!("{}: {e}", point.id)))?;
    Ok(PointRecord {
        id: point.id.to_string(),
        vault: vault.clone(),
        server,
        taken: point.created,
        consistency: match point.consistency {
            holdfast_vault::Consistency::Crash => Consistency::Crash,
            holdfast_vault::Consistency::Application => Consistency::Application,
        },
        held: point.held.is_some(),
        expired: point.expired.as_ref().map(|e| e.at),
        run: point.tags.iter().find_map(|tag| tag.strip_prefix(RUN_TAG)?.parse().ok()),
        sizes: PointSizes {
            disks: point.stats.size,
            read: point.stats.read,
            changed: point.stats.changed,
            incompressible: point.stats.incompressible,
            stored: point.stats.stored,
        },
        disks: point.disks.iter().map(|d| (d.name.clone(), d.size)).collect(),
        verified: None,
    })
}

/// A point's id from text.
fn id(text: &str) -> Result<PointId, VaultsError> {
    text.parse().map_err(|_| VaultsError::NotAPoint(text.chars().take(64).collect()))
}

impl Vaults {
    /// Remembers one point that was just made or changed.
    pub async fn remember(
        &self,
        vault: &VaultName,
        point: &RecoveryPoint,
    ) -> Result<PointRecord, VaultsError> {
        let mut record = record_of(vault, point)?;
        let key = cache_key(vault, &record.id);
        record.verified = self.store.points.get(&key)?.and_then(|before| before.verified);
        self.store.points.put(&key, &record).await?;
        Ok(record)
    }

    /// Makes the store's cache of a vault's points anew from the vault's manifests. Returns what could not be read.
    pub async fn refresh(&self, name: &VaultName) -> Result<Vec<String>, VaultsError> {
        let list = self.open(name).await?.points().await?;
        let before: BTreeMap<String, PointRecord> = self
            .store
            .points
            .list_prefix(&format!("{name}/"))?
            .into_iter()
            .map(|r| (r.id.clone(), r))
            .collect();
        let mut seen = Vec::new();
        for point in &list.points {
            let mut record = record_of(name, point)?;
            let known = before.get(&record.id);
            record.verified = known.and_then(|k| k.verified);
            if known != Some(&record) {
                self.store.points.put(&cache_key(name, &record.id), &record).await?;
            }
            seen.push(record.id);
        }
        for gone in before.keys().filter(|id| !seen.contains(id)) {
            self.store.points.remove(&cache_key(name, gone)).await?;
        }
        Ok(list.unreadable.into_iter().map(|u| format!("{}: {}", u.object, u.reason)).collect())
    }

    /// One point as the vault has it.
    pub async fn point(&self, vault: &VaultName, point: &str) -> Result<RecoveryPoint, VaultsError> {
        Ok(self.open(vault).await?.point(id(point)?).await?)
    }

    /// Keeps a point from retention. A hold that is there already stays as it is.
    pub async fn hold(
        &self,
        vault: &VaultName,
        point: &str,
        reason: &str,
        by: &str,
    ) -> Result<(), VaultsError> {
        let open = self.open(vault).await?;
        if open.point(id(point)?).await?.held.is_none() {
            open.hold(id(point)?, &format!("{by}: {reason}"), self.clock.now()).await?;
        }
        self.remember_again(vault, point).await
    }

    /// Ends a hold. With `only_of`, only one that this holder made.
    pub async fn release(
        &self,
        vault: &VaultName,
        point: &str,
        only_of: Option<&str>,
    ) -> Result<(), VaultsError> {
        let open = self.open(vault).await?;
        if let (Some(holder), Some(hold)) = (only_of, open.point(id(point)?).await?.held)
            && !hold.reason.starts_with(&format!("{holder}: "))
        {
            let holder = hold.reason.split(": ").next().unwrap_or_default().to_owned();
            return Err(VaultsError::HeldByAnother { point: point.to_owned(), holder });
        }
        open.release(id(point)?).await?;
        self.remember_again(vault, point).await
    }

    /// Lets a point go after the grace period. Refused for held points and below the vault's minimum.
    pub async fn expire(&self, vault: &VaultName, point: &str) -> Result<(), VaultsError> {
        self.open(vault).await?.expire(&[id(point)?], self.clock.now()).await?;
        self.remember_again(vault, point).await
    }

    /// Takes an expired point back while its grace lasts.
    pub async fn unexpire(&self, vault: &VaultName, point: &str) -> Result<(), VaultsError> {
        self.open(vault).await?.unexpire(id(point)?).await?;
        self.remember_again(vault, point).await
    }

    /// Notes that every byte of these points was read and found right.
    pub async fn mark_verified(&self, vault: &VaultName, points: &[String]) -> Result<(), VaultsError> {
        for point in points {
            let key = cache_key(vault, point);
            if let Some(mut record) = self.store.points.get(&key)? {
                record.verified = Some(self.clock.now());
                self.store.points.put(&key, &record).await?;
            }
        }
        Ok(())
    }

    async fn remember_again(&self, vault: &VaultName, point: &str) -> Result<(), VaultsError> {
        let point = self.open(vault).await?.point(id(point)?).await?;
        self.remember(vault, &point).await.map(|_| ())
    }
}

/// What a check found, one sentence for each damaged object: which, why, and what it takes with it.
pub fn damage_in_words(vault: &VaultName, report: &VerifyReport) -> Vec<String> {
    report.damages.iter().map(|damage| one_damage_in_words(vault, damage)).collect()
}

fn one_damage_in_words(vault: &VaultName, damage: &Damage) -> String {
    let hits: Vec<String> = damage
        .hits
        .iter()
        .map(|hit| {
            format!(
                "recovery point {} of server {}, disk {}, bytes {} to {}",
                hit.point,
                hit.server,
                hit.disk,
                hit.offset,
                hit.offset.saturating_add(hit.length)
            )
        })
        .collect();
    let hurt = if hits.is_empty() {
        "no recovery point is hurt".to_owned()
    } else {
        format!("it hurts {}", hits.join("; "))
    };
    format!("{} in vault \"{vault}\" is damaged ({}): {hurt}", damage.object, damage.reason)
}
