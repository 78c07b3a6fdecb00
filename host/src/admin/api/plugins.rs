//! Plugins and what they are permitted.

use super::{
    Api,
    body::{At, Body, Bounded, Package, Who},
    bounds,
    problem::{Answer, FieldError, Kind, Problem},
};
pub use crate::admin::ports::Inspection;
use crate::model::{
    name::{PluginId, ServerName, Tag, VaultName},
    plugin::{Capability, Grant, InstalledPlugin, Scope},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

const MOST: usize = 1000;

/// On what a capability may be used. Nothing said means everything.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantOrder {
    /// On which servers.
    #[serde(default = "all")]
    pub servers: Scope<ServerName>,
    /// On servers with one of these labels, besides.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// On which vaults.
    #[serde(default = "all")]
    pub vaults: Scope<VaultName>,
}

fn all<T>() -> Scope<T> {
    Scope::All
}

impl Bounded for GrantOrder {
    fn check(&self, errors: &mut Vec<FieldError>) {
        if let Scope::Only(names) = &self.servers {
            bounds::count(errors, "servers.only", names.len(), MOST);
        }
        if let Scope::Only(names) = &self.vaults {
            bounds::count(errors, "vaults.only", names.len(), MOST);
        }
        bounds::count(errors, "tags", self.tags.len(), MOST);
    }
}

/// All installed plugins, by id.
#[utoipa::path(get, path = "/plugins", tag = "plugins", responses((status = 200, body = Vec<InstalledPlugin>)))]
pub(super) async fn list_plugins(State(api): State<Api>) -> Answer<Json<Vec<InstalledPlugin>>> {
    Ok(Json(api.store.plugins.list()?))
}

/// Installs a package, or a newer version of an installed plugin. Grants nothing.
#[utoipa::path(post, path = "/plugins", tag = "plugins",
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The package file"),
    responses((status = 201, body = InstalledPlugin)))]
pub(super) async fn install_plugin(
    State(api): State<Api>,
    Who(caller): Who,
    Package(package): Package,
) -> Answer<(StatusCode, Json<InstalledPlugin>)> {
    let installed = api.ports.plugins.install(package, &caller.who).await?;
    Ok((StatusCode::CREATED, Json(installed)))
}

/// Looks at a package without installing it.
#[utoipa::path(post, path = "/plugins/inspect", tag = "plugins",
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The package file"),
    responses((status = 200, body = Inspection)))]
pub(super) async fn inspect_plugin(
    State(api): State<Api>,
    Package(package): Package,
) -> Answer<Json<Inspection>> {
    Ok(Json(api.ports.plugins.inspect(package).await?))
}

/// One installed plugin.
#[utoipa::path(get, path = "/plugins/{id}", tag = "plugins", params(("id" = String, Path, description = "The plugin's id")),
    responses((status = 200, body = InstalledPlugin)))]
pub(super) async fn get_plugin(
    State(api): State<Api>,
    At(id): At<PluginId>,
) -> Answer<Json<InstalledPlugin>> {
    find(&api, &id).map(Json)
}

/// Removes a plugin, its grants and its state. Refused while a job uses it.
#[utoipa::path(delete, path = "/plugins/{id}", tag = "plugins", params(("id" = String, Path, description = "The plugin's id")),
    responses((status = 204)))]
pub(super) async fn remove_plugin(
    State(api): State<Api>,
    Who(caller): Who,
    At(id): At<PluginId>,
) -> Answer<StatusCode> {
    api.ports.plugins.remove(&id, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a plugin may use, and on what.
#[utoipa::path(get, path = "/plugins/{id}/grants", tag = "plugins", params(("id" = String, Path, description = "The plugin's id")),
    responses((status = 200, body = Vec<Grant>)))]
pub(super) async fn list_grants(State(api): State<Api>, At(id): At<PluginId>) -> Answer<Json<Vec<Grant>>> {
    find(&api, &id)?;
    Ok(Json(api.store.grants.list_prefix(&format!("{id}/"))?))
}

/// Permits a plugin a capability its manifest asks for, replacing what was permitted of it before.
#[utoipa::path(put, path = "/plugins/{id}/grants/{capability}", tag = "plugins", request_body = GrantOrder, responses((status = 200, body = Grant)),
    params(("id" = String, Path, description = "The plugin's id"), ("capability" = Capability, Path, description = "The interface")))]
pub(super) async fn grant_capability(
    State(api): State<Api>,
    Who(caller): Who,
    At((id, capability)): At<(PluginId, Capability)>,
    Body(order): Body<GrantOrder>,
) -> Answer<Json<Grant>> {
    let GrantOrder { servers, tags, vaults } = order;
    let at = api.clock.now();
    let grant = Grant { plugin: id, capability, servers, tags, vaults, by: caller.who, at };
    api.ports.plugins.grant(grant.clone()).await?;
    Ok(Json(grant))
}

/// Takes a permission back.
#[utoipa::path(delete, path = "/plugins/{id}/grants/{capability}", tag = "plugins", responses((status = 204)),
    params(("id" = String, Path, description = "The plugin's id"), ("capability" = Capability, Path, description = "The interface")))]
pub(super) async fn revoke_capability(
    State(api): State<Api>,
    Who(caller): Who,
    At((id, capability)): At<(PluginId, Capability)>,
) -> Answer<StatusCode> {
    api.ports.plugins.revoke(&id, capability, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a paused plugin run again.
#[utoipa::path(post, path = "/plugins/{id}/resume", tag = "plugins", params(("id" = String, Path, description = "The plugin's id")),
    responses((status = 204)))]
pub(super) async fn resume_plugin(
    State(api): State<Api>,
    Who(caller): Who,
    At(id): At<PluginId>,
) -> Answer<StatusCode> {
    api.ports.plugins.resume(&id, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn find(api: &Api, id: &PluginId) -> Answer<InstalledPlugin> {
    api.store.plugins.get(id)?.ok_or_else(|| {
        Problem::new(
            Kind::NotFound,
            format!(
                "there is no plugin \"{id}\" here; nothing was done: `holdfast plugin list` shows which there are"
            ),
        )
    })
}
