//! The audit log: who asked for what, and whether it was allowed.

use super::{Api, body::Asked, problem::Answer};
use crate::model::audit::AuditRecord;
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};

const MOST: usize = 1000;

/// Which records to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only older than this record, to turn pages.
    pub before: Option<u64>,
    /// At most so many; 100 when nothing is said, 1,000 is the most.
    pub limit: Option<usize>,
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/audit", tag = "appliance", params(AuditQuery), responses((status = 200, body = Vec<AuditRecord>)))]
pub(super) async fn list_audit(
    State(api): State<Api>,
    Asked(query): Asked<AuditQuery>,
) -> Answer<Json<Vec<AuditRecord>>> {
    let limit = query.limit.unwrap_or(100).clamp(1, MOST);
    Ok(Json(api.store.audit.list(query.before, limit)?))
}
