//! `holdfast vault`: where recovery points live.

use super::{
    context::{self, Context},
    failure::Failure,
    show::{Column, Table, size, time::parse_span},
};
use crate::{
    admin::api::vaults::{KnownVault, NewVault, VaultKeyText, VaultUsage},
    model::{
        name::VaultName,
        vault::{VaultChoices, VaultDefinition},
    },
};
use hyper::Method;
use std::{path::PathBuf, time::Duration};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// All vaults in use
    List,
    /// What a vault holds
    Show {
        /// The vault
        name: VaultName,
    },
    /// Make a vault in an empty directory, or one whose last part is missing
    Create {
        /// What to call it
        name: VaultName,
        /// The directory
        path: PathBuf,
        #[command(flatten)]
        choices: Choices,
    },
    /// Take a vault that exists into use
    Attach {
        /// What to call it
        name: VaultName,
        /// The directory
        path: PathBuf,
        /// The file with its key: the line that begins with hfkey1-
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
    },
    /// Print a vault's key for the recovery kit; whoever has it and the vault has the disks
    Key {
        /// The vault
        name: VaultName,
        /// Write it to this new file, for its owner's eyes only, instead of printing it
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// The same as `holdfast verify`
    Verify(super::verify::Arguments),
    /// The same as `holdfast prune`
    Prune(super::prune::Arguments),
    /// Stop using a vault; nothing in it is touched
    Detach {
        /// The vault
        name: VaultName,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Choices {
    /// Block size in KiB: 4, 16 or 64; cannot be changed later
    #[arg(long, default_value_t = VaultChoices::default().block_kib)]
    block_kib: u32,
    /// Time between "expired" and "deleted" [default: 72h]; cannot be shortened later
    #[arg(long, value_parser = parse_span, value_name = "24h|7d")]
    grace: Option<Duration>,
    /// Points younger than this, against the newest of their server, cannot be expired [default: 24h]
    #[arg(long, value_parser = parse_span, value_name = "24h|7d")]
    minimum_age: Option<Duration>,
    /// The fewest recovery points a server keeps, whoever asks
    #[arg(long, default_value_t = VaultChoices::default().minimum_points)]
    minimum_points: u32,
}

impl Choices {
    fn into_model(self) -> VaultChoices {
        let hours = |span: Duration| u32::try_from(span.as_secs().div_ceil(3600)).unwrap_or(u32::MAX);
        let default = VaultChoices::default();
        VaultChoices {
            block_kib: self.block_kib,
            grace_hours: self.grace.map_or(default.grace_hours, hours),
            minimum_hours: self.minimum_age.map_or(default.minimum_hours, hours),
            minimum_points: self.minimum_points,
        }
    }
}

pub(super) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List => {
            let vaults: Vec<VaultDefinition> = client.get("/vaults").await?;
            context.print(&vaults, |vaults| table(context, vaults))
        }
        Command::Show { name } => {
            let vault: VaultDefinition = client.get(&format!("/vaults/{name}")).await?;
            let usage: VaultUsage = client.get(&format!("/vaults/{name}/usage")).await?;
            context.print(&Shown { vault, usage }, |shown| details(context, shown))
        }
        Command::Create { name, path, choices } => {
            let new = NewVault { name, path: context.absolute(&path)?, choices: choices.into_model() };
            let vault: VaultDefinition = client.post("/vaults", &new).await?;
            context.print(&vault, |vault| {
                format!(
                    "The vault {0} is ready in {1}.\nWithout its key nothing in it can be read: run `holdfast vault key {0}` now and keep what it prints somewhere else.\n",
                    vault.name, vault.location
                )
            })
        }
        Command::Attach { name, path, key_file } => {
            let key = read_key(&key_file)?;
            let known = KnownVault { name, path: context.absolute(&path)?, key };
            let vault: VaultDefinition = client.post("/vaults/attach", &known).await?;
            context.print(&vault, |vault| {
                format!("The vault {} in {} is in use from now on.\n", vault.name, vault.location)
            })
        }
        Command::Key { name, to } => {
            let key: VaultKeyText = client.get(&format!("/vaults/{name}/key")).await?;
            let Some(file) = to else { return context.print(&key, |key| format!("{}\n", key.key)) };
            context::keep_secret(&file, &format!("{}\n", key.key))?;
            context.done(&format!(
                "The key of {name} is in {}. Keep it somewhere else than the vault.",
                file.display()
            ))
        }
        Command::Verify(arguments) => super::verify::run(arguments, context).await,
        Command::Prune(arguments) => super::prune::run(arguments, context).await,
        Command::Detach { name } => {
            client.act(Method::DELETE, &format!("/vaults/{name}")).await?;
            context.done(&format!("The vault {name} is no longer used. Nothing in it was touched."))
        }
    }
}

/// The key in a key file.
pub(super) fn read_key(path: &std::path::Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::failed(format!(
            "the key file {} cannot be read ({error}); nothing was opened: check the path and its permissions",
            path.display()
        ))
    })?;
    Ok(text.trim().to_owned())
}

#[derive(serde::Serialize)]
struct Shown {
    vault: VaultDefinition,
    usage: VaultUsage,
}

fn table(context: &Context, vaults: &[VaultDefinition]) -> String {
    let mut table = Table::new(&[Column::Left("VAULT"), Column::Left("WHERE"), Column::Left("IN USE SINCE")]);
    for vault in vaults {
        let since = context.view.with_age(vault.added);
        table.row([vault.name.to_string(), vault.location.to_string(), since]);
    }
    table.text("There is no vault yet. Make one with `holdfast vault create NAME PATH`.")
}

fn details(context: &Context, shown: &Shown) -> String {
    let Shown { vault, usage } = shown;
    let saved = match usage.stored_bytes {
        _ if usage.points == 0 => String::new(),
        0 => String::new(),
        #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
        stored => format!(" ({:.1} times what is stored)", usage.logical_bytes as f64 / stored as f64),
    };
    let rows = [
        ("Where", vault.location.to_string()),
        ("In use since", context.view.with_age(vault.added)),
        ("Recovery points", usage.points.to_string()),
        ("Their disks", format!("{}{saved}", size::human(usage.logical_bytes))),
        ("Stored", format!("{} in {} objects", size::human(usage.stored_bytes), usage.objects)),
        ("Free there", usage.free_bytes.map_or("not known".to_owned(), size::human)),
        ("Grace period", format!("{} hours between expired and deleted", usage.grace_hours)),
        ("Always kept", format!("{} points of each server", usage.minimum_points)),
        ("Id", vault.id.clone()),
    ];
    let mut text = format!("Vault {}\n", vault.name);
    for (title, value) in rows {
        text.push_str(&format!("  {title:<16} {value}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::time::Viewpoint;

    #[test]
    fn a_vaults_page_shows_what_is_saved_and_what_is_always_kept() {
        let mut context = Context::new(Default::default(), false);
        let utc = chrono::FixedOffset::east_opt(0).unwrap();
        context.view = Viewpoint::fixed("2026-03-10T12:00:00Z".parse().unwrap(), utc);
        let vault: VaultDefinition = serde_json::from_value(serde_json::json!({
            "name": "local", "location": {"type": "directory", "path": "/srv/vault"},
            "id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "added": "2026-03-01T08:00:00Z"
        }))
        .unwrap();
        let usage = VaultUsage {
            stored_bytes: 3 << 30,
            objects: 1204,
            points: 31,
            logical_bytes: 620 << 30,
            free_bytes: Some(1 << 40),
            grace_hours: 72,
            minimum_points: 2,
        };
        insta::assert_snapshot!(details(&context, &Shown { vault, usage }));
    }
}
