//! The HTTP API under `/api/v1`: JSON in, JSON out, RFC 9457 problem details for every error.
//!
//! What flows in: requests whose [`Caller`](super::caller::Caller) the authentication layer has found out. What flows
//! out: records of the store as they are, and orders through [`ports`](super::ports). A handler parses, checks bounds,
//! asks one port or reads one table, and answers; it decides nothing.
//!
//! ```text
//!  request ─▶ role (routes) ─▶ bounds (body, bounds) ─▶ handler ─▶ store, or a port ─▶ answer, or a problem
//! ```
//!
//! What it refuses to know: how callers prove who they are (`admin::auth`), how orders are carried out.
//!
//! **Architecture Invariant:** `routes` is the only place that makes an axum route, and each of its entries names the
//! least role that may call it, so a route without a role cannot exist. Its tests walk the table whole.

pub mod about;
mod accounts;
pub mod alerts;
pub mod audit;
pub mod backups;
mod body;
mod bounds;
mod guard;
pub mod jobs;
mod openapi;
pub mod people;
pub mod plugins;
pub mod points;
pub mod problem;
pub mod routes;
pub mod runs;
pub mod schedules;
pub mod servers;
pub mod state;
pub mod vaults;

#[cfg(test)]
mod tests;

use super::{auth::accounts::Accounts, ports::Ports};
use crate::{clock::SharedClock, store::Store};
use axum::Router;
use std::sync::Arc;

/// The path every route of this version begins with. A change that breaks clients gets the next number and both are served.
pub const PREFIX: &str = "/api/v1";

/// What handlers work with.
#[derive(Clone)]
pub struct Api {
    store: Arc<Store>,
    ports: Ports,
    clock: SharedClock,
    accounts: Accounts,
}

impl Api {
    /// Handlers that read `store` and give orders through `ports`.
    pub fn new(store: Store, ports: Ports, clock: SharedClock, accounts: Accounts) -> Self {
        Self { store: Arc::new(store), ports, clock, accounts }
    }
}

/// All routes below [`PREFIX`], each behind the check of its role. What is not there is a 404 in the API's own form.
/// Fits into any router, since it brings what its handlers work with.
pub fn router<S>(api: Api) -> Router<S> {
    routes::router().with_state(api)
}

/// The OpenAPI 3.1 document of this version, as JSON text.
pub fn document() -> String {
    openapi::text()
}
