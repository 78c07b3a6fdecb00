//! Pages for people: rendered here, readable on a phone, complete without JavaScript.
//!
//! ```text
//!  GET  ─▶ role ─▶ read the store ─▶ a view (plain values, tested) ─▶ markup
//!  POST ─▶ gate (own page, CSRF) ─▶ role ─▶ one order through `ports` ─▶ 303 to a GET, or the form again with what is wrong
//! ```
//!
//! Parts marked `data-live` are swapped by the script of `assets` when `events` says that something changed. Buttons that
//! a visitor's role does not reach are not drawn, and the table below refuses their requests anyway.
//!
//! **Architecture Invariant:** [`TABLE`] is the only place that gives a page an address, and each entry names who may use
//! it. A test walks it whole.

pub mod about;
pub mod alerts;
pub mod audit;
pub mod door;
pub mod grants;
pub mod icon;
pub mod job_form;
pub mod jobs;
pub mod overview;
pub mod people;
pub mod phrases;
pub mod plugins;
pub mod points;
pub mod problem;
pub mod rhythm;
pub mod runs;
pub mod servers;
pub mod settings;
pub mod shell;
pub mod site;
pub mod standing;
pub mod vaults;
pub mod words;

use super::{
    Admin,
    auth::gate::{LIVE_HEADER, Visitor},
};
use crate::model::account::Role;
use axum::{
    Router,
    extract::{FromRequestParts, Query, Request, State},
    http::{Method, StatusCode, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{MethodRouter, get, post},
};
use problem::Trouble;
use serde::Deserialize;

/// Who may use a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody: the door.
    Public,
    /// Whoever is signed in with at least this role.
    Least(Role),
}

/// One address of the page.
pub struct Route {
    /// `GET` or `POST`.
    pub method: Method,
    /// The path.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    handler: fn() -> MethodRouter<Admin>,
}

macro_rules! table {
    ($($method:ident $verb:ident $path:literal $handler:path, $access:ident;)*) => {
        /// Every address of the page with who may use it.
        pub const TABLE: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            access: $access,
            handler: || $verb($handler),
        }),*];
    };
}

const ANYBODY: Access = Access::Public;
const VIEWER: Access = Access::Least(Role::Viewer);
const OPERATOR: Access = Access::Least(Role::Operator);
const OWNER: Access = Access::Least(Role::Owner);

table! {
    GET get "/claim" door::claim_form, ANYBODY;
    POST post "/claim" door::claim, ANYBODY;
    GET get "/sign-in" door::sign_in_form, ANYBODY;
    POST post "/sign-in" door::sign_in, ANYBODY;
    POST post "/sign-out" door::sign_out, VIEWER;

    GET get "/" overview::show, VIEWER;
    GET get "/servers/new" servers::new_form, OWNER;
    POST post "/servers" servers::add, OWNER;
    GET get "/servers/{name}" servers::show, VIEWER;
    POST post "/servers/{name}" servers::change, OWNER;
    GET get "/servers/{name}/edit" servers::edit_form, OWNER;
    POST post "/servers/{name}/remove" servers::remove, OWNER;
    POST post "/servers/{name}/back-up" servers::back_up, OPERATOR;

    GET get "/points/{vault}/{point}" points::show, VIEWER;
    POST post "/points/{vault}/{point}/restore" points::restore, OPERATOR;
    POST post "/points/{vault}/{point}/hold" points::hold, OPERATOR;
    POST post "/points/{vault}/{point}/release" points::release, OWNER;
    POST post "/points/{vault}/{point}/expire" points::expire, OWNER;
    POST post "/points/{vault}/{point}/unexpire" points::unexpire, OPERATOR;

    GET get "/vaults" vaults::list, VIEWER;
    POST post "/vaults" vaults::create, OWNER;
    GET get "/vaults/new" vaults::new_form, OWNER;
    POST post "/vaults/attach" vaults::attach, OWNER;
    POST post "/vaults/{name}/verify" vaults::verify, OPERATOR;
    POST post "/vaults/{name}/verify-data" vaults::verify_data, OPERATOR;
    POST post "/vaults/{name}/prune" vaults::prune, OWNER;
    POST post "/vaults/{name}/key" vaults::key, OWNER;
    POST post "/vaults/{name}/detach" vaults::detach, OWNER;

    GET get "/jobs" jobs::list, VIEWER;
    POST post "/jobs" job_form::add, OWNER;
    GET get "/jobs/new" job_form::new_form, OWNER;
    GET get "/jobs/{name}" jobs::show, VIEWER;
    POST post "/jobs/{name}" job_form::change, OWNER;
    GET get "/jobs/{name}/edit" job_form::edit_form, OWNER;
    POST post "/jobs/{name}/run" jobs::run, OPERATOR;
    POST post "/jobs/{name}/dry-run" jobs::dry_run, OPERATOR;
    POST post "/jobs/{name}/enable" jobs::enable, OWNER;
    POST post "/jobs/{name}/disable" jobs::disable, OWNER;
    POST post "/jobs/{name}/remove" jobs::remove, OWNER;

    GET get "/runs" runs::list, VIEWER;
    GET get "/runs/{id}" runs::show, VIEWER;
    POST post "/runs/{id}/cancel" runs::cancel, OPERATOR;

    GET get "/plugins" plugins::list, VIEWER;
    POST post "/plugins" plugins::install, OWNER;
    POST post "/plugins/inspect" plugins::inspect, OWNER;
    GET get "/plugins/{id}" plugins::show, VIEWER;
    POST post "/plugins/{id}/resume" plugins::resume, OWNER;
    POST post "/plugins/{id}/remove" plugins::remove, OWNER;
    POST post "/plugins/{id}/grants/{capability}" grants::grant, OWNER;
    POST post "/plugins/{id}/grants/{capability}/revoke" grants::revoke, OWNER;

    GET get "/alerts" alerts::list, VIEWER;
    POST post "/alerts/{id}/acknowledge" alerts::acknowledge, OPERATOR;
    POST post "/alerts/{id}/resolve" alerts::resolve, OPERATOR;

    GET get "/audit" audit::list, VIEWER;
    GET get "/people" people::list, OWNER;
    POST post "/people" people::add, OWNER;
    POST post "/people/{name}/role" people::set_role, OWNER;
    POST post "/people/{name}/password" people::set_password, OWNER;
    POST post "/people/{name}/remove" people::remove, OWNER;
    POST post "/tokens" people::add_token, OWNER;
    POST post "/tokens/{name}/revoke" people::revoke_token, OWNER;
    GET get "/account" people::account, VIEWER;
    POST post "/account" people::change_password, VIEWER;
    GET get "/about" about::show, VIEWER;
}

