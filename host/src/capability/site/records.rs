//! What plugins read and write in the appliance's state: servers, alerts, measurements, grants, the audit log.

use super::store_error;
use crate::{
    capability::{
        audit::{AuditEntry, AuditLog, GrantBook},
        engines::{Alerts, EngineError, Metrics, NewAlert, SeriesCount, Servers},
    },
    clock::SharedClock,
    model::{
        metric::{Sample, SeriesKey},
        name::{PluginId, ServerName},
        plugin::{Capability, Grant},
        server::Server,
    },
    store::{self, Store},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// The appliance's state, as plugins may use it.
pub(super) struct Records {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
}

#[async_trait]
impl Servers for Records {
    async fn list(&self) -> Result<Vec<Server>, EngineError> {
        self.store.servers.list().map_err(store_error)
    }

    async fn get(&self, name: &ServerName) -> Result<Option<Server>, EngineError> {
        self.store.servers.get(name).map_err(store_error)
    }
}

#[async_trait]
impl Alerts for Records {
    async fn raise(&self, source: &PluginId, alert: NewAlert) -> Result<(), EngineError> {
        let new = store::NewAlert {
            source: source.to_string(),
            key: alert.key,
            severity: alert.severity,
            title: alert.title,
            detail: alert.detail,
            server: alert.server,
        };
        self.store.alerts.raise(new, self.clock.now()).await.map(|_| ()).map_err(store_error)
    }

    async fn resolve(&self, source: &PluginId, key: &str) -> Result<(), EngineError> {
        self.store
            .alerts
            .resolve(source.as_str(), key, self.clock.now())
            .await
            .map(|_| ())
            .map_err(store_error)
    }

    async fn open(&self, source: &PluginId) -> Result<Vec<String>, EngineError> {
        let open = self.store.alerts.open().map_err(store_error)?;
        Ok(open.into_iter().filter(|alert| alert.source == source.as_str()).map(|alert| alert.key).collect())
    }
}

#[async_trait]
impl Metrics for Records {
    async fn record(&self, series: &SeriesKey, sample: Sample) -> Result<(), EngineError> {
        self.store.metrics.append(series.clone(), sample).await.map_err(|error| match error {
            store::AppendSample::TooManySeries { .. } => EngineError::Quota(error.to_string()),
            _ => EngineError::Unavailable(error.to_string()),
        })
    }

    async fn query(
        &self,
        series: &SeriesKey,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Sample>, EngineError> {
        let mut samples = self.store.metrics.query(series, Some(since), limit).map_err(store_error)?;
        samples.sort_by_key(|sample| sample.at);
        Ok(samples)
    }

    async fn series(&self, series: &SeriesKey) -> Result<SeriesCount, EngineError> {
        let of_source = self.store.metrics.series_of(&series.source).map_err(store_error)?;
        Ok(SeriesCount { total: of_source.len(), known: of_source.contains(series) })
    }
}

#[async_trait]
impl GrantBook for Records {
    async fn granted(&self, plugin: &PluginId, capability: Capability) -> Result<Option<Grant>, EngineError> {
        self.store.grants.get(&format!("{plugin}/{}", capability.name())).map_err(store_error)
    }
}

#[async_trait]
impl AuditLog for Records {
    async fn record(&self, entry: AuditEntry) -> Result<(), EngineError> {
        let entry = store::AuditEntry {
            at: self.clock.now(),
            who: entry.who,
            action: entry.action,
            subject: entry.subject,
            verdict: entry.verdict,
            reason: entry.reason,
        };
        self.store.audit.append(entry).await.map(|_| ()).map_err(store_error)
    }
}
