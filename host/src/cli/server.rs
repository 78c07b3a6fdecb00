//! `holdfast server`: which machines are protected.

use super::{
    context::Context,
    failure::Failure,
    show::{
        Column, Table, size,
        time::{parse_span, span},
    },
};
use crate::{
    admin::api::servers::{ServerSaved, ServerStatus},
    model::{
        name::{DiskName, ServerName, Tag},
        server::{Disk, DiskFormat, DiskLocation, Server, ServerKind},
    },
};
use chrono::TimeDelta;
use hyper::Method;
use std::time::Duration;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// All servers and whether they are recoverable
    List,
    /// One server with its disks
    Show {
        /// The server
        name: ServerName,
    },
    /// Protect a server from now on
    Add {
        /// What to call it
        name: ServerName,
        #[command(flatten)]
        definition: Definition,
    },
    /// Change a server's definition; what is not given stays
    Set {
        /// The server
        name: ServerName,
        #[command(flatten)]
        definition: Definition,
    },
    /// Forget a server's definition; its recovery points stay
    Remove {
        /// The server
        name: ServerName,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Definition {
    /// A disk: a raw, qcow2, VMDK or VHDX file, a block device, or an nbd:// or nbd+unix:// address; once for each disk.
    /// NAME=PATH gives it a name other than disk0, disk1, …
    #[arg(long = "disk", value_name = "[NAME=]PATH")]
    disks: Vec<String>,
    /// The image format of the disks that are files
    #[arg(long, value_parser = parse_format, default_value = "auto", value_name = "auto|raw|qcow2|vmdk|vhdx")]
    format: DiskFormat,
    /// A label that jobs and grants can name
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Tag>,
    /// How old the newest recovery point may be [default: 24h]
    #[arg(long, value_parser = parse_span, value_name = "90m|24h|7d")]
    rpo: Option<Duration>,
}

fn parse_format(text: &str) -> Result<DiskFormat, String> {
    serde_json::from_value(text.into())
        .map_err(|_| format!("\"{text}\" is none of auto, raw, qcow2, vmdk, vhdx"))
}

pub(super) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List => {
            let servers: Vec<ServerStatus> = client.get("/servers").await?;
            context.print(&servers, |servers| table(context, servers))
        }
        Command::Show { name } => {
            let server: ServerStatus = client.get(&format!("/servers/{name}")).await?;
            context.print(&server, |server| details(context, server))
        }
        Command::Add { name, definition } => {
            let mut server =
                Server { name, kind: ServerKind::Image, tags: vec![], disks: vec![], rpo_minutes: 24 * 60 };
            apply(context, definition, &mut server)?;
            if server.disks.is_empty() {
                return Err(Failure::usage(
                    "a server has at least one disk; nothing was added: give --disk PATH",
                ));
            }
            let saved: ServerSaved = client.post("/servers", &server).await?;
            context.print(&saved, |saved| saved_text("is protected from now on, once a job covers it", saved))
        }
        Command::Set { name, definition } => {
            let mut server = client.get::<ServerStatus>(&format!("/servers/{name}")).await?.server;
            apply(context, definition, &mut server)?;
            let saved: ServerSaved = client.put(&format!("/servers/{name}"), &server).await?;
            context.print(&saved, |saved| saved_text("was changed", saved))
        }
        Command::Remove { name } => {
            client.act(Method::DELETE, &format!("/servers/{name}")).await?;
            context.done(&format!("{name} is no longer protected. Its recovery points stay in their vaults."))
        }
    }
}

fn apply(context: &Context, definition: Definition, server: &mut Server) -> Result<(), Failure> {
    if !definition.disks.is_empty() {
        let disks = definition.disks.iter().enumerate();
        server.disks =
            disks.map(|(at, text)| disk(context, at, text, definition.format)).collect::<Result<_, _>>()?;
    }
    if !definition.tags.is_empty() {
        server.tags = definition.tags;
    }
    if let Some(rpo) = definition.rpo {
        server.rpo_minutes = u32::try_from(rpo.as_secs() / 60).unwrap_or(u32::MAX);
    }
    Ok(())
}

