//! The admin page and the API: read the store, give orders through [`ports`], decide nothing.
//!
//! What flows in: requests over HTTPS (people, remote programs) and over the appliance's Unix socket (its own command
//! line). What flows out: pages, JSON, orders, and audit records of what admin itself settles: sign-ins, passwords, tokens.
//!
//! ```text
//!  server ─▶ headers ─▶ gate (who? own page?) ─┬─▶ api    (its own table of roles)
//!                                              ├─▶ page   (its own table of roles)
//!                                              ├─▶ events (what changed)
//!                                              └─▶ assets
//! ```
//!
//! What it refuses to know: how a schedule fires, what a run does, where bytes are.

pub mod api;
pub mod assets;
pub mod auth;
pub mod caller;
mod connection;
pub mod events;
pub mod page;
pub mod ports;
pub mod server;
pub mod tls;

use crate::{clock::SharedClock, store::Store};
use auth::{
    accounts::{AccountError, Accounts},
    claim::{Claim, OpenClaim},
    headers,
    lockout::Lockout,
    origin::Names,
    password::{HashPassword, Hasher},
    secret::SharedEntropy,
};
use axum::{Router, middleware::from_fn_with_state};
use ports::Ports;
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

/// How the page is to be served.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// The appliance's data directory.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Plain HTTP; only on loopback.
    pub plain_http: bool,
    /// Further names browsers may use for this appliance.
    pub further_names: Vec<String>,
    /// The zone in which pages show times.
    pub zone: chrono_tz::Tz,
}

impl AdminConfig {
    /// The names this appliance answers to.
    pub fn names(&self) -> Names {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        Names::new(host.as_deref().map(str::trim).filter(|name| !name.is_empty()), &self.further_names)
    }
}

/// The admin room could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenAdmin {
    /// The password computation.
    #[error(transparent)]
    Hasher(#[from] HashPassword),
    /// The accounts.
    #[error(transparent)]
    Accounts(#[from] AccountError),
    /// The claim code.
    #[error(transparent)]
    Claim(#[from] OpenClaim),
}

/// What every handler works with.
#[derive(Clone)]
pub struct Admin {
    pub(crate) store: Store,
    pub(crate) ports: Ports,
    pub(crate) clock: SharedClock,
    pub(crate) zone: chrono_tz::Tz,
    pub(crate) names: Arc<Names>,
    /// Whether people reach us over TLS.
    pub(crate) tls: bool,
    pub(crate) fingerprint: Option<Arc<str>>,
    pub(crate) accounts: Accounts,
    pub(crate) claim: Arc<Claim>,
    pub(crate) lockout: Arc<Lockout>,
    /// Plugin packages that wait for "install".
    pub(crate) uploads: Arc<page::plugins::Uploads>,
    /// One claim at a time.
    pub(crate) claiming: Arc<tokio::sync::Mutex<()>>,
    /// Cancelled when the appliance stops, so that endless answers end.
    pub(crate) closing: CancellationToken,
}

impl Admin {
    /// Opens accounts and, while there are none, the claim; returns its code for the console.
    pub fn open(
        config: &AdminConfig,
        fingerprint: Option<String>,
        store: Store,
        ports: Ports,
        clock: SharedClock,
        entropy: SharedEntropy,
        closing: CancellationToken,
    ) -> Result<(Self, Option<String>), OpenAdmin> {
        let hasher = Hasher::new(Arc::clone(&entropy))?;
        let accounts = Accounts::new(
            store.clone(),
            Arc::clone(&ports.upkeep),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            hasher,
        );
        let (claim, code) = Claim::open(&config.data, accounts.somebody()?, &*entropy)?;
        let admin = Self {
            store,
            ports,
            clock,
            zone: config.zone,
            names: Arc::new(config.names()),
            tls: !config.plain_http,
            fingerprint: fingerprint.map(Into::into),
            accounts,
            claim: Arc::new(claim),
            lockout: Arc::default(),
            uploads: Arc::default(),
            claiming: Arc::default(),
            closing,
        };
        Ok((admin, code))
    }

    /// People and tokens.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Lower-case hex SHA-256 of the certificate people see; none on plain HTTP.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// The name of the session cookie. `__Host-` makes browsers refuse one that another host or path set.
    pub fn cookie_name(&self) -> &'static str {
        if self.tls { "__Host-holdfast" } else { "holdfast" }
    }
}

/// Everything that is served, on one screen.
pub fn router(admin: Admin) -> Router {
    let tls = admin.tls;
    let api = api::Api::new(
        admin.store.clone(),
        admin.ports.clone(),
        Arc::clone(&admin.clock),
        admin.accounts.clone(),
    );
    Router::new()
        .merge(api::router(api))
        .merge(page::router())
        .merge(events::router())
        .merge(assets::router())
        .layer(from_fn_with_state(admin.clone(), auth::gate::stand))
        .layer(from_fn_with_state(tls, headers::add))
        .with_state(admin)
}
