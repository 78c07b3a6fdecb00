//! Ports without engines behind them: orders change the store, nothing is backed up. For looking at the pages and for
//! their tests.

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use holdfast::{
    admin::ports::{
        About, Definitions, Inspection, OrderError, Plugins, Ports, Runs, ServerCheck, Upkeep, VaultUsage,
        Vaults,
    },
    clock::SharedClock,
    model::{
        alert::Severity,
        audit::Verdict,
        job::{Job, Trigger, Work},
        name::{AlertId, JobName, PluginId, RunId, ServerName, VaultName},
        plugin::{Capability, Grant, InstalledPlugin, Publisher},
        run::{Progress, Run, RunState},
        schedule::Schedule,
        server::Server,
        vault::{VaultChoices, VaultDefinition, VaultLocation},
    },
    store::{AuditEntry, Store, StoreError},
};
use std::{path::PathBuf, sync::Arc};

/// One value behind all ports.
pub struct Paper {
    pub store: Store,
    pub clock: SharedClock,
}

/// All ports over `store`.
pub fn ports(store: &Store, clock: &SharedClock) -> Ports {
    let paper = Arc::new(Paper { store: store.clone(), clock: Arc::clone(clock) });
    Ports {
        runs: paper.clone(),
        definitions: paper.clone(),
        vaults: paper.clone(),
        plugins: paper.clone(),
        upkeep: paper,
    }
}

type Order<T> = Result<T, OrderError>;

fn broken(source: StoreError) -> OrderError {
    OrderError::Internal(source.to_string())
}

impl Paper {
    async fn mark(&self, who: &str, action: &str, subject: &str) {
        self.audit(who, action, subject, true, None).await;
    }

    async fn queue(&self, job: JobName, work: Work, trigger: Trigger, dry_run: bool) -> Order<RunId> {
        let draft = Run {
            id: RunId(0),
            job,
            work,
            trigger,
            dry_run,
            state: RunState::Queued,
            queued: self.clock.now(),
            started: None,
            ended: None,
            boot: None,
            message: None,
            cause: None,
            progress: Progress::default(),
        };
        Ok(self.store.runs.create(draft).await.map_err(broken)?.id)
    }
}

#[async_trait]
impl Runs for Paper {
    async fn request(&self, job: &JobName, trigger: Trigger, dry_run: bool) -> Order<RunId> {
        let found = self.store.jobs.get(job).map_err(broken)?;
        let found = found
            .ok_or_else(|| OrderError::NotFound(format!("there is no job {job}; nothing was started")))?;
        self.queue(job.clone(), found.work, trigger, dry_run).await
    }
    async fn request_once(&self, name: JobName, work: Work, trigger: Trigger) -> Order<RunId> {
        self.queue(name, work, trigger, false).await
    }
    async fn cancel(&self, run: RunId, who: &str) -> Order<()> {
        let ended = self.clock.now();
        let change = move |run: &mut Run| {
            run.state = RunState::Cancelled;
            run.ended = Some(ended);
            Ok::<_, StoreError>(())
        };
        self.store.runs.update(run, change).await.map_err(broken)?;
        self.mark(who, "runs.cancel", &run.to_string()).await;
        Ok(())
    }
    fn progress(&self, run: RunId) -> Option<Progress> {
        let run = self.store.runs.get(run).ok()??;
        (run.state == RunState::Started).then_some(run.progress)
    }
    fn is_active(&self, job: &JobName) -> bool {
        let unsettled = self.store.runs.unsettled().unwrap_or_default();
        unsettled.iter().any(|run| run.job == *job)
    }
}

