//! The API as its callers see it: a real router and store, and ports that remember what they were asked.

mod document;
mod fakes;
mod input;
mod orders;
mod people;
mod table;

use super::{Api, router};
use crate::{
    admin::{
        auth::{accounts::Accounts, password::Hasher, secret::SystemEntropy},
        caller::{Caller, Via},
    },
    clock::HandClock,
    model::account::Role,
    store::Store,
};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use fakes::Fakes;
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;

/// A site with a server, a vault, a job, two points, a run, an alert and a plugin.
struct Site {
    api: Router,
    fakes: Arc<Fakes>,
    store: Store,
    _directory: tempfile::TempDir,
}

/// What came back.
struct Answered {
    status: StatusCode,
    kind: String,
    text: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The problem's words; fails the test if it is no problem.
    fn problem(&self) -> String {
        assert_eq!(self.kind, "application/problem+json", "{}", self.text);
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

impl Site {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let fakes = Fakes::new();
        fakes::fill(&store).await;
        let clock = HandClock::new("2026-03-10T12:00:00Z".parse().unwrap());
        let hasher = Hasher::with_cost(SystemEntropy::shared(), 64, 1).unwrap();
        let ports = fakes.ports();
        let upkeep = Arc::clone(&ports.upkeep);
        let accounts = Accounts::new(store.clone(), upkeep, clock.clone(), SystemEntropy::shared(), hasher);
        let api = router(Api::new(store.clone(), ports, clock, accounts));
        Self { api, fakes, store, _directory: directory }
    }

    async fn send(&self, caller: Option<Role>, method: &str, path: &str, body: &str) -> Answered {
        self.send_as(caller, method, path, "application/json", body.as_bytes().to_vec()).await
    }

    async fn send_as(
        &self,
        caller: Option<Role>,
        method: &str,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Answered {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body))
            .unwrap();
        if let Some(role) = caller {
            request.extensions_mut().insert(Caller { who: "user:ada".into(), role, via: Via::Session });
        }
        let response = self.api.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answered { status, kind, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn owner(&self, method: &str, path: &str, body: &str) -> Answered {
        self.send(Some(Role::Owner), method, path, body).await
    }
}
