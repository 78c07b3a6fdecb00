//! The listeners: HTTPS for people, a Unix socket for the box's own command line, and the limits on both.
//!
//! A slow or greedy client costs one connection out of a bounded number and is dropped: a limit on the TLS handshake, on
//! the time and size of a request's head, on the pause between two pieces of a body, on connections in all and from one
//! address. Shutting down lets requests under way finish for a few seconds.

use super::{
    Admin, AdminConfig, OpenAdmin,
    auth::{gate::Peer, secret::SystemEntropy},
    connection::{self, Seats},
    ports::Ports,
    tls::{self, OpenCertificate},
};
use crate::{clock::SharedClock, store::Store};
use axum::Router;
use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long requests under way may go on after a shutdown began.
const FAREWELL: Duration = Duration::from_secs(5);
/// After `accept` failed (too many open files), before it is tried again.
const BREATH: Duration = Duration::from_millis(200);

/// The page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Plain HTTP beyond this box.
    #[error(
        "plain HTTP was asked for on {0}, which other machines can reach; the page is not served; listen on 127.0.0.1, or leave out --no-tls"
    )]
    PlainBeyondLoopback(SocketAddr),
    /// Somebody else has the port.
    #[error(
        "port {} is in use by another program; the page is not served and nothing else is touched; stop that program or choose another address with --listen",
        .0.port()
    )]
    PortInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; the page is not served; choose another address with --listen"
    )]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Another appliance answers on the socket.
    #[error(
        "another appliance is running on this data directory (it answers on {}); this one stops and touches nothing; stop the other one first",
        .0.display()
    )]
    AlreadyRunning(PathBuf),
    /// The socket for the command line.
    #[error(
        "the command line's socket {} cannot be made: {source}; the page is not served; check the data directory's rights, and that its path is shorter than 90 characters",
        path.display()
    )]
    Socket {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] OpenCertificate),
    /// Accounts and claim.
    #[error(transparent)]
    Open(#[from] OpenAdmin),
}

/// The page as it is served now.
pub struct Bound {
    /// Where it listens.
    pub address: SocketAddr,
    /// What to type into a browser on this box.
    pub url: String,
    /// Lower-case hex SHA-256 of the certificate; none on plain HTTP.
    pub fingerprint: Option<String>,
    /// The one-time code that makes the first owner; none once somebody has an account.
    pub claim: Option<String>,
    tasks: TaskTracker,
}

impl Bound {
    /// Resolves once shutdown was asked for and every connection has ended.
    pub async fn finished(&self) {
        self.tasks.wait().await;
    }
}

/// Opens the listeners and serves until `shutdown`.
pub async fn serve(
    config: AdminConfig,
    store: Store,
    ports: Ports,
    clock: SharedClock,
    shutdown: CancellationToken,
) -> Result<Bound, ServeError> {
    if config.plain_http && !config.listen.ip().is_loopback() {
        return Err(ServeError::PlainBeyondLoopback(config.listen));
    }
    let socket = socket(&config.data).await?;
    let listener = listen(config.listen).await?;
    let address =
        listener.local_addr().map_err(|source| ServeError::Listen { address: config.listen, source })?;
    let certificate =
        if config.plain_http { None } else { Some(tls::open(&config.data, &config.names(), clock.now())?) };
    let (acceptor, fingerprint) = match certificate {
        Some(made) => (Some(TlsAcceptor::from(made.config)), Some(made.fingerprint)),
        None => (None, None),
    };
    let (admin, claim) = Admin::open(
        &config,
        fingerprint.clone(),
        store,
        ports,
        clock,
        SystemEntropy::shared(),
        shutdown.clone(),
    )?;
    let router = super::router(admin);
    let tasks = TaskTracker::new();
    tasks.spawn(accept_network(listener, acceptor, router.clone(), shutdown.clone(), tasks.clone()));
    tasks.spawn(accept_console(socket, router, shutdown, tasks.clone()));
    tasks.close();
    let scheme = if fingerprint.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}/", reachable(address));
    Ok(Bound { address, url, fingerprint, claim, tasks })
}

/// An address a browser can open: "everywhere" is not one.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::PortInUse(address),
        _ => ServeError::Listen { address, source },
    })
}

/// Makes the socket inside a private directory and moves it into place, so that it is never open to others.
async fn socket(data: &Path) -> Result<UnixListener, ServeError> {
    let path = data.join("holdfast.sock");
    let failed = |source| ServeError::Socket { path: path.clone(), source };
    if UnixStream::connect(&path).await.is_ok() {
        return Err(ServeError::AlreadyRunning(path));
    }
    let private = data.join(".sock");
    match fs::remove_dir_all(&private) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed(source)),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&private).map_err(failed)?;
    let inside = private.join("s");
    let listener = UnixListener::bind(&inside).map_err(failed)?;
    fs::set_permissions(&inside, Permissions::from_mode(0o600)).map_err(failed)?;
    fs::rename(&inside, &path).map_err(failed)?;
    fs::remove_dir(&private).map_err(failed)?;
    Ok(listener)
}

async fn accept_network(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    shutdown: CancellationToken,
    tasks: TaskTracker,
) {
    let seats = Seats::default();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, from)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let Some(seat) = seats.take(from.ip()) else {
            tracing::debug!(%from, "a connection was turned away: too many are open");
            continue;
        };
        let (acceptor, router, closing) = (acceptor.clone(), router.clone(), shutdown.clone());
        tasks.spawn(async move {
            let _seat = seat;
            let peer = Peer::Address(from);
            match acceptor {
                None => connection::drive(stream, peer, router, closing, FAREWELL).await,
                Some(acceptor) => {
                    if let Some(stream) = connection::shake_hands(stream, &acceptor).await {
                        connection::drive(stream, peer, router, closing, FAREWELL).await;
                    }
                }
            }
        });
    }
}

async fn accept_console(
    listener: UnixListener,
    router: Router,
    shutdown: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let (router, closing) = (router.clone(), shutdown.clone());
        tasks.spawn(async move {
            connection::drive(stream, Peer::Console, router, closing, FAREWELL).await;
        });
    }
}
