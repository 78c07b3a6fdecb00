//! The pages as people see them: a made-up site at a moment that stands still.

use super::{
    browser::{Answer, Box7, now},
    seed,
};
use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use futures::StreamExt;
use holdfast::{
    admin::page::{Access, TABLE},
    model::{account::Role, name::ServerName},
};
use tower::ServiceExt;

async fn site() -> Box7 {
    let box7 = Box7::with_people().await;
    seed::seed(&box7.store, now()).await.unwrap();
    box7
}

/// Every page of the site that is looked at, with its placeholders filled from what is there.
async fn addresses(box7: &Box7) -> Vec<(Role, String)> {
    let point = box7.store.points.list().unwrap()[0].clone();
    let fill = |path: &str| {
        let name = match path.split('/').nth(1).unwrap() {
            "jobs" => "erp",
            _ => "erp-db",
        };
        let id = if path.starts_with("/plugins") { "holdfast.backup" } else { "5" };
        path.replace("{vault}", point.vault.as_str())
            .replace("{point}", &point.id)
            .replace("{name}", name)
            .replace("{id}", id)
    };
    let looked_at = TABLE.iter().filter(|route| route.method == Method::GET);
    looked_at
        .filter_map(|route| match route.access {
            Access::Least(least) => Some((least, fill(route.path))),
            Access::Public => None,
        })
        .collect()
}

#[tokio::test]
async fn every_page_is_drawn_and_every_form_carries_the_sessions_token() {
    let box7 = site().await;
    let browser = box7.signed_in("anna").await;
    let token = format!("name=\"csrf\" value=\"{}\"", browser.csrf);
    for (_, path) in addresses(&box7).await {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        let forms = answer.text.matches("<form").count();
        assert_eq!(forms, answer.text.matches("method=\"post\"").count(), "{path}");
        assert_eq!(forms, answer.text.matches(&token).count(), "{path} has a form without the token");
        for inline in ["<script>", "<style", " style=", " onclick=", "javascript:"] {
            assert!(!answer.text.contains(inline), "{path} has {inline}");
        }
    }
}

#[tokio::test]
async fn a_viewer_sees_every_page_and_no_button_but_their_own() {
    let box7 = site().await;
    let browser = box7.signed_in("vera").await;
    for (least, path) in addresses(&box7).await {
        if least > Role::Viewer || path == "/account" {
            continue;
        }
        let text = browser.get(&path).await.text;
        assert_eq!(text.matches("<form").count(), 1, "{path} has more than the sign-out form");
        assert!(
            !text.contains("href=\"/servers/new\"") && !text.contains("/edit\""),
            "{path} offers a change"
        );
    }
}

/// The page without what differs each time, one tag in each line.
fn golden(answer: &Answer, csrf: &str) -> String {
    let text = answer.text.replace(csrf, "CSRF");
    let mut steady = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("/assets/") {
        let (name, tail) = after.split_once('"').unwrap();
        let stem = name.split('-').next().unwrap();
        steady.push_str(&format!("{before}/assets/{stem}\""));
        rest = tail;
    }
    steady.push_str(rest);
    steady.replace("><", ">\n<")
}

#[tokio::test]
async fn the_first_screen_of_a_site_with_trouble() {
    let box7 = site().await;
    let browser = box7.signed_in("otto").await;
    insta::assert_snapshot!(golden(&browser.get("/").await, &browser.csrf));
}

#[tokio::test]
async fn the_first_screen_of_a_box_that_is_new() {
    let box7 = Box7::with_people().await;
    let browser = box7.signed_in("anna").await;
    insta::assert_snapshot!(golden(&browser.get("/").await, &browser.csrf));
}

#[tokio::test]
async fn a_run_under_way() {
    let box7 = site().await;
    let browser = box7.signed_in("otto").await;
    insta::assert_snapshot!(golden(&browser.get("/runs/5").await, &browser.csrf));
}

#[tokio::test]
async fn a_plugin_and_what_it_may_do() {
    let box7 = site().await;
    let browser = box7.signed_in("anna").await;
    insta::assert_snapshot!(golden(&browser.get("/plugins/holdfast.backup").await, &browser.csrf));
}

