//! The appliance's state as one portable text: out, and in again.

use super::{
    Api,
    body::{Package, Who},
    problem::{Answer, Kind, Problem},
    runs::RunQueued,
    vaults,
};
use crate::model::job::Task;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};

/// The whole state in portable form: settings, servers, jobs, history, people. No vault keys and no disk contents.
#[utoipa::path(get, path = "/state/export", tag = "appliance", responses((status = 200, body = serde_json::Value)))]
pub(super) async fn export_state(State(api): State<Api>, Who(caller): Who) -> Answer<impl IntoResponse> {
    let export = api.ports.upkeep.export(&caller.who).await?;
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], export))
}

/// Writes the copy now that the appliance writes daily and heals itself from.
#[utoipa::path(post, path = "/state/keep", tag = "appliance", responses((status = 202, body = RunQueued)))]
pub(super) async fn keep_state(State(api): State<Api>, Who(caller): Who) -> Answer<impl IntoResponse> {
    vaults::once(&api, "export-state", Task::ExportState, caller.who).await
}

/// Replaces the whole state by an export, after keeping a copy of the present one.
#[utoipa::path(post, path = "/state/import", tag = "appliance", request_body = serde_json::Value, responses((status = 204)))]
pub(super) async fn import_state(
    State(api): State<Api>,
    Who(caller): Who,
    Package(export): Package,
) -> Answer<StatusCode> {
    let export = String::from_utf8(export).map_err(|_| {
        Problem::new(Kind::Malformed, "an export is JSON text and this is not; nothing was changed")
    })?;
    api.ports.upkeep.import(&export, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}
