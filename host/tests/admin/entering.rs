//! Claiming, signing in, staying in, being put out.

use super::browser::{Box7, PASSWORD, now};
use axum::http::StatusCode;
use chrono::Duration;
use holdfast::model::{
    account::Role,
    audit::Verdict,
    name::{TokenName, UserName},
};

const CLAIM: [(&str, &str); 3] = [("name", "anna"), ("password", PASSWORD), ("again", PASSWORD)];

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

#[tokio::test]
async fn the_claim_code_makes_the_first_owner_once() {
    let box7 = Box7::new();
    let code = box7.code.clone().unwrap();
    let fields = [&[("code", code.as_str())], &CLAIM[..]].concat();
    let mut browser = box7.browser();
    assert_eq!(browser.get("/sign-in").await.header("location"), "/claim");
    let answer = browser.post("/claim", &fields).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/?did=welcome"));
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    assert_eq!(box7.admin.accounts().list().unwrap()[0].role, Role::Owner);

    let mut thief = box7.browser();
    let replayed =
        thief.post("/claim", &[&[("code", code.as_str()), ("name", "thief")], &CLAIM[1..]].concat()).await;
    assert_eq!(replayed.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(thief.cookie.is_none());
    assert_eq!(box7.admin.accounts().list().unwrap().len(), 1);
}

#[tokio::test]
async fn a_weak_password_or_a_slip_does_not_use_the_code_up() {
    let box7 = Box7::new();
    let code = box7.code.clone().unwrap();
    let mut browser = box7.browser();
    let weak = [("code", code.as_str()), ("name", "anna"), ("password", "short"), ("again", "short")];
    assert!(browser.post("/claim", &weak).await.text.contains("fewer than 12"));
    let slip = [("code", code.as_str()), ("name", "anna"), ("password", PASSWORD), ("again", "other")];
    assert!(browser.post("/claim", &slip).await.text.contains("two passwords differ"));
    assert_eq!(
        browser.post("/claim", &[&[("code", code.as_str())], &CLAIM[..]].concat()).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn guessing_the_claim_code_is_slowed_down() {
    let box7 = Box7::new();
    let mut browser = box7.browser();
    let wrong = [&[("code", "AAAA-AAAA-AAAA-AAAA")], &CLAIM[..]].concat();
    for _ in 0..5 {
        assert_eq!(browser.post("/claim", &wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let answer = browser.post("/claim", &wrong).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "5"));
}

#[tokio::test]
async fn the_session_cookie_is_for_this_host_and_no_script() {
    let box7 = Box7::with_people().await;
    let mut browser = box7.browser();
    let answer = browser.post("/sign-in", &[("name", "anna"), ("password", PASSWORD)]).await;
    let cookie = answer.header("set-cookie").to_owned();
    let (pair, flags) = cookie.split_once(';').unwrap();
    assert_eq!(flags, " Path=/; HttpOnly; SameSite=Strict; Secure");
    let value = pair.strip_prefix("__Host-holdfast=").unwrap();
    assert_eq!(value.len(), 43);
    let kept = &box7.store.sessions.list().unwrap()[0];
    assert!(kept.digest != value && kept.csrf != value, "the cookie itself is in the store");
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let box7 = Box7::with_people().await;
    let wrong = box7.browser().post("/sign-in", &[("name", "anna"), ("password", "wrong wrong wrong")]).await;
    let unknown =
        box7.browser().post("/sign-in", &[("name", "nobody"), ("password", "wrong wrong wrong")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.status, unknown.status);
    assert_eq!(wrong.text, unknown.text.replace("nobody\"", "anna\""));
}

#[tokio::test]
async fn repeated_failures_lock_even_the_right_password_out_for_a_while_and_are_audited() {
    let box7 = Box7::with_people().await;
    let mut browser = box7.browser();
    for _ in 0..5 {
        browser.post("/sign-in", &[("name", "anna"), ("password", "wrong wrong wrong")]).await;
    }
    let right = [("name", "anna"), ("password", PASSWORD)];
    let locked = browser.post("/sign-in", &right).await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
    box7.clock.set(now() + Duration::seconds(6));
    assert_eq!(browser.post("/sign-in", &right).await.status, StatusCode::SEE_OTHER);
    let records = box7.store.audit.matching(None, 100, |record| record.action == "sign-in").unwrap();
    assert_eq!(records.iter().filter(|record| record.verdict == Verdict::Refused).count(), 5);
    assert!(records.iter().any(|record| record.reason.as_deref().unwrap_or("").contains("locked for 5 s")));
}

#[tokio::test]
async fn a_password_change_ends_every_session() {
    let box7 = Box7::with_people().await;
    let (one, other) = (box7.signed_in("anna").await, box7.signed_in("anna").await);
    let vera = box7.signed_in("vera").await;
    box7.clock.set(now() + Duration::seconds(1));
    box7.admin.accounts().set_password(&user("anna"), "another long password", "test").await.unwrap();
    for browser in [&one, &other] {
        assert_eq!(browser.get("/").await.header("location"), "/sign-in");
    }
    assert_eq!(vera.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_when_idle_when_old_and_on_sign_out() {
    let box7 = Box7::with_people().await;
    let browser = box7.signed_in("anna").await;
    box7.clock.set(now() + Duration::minutes(31));
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);

    box7.clock.set(now());
    let used = box7.signed_in("anna").await;
    for minutes in (20..=720).step_by(20) {
        box7.clock.set(now() + Duration::minutes(minutes));
        assert_eq!(used.get("/").await.status, StatusCode::OK, "after {minutes} minutes");
    }
    box7.clock.set(now() + Duration::minutes(721));
    assert_eq!(used.get("/").await.status, StatusCode::SEE_OTHER);

    let mut leaving = box7.signed_in("anna").await;
    let kept = leaving.cookie.clone();
    leaving.post("/sign-out", &[]).await;
    assert!(leaving.cookie.is_none());
    leaving.cookie = kept;
    assert_eq!(leaving.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_page_that_refreshes_itself_keeps_no_session_alive() {
    let box7 = Box7::with_people().await;
    let browser = box7.signed_in("anna").await;
    let live = |path| {
        browser.request("GET", path).header("x-holdfast-live", "1").body(axum::body::Body::empty()).unwrap()
    };
    box7.clock.set(now() + Duration::minutes(20));
    assert_eq!(box7.send(live("/")).await.status, StatusCode::OK);
    box7.clock.set(now() + Duration::minutes(31));
    assert_eq!(box7.send(live("/")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let box7 = Box7::with_people().await;
    let accounts = box7.admin.accounts();
    assert!(accounts.remove(&user("anna"), "test").await.is_err());
    assert!(accounts.set_role(&user("anna"), Role::Viewer, "test").await.is_err());
    accounts.set_role(&user("otto"), Role::Owner, "test").await.unwrap();
    accounts.remove(&user("anna"), "test").await.unwrap();
}

#[tokio::test]
async fn a_change_of_role_takes_effect_at_once_and_a_removed_user_is_out() {
    let box7 = Box7::with_people().await;
    let browser = box7.signed_in("vera").await;
    box7.admin.accounts().remove(&user("vera"), "test").await.unwrap();
    assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn tokens_are_kept_as_digests_expire_and_can_be_revoked() {
    let box7 = Box7::new();
    let accounts = box7.admin.accounts();
    let name = TokenName::new("ci").unwrap();
    let end = now() + Duration::days(1);
    let text = accounts.create_token(name.clone(), Role::Operator, Some(end), "test").await.unwrap();
    assert!(!box7.store.tokens.list().unwrap()[0].digest.contains(&text));
    assert_eq!(accounts.find_token(&text).unwrap().unwrap().role, Role::Operator);
    assert!(accounts.find_token("holdfast_wrong").unwrap().is_none());
    box7.clock.set(end);
    assert!(accounts.find_token(&text).unwrap().is_none());
    box7.clock.set(now());
    accounts.revoke_token(&name, "test").await.unwrap();
    assert!(accounts.find_token(&text).unwrap().is_none());
    assert!(accounts.create_token(name, Role::Viewer, Some(now()), "test").await.is_err());
}
