//! Orders about runs, and the work and starts that the room `run` needs from the rest of the house.

use super::desk::{Desk, store_error};
use crate::{
    admin::ports::{OrderError, Runs as RunOrders},
    capability::context::RunContext,
    model::{
        job::{Trigger, Work},
        name::{JobName, PluginId, RunId},
        run::{Ended, Progress},
        schedule::Schedule,
    },
    plugin::Plugins,
    run::{PluginWork, RequestRun, Runs},
    schedule::{Fire, Starts},
    store::StoreError,
};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;

/// Carries out orders about runs.
pub(super) struct RunDesk {
    pub(super) desk: Desk,
    pub(super) runs: Runs,
}

fn request_error(error: RequestRun) -> OrderError {
    let text = error.to_string();
    match error {
        RequestRun::NoSuchJob { .. } => OrderError::NotFound(text),
        RequestRun::Disabled { .. } => OrderError::Conflict(text),
        RequestRun::Stopping => OrderError::Unavailable(text),
        RequestRun::Store(_) => OrderError::Internal(text),
    }
}

/// Who asked, for the audit log.
fn asker(trigger: &Trigger) -> &str {
    match trigger {
        Trigger::Person { who } => who,
        _ => "appliance",
    }
}

#[async_trait]
impl RunOrders for RunDesk {
    async fn request(&self, job: &JobName, trigger: Trigger, dry_run: bool) -> Result<RunId, OrderError> {
        self.desk.record(asker(&trigger), "job.run", job.as_str(), None).await?;
        self.runs.request(job, trigger, dry_run).await.map(|run| run.id).map_err(request_error)
    }

    async fn request_once(&self, name: JobName, work: Work, trigger: Trigger) -> Result<RunId, OrderError> {
        let what = serde_json::to_string(&work).unwrap_or_default();
        self.desk.record(asker(&trigger), "run.once", format!("{name}: {what}"), None).await?;
        self.runs.request_once(name, work, trigger).await.map(|run| run.id).map_err(request_error)
    }

    async fn cancel(&self, run: RunId, who: &str) -> Result<(), OrderError> {
        let known = self.desk.store.runs.get(run).map_err(store_error)?;
        let Some(known) = known else {
            return Err(OrderError::NotFound(format!(
                "there is no run {run}; nothing was cancelled; see `holdfast runs`"
            )));
        };
        self.desk.record(who, "run.cancel", run.to_string(), None).await?;
        let stopped =
            self.runs.cancel(run, who).await.map_err(|error| OrderError::Internal(error.to_string()))?;
        if stopped {
            return Ok(());
        }
        Err(OrderError::Conflict(format!(
            "run {run} of job {} has ended already; nothing was changed",
            known.job
        )))
    }

    fn progress(&self, run: RunId) -> Option<Progress> {
        self.runs.progress(run)
    }

    fn is_active(&self, job: &JobName) -> bool {
        self.runs.is_active(job)
    }
}

/// Plugins as the room `run` starts them.
pub(super) struct PluginStarter(pub(super) Arc<Plugins>);

#[async_trait]
impl PluginWork for PluginStarter {
    async fn execute(&self, plugin: &PluginId, job: &str, settings: &Value, context: RunContext) -> Ended {
        self.0.execute(plugin, job, settings, context).await
    }
}

/// The room `run` as the ticker starts it: the run and the settled due time are one transaction.
pub(super) struct DueStarter(pub(super) Runs);

#[async_trait]
impl Starts for DueStarter {
    async fn start_due(&self, job: &JobName, rule: &Schedule, fire: Fire) -> Result<(), StoreError> {
        match self.0.request_due(job, rule, fire.due, fire.caught_up).await {
            Ok(_) => Ok(()),
            Err(RequestRun::Store(error)) => Err(error),
            // Switched off, removed or stopping between the look and the start: there is nothing to do for this time.
            Err(other) => {
                tracing::info!(%job, reason = %other, "a due time passes without a run");
                Ok(())
            }
        }
    }
}
