//! What is asked reaches the right port with the right words, and what the port says reaches the caller.

use super::{
    Site,
    fakes::{job, server},
};
use crate::{
    admin::ports::OrderError,
    model::{
        account::Role,
        job::{Task, Work},
        name::{ServerName, VaultName},
    },
};
use serde_json::json;

#[tokio::test]
async fn each_order_names_who_gave_it() {
    let site = Site::new().await;
    let server = serde_json::to_string(&server("db1")).unwrap();
    let orders = [
        ("POST", "/servers", server.as_str(), 201, "save server db1 replace=false user:ada"),
        ("PUT", "/servers/db1", &server, 200, "save server db1 replace=true user:ada"),
        ("DELETE", "/servers/db1", "", 204, "remove server db1 user:ada"),
        (
            "POST",
            "/vaults",
            r#"{"name":"v","path":"/v","choices":{"grace_hours":5}}"#,
            201,
            "create vault v /v 5h user:ada",
        ),
        (
            "POST",
            "/vaults/attach",
            r#"{"name":"v","path":"/v","key":"k"}"#,
            201,
            "attach vault v /v k user:ada",
        ),
        ("DELETE", "/vaults/local", "", 204, "detach vault local user:ada"),
        ("GET", "/vaults/local/key", "", 200, "key local user:ada"),
        ("POST", "/points/local/aa/hold", r#"{"reason":"insurer"}"#, 204, "hold local/aa insurer user:ada"),
        ("POST", "/points/local/aa/expire", "", 204, "expire local/aa user:ada"),
        ("DELETE", "/jobs/nightly", "", 204, "remove job nightly user:ada"),
        ("POST", "/runs/1/cancel", "", 202, "cancel 1 user:ada"),
        (
            "PUT",
            "/plugins/holdfast.backup/grants/servers",
            r#"{"servers":{"only":["db1"]}}"#,
            200,
            "grant holdfast.backup servers Only([ServerName(\"db1\")]) user:ada",
        ),
        (
            "DELETE",
            "/plugins/holdfast.backup/grants/retention",
            "",
            204,
            "revoke holdfast.backup retention user:ada",
        ),
        ("POST", "/alerts/1/acknowledge", "", 204, "acknowledge 1 user:ada"),
        ("POST", "/state/import", "{}", 204, "import {} user:ada"),
    ];
    for (method, path, body, status, order) in orders {
        let answered = site.owner(method, path, body).await;
        assert_eq!(answered.status, status, "{method} {path}: {}", answered.text);
        assert_eq!(site.fakes.taken(), [order], "{method} {path}");
    }
}

#[tokio::test]
async fn a_ports_refusal_is_answered_in_its_own_words() {
    let site = Site::new().await;
    let words = "the vault keeps at least 2 points of db1; nothing was expired: take newer ones first";
    *site.fakes.fail.lock() = Some(OrderError::Refused(words.into()));
    let answered = site.owner("POST", "/points/local/aa/expire", "").await;
    assert_eq!((answered.status.as_u16(), answered.problem().as_str()), (403, words));
}

#[tokio::test]
async fn a_restore_becomes_a_run_of_its_own() {
    let site = Site::new().await;
    let body = r#"{"target":"/restore/db1","format":"qcow2"}"#;
    let answered = site.send(Some(Role::Operator), "POST", "/points/local/aa/restore", body).await;
    assert_eq!((answered.status.as_u16(), answered.json()), (202, json!({"run": 8})));
    let work = site.fakes.works.lock().pop();
    assert!(
        matches!(&work, Some(Work::Task { task: Task::Restore { vault, point, disk: None, .. } })
            if vault.as_str() == "local" && point == "aa"),
        "{work:?}"
    );
}

#[tokio::test]
async fn a_backup_now_uses_the_settings_of_the_job_that_covers_the_server_for_that_server_alone() {
    let site = Site::new().await;
    let nightly =
        job("nightly", json!({"vault": "local", "servers": ["db1", "db2", "db3"], "keep_daily": 7}));
    site.fakes.covering.lock().push((ServerName::new("db1").unwrap(), nightly));
    let answered = site.owner("POST", "/backups", r#"{"servers":["db1","db1","db2"]}"#).await;
    assert_eq!(answered.json(), json!({"runs": [8, 8]}), "{}", answered.text);
    let settings: Vec<serde_json::Value> = std::mem::take(&mut *site.fakes.works.lock())
        .into_iter()
        .map(|work| match work {
            Work::Plugin { settings, .. } => settings,
            Work::Task { .. } => panic!("not a plugin's"),
        })
        .collect();
    assert_eq!(settings[0], json!({"vault": "local", "servers": ["db1"], "keep_daily": 7}));
    assert_eq!(settings[1], json!({"vault": "local", "servers": ["db2"]}));
}

#[tokio::test]
async fn a_backup_of_a_server_nobody_knows_starts_nothing_at_all() {
    let site = Site::new().await;
    let answered = site.owner("POST", "/backups", r#"{"servers":["db1","db9"]}"#).await;
    assert_eq!(answered.status, 404);
    assert!(answered.problem().contains("db9"));
    assert!(site.fakes.taken().is_empty());
}

#[tokio::test]
async fn with_several_vaults_a_backup_must_say_which() {
    let site = Site::new().await;
    let second = crate::model::vault::VaultDefinition {
        name: VaultName::new("nas").unwrap(),
        ..super::fakes::vault()
    };
    site.store.vaults.put(&second.name, &second).await.unwrap();
    let answered = site.owner("POST", "/backups", r#"{"servers":["db1"]}"#).await;
    assert_eq!(answered.status, 422);
    assert!(answered.problem().contains("local, nas"));
    let answered = site.owner("POST", "/backups", r#"{"servers":["db1"],"vault":"nas"}"#).await;
    assert_eq!(answered.status, 202, "{}", answered.text);
}

#[tokio::test]
async fn a_server_is_recoverable_only_within_its_rpo() {
    let site = Site::new().await;
    let status = |name: &str| {
        let path = format!("/servers/{name}");
        let site = &site;
        async move { site.send(Some(Role::Viewer), "GET", &path, "").await.json() }
    };
    let db1 = status("db1").await;
    assert_eq!(
        (&db1["within_rpo"], &db1["newest"]["id"], &db1["points"]),
        (&json!(true), &json!("aa"), &json!(2))
    );
    assert_eq!(status("db2").await["within_rpo"], json!(false));
}

#[tokio::test]
async fn points_are_listed_newest_first_and_of_the_server_asked_for() {
    let site = Site::new().await;
    let ids = |query: &'static str| {
        let site = &site;
        async move {
            let listed = site.send(Some(Role::Viewer), "GET", &format!("/points{query}"), "").await.json();
            listed
                .as_array()
                .unwrap()
                .iter()
                .map(|p| p["id"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(ids("").await, ["aa", "bb"]);
    assert_eq!(ids("?limit=1").await, ["aa"]);
    assert!(ids("?server=db2").await.is_empty());
    assert_eq!(site.owner("GET", "/points?vault=nas", "").await.status, 404);
}

#[tokio::test]
async fn a_run_under_way_shows_its_present_progress_and_its_log_can_be_followed() {
    let site = Site::new().await;
    let run = site.owner("GET", "/runs/1", "").await.json();
    assert_eq!(run["progress"], json!({"done": 3, "total": 4, "note": "live"}));
    let log = site.owner("GET", "/runs/1/log?after=1", "").await.json();
    assert_eq!(
        log[0],
        json!({"number": 2, "line": {"at": "2026-03-10T11:59:00Z", "level": "info", "text": "line 2"}})
    );
    assert_eq!(log.as_array().unwrap().len(), 2);
    assert_eq!(site.owner("GET", "/runs?state=failed", "").await.json(), json!([]));
    assert_eq!(site.owner("GET", "/runs/2", "").await.status, 404);
}
