//! `holdfast points`: which recovery points there are, keeping them, letting them go.

use super::{
    client::Client,
    context::Context,
    failure::Failure,
    show::{Column, Table, size},
};
use crate::{
    admin::api::points::HoldOrder,
    model::{
        name::{ServerName, VaultName},
        point::{Consistency, PointRecord},
    },
};
use hyper::Method;

/// So many digits of an id tell points apart for a person.
const SHORT: usize = 12;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Of this server only
    #[arg(value_name = "SERVER")]
    of: Option<ServerName>,
    /// The same as SERVER
    #[arg(long, conflicts_with = "of")]
    server: Option<ServerName>,
    /// In this vault only; with --key-file, the vault's directory
    #[arg(long)]
    vault: Option<String>,
    /// Look into the vault's directory itself, with the key in this file, without any appliance
    #[arg(long, value_name = "FILE", requires = "vault")]
    key_file: Option<std::path::PathBuf>,
    /// At most so many, the newest ones
    #[arg(long, default_value_t = 1000)]
    limit: usize,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Keep a point from retention until it is released
    Hold {
        /// The point's id or its beginning
        point: String,
        /// Why it must stay
        #[arg(long)]
        reason: String,
    },
    /// End a hold
    Release {
        /// The point's id or its beginning
        point: String,
    },
    /// Let a point go after the vault's grace period
    Expire {
        /// The point's id or its beginning
        point: String,
    },
    /// Take an expired point back while its grace period lasts
    Unexpire {
        /// The point's id or its beginning
        point: String,
    },
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let Arguments { command, of, server, vault, key_file, limit } = arguments;
    let server = of.or(server);
    if let Some(key_file) = key_file {
        let vault = vault.unwrap_or_default();
        return super::offline::points(context, vault.as_ref(), &key_file, server.as_ref(), limit).await;
    }
    let client = context.client()?;
    match command {
        None => {
            let vault = vault.map(VaultName::new).transpose()?;
            let points = list(&client, server.as_ref(), vault.as_ref(), limit).await?;
            context.print(&points, |points| table(context, points))
        }
        Some(Command::Hold { point, reason }) => {
            let point = find(&client, &point).await?;
            client.tell(Method::POST, &path(&point, "hold"), &HoldOrder { reason }).await?;
            context.done(&format!("{} of {} is kept until it is released.", point.id, point.server))
        }
        Some(Command::Release { point }) => {
            act(context, &client, &point, "release", "is no longer held; retention decides again").await
        }
        Some(Command::Expire { point }) => {
            let what = "is expired; it can be restored and taken back until the vault's grace period is over";
            act(context, &client, &point, "expire", what).await
        }
        Some(Command::Unexpire { point }) => {
            act(context, &client, &point, "unexpire", "is no longer expired").await
        }
    }
}

async fn act(context: &Context, client: &Client, point: &str, verb: &str, what: &str) -> Result<(), Failure> {
    let point = find(client, point).await?;
    client.act(Method::POST, &path(&point, verb)).await?;
    context.done(&format!("{} of {} {what}.", point.id, point.server))
}

fn path(point: &PointRecord, verb: &str) -> String {
    format!("/points/{}/{}/{verb}", point.vault, point.id)
}

/// Points, newest first.
pub(super) async fn list(
    client: &Client,
    server: Option<&ServerName>,
    vault: Option<&VaultName>,
    limit: usize,
) -> Result<Vec<PointRecord>, Failure> {
    let server = server.map(|server| format!("&server={server}")).unwrap_or_default();
    let vault = vault.map(|vault| format!("&vault={vault}")).unwrap_or_default();
    client.get(&format!("/points?limit={limit}{server}{vault}")).await
}

/// The one point whose id begins like this.
async fn find(client: &Client, text: &str) -> Result<PointRecord, Failure> {
    choose(list(client, None, None, 10_000).await?, text)
}

/// The one of `points` whose id begins with `text`.
pub(super) fn choose(mut points: Vec<PointRecord>, text: &str) -> Result<PointRecord, Failure> {
    points.retain(|point| !text.is_empty() && point.id.starts_with(text));
    match (points.pop(), points.is_empty()) {
        (Some(point), true) => Ok(point),
        (None, _) => Err(Failure::failed(format!(
            "there is no recovery point {text:?}; nothing was done: `holdfast points` shows which there are"
        ))),
        (Some(_), false) => Err(Failure::failed(format!(
            "several recovery points begin with {text:?}, or one is in several vaults; nothing was done: give more of the id, or --vault"
        ))),
    }
}

/// Points as a table.
pub(super) fn table(context: &Context, points: &[PointRecord]) -> String {
    let mut table = Table::new(&[
        Column::Left("POINT"),
        Column::Left("SERVER"),
        Column::Left("TAKEN"),
        Column::Right("DISKS"),
        Column::Right("CHANGED"),
        Column::Right("STORED"),
        Column::Left("VAULT"),
        Column::Left("NOTES"),
    ]);
    for point in points {
        table.row([
            point.id.chars().take(SHORT).collect(),
            point.server.to_string(),
            context.view.with_age(point.taken),
            size::human(point.sizes.disks),
            size::human(point.sizes.changed),
            size::human(point.sizes.stored),
            point.vault.to_string(),
            notes(context, point),
        ]);
    }
    table.text("There is no recovery point.")
}

fn notes(context: &Context, point: &PointRecord) -> String {
    let mut notes = Vec::new();
    if point.consistency == Consistency::Application {
        notes.push("application-consistent".to_owned());
    }
    if point.held {
        notes.push("held".to_owned());
    }
    if let Some(expired) = point.expired {
        notes.push(format!("expired {}", context.view.age(expired)));
    }
    if let Some(verified) = point.verified {
        notes.push(format!("verified {}", context.view.age(verified)));
    }
    notes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::time::Viewpoint;

    fn points() -> Vec<PointRecord> {
        serde_json::from_str(include_str!("tests/points.json")).unwrap()
    }

    #[test]
    fn the_list_shows_what_changed_and_what_is_special() {
        let mut context = Context::new(Default::default(), false);
        let utc = chrono::FixedOffset::east_opt(0).unwrap();
        context.view = Viewpoint::fixed("2026-03-10T12:00:00Z".parse().unwrap(), utc);
        insta::assert_snapshot!(table(&context, &points()));
    }

    #[test]
    fn the_beginning_of_an_id_is_enough_when_only_one_point_has_it() {
        assert_eq!(choose(points(), "4f6d").unwrap().id, "4f6d1c8a2b3e4d5f60718293a4b5c6d7");
        assert!(choose(points(), "4").unwrap_err().to_string().contains("several"));
        assert!(choose(points(), "").unwrap_err().to_string().contains("no recovery point"));
        assert!(choose(points(), "beef").is_err());
    }
}
