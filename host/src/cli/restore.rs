//! `holdfast restore`: a recovery point's disks as files.

use super::{client::Client, context::Context, failure::Failure, follow, points};
use crate::{
    admin::api::{points::RestoreOrder, runs::RunQueued},
    model::{
        job::RestoreFormat,
        name::{ServerName, VaultName},
        point::PointRecord,
    },
};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The server, and which of its recovery points: its id, the beginning of it, or `latest`, which is the default
    #[arg(value_name = "SERVER[@POINT]")]
    pub(super) what: Wanted,
    /// A file for one disk; a directory (one that exists, or with / at its end) for all disks
    #[arg(long = "to", value_name = "PATH")]
    pub(super) to: PathBuf,
    /// Only this disk
    #[arg(long)]
    pub(super) disk: Option<String>,
    /// The form of the files
    #[arg(long, value_parser = parse_format, default_value = "raw", value_name = "raw|qcow2")]
    pub(super) format: RestoreFormat,
    /// Write over what is there, only what differs
    #[arg(long)]
    pub(super) overwrite: bool,
    /// From this vault; with --key-file, the vault's directory
    #[arg(long)]
    vault: Option<String>,
    /// Read the vault's directory itself, with the key in this file, without any appliance
    #[arg(long, value_name = "FILE", requires = "vault")]
    key_file: Option<PathBuf>,
    /// Return as soon as the run is queued
    #[arg(long, conflicts_with = "key_file")]
    no_wait: bool,
}

fn parse_format(text: &str) -> Result<RestoreFormat, String> {
    match text {
        "raw" => Ok(RestoreFormat::Raw),
        "qcow2" => Ok(RestoreFormat::Qcow2),
        _ => Err(format!("\"{text}\" is neither raw nor qcow2")),
    }
}

/// A server and one of its recovery points; none is the newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) server: ServerName,
    pub(super) point: Option<String>,
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (server, point) = match text.split_once('@') {
            None | Some((_, "latest")) => (text.split('@').next().unwrap_or_default(), None),
            Some((server, point)) if !point.is_empty() && point.chars().all(|c| c.is_ascii_hexdigit()) => {
                (server, Some(point.to_ascii_lowercase()))
            }
            Some((_, point)) => {
                return Err(format!("\"{point}\" is neither a recovery point's id nor `latest`"));
            }
        };
        Ok(Self { server: ServerName::new(server).map_err(|error| error.to_string())?, point })
    }
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    if let (Some(directory), Some(key_file)) = (&arguments.vault, &arguments.key_file) {
        return super::offline::restore(context, Path::new(directory), key_file, &arguments).await;
    }
    let client = context.client()?;
    let vault = arguments.vault.clone().map(VaultName::new).transpose()?;
    let point = find(&client, &arguments.what, vault.as_ref()).await?;
    let names: Vec<&str> = point.disks.iter().map(|(name, _)| name.as_str()).collect();
    let target = context.absolute(&arguments.to)?;
    let directory = wants_directory(&arguments.to, context.place.is_here());
    let order = RestoreOrder {
        disk: one_disk(arguments.disk.as_deref(), &names, directory)?,
        target,
        format: arguments.format,
        overwrite: arguments.overwrite,
    };
    let path = format!("/points/{}/{}/restore", point.vault, point.id);
    let queued: RunQueued = client.post(&path, &order).await?;
    if arguments.no_wait {
        return context
            .print(&queued, |queued| format!("Run {0} is queued: holdfast runs {0} --follow\n", queued.run));
    }
    let run = follow::to_the_end(&client, context, queued.run, false).await?;
    follow::report(context, &[run])
}

async fn find(client: &Client, wanted: &Wanted, vault: Option<&VaultName>) -> Result<PointRecord, Failure> {
    let server = &wanted.server;
    let known = points::list(client, Some(server), vault, 10_000).await?;
    match &wanted.point {
        Some(point) => points::choose(known, point),
        None => known.into_iter().find(|point| point.expired.is_none()).ok_or_else(|| {
            Failure::failed(format!(
                "there is no recovery point of {server} to restore; nothing was written: `holdfast points` shows which there are"
            ))
        }),
    }
}

/// Whether the person means a directory: it is one, or is written like one.
pub(super) fn wants_directory(path: &Path, here: bool) -> bool {
    path.to_string_lossy().ends_with('/') || (here && path.is_dir())
}

/// Which disk goes to a single file; none means all go to a directory.
pub(super) fn one_disk(
    asked: Option<&str>,
    disks: &[&str],
    directory: bool,
) -> Result<Option<String>, Failure> {
    match (asked, disks) {
        (Some(_), _) if directory => Err(Failure::usage(
            "one disk is written to a file and --to names a directory; nothing was written: add a file name to it",
        )),
        (Some(asked), disks) if !disks.contains(&asked) => Err(Failure::failed(format!(
            "there is no disk \"{asked}\" in this recovery point; nothing was written: it has {}",
            disks.join(", ")
        ))),
        (Some(asked), _) => Ok(Some(asked.to_owned())),
        (None, _) if directory => Ok(None),
        (None, [only]) => Ok(Some((*only).to_owned())),
        (None, disks) => Err(Failure::usage(format!(
            "this recovery point has several disks ({}) and --to names one file; nothing was written: put / at the end of --to for a directory, or choose one with --disk",
            disks.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_alone_means_its_latest_point() {
        let wanted = |text: &str| text.parse::<Wanted>();
        let db1 = |point: Option<&str>| {
            Ok(Wanted { server: ServerName::new("db1").unwrap(), point: point.map(str::to_owned) })
        };
        assert_eq!(wanted("db1"), db1(None));
        assert_eq!(wanted("db1@latest"), db1(None));
        assert_eq!(wanted("db1@4F6D"), db1(Some("4f6d")));
        for bad in ["", "@", "db1@", "db1@newest", "DB1", "db1@4f@6d", "@latest"] {
            assert!(wanted(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn one_disk_goes_to_a_file_and_several_to_a_directory() {
        let disk = |asked, disks: &[&str], directory| one_disk(asked, disks, directory).ok();
        assert_eq!(disk(None, &["disk0"], false), Some(Some("disk0".to_owned())));
        assert_eq!(disk(None, &["disk0"], true), Some(None));
        assert_eq!(disk(None, &["disk0", "disk1"], true), Some(None));
        assert_eq!(disk(Some("disk1"), &["disk0", "disk1"], false), Some(Some("disk1".to_owned())));
        assert_eq!(disk(None, &["disk0", "disk1"], false), None);
        assert_eq!(disk(Some("disk0"), &["disk0"], true), None);
        assert_eq!(disk(Some("disk9"), &["disk0"], false), None);
    }
}
