//! The one table of the API: each route with the least role that may call it. Router and document are made from it.
//!
//! A viewer sees everything but secrets; an operator runs, cancels, restores, holds, acknowledges; an owner changes what
//! is protected, where, by whom, and takes recovery points away.

use super::{
    Api, PREFIX,
    guard::{self, Access},
    problem::{Kind, Problem},
};
use crate::model::account::Role;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, Uri},
    middleware,
    routing::MethodRouter,
};
use std::collections::BTreeMap;

const ANYBODY: Access = Access::Public;
const VIEWER: Access = Access::Least(Role::Viewer);
const OPERATOR: Access = Access::Least(Role::Operator);
const OWNER: Access = Access::Least(Role::Owner);

/// Settings of every kind fit many times over.
const SMALL: usize = 256 << 10;
/// A plugin's package, or an export of the whole state.
const LARGE: usize = 64 << 20;

/// One route.
pub struct Route {
    /// In capitals.
    pub method: Method,
    /// Below [`PREFIX`].
    pub path: &'static str,
    /// Its name in the OpenAPI document.
    pub operation: &'static str,
    /// Who may call it.
    pub access: Access,
    /// The most bytes its body may have.
    pub body_limit: usize,
    handler: fn() -> MethodRouter<Api>,
}

macro_rules! routes {
    ($($method:ident $verb:ident $path:literal $module:ident::$operation:ident $access:ident $limit:ident;)*) => {
        /// All routes of the API.
        pub const ROUTES: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            operation: stringify!($operation),
            access: $access,
            body_limit: $limit,
            handler: || axum::routing::$verb(super::$module::$operation),
        }),*];

        /// The same routes as their handlers document themselves.
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($(super::$module::$operation),*))]
        pub(super) struct Documented;
    };
}

