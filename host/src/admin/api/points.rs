//! Recovery points: which there are, keeping them, letting them go, bringing them back.

use super::{
    Api,
    body::{Asked, At, Body, Bounded, Who},
    bounds,
    problem::{Answer, FieldError, Kind, Problem},
    runs::RunQueued,
    servers, vaults,
};
use crate::model::{
    job::{RestoreFormat, Task},
    name::{ServerName, VaultName},
    point::PointRecord,
};
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const MOST: usize = 10_000;

/// Which recovery points to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PointQuery {
    /// Of this server only.
    #[param(value_type = Option<String>)]
    pub server: Option<ServerName>,
    /// In this vault only.
    #[param(value_type = Option<String>)]
    pub vault: Option<VaultName>,
    /// At most so many; 1,000 when nothing is said, 10,000 is the most.
    pub limit: Option<usize>,
}

/// Why a point must stay.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldOrder {
    /// Shown wherever the point is.
    pub reason: String,
}

/// Where and how to write a recovery point's disks.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreOrder {
    /// An absolute path on the appliance: a directory, or with `disk` a file.
    #[schema(value_type = String)]
    pub target: PathBuf,
    /// Only this disk.
    #[serde(default)]
    pub disk: Option<String>,
    /// The form of the files.
    #[serde(default)]
    pub format: RestoreFormat,
    /// Write over what is there, only what differs.
    #[serde(default)]
    pub overwrite: bool,
}

impl Bounded for HoldOrder {
    fn check(&self, errors: &mut Vec<FieldError>) {
        bounds::text(errors, "reason", &self.reason, bounds::SENTENCE);
        if self.reason.trim().is_empty() {
            let detail = "is empty; say why the point must stay".to_owned();
            errors.push(FieldError { field: "reason".to_owned(), detail });
        }
    }
}

impl Bounded for RestoreOrder {
    fn check(&self, errors: &mut Vec<FieldError>) {
        bounds::absolute(errors, "target", &self.target);
        bounds::text(errors, "disk", self.disk.as_deref().unwrap_or_default(), bounds::SENTENCE);
    }
}

/// Recovery points, newest first.
#[utoipa::path(get, path = "/points", tag = "points", params(PointQuery), responses((status = 200, body = Vec<PointRecord>)))]
pub(super) async fn list_points(
    State(api): State<Api>,
    Asked(query): Asked<PointQuery>,
) -> Answer<Json<Vec<PointRecord>>> {
    select(&api, query)
}

/// One server's recovery points in all vaults, newest first.
#[utoipa::path(get, path = "/servers/{name}/points", tag = "points", params(("name" = String, Path, description = "The server's name"), PointQuery),
    responses((status = 200, body = Vec<PointRecord>)))]
pub(super) async fn list_server_points(
    State(api): State<Api>,
    At(name): At<ServerName>,
    Asked(query): Asked<PointQuery>,
) -> Answer<Json<Vec<PointRecord>>> {
    let query = PointQuery { server: Some(name.clone()), ..query };
    let Json(points) = select(&api, query)?;
    if points.is_empty() {
        servers::find(&api, &name)?;
    }
    Ok(Json(points))
}

fn select(api: &Api, query: PointQuery) -> Answer<Json<Vec<PointRecord>>> {
    let mut points = match &query.vault {
        Some(vault) => {
            vaults::find(api, vault)?;
            api.store.points.list_prefix(&format!("{vault}/"))?
        }
        None => api.store.points.list()?,
    };
    points.retain(|point| query.server.as_ref().is_none_or(|server| *server == point.server));
    points.sort_by(|a, b| b.taken.cmp(&a.taken).then_with(|| a.id.cmp(&b.id)));
    points.truncate(query.limit.unwrap_or(1000).min(MOST));
    Ok(Json(points))
}

/// One recovery point.
#[utoipa::path(get, path = "/points/{vault}/{id}", tag = "points", responses((status = 200, body = PointRecord)),
    params(("vault" = String, Path, description = "The vault's name"), ("id" = String, Path, description = "The point's id")))]
