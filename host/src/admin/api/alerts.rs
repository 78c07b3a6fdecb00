//! Alerts: what a person should know until it is over.

use super::{
    Api,
    body::{Asked, At, Who},
    problem::Answer,
};
use crate::model::{alert::Alert, name::AlertId};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

const MOST: usize = 1000;

/// Which alerts to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlertQuery {
    /// Only open ones (true) or only those that are over (false).
    pub open: Option<bool>,
}

/// Alerts, open ones first, the worst and newest of them first. At most 1,000.
#[utoipa::path(get, path = "/alerts", tag = "alerts", params(AlertQuery), responses((status = 200, body = Vec<Alert>)))]
pub(super) async fn list_alerts(
    State(api): State<Api>,
    Asked(query): Asked<AlertQuery>,
) -> Answer<Json<Vec<Alert>>> {
    let mut alerts = api.store.alerts.list()?;
    alerts.retain(|alert| query.open.is_none_or(|open| open == alert.resolved.is_none()));
    alerts.sort_by_key(|alert| {
        let over = alert.resolved.is_some();
        let severity = if over { crate::model::alert::Severity::Info } else { alert.severity };
        (over, std::cmp::Reverse((severity, alert.seen, alert.id)))
    });
    alerts.truncate(MOST);
    Ok(Json(alerts))
}

/// Marks an alert as seen and taken by the caller. It stays open.
#[utoipa::path(post, path = "/alerts/{id}/acknowledge", tag = "alerts", params(("id" = u64, Path, description = "The alert's number")),
    responses((status = 204)))]
pub(super) async fn acknowledge_alert(
    State(api): State<Api>,
    Who(caller): Who,
    At(id): At<AlertId>,
) -> Answer<StatusCode> {
    api.ports.upkeep.acknowledge(id, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends an alert by hand. It comes back if its cause does.
#[utoipa::path(post, path = "/alerts/{id}/resolve", tag = "alerts", params(("id" = u64, Path, description = "The alert's number")),
    responses((status = 204)))]
pub(super) async fn resolve_alert(
    State(api): State<Api>,
    Who(caller): Who,
    At(id): At<AlertId>,
) -> Answer<StatusCode> {
    api.ports.upkeep.resolve(id, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}
