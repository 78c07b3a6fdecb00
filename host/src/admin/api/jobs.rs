//! Jobs: what runs, with which settings, when.

use super::{
    Api,
    body::{At, Body, Bounded, Who},
    problem::{Answer, FieldError, Kind, Problem},
    runs::{RunQueued, queued},
    servers::same_name,
};
use crate::model::{
    job::{Job, Trigger},
    name::JobName,
};
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A job and where it stands.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobStatus {
    /// Its definition.
    pub job: Job,
    /// Whether a run of it is under way.
    pub active: bool,
    /// When it runs next by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run: Option<DateTime<Utc>>,
}

/// When a job runs next by itself.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NextRun {
    /// None: it has no schedule that fires, or it is off.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<DateTime<Utc>>,
}

/// How to run a job.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunOrder {
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

impl Bounded for RunOrder {
    fn check(&self, _: &mut Vec<FieldError>) {}
}

/// All jobs with their state, by name.
#[utoipa::path(get, path = "/jobs", tag = "jobs", responses((status = 200, body = Vec<JobStatus>)))]
pub(super) async fn list_jobs(State(api): State<Api>) -> Answer<Json<Vec<JobStatus>>> {
    Ok(Json(api.store.jobs.list()?.into_iter().map(|job| status(&api, job)).collect()))
}

/// Adds a job. Its plugin, settings and schedules are checked first.
#[utoipa::path(post, path = "/jobs", tag = "jobs", request_body = Job, responses((status = 201, body = JobStatus)))]
pub(super) async fn add_job(
    State(api): State<Api>,
    Who(caller): Who,
    Body(job): Body<Job>,
) -> Answer<(StatusCode, Json<JobStatus>)> {
    let name = job.name.clone();
    api.ports.definitions.save_job(job, false, &caller.who).await?;
    Ok((StatusCode::CREATED, Json(status(&api, find(&api, &name)?))))
}

/// One job with its state.
#[utoipa::path(get, path = "/jobs/{name}", tag = "jobs", params(("name" = String, Path, description = "The job's name")),
    responses((status = 200, body = JobStatus)))]
pub(super) async fn get_job(State(api): State<Api>, At(name): At<JobName>) -> Answer<Json<JobStatus>> {
    Ok(Json(status(&api, find(&api, &name)?)))
}

/// Replaces a job's definition. Its history stays.
#[utoipa::path(put, path = "/jobs/{name}", tag = "jobs", request_body = Job,
    params(("name" = String, Path, description = "The job's name; the same as in the body")), responses((status = 200, body = JobStatus)))]
pub(super) async fn change_job(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<JobName>,
    Body(job): Body<Job>,
) -> Answer<Json<JobStatus>> {
    same_name(name.as_str(), job.name.as_str())?;
    api.ports.definitions.save_job(job, true, &caller.who).await?;
    Ok(Json(status(&api, find(&api, &name)?)))
}

/// Forgets a job. Its history stays.
#[utoipa::path(delete, path = "/jobs/{name}", tag = "jobs", params(("name" = String, Path, description = "The job's name")),
    responses((status = 204)))]
pub(super) async fn remove_job(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<JobName>,
) -> Answer<StatusCode> {
    api.ports.definitions.remove_job(&name, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Runs a job now, on the same path as its schedule would.
#[utoipa::path(post, path = "/jobs/{name}/run", tag = "jobs", request_body = RunOrder,
    params(("name" = String, Path, description = "The job's name")), responses((status = 202, body = RunQueued)))]
pub(super) async fn run_job(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<JobName>,
    Body(order): Body<RunOrder>,
) -> Answer<impl IntoResponse> {
    let trigger = Trigger::Person { who: caller.who };
    let run = api.ports.runs.request(&name, trigger, order.dry_run).await?;
    Ok(queued(run))
}

/// When a job runs next by itself.
#[utoipa::path(get, path = "/jobs/{name}/next", tag = "jobs", params(("name" = String, Path, description = "The job's name")),
    responses((status = 200, body = NextRun)))]
pub(super) async fn next_run_of_job(State(api): State<Api>, At(name): At<JobName>) -> Answer<Json<NextRun>> {
    let job = find(&api, &name)?;
    Ok(Json(NextRun { at: api.ports.definitions.next_run(&job) }))
}

fn status(api: &Api, job: Job) -> JobStatus {
    JobStatus {
        active: api.ports.runs.is_active(&job.name),
        next_run: api.ports.definitions.next_run(&job),
        job,
    }
}

fn find(api: &Api, name: &JobName) -> Answer<Job> {
    api.store.jobs.get(name)?.ok_or_else(|| {
        Problem::new(
            Kind::NotFound,
            format!(
                "there is no job \"{name}\" here; nothing was done: `holdfast job list` shows which there are"
            ),
        )
    })
}
