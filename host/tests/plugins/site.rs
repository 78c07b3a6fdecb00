//! A site in memory: every engine a capability stands on, with a record of what was done to it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use holdfast::{
    capability::{
        audit::{AuditEntry, AuditLog, GrantBook},
        engines::*,
        operation::{OperationError, Work},
    },
    model::{
        audit::Verdict,
        metric::{Sample, SeriesKey},
        name::{PluginId, ServerName, VaultName},
        plugin::{Capability, Grant, Scope},
        point::{Consistency, PointRecord, PointSizes},
        server::{Server, ServerKind},
    },
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};

#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) grants: Mutex<Vec<Grant>>,
    pub(crate) audit: Mutex<Vec<AuditEntry>>,
    pub(crate) points: Mutex<Vec<PointRecord>>,
    pub(crate) data: Mutex<BTreeMap<(PluginId, String), Vec<u8>>>,
    pub(crate) alerts: Mutex<BTreeMap<String, NewAlert>>,
    pub(crate) samples: Mutex<BTreeMap<SeriesKey, Vec<Sample>>>,
    /// Operations that are waiting to be cancelled.
    pub(crate) waiting: std::sync::atomic::AtomicU32,
    pub(crate) audit_fails: std::sync::atomic::AtomicBool,
    /// What comes of backing a server up; otherwise an empty point, and `slow` waits to be cancelled.
    made: Mutex<BTreeMap<String, Made>>,
    /// How often retention was applied.
    applied: std::sync::atomic::AtomicU32,
}

/// What comes of backing a server up.
#[derive(Clone, Copy)]
pub(crate) enum Made {
    Sizes(PointSizes),
    Fails(&'static str),
}

pub(crate) fn engines(memory: &Arc<Memory>) -> Engines {
    Engines {
        servers: memory.clone(),
        recovery_points: memory.clone(),
        retention: memory.clone(),
        vaults: memory.clone(),
        alerts: memory.clone(),
        metrics: memory.clone(),
        state: memory.clone(),
        grants: memory.clone(),
        audit: memory.clone(),
    }
}

pub(crate) fn server(name: &str) -> Server {
    Server {
        name: ServerName::new(name).unwrap(),
        kind: ServerKind::Image,
        tags: Vec::new(),
        disks: Vec::new(),
        rpo_minutes: 60,
    }
}

impl Memory {
    pub(crate) fn grant(&self, plugin: &str, capability: Capability) {
        self.grants.lock().push(Grant {
            plugin: PluginId::new(plugin).unwrap(),
            capability,
            servers: Scope::All,
            tags: Vec::new(),
            vaults: Scope::All,
            by: "test".into(),
            at: DateTime::UNIX_EPOCH,
        });
    }

    /// From now on, backing this server up comes to this.
    pub(crate) fn make(&self, server: &str, made: Made) {
        self.made.lock().insert(server.to_owned(), made);
    }

    /// How often retention was applied.
    pub(crate) fn applied(&self) -> u32 {
        self.applied.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Audit records as `action verdict`.
    pub(crate) fn audited(&self) -> Vec<String> {
        let said = |verdict| if verdict == Verdict::Allowed { "allowed" } else { "refused" };
        self.audit.lock().iter().map(|entry| format!("{} {}", entry.action, said(entry.verdict))).collect()
    }
}

#[async_trait]
impl GrantBook for Memory {
    async fn granted(&self, plugin: &PluginId, capability: Capability) -> Result<Option<Grant>, EngineError> {
        let found = |grant: &&Grant| grant.plugin == *plugin && grant.capability == capability;
        Ok(self.grants.lock().iter().find(found).cloned())
    }
}

#[async_trait]
impl AuditLog for Memory {
    async fn record(&self, entry: AuditEntry) -> Result<(), EngineError> {
        if self.audit_fails.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(EngineError::Unavailable("the disk is full".into()));
        }
        self.audit.lock().push(entry);
        Ok(())
    }
}

#[async_trait]
impl Servers for Memory {
    async fn list(&self) -> Result<Vec<Server>, EngineError> {
        Ok(vec![server("db1"), server("slow")])
    }
    async fn get(&self, name: &ServerName) -> Result<Option<Server>, EngineError> {
        Ok(["db1", "slow"].contains(&name.as_str()).then(|| server(name.as_str())))
    }
}

#[async_trait]
impl RecoveryPoints for Memory {
    async fn list(
        &self,
        server: &ServerName,
        _: &VaultName,
        limit: usize,
    ) -> Result<Vec<PointRecord>, EngineError> {
        let points = self.points.lock();
        Ok(points.iter().rev().filter(|point| point.server == *server).take(limit).cloned().collect())
    }
    async fn get(&self, _: &VaultName, id: &str) -> Result<PointRecord, EngineError> {
        let found = self.points.lock().iter().find(|point| point.id == id).cloned();
        found.ok_or_else(|| EngineError::NotFound(format!("there is no recovery point {id}")))
    }
    async fn create(
        &self,
        server: &Server,
        vault: &VaultName,
        origin: &Origin,
        work: &Work,
    ) -> Result<String, OperationError> {
        let made = self.made.lock().get(server.name.as_str()).copied();
        if let Some(Made::Fails(why)) = made {
            return Err(OperationError::Failed(why.to_owned()));
        }
        if made.is_none() && server.name.as_str() == "slow" {
            self.waiting.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            work.cancel().cancelled().await;
            self.waiting.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            return Err(OperationError::Cancelled);
        }
        let mut points = self.points.lock();
        let id = format!("p{}", points.len() + 1);
        points.push(PointRecord {
            id: id.clone(),
            vault: vault.clone(),
            server: server.name.clone(),
            taken: Utc::now(),
            consistency: Consistency::Crash,
            held: false,
            expired: None,
            run: Some(origin.run),
            sizes: match made {
                Some(Made::Sizes(sizes)) => sizes,
                _ => PointSizes::default(),
            },
            disks: Vec::new(),
            verified: None,
        });
        Ok(id)
    }
    async fn hold(&self, _: &VaultName, id: &str, _: &str, _: &PluginId) -> Result<(), EngineError> {
        self.points.lock().iter_mut().filter(|point| point.id == id).for_each(|point| point.held = true);
        Ok(())
    }
    async fn release(&self, _: &VaultName, _: &str, _: &PluginId) -> Result<(), EngineError> {
        Ok(())
    }
    async fn test(&self, _: &VaultName, _: &str, _: &Work) -> Result<(), OperationError> {
        Ok(())
    }
}

#[async_trait]
impl Retention for Memory {
    async fn preview(
        &self,
        _: &ServerName,
        _: &VaultName,
        _: RetentionRule,
    ) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }
    async fn apply(
        &self,
        _: &ServerName,
        _: &VaultName,
        _: RetentionRule,
    ) -> Result<Vec<String>, EngineError> {
        self.applied.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(Vec::new())
    }
    async fn expire(&self, _: &VaultName, _: &str) -> Result<(), EngineError> {
        Ok(())
    }
}