#[async_trait]
impl Definitions for Paper {
    async fn save_server(&self, server: Server, replace: bool, who: &str) -> Order<ServerCheck> {
        if !replace && self.store.servers.get(&server.name).map_err(broken)?.is_some() {
            let text = format!(
                "there is already a server named {}; nothing was changed; choose another name",
                server.name
            );
            return Err(OrderError::Conflict(text));
        }
        self.store.servers.put(&server.name, &server).await.map_err(broken)?;
        self.mark(who, "servers.save", server.name.as_str()).await;
        let disks = server.disks.iter().map(|disk| (disk.name.to_string(), 10 << 30)).collect();
        Ok(ServerCheck { disks })
    }
    async fn remove_server(&self, name: &ServerName, who: &str) -> Order<()> {
        self.store.servers.remove(name).await.map_err(broken)?;
        self.mark(who, "servers.remove", name.as_str()).await;
        Ok(())
    }
    async fn save_job(&self, job: Job, _replace: bool, who: &str) -> Order<()> {
        self.store.jobs.put(&job.name, &job).await.map_err(broken)?;
        self.mark(who, "jobs.save", job.name.as_str()).await;
        Ok(())
    }
    async fn remove_job(&self, name: &JobName, who: &str) -> Order<()> {
        self.store.jobs.remove(name).await.map_err(broken)?;
        self.mark(who, "jobs.remove", name.as_str()).await;
        Ok(())
    }
    fn preview(&self, schedule: &Schedule, after: DateTime<Utc>, count: usize) -> Order<Vec<DateTime<Utc>>> {
        if schedule.cron.split_whitespace().count() < 5 {
            let text =
                format!("\"{}\" is not a cron rule; nothing was changed; write five fields", schedule.cron);
            return Err(OrderError::Invalid(text));
        }
        let hour = after.timestamp() / 3600 * 3600;
        Ok((1..=count).filter_map(|n| DateTime::from_timestamp(hour + 3600 * n as i64, 0)).collect())
    }
    fn next_run(&self, job: &Job) -> Option<DateTime<Utc>> {
        self.preview(job.schedules.first()?, self.clock.now(), 1).ok()?.pop()
    }
    fn backup_job_of(&self, server: &Server) -> Option<Job> {
        let named = |settings: &serde_json::Value| {
            let servers = settings.get("servers")?.as_array()?.clone();
            Some(servers.iter().filter_map(|name| name.as_str()).any(|name| {
                let tag = name.strip_prefix("tag:");
                name == server.name.as_str()
                    || tag.is_some_and(|tag| server.tags.iter().any(|own| own.as_str() == tag))
            }))
        };
        let covers = |job: &Job| match &job.work {
            Work::Plugin { settings, .. } => named(settings).unwrap_or(false),
            Work::Task { .. } => false,
        };
        self.store.jobs.list().ok()?.into_iter().find(covers)
    }
}

#[async_trait]
impl Vaults for Paper {
    async fn create(
        &self,
        name: VaultName,
        path: PathBuf,
        _: VaultChoices,
        who: &str,
    ) -> Order<VaultDefinition> {
        let location = VaultLocation::Directory { path };
        let vault = VaultDefinition { name, location, id: "0f3a".repeat(8), added: self.clock.now() };
        self.store.vaults.put(&vault.name, &vault).await.map_err(broken)?;
        self.mark(who, "vaults.create", vault.name.as_str()).await;
        Ok(vault)
    }
    async fn attach(&self, name: VaultName, path: PathBuf, _: &str, who: &str) -> Order<VaultDefinition> {
        self.create(name, path, VaultChoices::default(), who).await
    }
    async fn detach(&self, name: &VaultName, who: &str) -> Order<()> {
        self.store.vaults.remove(name).await.map_err(broken)?;
        self.mark(who, "vaults.detach", name.as_str()).await;
        Ok(())
    }
    async fn usage(&self, _: &VaultName) -> Order<VaultUsage> {
        Ok(VaultUsage {
            stored_bytes: 412_700_000_000,
            objects: 31_204,
            points: 118,
            logical_bytes: 9_870_000_000_000,
            free_bytes: Some(1_587_300_000_000),
            grace_hours: 72,
            minimum_points: 2,
        })
    }
    async fn key(&self, name: &VaultName, who: &str) -> Order<String> {
        self.mark(who, "vaults.key", name.as_str()).await;
        Ok("HFKEY-0000-THIS-IS-NOT-A-KEY".to_owned())
    }
    async fn hold(&self, vault: &VaultName, point: &str, _: &str, who: &str) -> Order<()> {
        self.change_point(vault, point, who, "recovery-points.hold", |point, _| point.held = true).await
    }
    async fn release(&self, vault: &VaultName, point: &str, who: &str) -> Order<()> {
        self.change_point(vault, point, who, "recovery-points.release", |point, _| point.held = false).await
    }
    async fn expire(&self, vault: &VaultName, point: &str, who: &str) -> Order<()> {
        self.change_point(vault, point, who, "recovery-points.expire", |point, now| point.expired = Some(now))
            .await
    }
    async fn unexpire(&self, vault: &VaultName, point: &str, who: &str) -> Order<()> {
        self.change_point(vault, point, who, "recovery-points.unexpire", |point, _| point.expired = None)
            .await
    }
}

