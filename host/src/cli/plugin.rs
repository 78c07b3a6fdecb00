//! `holdfast plugin`: what is installed and what it is permitted.

use super::{context::Context, failure::Failure, plugin_text, plugin_tools};
use crate::{
    admin::api::plugins::{GrantOrder, Inspection},
    model::{
        name::{PluginId, ServerName, Tag, VaultName},
        plugin::{Capability, Grant, InstalledPlugin, Scope},
    },
};
use hyper::Method;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// All installed plugins
    List,
    /// What a plugin is permitted
    Show {
        /// The plugin
        id: PluginId,
    },
    /// Look at a package without installing it: what it says of itself and what it can use at all
    Inspect {
        /// The package file
        file: PathBuf,
    },
    /// Install a package or a newer version of a plugin; grants nothing
    Install {
        /// The package file
        file: PathBuf,
    },
    /// Permit a plugin to use a capability
    Grant {
        /// The plugin
        id: PluginId,
        /// What it may use
        #[arg(value_parser = parse_capability)]
        capability: Capability,
        /// Only on this server; may be given several times
        #[arg(long = "server")]
        servers: Vec<ServerName>,
        /// Only on servers with this label; may be given several times
        #[arg(long = "tag")]
        tags: Vec<Tag>,
        /// Only on this vault; may be given several times
        #[arg(long = "vault")]
        vaults: Vec<VaultName>,
    },
    /// Take a permission back
    Revoke {
        /// The plugin
        id: PluginId,
        /// What it may no longer use
        #[arg(value_parser = parse_capability)]
        capability: Capability,
    },
    /// Let a paused plugin run again
    Resume {
        /// The plugin
        id: PluginId,
    },
    /// For authors: put a manifest into a component
    Pack(plugin_tools::Pack),
    /// For authors: sign a package
    Sign(plugin_tools::Sign),
    /// For authors: make a signing key
    Keygen(plugin_tools::Keygen),
    /// Remove a plugin with its grants and its state
    Remove {
        /// The plugin
        id: PluginId,
    },
}

fn parse_capability(text: &str) -> Result<Capability, String> {
    Capability::ALL.into_iter().find(|capability| capability.name() == text).ok_or_else(|| {
        let names = Capability::ALL.map(Capability::name).join(", ");
        format!("\"{text}\" is no capability; there are {names}")
    })
}

pub(super) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::Pack(arguments) => plugin_tools::pack(&arguments, context),
        Command::Sign(arguments) => plugin_tools::sign(&arguments, context),
        Command::Keygen(arguments) => plugin_tools::keygen(&arguments, context),
        Command::List => {
            let plugins: Vec<InstalledPlugin> = client.get("/plugins").await?;
            context.print(&plugins, |plugins| plugin_text::table(context, plugins))
        }
        Command::Show { id } => {
            let plugin: InstalledPlugin = client.get(&format!("/plugins/{id}")).await?;
            let grants: Vec<Grant> = client.get(&format!("/plugins/{id}/grants")).await?;
            let shown = plugin_text::Shown { plugin, grants };
            context.print(&shown, |shown| plugin_text::details(context, shown))
        }
        Command::Inspect { file } => {
            let answer = client.upload("/plugins/inspect", read(&file)?).await?;
            let inspection: Inspection = parse(&answer)?;
            context.print(&inspection, plugin_text::inspection)?;
            if inspection.problems.is_empty() { Ok(()) } else { Err(Failure::Said) }
        }
        Command::Install { file } => {
            let answer = client.upload("/plugins", read(&file)?).await?;
            context.print(&parse::<InstalledPlugin>(&answer)?, plugin_text::installed)
        }
        Command::Grant { id, capability, servers, tags, vaults } => {
            let order =
                GrantOrder { servers: scope(servers, !tags.is_empty()), tags, vaults: scope(vaults, false) };
            let grant: Grant =
                client.put(&format!("/plugins/{id}/grants/{}", capability.name()), &order).await?;
            context.print(&grant, |grant| format!("{id} may now: {}\n", plugin_text::grant(grant)))
        }
        Command::Revoke { id, capability } => {
            client.act(Method::DELETE, &format!("/plugins/{id}/grants/{}", capability.name())).await?;
            context.done(&format!("{id} may no longer use {}.", capability.name()))
        }
        Command::Resume { id } => {
            client.act(Method::POST, &format!("/plugins/{id}/resume")).await?;
            context.done(&format!("{id} may run again."))
        }
        Command::Remove { id } => {
            client.act(Method::DELETE, &format!("/plugins/{id}")).await?;
            context.done(&format!("{id} is gone, with its grants and its state."))
        }
    }
}

/// Nothing named means everything, unless something else narrows it down.
fn scope<T>(named: Vec<T>, narrowed: bool) -> Scope<T> {
    if named.is_empty() && !narrowed { Scope::All } else { Scope::Only(named) }
}

/// The bytes of a package file.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| {
        Failure::failed(format!(
            "{} cannot be read ({error}); nothing was changed: check the path",
            file.display()
        ))
    })
}

fn parse<T: serde::de::DeserializeOwned>(answer: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer).map_err(|error| {
        Failure::failed(format!("the appliance's answer cannot be read ({error}); the order was carried out: use the command line of the appliance's own version"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naming_a_tag_alone_does_not_grant_every_server() {
        assert_eq!(scope::<u8>(vec![], false), Scope::All);
        assert_eq!(scope::<u8>(vec![], true), Scope::Only(vec![]));
        assert_eq!(scope(vec![1], false), Scope::Only(vec![1]));
    }
}
