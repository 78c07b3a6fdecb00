//! Schedules before they are saved: when would this fire?

use super::{
    Api,
    body::{Body, Bounded},
    problem::{Answer, FieldError},
};
use crate::model::schedule::Schedule;
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

const MOST: usize = 100;

/// A schedule to try out.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewOrder {
    /// The schedule.
    pub schedule: Schedule,
    /// From when on; now when nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub after: Option<DateTime<Utc>>,
    /// How many times; 100 is the most.
    #[serde(default = "five")]
    pub count: usize,
}

fn five() -> usize {
    5
}

/// When a schedule fires.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Preview {
    /// In order. Fewer than asked for means: never again after the last.
    #[schema(value_type = Vec<String>, format = DateTime)]
    pub times: Vec<DateTime<Utc>>,
}

impl Bounded for PreviewOrder {
    fn check(&self, errors: &mut Vec<FieldError>) {
        self.schedule.check(errors);
    }
}

/// The next times a schedule would fire, without saving it.
#[utoipa::path(post, path = "/schedules/preview", tag = "jobs", request_body = PreviewOrder, responses((status = 200, body = Preview)))]
pub(super) async fn preview_schedule(
    State(api): State<Api>,
    Body(order): Body<PreviewOrder>,
) -> Answer<Json<Preview>> {
    let after = order.after.unwrap_or_else(|| api.clock.now());
    let times = api.ports.definitions.preview(&order.schedule, after, order.count.min(MOST))?;
    Ok(Json(Preview { times }))
}