/// All pages.
pub fn router() -> Router<Admin> {
    let add = |router: Router<Admin>, route: &Route| {
        let guarded = (route.handler)().route_layer(from_fn_with_state(route.access, admit));
        router.route(route.path, guarded)
    };
    TABLE.iter().fold(Router::new(), add).fallback(nothing_here)
}

async fn nothing_here() -> Trouble {
    Trouble::new(
        StatusCode::NOT_FOUND,
        "there is no page at this address; nothing was changed; begin at the overview",
    )
}

/// Lets those with the role through; sends others to the door, or tells them.
async fn admit(State(access): State<Access>, request: Request, next: Next) -> Response {
    let visitor = request.extensions().get::<Visitor>();
    match (access, visitor) {
        (Access::Public, _) => next.run(request).await,
        (Access::Least(least), Some(visitor)) if visitor.may(least) => next.run(request).await,
        (Access::Least(least), Some(visitor)) => Trouble::new(
            StatusCode::FORBIDDEN,
            format!(
                "{} may not do this: it needs the role {}; nothing was changed; ask an owner to do it or to change the role",
                visitor.user,
                role_in_words(least)
            ),
        )
        .into_response(),
        (Access::Least(_), None) => to_the_door(&request),
    }
}

/// A link in a mail leads here without the cookie, because that is `SameSite=Strict`. So the browser is asked to come
/// again by itself before anybody is asked to sign in.
fn to_the_door(request: &Request) -> Response {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if header(LIVE_HEADER).is_some() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let is_visit = request.method() == Method::GET && header("sec-fetch-mode") == Some("navigate");
    if is_visit && header("sec-fetch-site") == Some("cross-site") {
        return Html(AGAIN).into_response();
    }
    let here = request.uri().path_and_query().map_or("/", |whole| whole.as_str());
    if request.method() != Method::GET || here == "/" {
        return Redirect::to("/sign-in").into_response();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", here).finish();
    Redirect::to(&format!("/sign-in?{query}")).into_response()
}

const AGAIN: &str = "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0\">\
     <title>Holdfast</title></head><body></body></html>";

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Redirect;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Redirect> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Redirect::to("/sign-in"))
    }
}

/// What a page's address may say besides which page it is.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct Asked {
    /// What was just done.
    pub did: Option<String>,
    /// Everything, not only the newest.
    pub all: Option<String>,
    /// Only what is older than this number.
    pub before: Option<u64>,
    /// What a new thing is to be made with.
    pub server: Option<String>,
    /// Which plugin.
    pub plugin: Option<String>,
    /// Which of the plugin's jobs.
    pub job: Option<String>,
}

/// The address' query; one that cannot be read is an empty one.
pub type AskedQuery = Result<Query<Asked>, axum::extract::rejection::QueryRejection>;

/// The query of a page's address.
pub fn asked(query: AskedQuery) -> Asked {
    query.map(|Query(asked)| asked).unwrap_or_default()
}

/// Leads to a page after something was done.
pub fn see(path: &str, did: &str) -> Response {
    let joint = if path.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{path}{joint}did={did}")).into_response()
}

/// A page as a response.
pub fn shown(document: String) -> Response {
    Html(document).into_response()
}

/// A form shown again because of what is in it.
pub fn again(status: StatusCode, document: String) -> Response {
    (status, Html(document)).into_response()
}

/// A role as people read it.
pub fn role_in_words(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Owner => "owner",
    }
}
