//! Running one job of one plugin: settings first, then a fresh instance, then the end in words.

use super::{
    Loaded, Plugins,
    fault::{self, Whose},
    instance::{self, Bounds, End},
    limits::{CHECK_CPU, CHECK_WALL, Limits},
    settings::{self, SettingProblem, SiteNames},
};
use crate::{
    capability::{
        context::RunContext,
        session::{Purpose, Session, SessionParts},
    },
    model::{
        name::PluginId,
        plugin::InstalledPlugin,
        run::{EndCause, Ended, RunState},
    },
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// What checking a job's settings found.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingsOutcome {
    /// They are good; with defaults filled in.
    Good(Value),
    /// They are not; all that is wrong.
    Problems(Vec<SettingProblem>),
    /// They could not be checked, and why.
    Unchecked(String),
}

impl Plugins {
    /// Runs a job to its end. Never fails: whatever happens is an end with a message for a person.
    pub async fn execute(&self, id: &PluginId, job: &str, settings: &Value, context: RunContext) -> Ended {
        let loaded = match self.ready(id, job).await {
            Ok(loaded) => loaded,
            Err(reason) => return not_started(reason),
        };
        let settings = match self.checked_settings(&loaded, job, settings, &context).await {
            SettingsOutcome::Good(settings) => settings,
            SettingsOutcome::Problems(problems) => return not_started(in_words(job, &problems)),
            SettingsOutcome::Unchecked(reason) => return not_started(reason),
        };
        let wall = self.wall(&loaded.limits, &context);
        let cancel = context.cancel.clone();
        let bounds = Bounds { grace: self.grace, ..Bounds::new(loaded.limits, wall, cancel.clone()) };
        let session = self.session(&loaded, context, Purpose::Job, &settings);
        let end = instance::run_job(&self.engine, &loaded.plugin, session, job, bounds).await;
        fault::ended(whose(&loaded, job), end, cancel.is_cancelled())
    }

    /// Checks a job's settings against the manifest and by the plugin itself.
    pub async fn check_settings(
        &self,
        id: &PluginId,
        job: &str,
        settings: &Value,
        context: RunContext,
    ) -> SettingsOutcome {
        match self.ready(id, job).await {
            Ok(loaded) => self.checked_settings(&loaded, job, settings, &context).await,
            Err(reason) => SettingsOutcome::Unchecked(reason),
        }
    }

    /// The plugin, compiled and linked, if it may run and offers the job.
    async fn ready(&self, id: &PluginId, job: &str) -> Result<Arc<Loaded>, String> {
        let record: InstalledPlugin = self.catalog.record(id).map_err(|error| error.to_string())?;
        if let Some(why) = &record.paused {
            return Err(format!(
                "plugin {id} is paused: {why}; nothing was run; resume it under Plugins → {id}"
            ));
        }
        let offers: Vec<&str> = record.manifest.jobs.iter().map(|offer| offer.name.as_str()).collect();
        if !offers.contains(&job) {
            return Err(format!(
                "plugin {id} {} has no job \"{job}\"; nothing was run; it has: {}",
                record.manifest.version,
                offers.join(", ")
            ));
        }
        self.loaded(&record).await.map_err(|error| error.to_string())
    }

    async fn checked_settings(
        &self,
        loaded: &Loaded,
        job: &str,
        given: &Value,
        context: &RunContext,
    ) -> SettingsOutcome {
        let site = match self.site_names().await {
            Ok(site) => site,
            Err(reason) => return SettingsOutcome::Unchecked(reason),
        };
        let checked = match settings::check(&loaded.package.manifest.settings, given, &site) {
            Ok(checked) => Value::Object(checked),
            Err(problems) => return SettingsOutcome::Problems(problems),
        };
        let limits = Limits { cpu: CHECK_CPU, ..loaded.limits };
        let bounds =
            Bounds { grace: Duration::ZERO, ..Bounds::new(limits, CHECK_WALL, context.cancel.clone()) };
        let session = self.session(loaded, context.clone(), Purpose::CheckSettings, &checked);
        match instance::check_settings(&self.engine, &loaded.plugin, session, job, bounds).await {
            End::Returned(problems) if problems.is_empty() => SettingsOutcome::Good(checked),
            End::Returned(problems) => SettingsOutcome::Problems(
                problems
                    .into_iter()
                    .map(|problem| SettingProblem { setting: problem.setting, message: problem.message })
                    .collect(),
            ),
            End::Trapped(remains) => {
                let end = fault::ended(whose(loaded, job), End::Trapped(remains), false);
                SettingsOutcome::Unchecked(format!("the settings could not be checked: {}", end.message))
            }
            End::OutOfTime | End::Abandoned => SettingsOutcome::Unchecked(
                "the settings could not be checked in time; nothing was run; try again".to_owned(),
            ),
        }
    }

    async fn site_names(&self) -> Result<SiteNames, String> {
        let failed = |error| format!("the settings could not be checked: {error}; nothing was run");
        Ok(SiteNames {
            servers: self.engines.servers.list().await.map_err(failed)?,
            vaults: self.engines.vaults.list().await.map_err(failed)?,
        })
    }

    fn session(&self, loaded: &Loaded, context: RunContext, purpose: Purpose, settings: &Value) -> Session {
        Session::new(SessionParts {
            manifest: Arc::new(loaded.package.manifest.clone()),
            context,
            purpose,
            settings: settings.to_string(),
            state_quota: loaded.limits.state,
            operations: loaded.limits.operations,
            log: loaded.limits.log_allowance(),
            clock: self.clock.clone(),
            engines: self.engines.clone(),
        })
    }

    /// The job's deadline or the plugin's own limit, whichever is sooner.
    fn wall(&self, limits: &Limits, context: &RunContext) -> Duration {
        let left = (context.deadline - self.clock.now()).to_std().unwrap_or(Duration::ZERO);
        limits.wall.map_or(left, |own| own.min(left))
    }
}

fn whose<'a>(loaded: &'a Loaded, job: &'a str) -> Whose<'a> {
    let manifest = &loaded.package.manifest;
    Whose { plugin: manifest.id.as_str(), version: &manifest.version, job }
}

fn in_words(job: &str, problems: &[SettingProblem]) -> String {
    let said: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}", problem.setting, problem.message)).collect();
    format!(
        "job \"{job}\" was not run because of its settings: {}; correct them and run it again",
        said.join("; ")
    )
}

fn not_started(message: String) -> Ended {
    Ended { state: RunState::Refused, cause: EndCause::NotStarted, message }
}
