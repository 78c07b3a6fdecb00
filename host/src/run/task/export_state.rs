//! The portable copy of the state; and, while at it, letting go of history that need not be kept.

use super::{Tasks, Trouble};
use crate::store::RunHistory;
use chrono::TimeDelta;

/// How long resolved alerts are kept.
const ALERTS: TimeDelta = TimeDelta::days(180);

impl Tasks {
    pub(super) async fn export_state(&self) -> Result<String, Trouble> {
        let now = self.clock.now();
        let path = self.store.save_export(now).await?;
        let runs = self.store.runs.prune(RunHistory::default(), now).await?;
        let alerts = self.store.alerts.prune(ALERTS, now).await?;
        let archived = self.store.audit.archive().await?;
        let audit = archived
            .map(|path| format!("; old audit records are now in {}", path.display()))
            .unwrap_or_default();
        Ok(format!(
            "exported to {}; {runs} old runs and {alerts} old alerts were let go{audit}",
            path.display()
        ))
    }
}
