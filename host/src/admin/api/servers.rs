//! Servers: what is protected, and whether it is recoverable.

use super::{
    Api,
    body::{At, Body, Who},
    problem::{Answer, FieldError, Kind, Problem},
};
use crate::{
    admin::ports::ServerCheck,
    model::{
        name::{JobName, ServerName},
        point::PointRecord,
        server::Server,
    },
};
use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

/// A server and how well it is protected.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ServerStatus {
    /// Its definition.
    pub server: Server,
    /// Its newest recovery point that is not expired, in any vault.
    pub newest: Option<PointRecord>,
    /// How many recovery points it has, expired ones not counted.
    pub points: u64,
    /// Whether the newest one is younger than the server's RPO.
    pub within_rpo: bool,
    /// The job that makes its next recovery point.
    pub job: Option<JobName>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run: Option<DateTime<Utc>>,
}

/// A server that was saved and what its disks are.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ServerSaved {
    /// As it was saved.
    pub server: Server,
    /// What looking at its disks found.
    pub check: ServerCheck,
}

/// All servers with their state, by name.
#[utoipa::path(get, path = "/servers", tag = "servers", responses((status = 200, body = Vec<ServerStatus>)))]
pub(super) async fn list_servers(State(api): State<Api>) -> Answer<Json<Vec<ServerStatus>>> {
    let points = api.store.points.list()?;
    let servers = api.store.servers.list()?;
    Ok(Json(servers.into_iter().map(|server| status(&api, server, &points)).collect()))
}

/// Protects a server from now on. Its disks are opened and measured first.
#[utoipa::path(post, path = "/servers", tag = "servers", request_body = Server, responses((status = 201, body = ServerSaved)))]
pub(super) async fn add_server(
    State(api): State<Api>,
    Who(caller): Who,
    Body(server): Body<Server>,
) -> Answer<(StatusCode, Json<ServerSaved>)> {
    let check = api.ports.definitions.save_server(server.clone(), false, &caller.who).await?;
    Ok((StatusCode::CREATED, Json(ServerSaved { server, check })))
}

/// One server with its state.
#[utoipa::path(get, path = "/servers/{name}", tag = "servers", params(("name" = String, Path, description = "The server's name")),
    responses((status = 200, body = ServerStatus)))]
pub(super) async fn get_server(
    State(api): State<Api>,
    At(name): At<ServerName>,
) -> Answer<Json<ServerStatus>> {
    let server = find(&api, &name)?;
    let points = api.store.points.list()?;
    Ok(Json(status(&api, server, &points)))
}

/// Replaces a server's definition. Its recovery points stay.
#[utoipa::path(put, path = "/servers/{name}", tag = "servers", request_body = Server,
    params(("name" = String, Path, description = "The server's name; the same as in the body")), responses((status = 200, body = ServerSaved)))]
pub(super) async fn change_server(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<ServerName>,
    Body(server): Body<Server>,
) -> Answer<Json<ServerSaved>> {
    same_name(name.as_str(), server.name.as_str())?;
    let check = api.ports.definitions.save_server(server.clone(), true, &caller.who).await?;
    Ok(Json(ServerSaved { server, check }))
}

/// Forgets a server's definition. Its recovery points stay in their vaults.
#[utoipa::path(delete, path = "/servers/{name}", tag = "servers", params(("name" = String, Path, description = "The server's name")),
    responses((status = 204)))]
pub(super) async fn remove_server(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<ServerName>,
) -> Answer<StatusCode> {
    api.ports.definitions.remove_server(&name, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The server with this name, or the problem that there is none.
pub(super) fn find(api: &Api, name: &ServerName) -> Answer<Server> {
    api.store.servers.get(name)?.ok_or_else(|| {
        Problem::new(
            Kind::NotFound,
            format!(
                "there is no server \"{name}\" here; nothing was done: `holdfast server list` shows which there are"
            ),
        )
    })
}

/// What is replaced is what the path names: a body with another name is a slip.
pub(super) fn same_name(path: &str, body: &str) -> Answer<()> {
    if path == body {
        return Ok(());
    }
    Err(Problem::fields(vec![FieldError {
        field: "name".to_owned(),
        detail: format!("is \"{body}\" and the path says \"{path}\"; a name cannot be changed"),
    }]))
}

fn status(api: &Api, server: Server, points: &[PointRecord]) -> ServerStatus {
    let own = points.iter().filter(|point| point.server == server.name && point.expired.is_none());
    let newest = own.clone().max_by_key(|point| point.taken).cloned();
    let rpo = Duration::minutes(i64::from(server.rpo_minutes));
    let now = api.clock.now();
    let job = api.ports.definitions.backup_job_of(&server);
    ServerStatus {
        within_rpo: newest.as_ref().is_some_and(|point| now - point.taken <= rpo),
        points: own.count() as u64,
        newest,
        next_run: job.as_ref().and_then(|job| api.ports.definitions.next_run(job)),
        job: job.map(|job| job.name),
        server,
    }
}
