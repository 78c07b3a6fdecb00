//! `holdfast prune`: free what nothing needs any more.

use super::{context::Context, failure::Failure, verify};
use crate::{
    admin::api::{runs::RunQueued, vaults::PruneOrder},
    model::name::VaultName,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The vault [default: the only one]
    #[arg(value_name = "VAULT")]
    name: Option<VaultName>,
    /// The same as VAULT
    #[arg(long, conflicts_with = "name")]
    vault: Option<VaultName>,
    /// Say what would be freed and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Return as soon as the run is queued
    #[arg(long)]
    no_wait: bool,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let vault = verify::vault_or_only(&client, arguments.vault.or(arguments.name)).await?;
    let order = PruneOrder { dry_run: arguments.dry_run };
    let queued: RunQueued = client.post(&format!("/vaults/{vault}/prune"), &order).await?;
    verify::wait_unless(arguments.no_wait, &client, context, queued).await
}
