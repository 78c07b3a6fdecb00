//! See the pages without an appliance: `cargo run --example pages -- --signed-in`, then open the address it prints.
//!
//! Nothing is backed up: the ports have no engines behind them and the site is made up. `--empty` begins with nothing.
#![allow(
    clippy::missing_docs_in_private_items,
    unreachable_pub,
    reason = "a tool for developers of the pages"
)]

mod ports;
mod seed;

use axum::{
    extract::Request,
    http::{HeaderValue, header},
    middleware::{Next, from_fn},
};
use holdfast::{
    admin::{
        Admin, AdminConfig,
        auth::{gate::Peer, secret::SystemEntropy},
    },
    clock::{Clock as _, SharedClock, SystemClock},
    model::{account::Role, name::UserName},
    store::Store,
};
use std::{net::SocketAddr, sync::Arc};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let flags: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let data = tempfile::tempdir()?;
    let store = Store::open(data.path())?;
    let clock: SharedClock = Arc::new(SystemClock);
    if !has("--empty") {
        seed::seed(&store, SystemClock.now()).await?;
    }
    let config = AdminConfig {
        data: data.path().to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 8480)),
        plain_http: true,
        further_names: vec![],
        zone: chrono_tz::Europe::Berlin,
    };
    let ports = ports::ports(&store, &clock);
    let entropy = SystemEntropy::shared();
    let (admin, code) = Admin::open(&config, None, store, ports, clock, entropy, CancellationToken::new())?;
    if let Some(code) = code.filter(|_| has("--unclaimed")) {
        println!("claim code {code}");
    } else {
        for (name, role) in [("anna", Role::Owner), ("otto", Role::Operator), ("vera", Role::Viewer)] {
            admin.accounts().add(UserName::new(name)?, role, "four words for everybody", "example").await?;
        }
    }
    let cookie = if has("--signed-in") {
        let opened = admin.accounts().sessions().open(&UserName::new("anna")?).await?;
        Some(HeaderValue::try_from(format!("{}={}", admin.cookie_name(), opened.cookie))?)
    } else {
        None
    };
    let listener = tokio::net::TcpListener::bind(config.listen).await?;
    println!("http://{}/ (anna, otto, vera: \"four words for everybody\")", listener.local_addr()?);
    let peer = Peer::Address(config.listen);
    let router = holdfast::admin::router(admin).layer(from_fn(move |mut request: Request, next: Next| {
        let cookie = cookie.clone();
        async move {
            request.extensions_mut().insert(peer);
            if let Some(cookie) = cookie {
                request.headers_mut().entry(header::COOKIE).or_insert(cookie);
            }
            next.run(request).await
        }
    }));
    axum::serve(listener, router).await?;
    Ok(())
}