routes! {
    GET get "/health" about::health ANYBODY SMALL;
    GET get "/about" about::about VIEWER SMALL;
    GET get "/openapi.json" about::openapi VIEWER SMALL;

    GET get "/servers" servers::list_servers VIEWER SMALL;
    POST post "/servers" servers::add_server OWNER SMALL;
    GET get "/servers/{name}" servers::get_server VIEWER SMALL;
    PUT put "/servers/{name}" servers::change_server OWNER SMALL;
    DELETE delete "/servers/{name}" servers::remove_server OWNER SMALL;
    GET get "/servers/{name}/points" points::list_server_points VIEWER SMALL;

    GET get "/vaults" vaults::list_vaults VIEWER SMALL;
    POST post "/vaults" vaults::create_vault OWNER SMALL;
    POST post "/vaults/attach" vaults::attach_vault OWNER SMALL;
    GET get "/vaults/{name}" vaults::get_vault VIEWER SMALL;
    DELETE delete "/vaults/{name}" vaults::detach_vault OWNER SMALL;
    GET get "/vaults/{name}/usage" vaults::measure_vault VIEWER SMALL;
    GET get "/vaults/{name}/key" vaults::show_vault_key OWNER SMALL;
    POST post "/vaults/{name}/verify" vaults::verify_vault OPERATOR SMALL;
    POST post "/vaults/{name}/prune" vaults::prune_vault OWNER SMALL;

    GET get "/points" points::list_points VIEWER SMALL;
    GET get "/points/{vault}/{id}" points::get_point VIEWER SMALL;
    POST post "/points/{vault}/{id}/hold" points::hold_point OPERATOR SMALL;
    POST post "/points/{vault}/{id}/release" points::release_point OWNER SMALL;
    POST post "/points/{vault}/{id}/expire" points::expire_point OWNER SMALL;
    POST post "/points/{vault}/{id}/unexpire" points::unexpire_point OPERATOR SMALL;
    POST post "/points/{vault}/{id}/restore" points::restore_point OPERATOR SMALL;

    GET get "/jobs" jobs::list_jobs VIEWER SMALL;
    POST post "/jobs" jobs::add_job OWNER SMALL;
    GET get "/jobs/{name}" jobs::get_job VIEWER SMALL;
    PUT put "/jobs/{name}" jobs::change_job OWNER SMALL;
    DELETE delete "/jobs/{name}" jobs::remove_job OWNER SMALL;
    POST post "/jobs/{name}/run" jobs::run_job OPERATOR SMALL;
    GET get "/jobs/{name}/next" jobs::next_run_of_job VIEWER SMALL;
    POST post "/schedules/preview" schedules::preview_schedule VIEWER SMALL;
    POST post "/backups" backups::back_up_now OPERATOR SMALL;

    GET get "/runs" runs::list_runs VIEWER SMALL;
    GET get "/runs/{id}" runs::get_run VIEWER SMALL;
    GET get "/runs/{id}/log" runs::get_run_log VIEWER SMALL;
    POST post "/runs/{id}/cancel" runs::cancel_run OPERATOR SMALL;

    GET get "/plugins" plugins::list_plugins VIEWER SMALL;
    POST post "/plugins" plugins::install_plugin OWNER LARGE;
    POST post "/plugins/inspect" plugins::inspect_plugin OPERATOR LARGE;
    GET get "/plugins/{id}" plugins::get_plugin VIEWER SMALL;
    DELETE delete "/plugins/{id}" plugins::remove_plugin OWNER SMALL;
    GET get "/plugins/{id}/grants" plugins::list_grants VIEWER SMALL;
    PUT put "/plugins/{id}/grants/{capability}" plugins::grant_capability OWNER SMALL;
    DELETE delete "/plugins/{id}/grants/{capability}" plugins::revoke_capability OWNER SMALL;
    POST post "/plugins/{id}/resume" plugins::resume_plugin OWNER SMALL;

    GET get "/alerts" alerts::list_alerts VIEWER SMALL;
    POST post "/alerts/{id}/acknowledge" alerts::acknowledge_alert OPERATOR SMALL;
    POST post "/alerts/{id}/resolve" alerts::resolve_alert OPERATOR SMALL;

    GET get "/users" accounts::list_users OWNER SMALL;
    POST post "/users" accounts::add_user OWNER SMALL;
    PUT put "/users/{name}" accounts::change_user OWNER SMALL;
    DELETE delete "/users/{name}" accounts::remove_user OWNER SMALL;
    POST post "/users/{name}/password" accounts::set_user_password OWNER SMALL;
    GET get "/tokens" accounts::list_tokens OWNER SMALL;
    POST post "/tokens" accounts::make_token OWNER SMALL;
    DELETE delete "/tokens/{name}" accounts::revoke_token OWNER SMALL;

    GET get "/audit" audit::list_audit VIEWER SMALL;
    GET get "/state/export" state::export_state OWNER SMALL;
    POST post "/state/keep" state::keep_state OPERATOR SMALL;
    POST post "/state/import" state::import_state OWNER LARGE;
}

/// The router of all [`ROUTES`], with problem details for whatever is not there.
pub(super) fn router() -> Router<Api> {
    let mut by_path: BTreeMap<&'static str, MethodRouter<Api>> = BTreeMap::new();
    for route in ROUTES {
        let guarded = (route.handler)()
            .route_layer(DefaultBodyLimit::max(route.body_limit))
            .route_layer(middleware::from_fn_with_state(route.access, guard::stand));
        let present = by_path.remove(route.path).unwrap_or_default();
        by_path.insert(route.path, present.merge(guarded));
    }
    by_path
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| {
            router.route(&format!("{PREFIX}{path}"), methods.fallback(wrong_method))
        })
        .route(PREFIX, axum::routing::any(no_route))
        .route(&format!("{PREFIX}/"), axum::routing::any(no_route))
        .route(&format!("{PREFIX}/{{*rest}}"), axum::routing::any(no_route))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let path = uri.path();
    Problem::new(
        Kind::MethodNotAllowed,
        format!("{path} does not take {method}; nothing was changed: see {PREFIX}/openapi.json"),
    )
}

async fn no_route(uri: Uri) -> Problem {
    let path = uri.path();
    Problem::new(
        Kind::NotFound,
        format!("there is no {path}; nothing was changed: see {PREFIX}/openapi.json for what there is"),
    )
}