pub(super) async fn get_point(
    State(api): State<Api>,
    At((vault, id)): At<(VaultName, String)>,
) -> Answer<Json<PointRecord>> {
    find(&api, &vault, &id).map(Json)
}

/// Keeps a recovery point from retention until it is released.
#[utoipa::path(post, path = "/points/{vault}/{id}/hold", tag = "points", request_body = HoldOrder, responses((status = 204)),
    params(("vault" = String, Path, description = "The vault's name"), ("id" = String, Path, description = "The point's id")))]
pub(super) async fn hold_point(
    State(api): State<Api>,
    Who(caller): Who,
    At((vault, id)): At<(VaultName, String)>,
    Body(order): Body<HoldOrder>,
) -> Answer<StatusCode> {
    find(&api, &vault, &id)?;
    api.ports.vaults.hold(&vault, &id, &order.reason, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a hold.
#[utoipa::path(post, path = "/points/{vault}/{id}/release", tag = "points", responses((status = 204)),
    params(("vault" = String, Path, description = "The vault's name"), ("id" = String, Path, description = "The point's id")))]
pub(super) async fn release_point(
    State(api): State<Api>,
    Who(caller): Who,
    At((vault, id)): At<(VaultName, String)>,
) -> Answer<StatusCode> {
    find(&api, &vault, &id)?;
    api.ports.vaults.release(&vault, &id, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a recovery point go after the vault's grace period. Never below the vault's minimum.
#[utoipa::path(post, path = "/points/{vault}/{id}/expire", tag = "points", responses((status = 204)),
    params(("vault" = String, Path, description = "The vault's name"), ("id" = String, Path, description = "The point's id")))]
pub(super) async fn expire_point(
    State(api): State<Api>,
    Who(caller): Who,
    At((vault, id)): At<(VaultName, String)>,
) -> Answer<StatusCode> {
    find(&api, &vault, &id)?;
    api.ports.vaults.expire(&vault, &id, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes an expired recovery point back while its grace period lasts.
#[utoipa::path(post, path = "/points/{vault}/{id}/unexpire", tag = "points", responses((status = 204)),
    params(("vault" = String, Path, description = "The vault's name"), ("id" = String, Path, description = "The point's id")))]
pub(super) async fn unexpire_point(
    State(api): State<Api>,
    Who(caller): Who,
    At((vault, id)): At<(VaultName, String)>,
) -> Answer<StatusCode> {
    find(&api, &vault, &id)?;
    api.ports.vaults.unexpire(&vault, &id, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Writes a recovery point's disks to files on the appliance.
#[utoipa::path(post, path = "/points/{vault}/{id}/restore", tag = "points", request_body = RestoreOrder, responses((status = 202, body = RunQueued)),
    params(("vault" = String, Path, description = "The vault's name"), ("id" = String, Path, description = "The point's id")))]
pub(super) async fn restore_point(
    State(api): State<Api>,
    Who(caller): Who,
    At((vault, id)): At<(VaultName, String)>,
    Body(order): Body<RestoreOrder>,
) -> Answer<impl IntoResponse> {
    let point = find(&api, &vault, &id)?;
    if let Some(disk) = &order.disk
        && !point.disks.iter().any(|(name, _)| name == disk)
    {
        let names: Vec<&str> = point.disks.iter().map(|(name, _)| name.as_str()).collect();
        let detail = format!("\"{disk}\" is not in this recovery point; it has {}", names.join(", "));
        return Err(Problem::fields(vec![FieldError { field: "disk".to_owned(), detail }]));
    }
    let RestoreOrder { target, disk, format, overwrite } = order;
    let task = Task::Restore { vault, point: id, disk, target, format, overwrite };
    vaults::once(&api, "restore", task, caller.who).await
}

fn find(api: &Api, vault: &VaultName, id: &str) -> Answer<PointRecord> {
    vaults::find(api, vault)?;
    let key = format!("{vault}/{id}");
    api.store.points.get(&key)?.ok_or_else(|| {
        Problem::new(
            Kind::NotFound,
            format!(
                "there is no recovery point {id:.40} in the vault {vault}; nothing was done: `holdfast points` shows which there are"
            ),
        )
    })
}