#[tokio::test]
async fn a_site_is_set_up_through_the_forms_alone() {
    let box7 = site().await;
    let mut browser = box7.signed_in("anna").await;
    let vault = [
        ("name", "Second"),
        ("path", "/srv/vault"),
        ("grace", "72"),
        ("minimum", "2"),
        ("minimum-hours", "0"),
    ];
    assert_eq!(browser.post("/vaults", &vault).await.header("location"), "/vaults?did=vault");
    let server = [("name", "web1"), ("disks", "/dev/vg/web1"), ("rpo", "15"), ("unit", "1"), ("tags", "web")];
    assert_eq!(browser.post("/servers", &server).await.header("location"), "/servers/web1?did=added");
    let job = [
        ("plugin", "holdfast.backup"),
        ("job", "backup"),
        ("name", "web"),
        ("setting.servers", "web1"),
        ("setting.vault", "second"),
        ("setting.keep-daily", "7"),
        ("often", "daily"),
        ("time", "02:30"),
        ("zone", "UTC"),
    ];
    let preview = browser.post("/jobs", &[&job[..], &[("do", "preview")]].concat()).await;
    assert!(preview.status == StatusCode::OK && preview.text.contains("nothing is saved yet"));
    assert!(box7.store.jobs.get(&"web".parse().unwrap()).unwrap().is_none());
    assert_eq!(browser.post("/jobs", &job).await.header("location"), "/jobs/web?did=added");
    let saved = box7.store.jobs.get(&"web".parse().unwrap()).unwrap().unwrap();
    assert_eq!(saved.schedules[0].cron, "30 2 * * *");
    assert_eq!(browser.post("/jobs/web/run", &[]).await.header("location"), "/runs/6");
    let wrong =
        browser.post("/jobs", &[("plugin", "holdfast.backup"), ("job", "backup"), ("name", "kept")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.text.contains("is missing") && wrong.text.contains("value=\"kept\""),
        "what was typed is lost"
    );
}

#[tokio::test]
async fn the_vaults_key_is_a_download_that_is_audited() {
    let box7 = site().await;
    let mut browser = box7.signed_in("anna").await;
    let answer = browser.post("/vaults/nas/key", &[]).await;
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"holdfast-vault-nas.key\"");
    assert!(answer.text.contains("HFKEY") && answer.header("cache-control") == "no-store");
    assert!(!box7.store.audit.matching(None, 1, |record| record.action == "vaults.key").unwrap().is_empty());
}

#[tokio::test]
async fn what_others_typed_is_text_and_nothing_else() {
    let box7 = site().await;
    let mut server = box7.store.servers.list().unwrap()[0].clone();
    server.disks[0].location =
        holdfast::model::server::DiskLocation::from_text("/a\"><script>alert(1)</script>");
    box7.store.servers.put(&server.name.clone(), &server).await.unwrap();
    let browser = box7.signed_in("anna").await;
    for path in [
        format!("/servers/{}", server.name),
        format!("/servers/{}/edit", server.name),
        "/?did=%3Cscript%3E".to_owned(),
    ] {
        assert!(!browser.get(&path).await.text.contains("<script>"), "{path}");
    }
}

#[tokio::test]
async fn an_open_page_hears_that_something_changed_and_nothing_more() {
    let box7 = site().await;
    let mut browser = box7.signed_in("vera").await;
    let mut request = browser.request("GET", "/events?run=5").body(Body::empty()).unwrap();
    request
        .extensions_mut()
        .insert(holdfast::admin::auth::gate::Peer::Address("10.0.0.7:1".parse().unwrap()));
    let response = box7.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut words = response.into_body().into_data_stream();
    let mut next = async || words.next().await.map(|word| String::from_utf8(word.unwrap().to_vec()).unwrap());
    assert_eq!(next().await.unwrap(), "retry: 3000\n\n");
    // The progress of the run is new to this stream.
    assert_eq!(next().await.unwrap(), "event: change\ndata:\n\n");
    box7.store.servers.remove(&ServerName::new("mail").unwrap()).await.unwrap();
    assert_eq!(next().await.unwrap(), "event: change\ndata:\n\n");
    browser.post("/sign-out", &[]).await;
    // Signing out is a record in the audit log, and then the end.
    while let Some(word) = next().await {
        assert_eq!(word, "event: change\ndata:\n\n");
    }
}