#[async_trait]
impl Vaults for Memory {
    async fn list(&self) -> Result<Vec<VaultName>, EngineError> {
        Ok(vec![VaultName::new("nas").unwrap()])
    }
    async fn measure(&self, _: &VaultName) -> Result<Usage, EngineError> {
        Ok(Usage { stored_bytes: 1, objects: 1, points: 0, free_bytes: None })
    }
    async fn verify(&self, _: &VaultName, _: bool, _: &Work) -> Result<(), OperationError> {
        Ok(())
    }
}

#[async_trait]
impl Alerts for Memory {
    async fn raise(&self, _: &PluginId, alert: NewAlert) -> Result<(), EngineError> {
        self.alerts.lock().insert(alert.key.clone(), alert);
        Ok(())
    }
    async fn resolve(&self, _: &PluginId, key: &str) -> Result<(), EngineError> {
        self.alerts.lock().remove(key);
        Ok(())
    }
    async fn open(&self, _: &PluginId) -> Result<Vec<String>, EngineError> {
        Ok(self.alerts.lock().keys().cloned().collect())
    }
}

#[async_trait]
impl Metrics for Memory {
    async fn record(&self, series: &SeriesKey, sample: Sample) -> Result<(), EngineError> {
        self.samples.lock().entry(series.clone()).or_default().push(sample);
        Ok(())
    }
    async fn query(
        &self,
        series: &SeriesKey,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Sample>, EngineError> {
        let samples = self.samples.lock();
        let all: Vec<Sample> =
            samples.get(series).into_iter().flatten().filter(|s| s.at >= since).cloned().collect();
        Ok(all[all.len().saturating_sub(limit)..].to_vec())
    }
    async fn series(&self, series: &SeriesKey) -> Result<SeriesCount, EngineError> {
        let samples = self.samples.lock();
        Ok(SeriesCount { total: samples.len(), known: samples.contains_key(series) })
    }
}

#[async_trait]
impl PluginState for Memory {
    async fn get(&self, plugin: &PluginId, key: &str) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.data.lock().get(&(plugin.clone(), key.to_owned())).cloned())
    }
    async fn set(&self, plugin: &PluginId, key: &str, value: Vec<u8>) -> Result<(), EngineError> {
        self.data.lock().insert((plugin.clone(), key.to_owned()), value);
        Ok(())
    }
    async fn delete(&self, plugin: &PluginId, key: &str) -> Result<(), EngineError> {
        self.data.lock().remove(&(plugin.clone(), key.to_owned()));
        Ok(())
    }
    async fn keys(
        &self,
        plugin: &PluginId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, EngineError> {
        let data = self.data.lock();
        let mine = data.keys().filter(|(id, _)| id == plugin).map(|(_, key)| key);
        let wanted =
            mine.filter(|key| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after));
        Ok(wanted.take(limit).cloned().collect())
    }
    async fn usage(&self, plugin: &PluginId) -> Result<StateUsage, EngineError> {
        let data = self.data.lock();
        let mine = data.iter().filter(|((id, _), _)| id == plugin);
        Ok(mine.fold(StateUsage::default(), |used, ((_, key), value)| StateUsage {
            keys: used.keys + 1,
            bytes: used.bytes + (key.len() + value.len()) as u64,
        }))
    }
}
