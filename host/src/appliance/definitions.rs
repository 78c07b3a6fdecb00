//! Orders about servers, jobs and schedules: everything is checked before it is saved.

use super::desk::{Desk, store_error};
use crate::{
    admin::ports::{Definitions, OrderError, ServerCheck},
    capability::context::{RunContext, RunSink},
    machine::image,
    model::{
        job::{EventKind, Job, Trigger, Work},
        name::{JobName, RunId, ServerName},
        run::{LogLevel, Progress},
        schedule::Schedule,
        server::{Disk, DiskFormat, DiskLocation, Server},
    },
    plugin::{Plugins, SettingsOutcome},
    run, schedule,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use std::{collections::BTreeSet, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Carries out orders about definitions.
pub(super) struct DefinitionDesk {
    pub(super) desk: Desk,
    pub(super) plugins: Arc<Plugins>,
    pub(super) runs: run::Runs,
}

/// Settings are checked outside any run, so there is nobody to listen.
struct Nobody;

impl RunSink for Nobody {
    fn log(&self, _level: LogLevel, _text: String) {}
    fn progress(&self, _progress: Progress) {}
}

fn unreadable(server: &ServerName, disk: &Disk, error: &dyn std::error::Error) -> OrderError {
    let cause = error.source().map(|source| format!(" ({source})")).unwrap_or_default();
    OrderError::Invalid(format!(
        "server {server}, {} at {}: {error}{cause}; nothing was saved",
        disk.name, disk.location
    ))
}

/// Keeps the format each disk had when a person added it: whoever can write to the disk later, a guest above all, must not
/// decide how it is read.
fn pin_formats(server: &mut Server) {
    for disk in &mut server.disks {
        if let DiskLocation::File { path, format } = &mut disk.location
            && *format == DiskFormat::Auto
            && let Ok(found) = image::detect(path)
        {
            *format = found;
        }
    }
}

impl DefinitionDesk {
    async fn refuse<T>(
        &self,
        who: &str,
        action: &str,
        subject: &str,
        error: OrderError,
    ) -> Result<T, OrderError> {
        self.desk.record(who, action, subject, Some(error.to_string())).await?;
        Err(error)
    }

    /// Opens each disk and reads its size.
    async fn look_at_disks(server: &Server) -> Result<ServerCheck, OrderError> {
        if server.disks.is_empty() {
            return Err(OrderError::Invalid(format!(
                "server {} has no disk; nothing was saved; name at least one with --disk",
                server.name
            )));
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = server.disks.iter().find(|disk| !names.insert(disk.name.clone())) {
            return Err(OrderError::Invalid(format!(
                "server {} has two disks named {}; nothing was saved; give each its own name",
                server.name, twice.name
            )));
        }
        let (disks, name) = (server.disks.clone(), server.name.clone());
        let looked = tokio::task::spawn_blocking(move || {
            disks
                .into_iter()
                .map(|disk| match image::open(&disk.location) {
                    Ok(reader) => match reader.size() {
                        Ok(size) => Ok((disk.name.to_string(), size)),
                        Err(error) => Err(unreadable(&name, &disk, &error)),
                    },
                    Err(error) => Err(unreadable(&name, &disk, &error)),
                })
                .collect::<Result<Vec<_>, _>>()
        });
        let disks = looked.await.map_err(|_| {
            OrderError::Internal(
                "looking at the disks failed inside the appliance; nothing was saved".to_owned(),
            )
        })??;
        Ok(ServerCheck { disks })
    }

    async fn checked_job(&self, job: &Job) -> Result<(), OrderError> {
        schedule::check_all(&job.schedules).map_err(|error| OrderError::Invalid(error.to_string()))?;
        let Work::Plugin { plugin, job: entry, settings } = &job.work else { return Ok(()) };
        let now = self.desk.clock.now();
        let context = RunContext {
            run: RunId(0),
            job: job.name.clone(),
            trigger: Trigger::Person { who: "check".to_owned() },
            dry_run: true,
            cancel: CancellationToken::new(),
            deadline: now + TimeDelta::seconds(30),
            sink: Arc::new(Nobody),
        };
        match self.plugins.check_settings(plugin, entry, settings, context).await {
            SettingsOutcome::Good(_) => Ok(()),
            SettingsOutcome::Problems(problems) => {
                let words: Vec<String> = problems
                    .iter()
                    .map(|problem| format!("{}: {}", problem.setting, problem.message))
                    .collect();
                Err(OrderError::Invalid(format!("job {} was not saved: {}", job.name, words.join("; "))))
            }
            SettingsOutcome::Unchecked(reason) => {
                Err(OrderError::Invalid(format!("job {} was not saved: {reason}", job.name)))
            }
        }
    }
}

#[async_trait]
impl Definitions for DefinitionDesk {
    async fn save_server(
        &self,
        mut server: Server,
        replace: bool,
        who: &str,
    ) -> Result<ServerCheck, OrderError> {
        let (name, action) = (server.name.clone(), if replace { "server.change" } else { "server.add" });
        let check = match Self::look_at_disks(&server).await {
            Ok(check) => check,
            Err(error) => return self.refuse(who, action, name.as_str(), error).await,
        };
        pin_formats(&mut server);
        self.desk.record(who, action, name.as_str(), None).await?;
        if replace {
            self.desk.store.servers.put(&name, &server).await.map_err(store_error)?;
        } else if !self.desk.store.servers.insert(&name, &server).await.map_err(store_error)? {
            return Err(OrderError::Conflict(format!(
                "there is a server {name} already; nothing was changed; choose another name, or change the present one"
            )));
        }
        self.runs.event(EventKind::ServerChanged, Some(name)).await;
        Ok(check)
    }

    async fn remove_server(&self, name: &ServerName, who: &str) -> Result<(), OrderError> {
        self.desk.record(who, "server.remove", name.as_str(), None).await?;
        if self.desk.store.servers.remove(name).await.map_err(store_error)? {
            return Ok(());
        }
        Err(OrderError::NotFound(format!(
            "there is no server {name}; nothing was changed; see `holdfast server list`"
        )))
    }

    async fn save_job(&self, job: Job, replace: bool, who: &str) -> Result<(), OrderError> {
        let (name, action) = (job.name.clone(), if replace { "job.change" } else { "job.add" });
        if let Err(error) = self.checked_job(&job).await {
            return self.refuse(who, action, name.as_str(), error).await;
        }
        self.desk.record(who, action, name.as_str(), None).await?;
        if replace {
            self.desk.store.jobs.put(&name, &job).await.map_err(store_error)?;
        } else if !self.desk.store.jobs.insert(&name, &job).await.map_err(store_error)? {
            return Err(OrderError::Conflict(format!(
                "there is a job {name} already; nothing was changed; choose another name, or change the present one"
            )));
        }
        Ok(())
    }

    async fn remove_job(&self, name: &JobName, who: &str) -> Result<(), OrderError> {
        self.desk.record(who, "job.remove", name.as_str(), None).await?;
        let (store, gone) = (self.desk.store.clone(), name.clone());
        let had = self.desk.store.jobs.remove(name).await.map_err(store_error)?;
        let due = store.due.clone();
        store.transact(move |transaction| due.forget_in(transaction, &gone)).await.map_err(store_error)?;
        if had {
            return Ok(());
        }
        Err(OrderError::NotFound(format!(
            "there is no job {name}; nothing was changed; see `holdfast job list`"
        )))
    }

    fn preview(
        &self,
        schedule: &Schedule,
        after: DateTime<Utc>,
        count: usize,
    ) -> Result<Vec<DateTime<Utc>>, OrderError> {
        schedule::preview(schedule, after, count.min(100))
            .map_err(|error| OrderError::Invalid(error.to_string()))
    }

    fn next_run(&self, job: &Job) -> Option<DateTime<Utc>> {
        schedule::next_of(job, self.desk.clock.now())
    }

    fn backup_job_of(&self, server: &Server) -> Option<Job> {
        let jobs = self.desk.store.jobs.list().ok()?;
        let covering = jobs.into_iter().filter(|job| job.enabled && covers(job, server));
        let now = self.desk.clock.now();
        covering.min_by_key(|job| schedule::next_of(job, now).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }
}

/// Whether a job's `servers` setting names the server, one of its tags, or nothing, which is all.
fn covers(job: &Job, server: &Server) -> bool {
    let Work::Plugin { job: entry, settings, .. } = &job.work else { return false };
    let named = match settings.get("servers") {
        None | Some(serde_json::Value::Null) => return entry == "backup",
        Some(serde_json::Value::Array(names)) => names.iter().filter_map(|n| n.as_str()).collect::<Vec<_>>(),
        Some(other) => {
            other.as_str().map(|text| text.split(',').map(str::trim).collect()).unwrap_or_default()
        }
    };
    let tagged = |name: &&str| {
        name.strip_prefix("tag:").is_some_and(|tag| server.tags.iter().any(|t| t.as_str() == tag))
    };
    entry == "backup"
        && (named.is_empty() || named.iter().any(|name| *name == server.name.as_str() || tagged(name)))
}
