//! `holdfast try`: a real appliance with something to protect, in one command.
//!
//! What flows in: nothing, or a disk of the user's own (`--image`), which is only read. What flows out: an appliance in this
//! process, furnished through its own API (`site`), with a demo server whose file system really changes (`disk`); or, with
//! `--once`, the main job done once from end to end and a table that says how it went (`once`, `report`).
//!
//! What it refuses to know: everything that a client of the API could not know. It starts the appliance as `serve` does and
//! takes no other way in.

mod compare;
mod disk;
mod once;
mod report;
mod site;

use super::{
    client::Client,
    context::{Context, write},
    failure::Failure,
    place::SOCKET,
    serve,
};
use crate::{
    appliance::{Options, Running},
    model::name::ServerName,
};
use disk::DemoDisk;
use site::Site;
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

/// How often the demo's server does something.
const CHANGES: Duration = Duration::from_secs(7);
const PORT: u16 = 8470;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Protect this disk instead of the demo's; it is only read
    #[arg(long, value_name = "PATH")]
    image: Option<PathBuf>,
    /// Back up twice, restore, compare, print a table, and end with 0 or 1
    #[arg(long)]
    once: bool,
    /// Where the page listens [default: 127.0.0.1:8470, or another port if that is taken]
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "once")]
    listen: Option<SocketAddr>,
}

/// Where everything of a trial is kept: a directory of the user's choice, or one that is gone afterwards.
enum Room {
    Kept(PathBuf),
    Passing(tempfile::TempDir),
}

impl Room {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Passing(directory) => directory.path(),
        }
    }
}

/// What is protected.
enum Protected {
    Demo(DemoDisk),
    Own(PathBuf),
}

impl Protected {
    fn path(&self) -> &Path {
        match self {
            Self::Demo(disk) => disk.path(),
            Self::Own(path) => path,
        }
    }
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    if !context.place.is_here() {
        return Err(Failure::usage(
            "--url names another appliance and this starts one; nothing was started: leave it out",
        ));
    }
    serve::log("warn");
    let room = room(context)?;
    let protected = protected(&arguments, context, room.path()).await?;
    let listen = match (arguments.once, arguments.listen) {
        (true, _) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        (false, Some(listen)) => listen,
        (false, None) => free_address(),
    };
    let running = serve::start(Options {
        data: room.path().join("data"),
        listen,
        tls: !listen.ip().is_loopback(),
        accept_unsigned: false,
        demo: true,
        zone: None,
        program: serve::this_program()?,
    })
    .await?;
    let client = Client::socket(room.path().join("data").join(SOCKET));
    let done = match arguments.once {
        true => once::run(context, &client, room.path(), &protected).await,
        false => stay(context, &client, &running, &room, protected).await,
    };
    running.stop().await;
    done
}

fn room(context: &Context) -> Result<Room, Failure> {
    if let Some(data) = &context.place.data {
        let path = context.absolute(data)?;
        return Ok(Room::Kept(path));
    }
    tempfile::Builder::new().prefix("holdfast-try-").tempdir().map(Room::Passing).map_err(|error| {
        Failure::failed(format!(
            "no directory for the trial could be made ({error}); nothing was started: name one with --data"
        ))
    })
}

async fn protected(arguments: &Arguments, context: &Context, room: &Path) -> Result<Protected, Failure> {
    if let Some(image) = &arguments.image {
        let path = context.absolute(image)?;
        return match path.exists() {
            true => Ok(Protected::Own(path)),
            false => Err(Failure::failed(format!(
                "there is no {}; nothing was started: check the path",
                path.display()
            ))),
        };
    }
    eprintln!("Making the demo server's disk …");
    let room = room.to_owned();
    tokio::task::spawn_blocking(move || DemoDisk::make(&room))
        .await
        .map_err(|error| {
            Failure::failed(format!("the demo's disk was not made ({error}); nothing was started"))
        })?
        .map(Protected::Demo)
}

/// The usual port, or any other if somebody has it.
fn free_address() -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    match TcpListener::bind(usual) {
        Ok(_) => usual,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

fn server_name(protected: &Protected) -> Result<ServerName, Failure> {
    let name = match protected {
        Protected::Demo(_) => "demo".to_owned(),
        Protected::Own(path) => {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
            stem.chars()
                .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                .take(40)
                .collect()
        }
    };
    Ok(ServerName::new(name).or_else(|_| ServerName::new("server"))?)
}

/// A backup every minute until Ctrl-C.
async fn stay(
    context: &Context,
    client: &Client,
    running: &Running,
    room: &Room,
    protected: Protected,
) -> Result<(), Failure> {
    let vault = room.path().join("vault");
    let site =
        Site::furnish(client, &vault, protected.path(), server_name(&protected)?, Some("* * * * *")).await?;
    site.start_job(client).await?;
    write(&welcome(running, &site, room, &protected))?;
    let life = match protected {
        Protected::Demo(disk) => Some(tokio::spawn(keep_changing(disk))),
        Protected::Own(_) => None,
    };
    serve::until_told_to_stop().await?;
    if let Some(life) = life {
        life.abort();
    }
    context.done("Stopped.")
}

async fn keep_changing(mut disk: DemoDisk) {
    let mut tick = tokio::time::interval(CHANGES);
    tick.tick().await;
    loop {
        tick.tick().await;
        let changed = tokio::task::spawn_blocking(move || {
            let changed = disk.change();
            (disk, changed)
        });
        match changed.await {
            Ok((same, Ok(()))) => disk = same,
            Ok((same, Err(failure))) => {
                tracing::warn!(%failure, "the demo server's disk did not change");
                disk = same;
            }
            Err(_) => return,
        }
    }
}

fn welcome(running: &Running, site: &Site, room: &Room, protected: &Protected) -> String {
    let data = room.path().join("data");
    let disk = match protected {
        Protected::Demo(disk) => format!(
            "{} ({}); its log and its orders change every {} s",
            disk.path().display(),
            disk.origin(),
            CHANGES.as_secs()
        ),
        Protected::Own(path) => format!("{}, which is only read", path.display()),
    };
    let after = match room {
        Room::Kept(path) => format!("Everything stays in {}.", path.display()),
        Room::Passing(directory) => format!(
            "Everything is in {} and is gone when you stop it. Keep it with --data DIR.",
            directory.path().display()
        ),
    };
    let holdfast = format!("holdfast --data {}", data.display());
    let (greeting, server) = (serve::greeting(running), &site.server);
    format!(
        "\n{greeting}\nServer {server}: {disk}\nA recovery point is made every minute.\n\nIn another terminal:\n  {holdfast} points\n  {holdfast} restore {server} --to /tmp/{server}.raw\n\n{after}\nCtrl-C stops it.\n"
    )
}
