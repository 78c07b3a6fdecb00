//! Back up these servers now, with the settings of the job that covers them anyway.
//!
//! The whole job is not run: it may cover servers nobody asked for. A server that no job covers is backed up by the
//! bundled plugin with its own defaults. Either way it is an ordinary run, on the path that schedules take.

use super::{
    Api,
    body::{Body, Bounded, Who},
    bounds,
    problem::{Answer, FieldError, Kind, Problem},
    servers,
};
use crate::model::{
    job::{Job, Trigger, Work},
    name::{JobName, PluginId, RunId, ServerName, VaultName},
    plugin::{Manifest, SettingKind},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The plugin that every appliance has.
const BUNDLED: &str = "holdfast.backup";
/// How a run that nobody's job started is recorded.
const RECORDED_AS: &str = "backup-now";
const MOST: usize = 1000;

/// Servers to back up now.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupOrder {
    /// Which servers.
    pub servers: Vec<ServerName>,
    /// Into this vault; where nothing is said, the vault of each server's job, or the only vault there is.
    #[serde(default)]
    pub vault: Option<VaultName>,
}

/// Runs that were queued.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunsQueued {
    /// One for each job that covers some of the servers.
    pub runs: Vec<RunId>,
}

impl Bounded for BackupOrder {
    fn check(&self, errors: &mut Vec<FieldError>) {
        bounds::count(errors, "servers", self.servers.len(), MOST);
        if self.servers.is_empty() {
            let detail = "is empty; name at least one server".to_owned();
            errors.push(FieldError { field: "servers".to_owned(), detail });
        }
    }
}

/// Backs servers up now.
#[utoipa::path(post, path = "/backups", tag = "jobs", request_body = BackupOrder, responses((status = 202, body = RunsQueued)))]
pub(super) async fn back_up_now(
    State(api): State<Api>,
    Who(caller): Who,
    Body(order): Body<BackupOrder>,
) -> Answer<(StatusCode, Json<RunsQueued>)> {
    let runs = queue(&api, &order, &caller.who).await?;
    Ok((StatusCode::ACCEPTED, Json(RunsQueued { runs })))
}

/// Queues one run for each job that covers some of the servers; the page's button does the same.
pub(in crate::admin) async fn queue(api: &Api, order: &BackupOrder, who: &str) -> Answer<Vec<RunId>> {
    let mut groups: Vec<(Option<Job>, Vec<ServerName>)> = Vec::new();
    for name in &order.servers {
        let job = api.ports.definitions.backup_job_of(&servers::find(api, name)?);
        match groups.iter_mut().find(|(known, _)| name_of(known) == name_of(&job)) {
            Some((_, names)) if names.contains(name) => {}
            Some((_, names)) => names.push(name.clone()),
            None => groups.push((job, vec![name.clone()])),
        }
    }
    let mut works = Vec::new();
    for (job, names) in &groups {
        works.push(match job.as_ref().map(|job| &job.work) {
            Some(Work::Plugin { plugin, job, settings }) => {
                let settings = settings.as_object().cloned().unwrap_or_default();
                narrowed(api, plugin, job, settings, names, order.vault.as_ref())?
            }
            _ => uncovered(api, names, order.vault.as_ref())?,
        });
    }
    let mut runs = Vec::new();
    for work in works {
        let trigger = Trigger::Person { who: who.to_owned() };
        runs.push(api.ports.runs.request_once(JobName::new(RECORDED_AS)?, work, trigger).await?);
    }
    Ok(runs)
}

fn name_of(job: &Option<Job>) -> Option<&JobName> {
    job.as_ref().map(|job| &job.name)
}

fn uncovered(api: &Api, names: &[ServerName], vault: Option<&VaultName>) -> Answer<Work> {
    let plugin = PluginId::new(BUNDLED)?;
    let vault = match vault {
        Some(vault) => vault.clone(),
        None => only_vault(api)?,
    };
    let job = manifest(api, &plugin)?.jobs.first().map(|offer| offer.name.clone()).unwrap_or_default();
    narrowed(api, &plugin, &job, Map::new(), names, Some(&vault))
}

/// The plugin's job with its servers, and its vault where one is given, replaced by what was asked for.
fn narrowed(
    api: &Api,
    plugin: &PluginId,
    job: &str,
    mut settings: Map<String, Value>,
    names: &[ServerName],
    vault: Option<&VaultName>,
) -> Answer<Work> {
    let manifest = manifest(api, plugin)?;
    let setting = |kind| manifest.settings.iter().find(|(_, s)| s.kind == kind).map(|(name, _)| name.clone());
    let servers = setting(SettingKind::Servers).ok_or_else(|| {
        Problem::new(
            Kind::Conflict,
            format!("the plugin {plugin} has no setting for servers, so single ones cannot be backed up with it; nothing was started: run its job instead"),
        )
    })?;
    settings.insert(servers, json!(names));
    if let (Some(name), Some(vault)) = (setting(SettingKind::Vault), vault) {
        settings.insert(name, json!(vault));
    }
    Ok(Work::Plugin { plugin: plugin.clone(), job: job.to_owned(), settings: Value::Object(settings) })
}

fn manifest(api: &Api, plugin: &PluginId) -> Answer<Manifest> {
    api.store.plugins.get(plugin)?.map(|installed| installed.manifest).ok_or_else(|| {
        Problem::new(
            Kind::Conflict,
            format!(
                "the plugin {plugin} is not installed, so nothing can be backed up with it; nothing was started: `holdfast plugin list` shows which there are"
            ),
        )
    })
}

fn only_vault(api: &Api) -> Answer<VaultName> {
    let vaults = api.store.vaults.list()?;
    match vaults.as_slice() {
        [only] => Ok(only.name.clone()),
        [] => Err(Problem::new(
            Kind::Conflict,
            "there is no vault to put a recovery point into; nothing was started: make one with `holdfast vault create NAME PATH`",
        )),
        several => {
            let names: Vec<&str> = several.iter().map(|vault| vault.name.as_str()).collect();
            let detail = format!("is needed, since there are several: give one of {}", names.join(", "));
            Err(Problem::fields(vec![FieldError { field: "vault".to_owned(), detail }]))
        }
    }
}
