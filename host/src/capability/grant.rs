//! Whether a plugin may: what its manifest asks, and what the site's owner granted, both. Pure.

use crate::model::{
    name::{PluginId, ServerName, Tag, VaultName},
    plugin::{Capability, Grant, Manifest, Scope},
    server::Server,
};

/// What a call wants to touch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Target<'a> {
    /// A server by name.
    pub server: Option<&'a ServerName>,
    /// The labels of that server.
    pub tags: &'a [Tag],
    /// A vault.
    pub vault: Option<&'a VaultName>,
}

/// Why a call was refused. The text says who, what, on what, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The manifest does not ask for it.
    #[error(
        "denied: plugin {plugin} uses \"{}\" but its manifest does not ask for it, so nobody can grant it; nothing was done; \
         its author has to add a [[permission]] with use = \"{}\" and the reason",
        capability.name(), capability.name()
    )]
    NotAsked {
        /// Who.
        plugin: PluginId,
        /// What.
        capability: Capability,
    },
    /// The owner has not granted it, at all or on this thing.
    #[error(
        "denied: plugin {plugin} is not granted \"{}\"{}; nothing was done; the owner can grant it under Plugins → {plugin}, \
         or: holdfast plugin grant {plugin} {}{}",
        capability.name(), on(thing.as_ref()), capability.name(), option(thing.as_ref())
    )]
    NotGranted {
        /// Who.
        plugin: PluginId,
        /// What.
        capability: Capability,
        /// On what; none means that there is no grant at all.
        thing: Option<Thing>,
    },
    /// It would change something in a dry run.
    #[error(
        "denied: this is a dry run, so {action} of {subject} was not done; start the job without the dry run to do it"
    )]
    DryRun {
        /// The call.
        action: String,
        /// On what.
        subject: String,
    },
    /// Settings are being checked.
    #[error(
        "denied: {action} does not answer while settings are checked; nothing was done; only run and state do"
    )]
    CheckingSettings {
        /// The call.
        action: String,
    },
}

/// One server or vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A server.
    Server(ServerName),
    /// A vault.
    Vault(VaultName),
}

fn on(thing: Option<&Thing>) -> String {
    match thing {
        Some(Thing::Server(name)) => format!(" on server {name}"),
        Some(Thing::Vault(name)) => format!(" on vault {name}"),
        None => String::new(),
    }
}

fn option(thing: Option<&Thing>) -> String {
    match thing {
        Some(Thing::Server(name)) => format!(" --server {name}"),
        Some(Thing::Vault(name)) => format!(" --vault {name}"),
        None => String::new(),
    }
}

/// Checks one call: both gates, then the scope.
pub fn check(
    manifest: &Manifest,
    capability: Capability,
    grant: Option<&Grant>,
    target: Target<'_>,
) -> Result<(), Denied> {
    let plugin = &manifest.id;
    if !manifest.permissions.iter().any(|asked| asked.capability == capability) {
        return Err(Denied::NotAsked { plugin: plugin.clone(), capability });
    }
    let refused = |thing| Err(Denied::NotGranted { plugin: plugin.clone(), capability, thing });
    let Some(grant) = grant.filter(|grant| grant.plugin == *plugin && grant.capability == capability) else {
        return refused(None);
    };
    if let Some(server) = target.server
        && !covers_server(grant, server, target.tags)
    {
        return refused(Some(Thing::Server(server.clone())));
    }
    if let Some(vault) = target.vault
        && !covers(&grant.vaults, vault)
    {
        return refused(Some(Thing::Vault(vault.clone())));
    }
    Ok(())
}

/// Whether the grant reaches this server, by name or by label.
pub fn covers_server(grant: &Grant, server: &ServerName, tags: &[Tag]) -> bool {
    covers(&grant.servers, server) || tags.iter().any(|tag| grant.tags.contains(tag))
}

/// The servers the grant reaches.
pub fn servers_in_scope(grant: &Grant, servers: Vec<Server>) -> Vec<Server> {
    servers.into_iter().filter(|server| covers_server(grant, &server.name, &server.tags)).collect()
}

/// Whether the scope names it.
pub fn covers<T: PartialEq>(scope: &Scope<T>, name: &T) -> bool {
    match scope {
        Scope::All => true,
        Scope::Only(names) => names.contains(name),
    }
}

#[cfg(test)]
mod tests;
