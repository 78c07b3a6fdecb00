//! Orders about alerts, the appliance's own state, and facts about it.

use super::desk::{Desk, store_error};
use crate::{
    admin::ports::{About, OrderError, Upkeep},
    model::{alert::Severity, audit::Verdict, name::AlertId},
    store::AuditEntry,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::path::PathBuf;

/// Carries out orders about the appliance itself.
pub(super) struct UpkeepDesk {
    pub(super) desk: Desk,
    pub(super) data: PathBuf,
    pub(super) started: DateTime<Utc>,
    pub(super) demo: bool,
}

fn no_such_alert(alert: AlertId) -> OrderError {
    OrderError::NotFound(format!("there is no alert {alert}; nothing was changed; see `holdfast alerts`"))
}

#[async_trait]
impl Upkeep for UpkeepDesk {
    async fn acknowledge(&self, alert: AlertId, who: &str) -> Result<(), OrderError> {
        self.desk.record(who, "alert.acknowledge", alert.to_string(), None).await?;
        let found = self.desk.store.alerts.acknowledge(alert, who).await.map_err(store_error)?;
        found.map(|_| ()).ok_or_else(|| no_such_alert(alert))
    }

    async fn resolve(&self, alert: AlertId, who: &str) -> Result<(), OrderError> {
        self.desk.record(who, "alert.resolve", alert.to_string(), None).await?;
        let found =
            self.desk.store.alerts.resolve_by_id(alert, self.desk.clock.now()).await.map_err(store_error)?;
        found.map(|_| ()).ok_or_else(|| no_such_alert(alert))
    }

    fn worst(&self) -> Option<Severity> {
        self.desk.store.alerts.open().ok()?.into_iter().map(|alert| alert.severity).max()
    }

    async fn export(&self, who: &str) -> Result<String, OrderError> {
        self.desk.record(who, "state.export", "all", None).await?;
        self.desk.store.export_text(self.desk.clock.now()).await.map_err(store_error)
    }

    async fn import(&self, export: &str, who: &str) -> Result<(), OrderError> {
        self.desk.record(who, "state.import", "all", None).await?;
        self.desk
            .store
            .import_text(export, who, self.desk.clock.now())
            .await
            .map(|_| ())
            .map_err(|error| OrderError::Invalid(error.to_string()))
    }

    async fn audit(&self, who: &str, action: &str, subject: &str, allowed: bool, reason: Option<String>) {
        let entry = AuditEntry {
            at: self.desk.clock.now(),
            who: who.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            verdict: if allowed { Verdict::Allowed } else { Verdict::Refused },
            reason,
        };
        if let Err(error) = self.desk.store.audit.append(entry).await {
            tracing::error!(%error, action, subject, "an audit record could not be written");
        }
    }

    fn about(&self) -> About {
        let space = rustix::fs::statvfs(&self.data).ok();
        About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            data: self.data.display().to_string(),
            data_free_bytes: space.map(|s| s.f_bavail.saturating_mul(s.f_frsize)),
            demo: self.demo,
        }
    }
}
