//! The listeners as they are: TLS, the command line's socket, ports that are taken, shutting down.

use super::{browser::now, ports};
use holdfast::{
    admin::{
        AdminConfig,
        server::{Bound, ServeError, serve},
    },
    clock::{HandClock, SharedClock},
    store::Store,
};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use std::{net::SocketAddr, os::unix::fs::PermissionsExt, path::Path, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

fn config(data: &Path, listen: &str, plain_http: bool) -> AdminConfig {
    AdminConfig {
        data: data.to_owned(),
        listen: listen.parse().unwrap(),
        plain_http,
        further_names: vec![],
        zone: chrono_tz::UTC,
    }
}

async fn start(config: AdminConfig, shutdown: &CancellationToken) -> Result<Bound, ServeError> {
    let state = tempfile::tempdir().unwrap();
    let store = Store::open(state.path()).unwrap();
    let clock: SharedClock = HandClock::new(now());
    let ports = ports::ports(&store, &clock);
    serve(config, store, ports, clock, shutdown.clone()).await
}

/// Sends a GET and reads the whole answer.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn over_tls(data: &Path, address: SocketAddr, path: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(std::fs::read(data.join("tls/certificate.der")).unwrap())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    ask(TlsConnector::from(Arc::new(client)).connect(name, tcp).await.unwrap(), path).await
}

#[tokio::test]
async fn the_page_is_served_with_the_appliances_own_certificate() {
    let (data, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let bound = start(config(data.path(), "127.0.0.1:0", false), &shutdown).await.unwrap();
    let answer = over_tls(data.path(), bound.address, "/sign-in").await;
    assert!(answer.starts_with("HTTP/1.1 303") && answer.contains("location: /claim"), "{answer}");
    assert!(bound.claim.is_some() && bound.url.starts_with("https://localhost:"));
    let kept = std::fs::read(data.path().join("tls/certificate.der")).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, &kept);
    assert_eq!(bound.fingerprint.as_deref(), Some(hex::encode(digest).as_str()));
    shutdown.cancel();
    bound.finished().await;
}

#[tokio::test]
async fn who_speaks_plain_http_to_the_encrypted_page_is_told_so() {
    let (data, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let bound = start(config(data.path(), "127.0.0.1:0", false), &shutdown).await.unwrap();
    let answer = ask(TcpStream::connect(bound.address).await.unwrap(), "/").await;
    assert!(answer.contains("Write https:// in front"), "{answer}");
    shutdown.cancel();
}

#[tokio::test]
async fn the_command_lines_socket_is_the_owners_alone_and_knows_no_page() {
    let (data, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let bound = start(config(data.path(), "127.0.0.1:0", true), &shutdown).await.unwrap();
    let path = data.path().join("holdfast.sock");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let api = ask(UnixStream::connect(&path).await.unwrap(), "/api/v1/about").await;
    assert!(api.starts_with("HTTP/1.1 200"), "{api}");
    let network = ask(TcpStream::connect(bound.address).await.unwrap(), "/api/v1/about").await;
    assert!(network.starts_with("HTTP/1.1 401"), "{network}");
    let page = ask(UnixStream::connect(&path).await.unwrap(), "/people").await;
    assert!(page.starts_with("HTTP/1.1 303"), "{page}");
    shutdown.cancel();
}

#[tokio::test]
async fn a_taken_port_a_second_appliance_and_plain_http_beyond_the_box_are_refused_in_words() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shutdown = CancellationToken::new();
    let bound = start(config(data.path(), "127.0.0.1:0", true), &shutdown).await.unwrap();
    let taken = start(config(other.path(), &bound.address.to_string(), true), &shutdown).await.err().unwrap();
    assert!(taken.to_string().contains(&format!("port {} is in use", bound.address.port())), "{taken}");
    let second = start(config(data.path(), "127.0.0.1:0", true), &shutdown).await.err().unwrap();
    assert!(second.to_string().contains("another appliance is running on this data directory"), "{second}");
    let beyond = start(config(other.path(), "0.0.0.0:0", true), &shutdown).await.err().unwrap();
    assert!(beyond.to_string().contains("plain HTTP"), "{beyond}");
    shutdown.cancel();
}

#[tokio::test]
async fn a_socket_that_a_crash_left_behind_is_replaced() {
    let (data, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    drop(std::os::unix::net::UnixListener::bind(data.path().join("holdfast.sock")).unwrap());
    start(config(data.path(), "127.0.0.1:0", true), &shutdown).await.unwrap();
    let answer =
        ask(UnixStream::connect(data.path().join("holdfast.sock")).await.unwrap(), "/api/v1/about").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    shutdown.cancel();
}

#[tokio::test]
async fn shutting_down_ends_idle_connections_too() {
    let (data, shutdown) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let bound = start(config(data.path(), "127.0.0.1:0", true), &shutdown).await.unwrap();
    let mut idle = TcpStream::connect(bound.address).await.unwrap();
    idle.write_all(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut first = [0_u8; 12];
    idle.read_exact(&mut first).await.unwrap();
    shutdown.cancel();
    bound.finished().await;
}
