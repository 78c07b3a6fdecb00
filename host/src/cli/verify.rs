//! `holdfast verify`: is the vault whole?

use super::{client::Client, context::Context, failure::Failure, follow};
use crate::{
    admin::api::{runs::RunQueued, vaults::VerifyOrder},
    model::{name::VaultName, vault::VaultDefinition},
};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The vault [default: the only one]
    #[arg(value_name = "VAULT")]
    name: Option<VaultName>,
    /// The same as VAULT; with --key-file, the vault's directory
    #[arg(long, conflicts_with = "name")]
    vault: Option<String>,
    /// Read the vault's directory itself, with the key in this file, without any appliance
    #[arg(long, value_name = "FILE", requires = "vault")]
    key_file: Option<PathBuf>,
    /// Read and authenticate every byte, not only the structure
    #[arg(long)]
    read_data: bool,
    /// Return as soon as the run is queued
    #[arg(long, conflicts_with = "key_file")]
    no_wait: bool,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    if let (Some(directory), Some(key_file)) = (&arguments.vault, &arguments.key_file) {
        return super::offline::verify(context, Path::new(directory), key_file, arguments.read_data).await;
    }
    let client = context.client()?;
    let asked = arguments.vault.map(VaultName::new).transpose()?.or(arguments.name);
    let vault = vault_or_only(&client, asked).await?;
    let order = VerifyOrder { read_data: arguments.read_data };
    let queued: RunQueued = client.post(&format!("/vaults/{vault}/verify"), &order).await?;
    wait_unless(arguments.no_wait, &client, context, queued).await
}

/// The vault that was named, or the only one there is.
pub(super) async fn vault_or_only(client: &Client, asked: Option<VaultName>) -> Result<VaultName, Failure> {
    if let Some(vault) = asked {
        return Ok(vault);
    }
    let mut vaults: Vec<VaultDefinition> = client.get("/vaults").await?;
    match (vaults.pop(), vaults.is_empty()) {
        (Some(only), true) => Ok(only.name),
        (None, _) => Err(Failure::failed(
            "there is no vault yet; nothing was done: make one with `holdfast vault create NAME PATH`",
        )),
        (Some(_), false) => Err(Failure::usage(
            "there are several vaults; nothing was done: name one of `holdfast vault list`",
        )),
    }
}

/// Waits for the run that was queued and reports it, or only says that it was queued.
pub(super) async fn wait_unless(
    no_wait: bool,
    client: &Client,
    context: &Context,
    queued: RunQueued,
) -> Result<(), Failure> {
    if no_wait {
        return context
            .print(&queued, |queued| format!("Run {0} is queued: holdfast runs {0} --follow\n", queued.run));
    }
    let run = follow::to_the_end(client, context, queued.run, false).await?;
    follow::report(context, &[run])
}
