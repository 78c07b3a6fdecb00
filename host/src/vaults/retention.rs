//! Retention of one server's points in one vault: what a rule would let go, and letting it go.

use super::{Vaults, VaultsError};
use crate::{
    model::name::{ServerName, VaultName},
    store::Settings,
};
use chrono::{DateTime, FixedOffset, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use holdfast_vault::{PointTime, RetentionRule, VaultError, keep};

impl Vaults {
    /// Ids of the points the rule would let go, oldest first. Expired ones are left out: they are gone already, but for the
    /// grace period.
    pub async fn would_expire(
        &self,
        server: &ServerName,
        vault: &VaultName,
        rule: &RetentionRule,
    ) -> Result<Vec<String>, VaultsError> {
        let list = self.open(vault).await?.points().await?;
        let points: Vec<PointTime> = list
            .points
            .iter()
            .filter(|p| p.server.id == server.as_str() && p.expired.is_none())
            .map(|p| PointTime { point: p.id, created: p.created, held: p.held.is_some() })
            .collect();
        let zone = self.zone()?;
        let verdicts = keep(&points, rule, self.clock.now(), |at| in_zone(at, zone));
        let mut going: Vec<_> = verdicts.iter().filter(|v| !v.keeps()).collect();
        going.sort_by_key(|v| v.created);
        Ok(going.into_iter().map(|v| v.point.to_string()).collect())
    }

    /// Expires what the rule lets go and returns the ids. What the vault's minimum protects stays, without an error: the rule
    /// asks again next time.
    pub async fn apply_retention(
        &self,
        server: &ServerName,
        vault: &VaultName,
        rule: &RetentionRule,
    ) -> Result<Vec<String>, VaultsError> {
        let mut expired = Vec::new();
        for point in self.would_expire(server, vault, rule).await? {
            match self.expire(vault, &point).await {
                Ok(()) => expired.push(point),
                Err(VaultsError::Vault(
                    VaultError::MinimumRetention { .. } | VaultError::PointHeld { .. },
                )) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(expired)
    }

    /// The zone of the site's calendar.
    fn zone(&self) -> Result<Tz, VaultsError> {
        let name: Option<String> = self.store.settings.get(Settings::TIME_ZONE)?;
        Ok(name.and_then(|n| n.parse().ok()).unwrap_or(Tz::UTC))
    }
}

fn in_zone(at: DateTime<Utc>, zone: Tz) -> DateTime<FixedOffset> {
    at.with_timezone(&zone.offset_from_utc_datetime(&at.naive_utc()).fix())
}