impl Paper {
    async fn change_point(
        &self,
        vault: &VaultName,
        point: &str,
        who: &str,
        action: &str,
        change: impl FnOnce(&mut holdfast::model::point::PointRecord, DateTime<Utc>),
    ) -> Order<()> {
        let key = format!("{vault}/{point}");
        let found = self.store.points.get(&key).map_err(broken)?;
        let mut record = found
            .ok_or_else(|| OrderError::NotFound(format!("there is no point {key}; nothing was changed")))?;
        change(&mut record, self.clock.now());
        self.store.points.put(&key, &record).await.map_err(broken)?;
        self.mark(who, action, &key).await;
        Ok(())
    }
}

#[async_trait]
impl Plugins for Paper {
    async fn inspect(&self, package: Vec<u8>) -> Order<Inspection> {
        let known = self.store.plugins.list().map_err(broken)?.into_iter().next();
        let known = known.ok_or_else(|| OrderError::Unavailable("there is no plugin to show".to_owned()))?;
        Ok(Inspection {
            manifest: known.manifest,
            publisher: Publisher::Signed { key: "5b1f".repeat(16) },
            digest: "9c4e".repeat(16),
            bytes: package.len() as u64,
            imports: vec!["holdfast:servers/servers@0.1.0".to_owned()],
            problems: vec![],
        })
    }
    async fn install(&self, _: Vec<u8>, who: &str) -> Order<InstalledPlugin> {
        self.mark(who, "plugins.install", "paper").await;
        let known = self.store.plugins.list().map_err(broken)?.into_iter().next();
        known.ok_or_else(|| OrderError::Unavailable("there is no plugin to show".to_owned()))
    }
    async fn remove(&self, id: &PluginId, who: &str) -> Order<()> {
        self.store.plugins.remove(id).await.map_err(broken)?;
        self.mark(who, "plugins.remove", id.as_str()).await;
        Ok(())
    }
    async fn grant(&self, grant: Grant) -> Order<()> {
        let key = format!("{}/{}", grant.plugin, grant.capability.name());
        self.store.grants.put(&key, &grant).await.map_err(broken)?;
        self.mark(&grant.by, "plugins.grant", &key).await;
        Ok(())
    }
    async fn revoke(&self, id: &PluginId, capability: Capability, who: &str) -> Order<()> {
        let key = format!("{id}/{}", capability.name());
        self.store.grants.remove(&key).await.map_err(broken)?;
        self.mark(who, "plugins.revoke", &key).await;
        Ok(())
    }
    async fn resume(&self, id: &PluginId, who: &str) -> Order<()> {
        if let Some(plugin) = self.store.plugins.get(id).map_err(broken)? {
            let plugin = InstalledPlugin { paused: None, ..plugin };
            self.store.plugins.put(id, &plugin).await.map_err(broken)?;
        }
        self.mark(who, "plugins.resume", id.as_str()).await;
        Ok(())
    }
    fn accepts_unsigned(&self) -> bool {
        false
    }
}

#[async_trait]
impl Upkeep for Paper {
    async fn acknowledge(&self, alert: AlertId, who: &str) -> Order<()> {
        self.store.alerts.acknowledge(alert, who).await.map_err(broken)?;
        self.mark(who, "alerts.acknowledge", &alert.to_string()).await;
        Ok(())
    }
    async fn resolve(&self, alert: AlertId, who: &str) -> Order<()> {
        self.store.alerts.resolve_by_id(alert, self.clock.now()).await.map_err(broken)?;
        self.mark(who, "alerts.resolve", &alert.to_string()).await;
        Ok(())
    }
    fn worst(&self) -> Option<Severity> {
        self.store.alerts.open().ok()?.into_iter().map(|alert| alert.severity).max()
    }
    async fn export(&self, _: &str) -> Order<String> {
        Ok("{}".to_owned())
    }
    async fn import(&self, _: &str, _: &str) -> Order<()> {
        Err(OrderError::Unavailable("nothing is imported here".to_owned()))
    }
    async fn audit(&self, who: &str, action: &str, subject: &str, allowed: bool, reason: Option<String>) {
        let verdict = if allowed { Verdict::Allowed } else { Verdict::Refused };
        let (who, action, subject) = (who.to_owned(), action.to_owned(), subject.to_owned());
        let entry = AuditEntry { at: self.clock.now(), who, action, subject, verdict, reason };
        if let Err(source) = self.store.audit.append(entry).await {
            eprintln!("{source}");
        }
    }
    fn about(&self) -> About {
        About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.clock.now() - Duration::days(9),
            data: "/var/lib/holdfast".to_owned(),
            data_free_bytes: Some(38_200_000_000),
            demo: false,
        }
    }
}
