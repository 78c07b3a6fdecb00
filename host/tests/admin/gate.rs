//! What is not let in: other names, other pages' forms, forms of other sessions. And the headers on every answer.

use super::browser::{Box7, HOST, PASSWORD};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use holdfast::admin::auth::headers::POLICY;

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_name_that_is_not_ours_is_refused_whoever_asks() {
    let box7 = Box7::with_people().await;
    let browser = box7.signed_in("anna").await;
    for host in ["evil.example", "localhost.evil.example:8443", "evil.example:8443"] {
        let request = Request::builder()
            .uri("/")
            .header(header::HOST, host)
            .header(header::COOKIE, browser.cookie.clone().unwrap())
            .body(Body::empty())
            .unwrap();
        assert_eq!(box7.send(request).await.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    let none = Request::builder().uri("/").body(Body::empty()).unwrap();
    assert_eq!(box7.send(none).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn a_form_of_another_site_is_refused_even_with_cookie_and_token() {
    let box7 = Box7::with_people().await;
    let browser = box7.signed_in("anna").await;
    let foreign: [&[(&str, &str)]; 4] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://localhost:8443")],
        &[],
    ];
    for headers in foreign {
        let mut request = browser.request("POST", "/sign-out").header(header::CONTENT_TYPE, FORM);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = box7.send(request.body(Body::from(format!("csrf={}", browser.csrf))).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert_eq!(browser.get("/").await.status, StatusCode::OK, "it was signed out all the same");
}

#[tokio::test]
async fn a_sign_in_from_another_site_is_refused() {
    let box7 = Box7::with_people().await;
    let request = Request::builder()
        .method("POST")
        .uri("/sign-in")
        .header(header::HOST, HOST)
        .header(header::ORIGIN, "https://evil.example")
        .header(header::CONTENT_TYPE, FORM)
        .body(Body::from(format!("name=anna&password={}", PASSWORD.replace(' ', "+"))))
        .unwrap();
    let answer = box7.send(request).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.headers.get(header::SET_COOKIE).is_none());
}

#[tokio::test]
async fn a_form_without_the_sessions_own_token_is_refused() {
    let box7 = Box7::with_people().await;
    let other = box7.signed_in("anna").await.csrf;
    let mut browser = box7.signed_in("anna").await;
    for csrf in ["", "wrong", other.as_str()] {
        csrf.clone_into(&mut browser.csrf);
        assert_eq!(browser.post("/sign-out", &[]).await.status, StatusCode::FORBIDDEN, "{csrf:?}");
    }
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_is_not_a_form_or_too_large_is_refused() {
    let box7 = Box7::with_people().await;
    let browser = box7.signed_in("anna").await;
    let post = |kind: &str, body: Body| {
        browser
            .request("POST", "/sign-out")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, kind)
            .body(body)
            .unwrap()
    };
    assert_eq!(
        box7.send(post("application/json", Body::from("{}"))).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let large = Body::from(vec![b'a'; 300 * 1024]);
    assert_eq!(box7.send(post(FORM, large)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn every_answer_tells_browsers_to_allow_only_our_own_page() {
    let box7 = Box7::with_people().await;
    let browser = box7.signed_in("anna").await;
    for path in ["/", "/sign-in", "/nowhere", "/events-not"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.header("content-security-policy"), POLICY, "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("cache-control"), "no-store");
        for inline in ["<script>", "<style", " style=", " onclick="] {
            assert!(!answer.text.contains(inline), "{path} has {inline}");
        }
    }
    assert!(!POLICY.contains("unsafe"));
}

#[tokio::test]
async fn strict_transport_is_asked_for_where_it_hurts_nobody() {
    let box7 = Box7::with_people().await;
    let on = |host: &str| {
        Request::builder().uri("/sign-in").header(header::HOST, host).body(Body::empty()).unwrap()
    };
    let named = box7.send(on("10.0.0.4:8443")).await;
    assert_eq!(named.header("strict-transport-security"), "max-age=31536000");
    assert_eq!(box7.send(on("localhost:8443")).await.header("strict-transport-security"), "");
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_need_no_session() {
    let box7 = Box7::with_people().await;
    let page = box7.browser().get("/sign-in").await.text;
    let (_, rest) = page.split_once("href=\"/assets/style").unwrap();
    let path = format!("/assets/style{}", rest.split('"').next().unwrap());
    let answer = box7.browser().get(&path).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header("cache-control").contains("immutable"));
    assert_eq!(box7.browser().get("/assets/style-000000000000.css").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_link_in_a_mail_comes_again_with_its_cookie_before_anybody_must_sign_in() {
    let box7 = Box7::with_people().await;
    let request = box7
        .browser()
        .request("GET", "/alerts")
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "navigate")
        .body(Body::empty())
        .unwrap();
    let answer = box7.send(request).await;
    assert!(answer.status == StatusCode::OK || answer.status == StatusCode::NOT_FOUND);
}
