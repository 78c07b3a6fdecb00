//! `holdfast backup`: recovery points now.

use super::{context::Context, failure::Failure, follow};
use crate::{
    admin::api::backups::{BackupOrder, RunsQueued},
    model::name::{ServerName, VaultName},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The servers
    #[arg(required = true, value_name = "SERVER")]
    servers: Vec<ServerName>,
    /// Into this vault [default: that of the server's job, or the only one]
    #[arg(long)]
    vault: Option<VaultName>,
    /// Return as soon as the runs are queued
    #[arg(long)]
    no_wait: bool,
    /// Print the runs' logs as they come
    #[arg(long, conflicts_with = "no_wait")]
    log: bool,
    /// Wait until the runs have ended, which is the default
    #[arg(long, hide = true, conflicts_with = "no_wait")]
    wait: bool,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let order = BackupOrder { servers: arguments.servers, vault: arguments.vault };
    let queued: RunsQueued = client.post("/backups", &order).await?;
    if arguments.no_wait {
        return context.print(&queued, |queued| {
            queued
                .runs
                .iter()
                .map(|run| format!("Run {run} is queued: holdfast runs {run} --follow\n"))
                .collect()
        });
    }
    let mut ended = Vec::new();
    for run in queued.runs {
        ended.push(follow::to_the_end(&client, context, run, arguments.log).await?);
    }
    follow::report(context, &ended)
}
