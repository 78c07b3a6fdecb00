//! Furnishing an appliance through its own API: a vault, a server, the backup plugin's permissions, a job.

use super::super::{client::Client, context::Context, failure::Failure, follow};
use crate::{
    admin::api::{
        jobs::{JobStatus, RunOrder},
        plugins::GrantOrder,
        runs::RunQueued,
        servers::{ServerSaved, ServerStatus},
        vaults::NewVault,
    },
    model::{
        job::{Job, Work},
        name::{JobName, PluginId, ServerName, VaultName},
        plugin::{Grant, InstalledPlugin, Scope, SettingKind},
        point::PointRecord,
        run::{Run, RunState},
        schedule::{MissedPolicy, OverlapPolicy, Schedule},
        server::{Disk, DiskLocation, Server, ServerKind},
        vault::{VaultChoices, VaultDefinition},
    },
};
use serde_json::{Map, json};
use std::path::Path;

/// The plugin that does the work.
const PLUGIN: &str = "holdfast.backup";
const DISK: &str = "disk0";

/// What was furnished.
pub(super) struct Site {
    pub(super) server: ServerName,
    pub(super) job: JobName,
    pub(super) vault: VaultName,
}

impl Site {
    /// Makes what is not there yet; a trial on a kept directory finds most of it.
    pub(super) async fn furnish(
        client: &Client,
        vault_directory: &Path,
        disk: &Path,
        server: ServerName,
        cron: Option<&str>,
    ) -> Result<Self, Failure> {
        let site = Self { server, job: JobName::new("every-minute")?, vault: VaultName::new("local")? };
        let vaults: Vec<VaultDefinition> = client.get("/vaults").await?;
        if !vaults.iter().any(|vault| vault.name == site.vault) {
            let new = NewVault {
                name: site.vault.clone(),
                path: vault_directory.to_owned(),
                choices: VaultChoices::default(),
            };
            client.post::<VaultDefinition>("/vaults", &new).await?;
        }
        site.protect(client, disk).await?;
        site.permit(client).await?;
        site.add_job(client, cron).await?;
        Ok(site)
    }

    async fn protect(&self, client: &Client, disk: &Path) -> Result<(), Failure> {
        let servers: Vec<ServerStatus> = client.get("/servers").await?;
        let server = Server {
            name: self.server.clone(),
            kind: ServerKind::Image,
            tags: vec![],
            disks: vec![Disk {
                name: DISK.parse()?,
                location: DiskLocation::from_text(&disk.to_string_lossy()),
            }],
            rpo_minutes: 5,
        };
        let path = format!("/servers/{}", self.server);
        match servers.iter().any(|status| status.server.name == self.server) {
            true => client.put::<ServerSaved>(&path, &server).await?,
            false => client.post::<ServerSaved>("/servers", &server).await?,
        };
        Ok(())
    }

    /// All that the bundled plugin asks for, on this server and this vault only.
    async fn permit(&self, client: &Client) -> Result<(), Failure> {
        let plugin: InstalledPlugin = client.get(&format!("/plugins/{PLUGIN}")).await?;
        for permission in plugin.manifest.permissions {
            let order = GrantOrder {
                servers: Scope::Only(vec![self.server.clone()]),
                tags: vec![],
                vaults: Scope::Only(vec![self.vault.clone()]),
            };
            let path = format!("/plugins/{PLUGIN}/grants/{}", permission.capability.name());
            client.put::<Grant>(&path, &order).await?;
        }
        Ok(())
    }

    async fn add_job(&self, client: &Client, cron: Option<&str>) -> Result<(), Failure> {
        let plugin: InstalledPlugin = client.get(&format!("/plugins/{PLUGIN}")).await?;
        let mut settings = Map::new();
        for (name, schema) in &plugin.manifest.settings {
            match schema.kind {
                SettingKind::Servers => settings.insert(name.clone(), json!([self.server])),
                SettingKind::Vault => settings.insert(name.clone(), json!(self.vault)),
                _ => None,
            };
        }
        let offer = plugin.manifest.jobs.first().map(|offer| offer.name.clone()).unwrap_or_default();
        let schedule = |cron: &str| Schedule {
            cron: cron.to_owned(),
            zone: "UTC".to_owned(),
            missed: MissedPolicy::Skip,
            jitter_seconds: 0,
            blackouts: vec![],
        };
        let job = Job {
            name: self.job.clone(),
            work: Work::Plugin { plugin: PluginId::new(PLUGIN)?, job: offer, settings: settings.into() },
            schedules: cron.map(schedule).into_iter().collect(),
            events: vec![],
            overlap: OverlapPolicy::Skip,
            rerun_interrupted: true,
            timeout_seconds: 6 * 3600,
            enabled: true,
        };
        let jobs: Vec<JobStatus> = client.get("/jobs").await?;
        match jobs.iter().any(|status| status.job.name == self.job) {
            true => client.put::<JobStatus>(&format!("/jobs/{}", self.job), &job).await?,
            false => client.post::<JobStatus>("/jobs", &job).await?,
        };
        Ok(())
    }

    /// Starts the job and does not wait.
    pub(super) async fn start_job(&self, client: &Client) -> Result<RunQueued, Failure> {
        client.post(&format!("/jobs/{}/run", self.job), &RunOrder { dry_run: false }).await
    }

    /// Runs the job to its end and returns the run with the point it made.
    pub(super) async fn back_up(
        &self,
        client: &Client,
        context: &Context,
    ) -> Result<(Run, PointRecord), Failure> {
        let queued = self.start_job(client).await?;
        let run = to_success(client, context, queued).await?;
        let points: Vec<PointRecord> = client.get(&format!("/points?server={}&limit=1", self.server)).await?;
        match points.into_iter().next() {
            Some(point) => Ok((run, point)),
            None => Err(Failure::failed(format!(
                "run {} says it succeeded and there is no recovery point: report this",
                run.id
            ))),
        }
    }
}

/// Waits for the end, which must be a good one.
pub(super) async fn to_success(
    client: &Client,
    context: &Context,
    queued: RunQueued,
) -> Result<Run, Failure> {
    let run = follow::to_the_end(client, context, queued.run, false).await?;
    if run.state == RunState::Succeeded {
        return Ok(run);
    }
    let message = run.message.as_deref().unwrap_or("it said nothing");
    Err(Failure::failed(format!("run {} of {} {}: {message}", run.id, run.job, follow::state(run.state))))
}
