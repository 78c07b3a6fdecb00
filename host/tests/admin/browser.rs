//! A browser that keeps its cookie and sends what browsers send.

use super::ports;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use chrono::{DateTime, Utc};
use holdfast::{
    admin::{Admin, AdminConfig, auth::gate::Peer, auth::secret::SystemEntropy},
    clock::{HandClock, SharedClock},
    model::{account::Role, name::UserName},
    store::Store,
};
use std::{net::SocketAddr, sync::Arc};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub const PASSWORD: &str = "correct horse battery staple";
pub const HOST: &str = "localhost:8443";

/// One appliance's admin room.
pub struct Box7 {
    pub admin: Admin,
    pub router: Router,
    pub store: Store,
    pub clock: Arc<HandClock>,
    pub code: Option<String>,
    _data: tempfile::TempDir,
}

pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

impl Box7 {
    /// A new one, claimed by nobody.
    pub fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).unwrap();
        let clock = HandClock::new(now());
        let shared: SharedClock = clock.clone();
        let config = AdminConfig {
            data: data.path().to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            plain_http: false,
            further_names: vec![],
            zone: chrono_tz::Europe::Berlin,
        };
        let ports = ports::ports(&store, &shared);
        let (admin, code) = Admin::open(
            &config,
            None,
            store.clone(),
            ports,
            shared,
            SystemEntropy::shared(),
            CancellationToken::new(),
        )
        .unwrap();
        Self { router: holdfast::admin::router(admin.clone()), admin, store, clock, code, _data: data }
    }

    /// One whose users anna (owner), otto (operator) and vera (viewer) have the same password.
    pub async fn with_people() -> Self {
        let one = Self::new();
        for (name, role) in [("anna", Role::Owner), ("otto", Role::Operator), ("vera", Role::Viewer)] {
            let name = UserName::new(name).unwrap();
            one.admin.accounts().add(name, role, PASSWORD, "test").await.unwrap();
        }
        one
    }

    /// A browser that is not signed in.
    pub fn browser(&self) -> Browser<'_> {
        Browser { of: self, cookie: None, csrf: String::new() }
    }

    /// A browser that is.
    pub async fn signed_in(&self, name: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let answer = browser.post("/sign-in", &[("name", name), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser.read_csrf().await;
        browser
    }

    /// Sends a request as it is.
    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        let address: SocketAddr = "10.0.0.7:50000".parse().unwrap();
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(Peer::Address(address));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 10 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub struct Browser<'a> {
    of: &'a Box7,
    pub cookie: Option<String>,
    pub csrf: String,
}

impl Browser<'_> {
    pub async fn get(&self, path: &str) -> Answer {
        self.of.send(self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    /// Posts a form with the CSRF token, as the page's own form would.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf.clone();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields).append_pair("csrf", &csrf);
        let request = self
            .request("POST", path)
            .header(header::ORIGIN, format!("https://{HOST}"))
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.finish()))
            .unwrap();
        let answer = self.of.send(request).await;
        if let Some(line) = answer.headers.get(header::SET_COOKIE) {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        answer
    }

    pub fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(path).header(header::HOST, HOST);
        match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        }
    }

    async fn read_csrf(&mut self) {
        let page = self.get("/").await;
        let (_, rest) = page.text.split_once("name=\"csrf\" value=\"").unwrap();
        self.csrf = rest.split('"').next().unwrap().to_owned();
    }
}
