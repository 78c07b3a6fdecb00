//! What this appliance is, and whether it answers.

use super::{Api, body::Who, problem::Answer};
use crate::admin::ports;
use axum::{Json, extract::State, http::header, response::IntoResponse};
use serde::{Deserialize, Serialize};

/// The appliance answers.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Health {
    /// Always `ok`; an appliance that is not does not answer.
    pub status: String,
}

/// Facts about this appliance and about who asks.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AboutAnswer {
    /// The appliance.
    pub appliance: ports::About,
    /// Whether plugins without a signature are accepted here.
    pub accepts_unsigned_plugins: bool,
    /// Who asked, as the audit log names them.
    pub caller: String,
    /// What they may do.
    pub role: crate::model::account::Role,
}

/// Says that the appliance answers, and nothing about it.
#[utoipa::path(get, path = "/health", tag = "appliance", responses((status = 200, body = Health)))]
pub(super) async fn health() -> Json<Health> {
    Json(Health { status: "ok".to_owned() })
}

/// Facts about this appliance and about who asks.
#[utoipa::path(get, path = "/about", tag = "appliance", responses((status = 200, body = AboutAnswer)))]
pub(super) async fn about(State(api): State<Api>, Who(caller): Who) -> Answer<Json<AboutAnswer>> {
    Ok(Json(AboutAnswer {
        appliance: api.ports.upkeep.about(),
        accepts_unsigned_plugins: api.ports.plugins.accepts_unsigned(),
        caller: caller.who,
        role: caller.role,
    }))
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "appliance", responses((status = 200, body = serde_json::Value)))]
pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], super::openapi::text())
}
