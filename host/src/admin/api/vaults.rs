//! Vaults: where recovery points live.

use super::{
    Api,
    body::{At, Body, Bounded, Who},
    bounds,
    problem::{Answer, FieldError, Kind, Problem},
    runs::{RunQueued, queued},
};
pub use crate::admin::ports::VaultUsage;
use crate::model::{
    job::{Task, Trigger, Work},
    name::{JobName, VaultName},
    vault::{VaultChoices, VaultDefinition},
};
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A vault to make.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVault {
    /// What it is called on this appliance.
    pub name: VaultName,
    /// An absolute path; its last part is made if it is missing.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// What cannot be changed later.
    #[serde(default)]
    pub choices: VaultChoices,
}

/// A vault that exists and its key.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownVault {
    /// What it is called on this appliance.
    pub name: VaultName,
    /// An absolute path.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// The key as the recovery kit has it: one line that begins with `hfkey1-`.
    pub key: String,
}

/// The key of a vault.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VaultKeyText {
    /// One line for the recovery kit. Whoever has it and the vault has the disks.
    pub key: String,
}

/// How deep to check a vault.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyOrder {
    /// Read and authenticate every byte, not only the structure.
    #[serde(default)]
    pub read_data: bool,
}

/// How to prune a vault.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneOrder {
    /// Say what would be freed and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

impl Bounded for NewVault {
    fn check(&self, errors: &mut Vec<FieldError>) {
        bounds::absolute(errors, "path", &self.path);
        self.choices.check(errors);
    }
}

impl Bounded for KnownVault {
    fn check(&self, errors: &mut Vec<FieldError>) {
        bounds::absolute(errors, "path", &self.path);
        bounds::text(errors, "key", &self.key, bounds::SENTENCE);
    }
}

impl Bounded for VerifyOrder {
    fn check(&self, _: &mut Vec<FieldError>) {}
}

impl Bounded for PruneOrder {
    fn check(&self, _: &mut Vec<FieldError>) {}
}

/// All vaults in use, by name.
#[utoipa::path(get, path = "/vaults", tag = "vaults", responses((status = 200, body = Vec<VaultDefinition>)))]
pub(super) async fn list_vaults(State(api): State<Api>) -> Answer<Json<Vec<VaultDefinition>>> {
    Ok(Json(api.store.vaults.list()?))
}

/// Makes a vault and its key.
#[utoipa::path(post, path = "/vaults", tag = "vaults", request_body = NewVault, responses((status = 201, body = VaultDefinition)))]
pub(super) async fn create_vault(
    State(api): State<Api>,
    Who(caller): Who,
    Body(new): Body<NewVault>,
) -> Answer<(StatusCode, Json<VaultDefinition>)> {
    let made = api.ports.vaults.create(new.name, new.path, new.choices, &caller.who).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Takes a vault that exists into use, with its key.
#[utoipa::path(post, path = "/vaults/attach", tag = "vaults", request_body = KnownVault, responses((status = 201, body = VaultDefinition)))]
pub(super) async fn attach_vault(
    State(api): State<Api>,
    Who(caller): Who,
    Body(known): Body<KnownVault>,
) -> Answer<(StatusCode, Json<VaultDefinition>)> {
    let attached = api.ports.vaults.attach(known.name, known.path, &known.key, &caller.who).await?;
    Ok((StatusCode::CREATED, Json(attached)))
}

/// One vault's definition.
#[utoipa::path(get, path = "/vaults/{name}", tag = "vaults", params(("name" = String, Path, description = "The vault's name")),
    responses((status = 200, body = VaultDefinition)))]
pub(super) async fn get_vault(
    State(api): State<Api>,
    At(name): At<VaultName>,
) -> Answer<Json<VaultDefinition>> {
    find(&api, &name).map(Json)
}

/// Stops using a vault. Nothing in it is touched and its key stays on the appliance.
#[utoipa::path(delete, path = "/vaults/{name}", tag = "vaults", params(("name" = String, Path, description = "The vault's name")),
    responses((status = 204)))]
pub(super) async fn detach_vault(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<VaultName>,
) -> Answer<StatusCode> {
    api.ports.vaults.detach(&name, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Measures a vault. Costs listing its objects.
#[utoipa::path(get, path = "/vaults/{name}/usage", tag = "vaults", params(("name" = String, Path, description = "The vault's name")),
    responses((status = 200, body = VaultUsage)))]
pub(super) async fn measure_vault(
    State(api): State<Api>,
    At(name): At<VaultName>,
) -> Answer<Json<VaultUsage>> {
    Ok(Json(api.ports.vaults.usage(&name).await?))
}

/// The vault's key, for the recovery kit. Audited.
#[utoipa::path(get, path = "/vaults/{name}/key", tag = "vaults", params(("name" = String, Path, description = "The vault's name")),
    responses((status = 200, body = VaultKeyText)))]
pub(super) async fn show_vault_key(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<VaultName>,
) -> Answer<impl IntoResponse> {
    let key = api.ports.vaults.key(&name, &caller.who).await?;
    Ok(([("cache-control", "no-store")], Json(VaultKeyText { key })))
}

/// Checks a vault; the run says what it found.
#[utoipa::path(post, path = "/vaults/{name}/verify", tag = "vaults", request_body = VerifyOrder,
    params(("name" = String, Path, description = "The vault's name")), responses((status = 202, body = RunQueued)))]
pub(super) async fn verify_vault(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<VaultName>,
    Body(order): Body<VerifyOrder>,
) -> Answer<impl IntoResponse> {
    find(&api, &name)?;
    let task = Task::Verify { vault: name, read_data: order.read_data };
    once(&api, "verify", task, caller.who).await
}

/// Deletes what retention let go and whose grace period is over.
#[utoipa::path(post, path = "/vaults/{name}/prune", tag = "vaults", request_body = PruneOrder,
    params(("name" = String, Path, description = "The vault's name")), responses((status = 202, body = RunQueued)))]
pub(super) async fn prune_vault(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<VaultName>,
    Body(order): Body<PruneOrder>,
) -> Answer<impl IntoResponse> {
    find(&api, &name)?;
    once(&api, "prune", Task::Prune { vault: name, dry_run: order.dry_run }, caller.who).await
}

/// Queues one of the appliance's own tasks, recorded under the task's name.
pub(super) async fn once(
    api: &Api,
    name: &str,
    task: Task,
    who: String,
) -> Answer<(StatusCode, [(&'static str, String); 1], Json<RunQueued>)> {
    let trigger = Trigger::Person { who };
    let run = api.ports.runs.request_once(JobName::new(name)?, Work::Task { task }, trigger).await?;
    Ok(queued(run))
}

/// The vault with this name, or the problem that there is none.
pub(super) fn find(api: &Api, name: &VaultName) -> Answer<VaultDefinition> {
    api.store.vaults.get(name)?.ok_or_else(|| {
        Problem::new(
            Kind::NotFound,
            format!(
                "there is no vault \"{name}\" here; nothing was done: `holdfast vault list` shows which there are"
            ),
        )
    })
}
