//! The table of routes, walked whole.

use super::{Site, fakes};
use crate::{
    admin::api::{
        guard::Access,
        routes::{ROUTES, Route},
    },
    model::account::Role,
};
use axum::http::StatusCode;

const CALLERS: [Option<Role>; 4] = [None, Some(Role::Viewer), Some(Role::Operator), Some(Role::Owner)];

/// The route's path with things of the site in its braces.
fn filled(route: &Route) -> String {
    let kind = route.path.split('/').nth(1).unwrap();
    let name = match kind {
        "vaults" => "local",
        "jobs" => "nightly",
        "users" | "tokens" => "keeper",
        _ => "db1",
    };
    let id = match kind {
        "plugins" => "holdfast.backup",
        "points" => "aa",
        _ => "1",
    };
    route
        .path
        .replace("{name}", name)
        .replace("{vault}", "local")
        .replace("{id}", id)
        .replace("{capability}", "servers")
}

fn expected(access: Access, caller: Option<Role>) -> Option<StatusCode> {
    match (access, caller) {
        (Access::Public, _) => None,
        (Access::Least(_), None) => Some(StatusCode::UNAUTHORIZED),
        (Access::Least(least), Some(role)) => (role < least).then_some(StatusCode::FORBIDDEN),
    }
}

#[tokio::test]
async fn each_route_is_closed_to_those_below_its_role_and_open_to_the_rest() {
    let site = Site::new().await;
    for route in ROUTES {
        for caller in CALLERS {
            let path = filled(route);
            let answered = site.send(caller, route.method.as_str(), &path, "{}").await;
            let shown =
                format!("{} {path} as {caller:?}: {} {}", route.method, answered.status, answered.text);
            match expected(route.access, caller) {
                Some(status) => {
                    assert_eq!(answered.status, status, "{shown}");
                    answered.problem();
                    assert_eq!(site.fakes.taken(), Vec::<String>::new(), "{shown}: an order went through");
                }
                None => {
                    let refusals = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
                    assert!(!refusals.contains(&answered.status), "{shown}");
                    assert_ne!(answered.status, StatusCode::METHOD_NOT_ALLOWED, "{shown}");
                    assert_ne!(answered.status, StatusCode::NOT_FOUND, "{shown}");
                    site.fakes.taken();
                    fakes::fill_accounts(&site.store).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn whatever_is_not_in_the_table_is_not_there() {
    let site = Site::new().await;
    for path in ["", "/", "/nothing", "/servers/db1/nothing", "/points/local", "/health/x", "/../health"] {
        let answered = site.owner("GET", path, "").await;
        assert_eq!(answered.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answered.problem().contains("openapi.json"), "{path}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_answered_as_a_problem() {
    let site = Site::new().await;
    for path in ["/servers", "/runs/1", "/health"] {
        let answered = site.owner("PATCH", path, "").await;
        assert_eq!(answered.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        answered.problem();
    }
}

#[test]
fn only_the_health_check_is_public() {
    let public: Vec<&str> =
        ROUTES.iter().filter(|route| route.access == Access::Public).map(|route| route.path).collect();
    assert_eq!(public, ["/health"]);
}

#[test]
fn a_viewer_changes_nothing() {
    // Asking what a schedule would do is a question, though it needs a body.
    let questions = ["preview_schedule"];
    for route in ROUTES.iter().filter(|route| route.access == Access::Least(Role::Viewer)) {
        let question = route.method == "GET" || questions.contains(&route.operation);
        assert!(question, "{} {}", route.method, route.path);
    }
}
