//! People and tokens: what is told, and what never is.

use super::Site;
use serde_json::json;

#[tokio::test]
async fn no_password_hash_and_no_token_digest_leaves() {
    let site = Site::new().await;
    let users = site.owner("GET", "/users", "").await.json();
    assert_eq!(users[0], json!({"name": "ada", "role": "owner"}));
    let tokens = site.owner("GET", "/tokens", "").await.json();
    assert_eq!(
        tokens[0],
        json!({"name": "keeper", "role": "viewer", "created": "2026-03-01T00:00:00Z", "expires": null})
    );
}

#[tokio::test]
async fn a_token_is_told_once_and_opens_what_its_role_may() {
    let site = Site::new().await;
    let made = site.owner("POST", "/tokens", r#"{"name":"monitoring","role":"viewer"}"#).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let text = made.json()["token"].as_str().unwrap().to_owned();
    assert!(!site.owner("GET", "/tokens", "").await.text.contains(&text));
    let again = site.owner("POST", "/tokens", r#"{"name":"monitoring","role":"viewer"}"#).await;
    assert_eq!(again.status, 409);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let site = Site::new().await;
    assert_eq!(site.owner("DELETE", "/users/keeper", "").await.status, 204);
    let answered = site.owner("DELETE", "/users/ada", "").await;
    assert_eq!(answered.status, 409);
    assert!(answered.problem().contains("last owner"));
    assert_eq!(site.owner("PUT", "/users/ada", r#"{"role":"viewer"}"#).await.status, 409);
}

#[tokio::test]
async fn a_weak_password_is_refused_and_the_problem_does_not_repeat_it() {
    let site = Site::new().await;
    let body = r#"{"name":"eve","role":"viewer","password":"hunter2"}"#;
    let answered = site.owner("POST", "/users", body).await;
    assert_eq!(answered.status, 422);
    assert!(!answered.problem().contains("hunter2"));
}
