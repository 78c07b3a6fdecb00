//! `holdfast serve`: the appliance itself, until it is told to stop.

use super::{
    context::{Context, write},
    failure::Failure,
};
use crate::appliance::{self, Options, Running, StartError};
use std::{net::SocketAddr, path::PathBuf};
use tracing_subscriber::EnvFilter;

/// What the log shows unless told otherwise.
const LOG: &str = "HOLDFAST_LOG";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the page and the API listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8470")]
    listen: SocketAddr,
    /// Serve plain HTTP, which is possible only on this box itself
    #[arg(long)]
    no_tls: bool,
    /// Accept plugins that nobody signed; only for development
    #[arg(long)]
    accept_unsigned_plugins: bool,
    /// The site's time zone, such as Europe/Berlin [default: the one set before, or UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    if !context.place.is_here() {
        return Err(Failure::usage(
            "--url names another appliance and this starts one; nothing was started: leave it out",
        ));
    }
    if arguments.no_tls && !arguments.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "{} can be reached from the network, where passwords would be readable without TLS; nothing was started: leave --no-tls out, or listen on 127.0.0.1",
            arguments.listen
        )));
    }
    log("info");
    let running = start(Options {
        data: context.place.data(),
        listen: arguments.listen,
        tls: !arguments.no_tls,
        accept_unsigned: arguments.accept_unsigned_plugins,
        demo: false,
        zone: arguments.zone,
        program: this_program()?,
    })
    .await?;
    write(&greeting(&running))?;
    until_told_to_stop().await?;
    running.stop().await;
    Ok(())
}

/// Starts an appliance in this process.
pub(super) async fn start(options: Options) -> Result<Running, Failure> {
    appliance::start(options).await.map_err(|error: StartError| Failure::failed(error.to_string()))
}

/// This binary, which also compiles plugins.
pub(super) fn this_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| {
        Failure::failed(format!(
            "this program's own file cannot be found ({error}); nothing was started: start it by its whole path"
        ))
    })
}

/// Sends the log to standard error.
pub(super) fn log(level: &str) {
    let filter = EnvFilter::try_from_env(LOG).unwrap_or_else(|_| EnvFilter::new(level));
    // A second subscriber in one process is refused; the first one goes on.
    let _set = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// What a person needs to open the page.
pub(super) fn greeting(running: &Running) -> String {
    let mut text = format!("Holdfast is ready: {}\n", running.url);
    if let Some(fingerprint) = &running.fingerprint {
        text.push_str(&format!("Certificate SHA-256: {fingerprint}\n"));
    }
    if let Some(claim) = &running.claim {
        text.push_str(&format!("Claim code, to choose the first password: {claim}\n"));
    }
    text
}

/// Waits for Ctrl-C or for the system to end this service. A second one ends the process at once.
pub(super) async fn until_told_to_stop() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| {
        signal(kind).map_err(|error| {
            Failure::failed(format!(
                "signals cannot be received ({error}); the appliance was stopped: report this"
            ))
        })
    };
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tokio::spawn(async move {
        interrupt.recv().await;
        eprintln!("holdfast: stopped at once; what was under way reads `interrupted` at the next start");
        std::process::exit(130);
    });
    Ok(())
}
