//! Bad input costs a clear error and nothing else.

use super::Site;
use crate::model::account::Role;

#[tokio::test]
async fn bad_bodies_are_refused_with_the_place_that_is_wrong() {
    let site = Site::new().await;
    let cases = [
        ("POST", "/servers", "", 400, "not JSON"),
        ("POST", "/servers", "{", 400, "not JSON"),
        ("POST", "/servers", "[]", 422, "expected struct Server"),
        ("POST", "/servers", r#"{"name":"db9"}"#, 422, "disks"),
        ("POST", "/servers", r#"{"name":"../db9","disks":[]}"#, 422, "cannot be a server name"),
        ("POST", "/servers", r#"{"name":"db9","disks":[]}"#, 422, "at least one disk"),
        ("POST", "/servers", r#"{"name":"db9","disks":[],"colour":"red"}"#, 422, "colour"),
        (
            "PUT",
            "/servers/db1",
            r#"{"name":"db2","disks":[{"name":"a","location":{"type":"file","path":"/a"}}]}"#,
            422,
            "a name cannot be changed",
        ),
        ("POST", "/vaults", r#"{"name":"v","path":"vault"}"#, 422, "begins with /"),
        ("POST", "/vaults", r#"{"name":"v","path":"/v","choices":{"block_kib":5}}"#, 422, "4, 16 or 64"),
        ("POST", "/points/local/aa/hold", r#"{"reason":" "}"#, 422, "say why"),
        ("POST", "/points/local/aa/restore", r#"{"target":"/x/../etc"}"#, 422, "no .. in it"),
        ("POST", "/points/local/aa/restore", r#"{"target":"/x","disk":"disk7"}"#, 422, "it has disk0"),
        ("POST", "/points/local/zz/restore", r#"{"target":"/x"}"#, 404, "no recovery point zz"),
        ("POST", "/backups", r#"{"servers":[]}"#, 422, "at least one server"),
        ("PUT", "/plugins/holdfast.backup/grants/everything", "{}", 400, "everything"),
        ("GET", "/runs/minus-one", "", 400, "minus-one"),
        ("GET", "/runs?state=sleeping", "", 400, "sleeping"),
        ("GET", "/points?colour=red", "", 400, "colour"),
        ("GET", "/servers/DB1", "", 400, "cannot be a server name"),
    ];
    for (method, path, body, status, words) in cases {
        let answered = site.owner(method, path, body).await;
        assert_eq!(answered.status, status, "{method} {path} {body}: {}", answered.text);
        let detail = answered.problem();
        assert!(detail.contains(words), "{method} {path} {body}: {detail}");
    }
    assert_eq!(site.fakes.taken(), Vec::<String>::new());
}

#[tokio::test]
async fn a_body_of_another_kind_is_named() {
    let site = Site::new().await;
    let answered = site.send_as(Some(Role::Owner), "POST", "/servers", "text/plain", b"{}".to_vec()).await;
    assert_eq!(answered.status, 415);
    assert!(answered.problem().contains("application/json"));
}

#[tokio::test]
async fn a_body_over_its_routes_limit_is_refused() {
    let site = Site::new().await;
    let large = vec![b' '; (256 << 10) + 1];
    let answered =
        site.send_as(Some(Role::Owner), "POST", "/servers", "application/json", large.clone()).await;
    assert_eq!(answered.status, 413, "{}", answered.text);
    let kind = "application/octet-stream";
    assert_eq!(site.send_as(Some(Role::Owner), "POST", "/plugins", kind, large).await.status, 201);
    let huge = vec![0; (64 << 20) + 1];
    assert_eq!(site.send_as(Some(Role::Owner), "POST", "/plugins", kind, huge).await.status, 413);
}

#[tokio::test]
async fn many_wrong_fields_come_back_as_a_list() {
    let site = Site::new().await;
    let answered = site.owner("POST", "/servers", r#"{"name":"db9","disks":[],"rpo_minutes":0}"#).await;
    let fields: Vec<String> = answered.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(fields, ["rpo_minutes", "disks"]);
}
