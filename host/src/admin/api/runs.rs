//! Runs: what was and is being done, with progress and log.

use super::{
    Api, PREFIX,
    body::{Asked, At, Who},
    problem::{Answer, Kind, Problem},
};
use crate::{
    model::{
        name::{JobName, RunId},
        run::{LogLine, Run, RunState},
    },
    store::RunFilter,
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

const MOST_RUNS: usize = 1000;
const MOST_LINES: usize = 5000;

/// A run that was queued.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunQueued {
    /// Its number; `GET /runs/NUMBER` says how far it is.
    pub run: RunId,
}

/// Which runs to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Of this job only.
    #[param(value_type = Option<String>)]
    pub job: Option<JobName>,
    /// In this state only.
    #[param(inline)]
    pub state: Option<RunState>,
    /// At most so many; 50 when nothing is said, 1,000 is the most.
    pub limit: Option<usize>,
    /// Only older than this run, to turn pages.
    #[param(value_type = Option<u64>)]
    pub before: Option<RunId>,
}

/// Which log lines to read.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Only lines after this number, to follow a log.
    pub after: Option<u64>,
    /// At most so many; 1,000 when nothing is said, 5,000 is the most.
    pub limit: Option<usize>,
}

/// A log line and its number within the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NumberedLogLine {
    /// Counts up from 1.
    pub number: u64,
    /// The line.
    pub line: LogLine,
}

/// Runs, newest first.
#[utoipa::path(get, path = "/runs", tag = "runs", params(RunQuery), responses((status = 200, body = Vec<Run>)))]
pub(super) async fn list_runs(
    State(api): State<Api>,
    Asked(query): Asked<RunQuery>,
) -> Answer<Json<Vec<Run>>> {
    let RunQuery { job, state, limit, before } = query;
    let limit = limit.unwrap_or(50).clamp(1, MOST_RUNS);
    let mut runs = api.store.runs.list(&RunFilter { job, state, before, limit })?;
    runs.iter_mut().for_each(|run| bring_up_to_date(&api, run));
    Ok(Json(runs))
}

/// One run, with its present progress.
#[utoipa::path(get, path = "/runs/{id}", tag = "runs", params(("id" = u64, Path, description = "The run's number")),
    responses((status = 200, body = Run)))]
pub(super) async fn get_run(State(api): State<Api>, At(id): At<RunId>) -> Answer<Json<Run>> {
    let mut run = find(&api, id)?;
    bring_up_to_date(&api, &mut run);
    Ok(Json(run))
}

/// A run's log, oldest line first.
#[utoipa::path(get, path = "/runs/{id}/log", tag = "runs", params(("id" = u64, Path, description = "The run's number"), LogQuery),
    responses((status = 200, body = Vec<NumberedLogLine>)))]
pub(super) async fn get_run_log(
    State(api): State<Api>,
    At(id): At<RunId>,
    Asked(query): Asked<LogQuery>,
) -> Answer<Json<Vec<NumberedLogLine>>> {
    find(&api, id)?;
    let limit = query.limit.unwrap_or(1000).clamp(1, MOST_LINES);
    let lines = api.store.runs.logs().read(id, query.after.unwrap_or(0), limit)?;
    Ok(Json(
        lines.into_iter().map(|line| NumberedLogLine { number: line.sequence, line: line.line }).collect(),
    ))
}

/// Asks a run to stop. It ends soon after; its state says when.
#[utoipa::path(post, path = "/runs/{id}/cancel", tag = "runs", params(("id" = u64, Path, description = "The run's number")),
    responses((status = 202)))]
pub(super) async fn cancel_run(
    State(api): State<Api>,
    Who(caller): Who,
    At(id): At<RunId>,
) -> Answer<StatusCode> {
    find(&api, id)?;
    api.ports.runs.cancel(id, &caller.who).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The answer to every order that queues a run.
pub(super) fn queued(run: RunId) -> (StatusCode, [(&'static str, String); 1], Json<RunQueued>) {
    (StatusCode::ACCEPTED, [("location", format!("{PREFIX}/runs/{run}"))], Json(RunQueued { run }))
}

fn bring_up_to_date(api: &Api, run: &mut Run) {
    if !run.state.is_settled()
        && let Some(progress) = api.ports.runs.progress(run.id)
    {
        run.progress = progress;
    }
}

fn find(api: &Api, id: RunId) -> Answer<Run> {
    api.store.runs.get(id)?.ok_or_else(|| {
        Problem::new(
            Kind::NotFound,
            format!("there is no run {id} here; nothing was done: `holdfast runs` shows which there are"),
        )
    })
}
