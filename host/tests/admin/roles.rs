//! The pages' table, walked whole: what each role and nobody may use.

use super::browser::Box7;
use axum::http::{Method, StatusCode};
use holdfast::{
    admin::page::{Access, TABLE},
    model::account::Role,
};

/// An address with its placeholders filled.
fn address(path: &str) -> String {
    path.replace("{id}", "1")
        .replace("{name}", "nothing")
        .replace("{vault}", "nothing")
        .replace("{point}", "nothing")
        .replace("{capability}", "servers")
}

#[tokio::test]
async fn every_page_is_open_to_its_role_and_closed_to_lesser_ones() {
    let box7 = Box7::with_people().await;
    for (name, role) in [("vera", Role::Viewer), ("otto", Role::Operator), ("anna", Role::Owner)] {
        let mut browser = box7.signed_in(name).await;
        for route in TABLE {
            let Access::Least(least) = route.access else { continue };
            if route.path == "/sign-out" || route.path.starts_with("/account") {
                continue;
            }
            let path = address(route.path);
            let answer = match route.method {
                Method::GET => browser.get(&path).await,
                _ => browser.post(&path, &[]).await,
            };
            let closed = answer.status == StatusCode::FORBIDDEN && answer.text.contains("may not do this");
            assert_eq!(closed, role < least, "{name} at {} {path}: {}", route.method, answer.status);
            assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        }
    }
}

#[tokio::test]
async fn nobody_gets_further_than_the_door() {
    let box7 = Box7::with_people().await;
    for route in TABLE {
        let Access::Least(_) = route.access else {
            assert!(["/sign-in", "/claim"].contains(&route.path), "{} is open to anybody", route.path);
            continue;
        };
        let path = address(route.path);
        let answer = match route.method {
            Method::GET => box7.browser().get(&path).await,
            _ => box7.browser().post(&path, &[]).await,
        };
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{} {path}", route.method);
        assert!(answer.header("location").starts_with("/sign-in"), "{path}");
    }
    assert_eq!(box7.browser().get("/events").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn whatever_changes_something_needs_more_than_looking() {
    let allowed = ["/sign-in", "/claim", "/sign-out", "/account"];
    for route in TABLE.iter().filter(|route| route.method == Method::POST) {
        let enough = matches!(route.access, Access::Least(Role::Operator | Role::Owner));
        assert!(enough || allowed.contains(&route.path), "a viewer may post to {}", route.path);
    }
}
