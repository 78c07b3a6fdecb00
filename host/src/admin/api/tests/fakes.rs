//! Ports that do nothing but remember, and a store with one of everything.

use crate::{
    admin::ports::*,
    model::{
        alert::Severity,
        job::{Job, Trigger, Work},
        name::{AlertId, JobName, PluginId, RunId, ServerName, VaultName},
        plugin::{Capability, Grant, InstalledPlugin},
        run::Progress,
        schedule::Schedule,
        server::Server,
        vault::{VaultChoices, VaultDefinition},
    },
    store::Store,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde_json::json;
use std::{path::PathBuf, sync::Arc};

/// All ports in one.
#[derive(Default)]
pub(super) struct Fakes {
    /// Orders in the order they came, in one line each.
    pub(super) orders: Mutex<Vec<String>>,
    /// Work that was queued without a job.
    pub(super) works: Mutex<Vec<Work>>,
    /// The next order fails with this.
    pub(super) fail: Mutex<Option<OrderError>>,
    /// Which job covers which server.
    pub(super) covering: Mutex<Vec<(ServerName, Job)>>,
}

impl Fakes {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn ports(self: &Arc<Self>) -> Ports {
        Ports {
            runs: self.clone(),
            definitions: self.clone(),
            vaults: self.clone(),
            plugins: self.clone(),
            upkeep: self.clone(),
        }
    }

    pub(super) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.orders.lock())
    }

    fn order(&self, line: String) -> Result<(), OrderError> {
        self.orders.lock().push(line);
        self.fail.lock().take().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Runs for Fakes {
    async fn request(&self, job: &JobName, trigger: Trigger, dry_run: bool) -> Result<RunId, OrderError> {
        self.order(format!("run {job} {trigger:?} dry={dry_run}"))?;
        Ok(RunId(8))
    }
    async fn request_once(&self, name: JobName, work: Work, _: Trigger) -> Result<RunId, OrderError> {
        self.order(format!("once {name}"))?;
        self.works.lock().push(work);
        Ok(RunId(8))
    }
    async fn cancel(&self, run: RunId, who: &str) -> Result<(), OrderError> {
        self.order(format!("cancel {run} {who}"))
    }
    fn progress(&self, _: RunId) -> Option<Progress> {
        Some(Progress { done: 3, total: 4, note: "live".into() })
    }
    fn is_active(&self, _: &JobName) -> bool {
        true
    }
}

#[async_trait]
impl Definitions for Fakes {
    async fn save_server(&self, server: Server, replace: bool, who: &str) -> Result<ServerCheck, OrderError> {
        self.order(format!("save server {} replace={replace} {who}", server.name))?;
        Ok(ServerCheck { disks: vec![("disk0".into(), 4096)] })
    }
    async fn remove_server(&self, name: &ServerName, who: &str) -> Result<(), OrderError> {
        self.order(format!("remove server {name} {who}"))
    }
    async fn save_job(&self, job: Job, replace: bool, who: &str) -> Result<(), OrderError> {
        self.order(format!("save job {} replace={replace} {who}", job.name))
    }
    async fn remove_job(&self, name: &JobName, who: &str) -> Result<(), OrderError> {
        self.order(format!("remove job {name} {who}"))
    }
    fn preview(
        &self,
        _: &Schedule,
        after: DateTime<Utc>,
        count: usize,
    ) -> Result<Vec<DateTime<Utc>>, OrderError> {
        self.order(format!("preview {count}"))?;
        Ok(vec![after])
    }
    fn next_run(&self, _: &Job) -> Option<DateTime<Utc>> {
        "2026-03-10T13:00:00Z".parse().ok()
    }
    fn backup_job_of(&self, server: &Server) -> Option<Job> {
        self.covering.lock().iter().find(|(name, _)| *name == server.name).map(|(_, job)| job.clone())
    }
}

#[async_trait]
impl Vaults for Fakes {
    async fn create(
        &self,
        name: VaultName,
        path: PathBuf,
        choices: VaultChoices,
        who: &str,
    ) -> Result<VaultDefinition, OrderError> {
        self.order(format!("create vault {name} {} {}h {who}", path.display(), choices.grace_hours))?;
        Ok(vault())
    }
    async fn attach(
        &self,
        name: VaultName,
        path: PathBuf,
        key: &str,
        who: &str,
    ) -> Result<VaultDefinition, OrderError> {
        self.order(format!("attach vault {name} {} {key} {who}", path.display()))?;
        Ok(vault())
    }
    async fn detach(&self, name: &VaultName, who: &str) -> Result<(), OrderError> {
        self.order(format!("detach vault {name} {who}"))
    }
    async fn usage(&self, name: &VaultName) -> Result<VaultUsage, OrderError> {
        self.order(format!("usage {name}"))?;
        Ok(VaultUsage {
            stored_bytes: 1,
            objects: 1,
            points: 1,
            logical_bytes: 1,
            free_bytes: None,
            grace_hours: 72,
            minimum_points: 2,
        })
    }
    async fn key(&self, name: &VaultName, who: &str) -> Result<String, OrderError> {
        self.order(format!("key {name} {who}"))?;
        Ok("hfkey1-secret".into())
    }
    async fn hold(&self, vault: &VaultName, point: &str, reason: &str, who: &str) -> Result<(), OrderError> {
        self.order(format!("hold {vault}/{point} {reason} {who}"))
    }
    async fn release(&self, vault: &VaultName, point: &str, who: &str) -> Result<(), OrderError> {
        self.order(format!("release {vault}/{point} {who}"))
    }
    async fn expire(&self, vault: &VaultName, point: &str, who: &str) -> Result<(), OrderError> {
        self.order(format!("expire {vault}/{point} {who}"))
    }
    async fn unexpire(&self, vault: &VaultName, point: &str, who: &str) -> Result<(), OrderError> {
        self.order(format!("unexpire {vault}/{point} {who}"))
    }
}

#[async_trait]
impl Plugins for Fakes {
    async fn inspect(&self, package: Vec<u8>) -> Result<Inspection, OrderError> {
        self.order(format!("inspect {} bytes", package.len()))?;
        let InstalledPlugin { manifest, publisher, .. } = plugin();
        let bytes = package.len() as u64;
        Ok(Inspection { manifest, publisher, digest: "00".into(), bytes, imports: vec![], problems: vec![] })
    }
    async fn install(&self, package: Vec<u8>, who: &str) -> Result<InstalledPlugin, OrderError> {
        self.order(format!("install {} bytes {who}", package.len()))?;
        Ok(plugin())
    }
    async fn remove(&self, id: &PluginId, who: &str) -> Result<(), OrderError> {
        self.order(format!("remove plugin {id} {who}"))
    }
    async fn grant(&self, grant: Grant) -> Result<(), OrderError> {
        self.order(format!(
            "grant {} {} {:?} {}",
            grant.plugin,
            grant.capability.name(),
            grant.servers,
            grant.by
        ))
    }
    async fn revoke(&self, id: &PluginId, capability: Capability, who: &str) -> Result<(), OrderError> {
        self.order(format!("revoke {id} {} {who}", capability.name()))
    }
    async fn resume(&self, id: &PluginId, who: &str) -> Result<(), OrderError> {
        self.order(format!("resume {id} {who}"))
    }
    fn accepts_unsigned(&self) -> bool {
        false
    }
}

#[async_trait]
impl Upkeep for Fakes {
    async fn acknowledge(&self, alert: AlertId, who: &str) -> Result<(), OrderError> {
        self.order(format!("acknowledge {alert} {who}"))
    }
    async fn resolve(&self, alert: AlertId, who: &str) -> Result<(), OrderError> {
        self.order(format!("resolve {alert} {who}"))
    }
    fn worst(&self) -> Option<Severity> {
        None
    }
    async fn export(&self, who: &str) -> Result<String, OrderError> {
        self.order(format!("export {who}"))?;
        Ok("{}".into())
    }
    async fn import(&self, export: &str, who: &str) -> Result<(), OrderError> {
        self.order(format!("import {export} {who}"))
    }
    async fn audit(&self, who: &str, action: &str, _: &str, _: bool, _: Option<String>) {
        self.orders.lock().push(format!("audit {action} {who}"));
    }
    fn about(&self) -> About {
        About {
            version: "0.1.0".into(),
            started: "2026-03-10T08:00:00Z".parse().unwrap(),
            data: "/var/lib/holdfast".into(),
            data_free_bytes: Some(1 << 30),
            demo: false,
        }
    }
}

pub(super) fn vault() -> VaultDefinition {
    serde_json::from_value(json!({
        "name": "local", "location": {"type": "directory", "path": "/srv/vault"}, "id": "00", "added": "2026-03-01T00:00:00Z"
    }))
    .unwrap()
}

pub(super) fn plugin() -> InstalledPlugin {
    serde_json::from_value(json!({
        "manifest": {
            "id": "holdfast.backup", "name": "Backup", "version": "0.1.0", "api": "0.1",
            "job": [{"name": "backup", "why": "to keep servers recoverable"}],
            "settings": {"servers": {"type": "servers", "title": "Servers"}, "vault": {"type": "vault", "title": "Vault"}}
        },
        "digest": "00", "publisher": {"type": "bundled"}, "installed": "2026-03-01T00:00:00Z"
    }))
    .unwrap()
}

pub(super) fn job(name: &str, settings: serde_json::Value) -> Job {
    serde_json::from_value(json!({
        "name": name,
        "work": {"type": "plugin", "plugin": "holdfast.backup", "job": "backup", "settings": settings}
    }))
    .unwrap()
}

pub(super) fn server(name: &str) -> Server {
    serde_json::from_value(json!({
        "name": name, "rpo_minutes": 60,
        "disks": [{"name": "disk0", "location": {"type": "file", "path": "/srv/db1.raw"}}]
    }))
    .unwrap()
}

/// Two owners and a token, again after one of them was removed.
pub(super) async fn fill_accounts(store: &Store) {
    for name in ["ada", "keeper"] {
        let user = serde_json::from_value(json!({
            "name": name, "role": "owner", "password": "", "sessions_from": "2026-03-01T00:00:00Z"
        }))
        .unwrap();
        store.users.put(&name.parse().unwrap(), &user).await.unwrap();
    }
    let token = serde_json::from_value(json!({
        "name": "keeper", "role": "viewer", "digest": "00", "created": "2026-03-01T00:00:00Z", "expires": null
    }))
    .unwrap();
    store.tokens.put(&"keeper".parse().unwrap(), &token).await.unwrap();
}

/// One of everything.
pub(super) async fn fill(store: &Store) {
    fill_accounts(store).await;
    for name in ["db1", "db2"] {
        let server = server(name);
        store.servers.put(&server.name, &server).await.unwrap();
    }
    store.vaults.put(&vault().name, &vault()).await.unwrap();
    let job = job("nightly", json!({"vault": "local", "servers": ["db1"], "keep_daily": 7}));
    store.jobs.put(&job.name, &job).await.unwrap();
    store.plugins.put(&plugin().manifest.id, &plugin()).await.unwrap();
    for (id, taken) in [("aa", "2026-03-10T11:30:00Z"), ("bb", "2026-03-09T11:30:00Z")] {
        let point = serde_json::from_value(json!({
            "id": id, "vault": "local", "server": "db1", "taken": taken, "consistency": "crash",
            "sizes": {"disks": 4096, "read": 4096, "changed": 4096, "incompressible": 0, "stored": 100},
            "disks": [["disk0", 4096]]
        }))
        .unwrap();
        store.points.put(&format!("local/{id}"), &point).await.unwrap();
    }
    let run = serde_json::from_value(json!({
        "id": 1, "job": "nightly", "work": job.work, "trigger": {"by": "person", "who": "console"}, "state": "started",
        "queued": "2026-03-10T11:59:00Z", "started": "2026-03-10T11:59:00Z", "ended": null, "boot": null, "message": null,
        "cause": null
    }))
    .unwrap();
    let run = store.runs.create(run).await.unwrap();
    for number in 1..=3 {
        let line = serde_json::from_value(json!({
            "at": "2026-03-10T11:59:00Z", "level": "info", "text": format!("line {number}")
        }))
        .unwrap();
        store.runs.logs().append(run.id, number, &line).unwrap();
    }
    let alert = crate::store::NewAlert {
        source: "appliance".into(),
        key: "k".into(),
        severity: Severity::Warning,
        title: "t".into(),
        detail: "d".into(),
        server: None,
    };
    store.alerts.raise(alert, "2026-03-10T11:59:00Z".parse().unwrap()).await.unwrap();
}