/// `PATH` or `NAME=PATH`. A path that itself begins like `name=` is written with its directory in front.
fn disk(context: &Context, at: usize, text: &str, format: DiskFormat) -> Result<Disk, Failure> {
    let (name, place) = match text.split_once('=').map(|(name, place)| (DiskName::new(name), place)) {
        Some((Ok(name), place)) => (name, place),
        _ => (DiskName::new(format!("disk{at}"))?, text),
    };
    let location = match DiskLocation::from_text(place) {
        DiskLocation::File { path, .. } => DiskLocation::File { path: context.absolute(&path)?, format },
        nbd => nbd,
    };
    Ok(Disk { name, location })
}

fn saved_text(what: &str, saved: &ServerSaved) -> String {
    let disks: Vec<String> =
        saved.check.disks.iter().map(|(name, bytes)| format!("{name} of {}", size::human(*bytes))).collect();
    format!("{} {what}: {}\n", saved.server.name, disks.join(", "))
}

fn table(context: &Context, servers: &[ServerStatus]) -> String {
    let mut table = Table::new(&[
        Column::Left("SERVER"),
        Column::Left("RECOVERABLE"),
        Column::Left("NEWEST POINT"),
        Column::Right("POINTS"),
        Column::Left("RPO"),
        Column::Left("NEXT RUN"),
        Column::Left("TAGS"),
    ]);
    for status in servers {
        let tags: Vec<&str> = status.server.tags.iter().map(Tag::as_str).collect();
        table.row([
            status.server.name.to_string(),
            verdict(status).to_owned(),
            status.newest.as_ref().map_or("never".to_owned(), |point| context.view.age(point.taken)),
            status.points.to_string(),
            span(TimeDelta::minutes(i64::from(status.server.rpo_minutes))),
            status.next_run.map_or("no job".to_owned(), |at| context.view.age(at)),
            tags.join(","),
        ]);
    }
    table.text("No server is protected yet. Add one with `holdfast server add NAME --disk PATH`.")
}

fn verdict(status: &ServerStatus) -> &'static str {
    match (status.within_rpo, &status.newest) {
        (true, _) => "yes",
        (false, Some(_)) => "TOO OLD",
        (false, None) => "NO",
    }
}

fn details(context: &Context, status: &ServerStatus) -> String {
    let mut text = table(context, std::slice::from_ref(status));
    text.push('\n');
    let mut disks =
        Table::new(&[Column::Left("DISK"), Column::Left("WHERE"), Column::Right("SIZE AT NEWEST POINT")]);
    for disk in &status.server.disks {
        let known = status.newest.as_ref().and_then(|point| {
            point
                .disks
                .iter()
                .find(|(name, _)| name == disk.name.as_str())
                .map(|(_, bytes)| size::human(*bytes))
        });
        disks.row([disk.name.to_string(), disk.location.to_string(), known.unwrap_or_default()]);
    }
    text.push_str(&disks.text(""));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::time::Viewpoint;

    fn context() -> Context {
        let mut context = Context::new(Default::default(), false);
        let utc = chrono::FixedOffset::east_opt(0).unwrap();
        context.view = Viewpoint::fixed("2026-03-10T12:00:00Z".parse().unwrap(), utc);
        context
    }

    #[test]
    fn disks_may_be_named_and_nbd_addresses_are_left_as_they_are() {
        let disk = |at, text| disk(&context(), at, text, DiskFormat::Auto).unwrap();
        assert_eq!(disk(0, "/srv/a=b.raw").location.to_string(), "/srv/a=b.raw");
        let named = disk(1, "data=/srv/b.raw");
        assert_eq!((named.name.as_str(), named.location.to_string().as_str()), ("data", "/srv/b.raw"));
        let nbd = disk(2, "nbd://box:10809/db1");
        assert_eq!((nbd.name.as_str(), nbd.location.to_string().as_str()), ("disk2", "nbd://box:10809/db1"));
    }

    #[test]
    fn the_list_says_at_a_glance_what_is_not_recoverable() {
        let servers: Vec<ServerStatus> = serde_json::from_str(include_str!("tests/servers.json")).unwrap();
        insta::assert_snapshot!(table(&context(), &servers));
        insta::assert_snapshot!(details(&context(), &servers[0]));
        insta::assert_snapshot!(table(&context(), &[]));
    }
}
