//! Vaults: how full they are, their keys, checking and freeing, and the forms that make or attach one.

use super::{
    AskedQuery, again, asked,
    problem::{Answer, Trouble},
    see,
    shell::{Place, Shell, complaint, csrf, press},
    shown, words,
};
use crate::{
    admin::{
        Admin,
        auth::{form::Form, gate::Visitor},
        ports::{OrderError, VaultUsage},
    },
    model::{
        account::Role,
        job::{Task, Trigger, Work},
        name::{JobName, VaultName},
        vault::{VaultChoices, VaultDefinition},
    },
};
use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use futures::future::join_all;
use maud::{Markup, html};
use std::path::PathBuf;

fn find(admin: &Admin, name: &str) -> Answer<VaultDefinition> {
    let missing = || Trouble::missing("vault", &name);
    let name = VaultName::new(name).map_err(|_| missing())?;
    admin.store.vaults.get(&name)?.ok_or_else(missing)
}

/// All vaults.
pub async fn list(State(admin): State<Admin>, visitor: Visitor, query: AskedQuery) -> Answer {
    let asked = asked(query);
    let vaults = admin.store.vaults.list()?;
    let measured = join_all(vaults.iter().map(|vault| admin.ports.vaults.usage(&vault.name))).await;
    let content = html! {
        div class="heading" {
            h1 { "Vaults" }
            @if visitor.may(Role::Owner) { a class="button" href="/vaults/new" { "Make a vault" } }
        }
        p class="calm" { "Where recovery points live: encrypted, each byte authenticated, each block stored once." }
        div id="vaults" data-live {
            @if vaults.is_empty() { p { "There is no vault yet, so recovery points have nowhere to go." } }
            @for (vault, usage) in vaults.iter().zip(&measured) { (card(&visitor, vault, usage)) }
        }
    };
    let shell = Shell {
        admin: &admin,
        visitor: &visitor,
        place: Place::Vaults,
        title: "Vaults",
        did: asked.did.as_deref(),
    };
    Ok(shown(shell.wrap(content)))
}

fn card(visitor: &Visitor, vault: &VaultDefinition, usage: &Result<VaultUsage, OrderError>) -> Markup {
    let at = format!("/vaults/{}", vault.name);
    html! {
        section class="card" {
            div class="heading" { h2 { (vault.name) } code { (vault.location) } }
            @match usage {
                Ok(usage) => (fullness(usage)),
                Err(error) => (complaint(Some(&error.to_string()))),
            }
            div class="actions" {
                (press(visitor, Role::Operator, &format!("{at}/verify"), "quiet", html! { "Check its structure" }))
                (press(visitor, Role::Operator, &format!("{at}/verify-data"), "quiet", html! { "Check every byte" }))
                (press(visitor, Role::Owner, &format!("{at}/prune"), "quiet", html! { "Free space now" }))
            }
            @if visitor.may(Role::Owner) {
                details {
                    summary { "Key" }
                    p { "Keep a copy of the key somewhere else, printed or in a password safe. " strong { "Without this key the backups cannot be read, by nobody, ever." } }
                    (press(visitor, Role::Owner, &format!("{at}/key"), "quiet", html! { "Download the key" }))
                }
                details {
                    summary { "Stop using it" }
                    p { "Nothing in the vault is touched and its key file stays here. It can be taken into use again." }
                    (press(visitor, Role::Owner, &format!("{at}/detach"), "danger", html! { "Stop using " (vault.name) }))
                }
            }
        }
    }
}

fn fullness(usage: &VaultUsage) -> Markup {
    let free = usage.free_bytes.unwrap_or(0);
    let taken = words::percent(usage.stored_bytes, usage.stored_bytes.saturating_add(free));
    let tone = match (usage.free_bytes, taken) {
        (None, _) => "none",
        (_, 90..) => "bad",
        (_, 80..) => "late",
        _ => "good",
    };
    html! {
        @if usage.free_bytes.is_some() {
            div class=(tone) { (super::overview::meter(u32::try_from(taken).unwrap_or(100))) }
        }
        dl class="facts" {
            dt { "Stored" }
            dd {
                (words::size(usage.stored_bytes)) " in " (words::count(usize::try_from(usage.objects).unwrap_or(usize::MAX), "object", "objects"))
                @if let Some(free) = usage.free_bytes { ", " (words::size(free)) " free" }
            }
            dt { "Holds" }
            dd {
                (words::count(usize::try_from(usage.points).unwrap_or(usize::MAX), "recovery point", "recovery points"))
                " of disks with " (words::size(usage.logical_bytes)) " together"
                @if usage.stored_bytes > 0 && usage.logical_bytes > usage.stored_bytes {
                    ": " (usage.logical_bytes / usage.stored_bytes) " times what is stored"
                }
            }
            dt { "Deletes" }
            dd { (usage.grace_hours) " hours after a point has expired, and never the newest " (usage.minimum_points) " of a server" }
        }
    }
}

async fn start(admin: &Admin, visitor: Visitor, name: &str, task: Task) -> Answer {
    let trigger = Trigger::Person { who: visitor.caller.who };
    let run = admin.ports.runs.request_once(JobName::new(name)?, Work::Task { task }, trigger).await?;
    Ok(Redirect::to(&format!("/runs/{run}")).into_response())
}

/// Checks a vault's structure.
pub async fn verify(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let vault = find(&admin, &name)?.name;
    start(&admin, visitor, "verify", Task::Verify { vault, read_data: false }).await
}

/// Checks every byte in a vault.
pub async fn verify_data(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let vault = find(&admin, &name)?.name;
    start(&admin, visitor, "verify", Task::Verify { vault, read_data: true }).await
}

/// Frees what a vault no longer keeps.
pub async fn prune(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let vault = find(&admin, &name)?.name;
    start(&admin, visitor, "prune", Task::Prune { vault, dry_run: false }).await
}

/// The key as a file. A POST, because it is audited and must not be prefetched.
pub async fn key(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let vault = find(&admin, &name)?.name;
    let key = admin.ports.vaults.key(&vault, &visitor.caller.who).await?;
    let text = format!(
        "# Key of the vault {vault}. Keep it where this appliance is not. Without it the backups cannot be read.\n{key}\n"
    );
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let disposition = format!("attachment; filename=\"holdfast-vault-{vault}.key\"");
    if let Ok(value) = HeaderValue::try_from(disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// Stops using a vault.
pub async fn detach(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let vault = find(&admin, &name)?.name;
    admin.ports.vaults.detach(&vault, &visitor.caller.who).await?;
    Ok(see("/vaults", "removed"))
}

/// The forms for a new vault and for one that exists.
pub async fn new_form(State(admin): State<Admin>, visitor: Visitor) -> Answer {
    Ok(shown(form_page(&admin, &visitor, &Form::default(), None)))
}

/// Makes a vault.
pub async fn create(State(admin): State<Admin>, visitor: Visitor, form: Form) -> Answer {
    let made = async {
        let (name, path) = name_and_path(&form)?;
        let number = |field: &str, default: u32| match form.text(field) {
            "" => Ok(default),
            text => text.parse::<u32>().map_err(|_| {
                Trouble::invalid(format!(
                    "\"{text}\" is not a whole number; no vault was made; write digits only"
                ))
            }),
        };
        let usual = VaultChoices::default();
        let choices = VaultChoices {
            block_kib: usual.block_kib,
            grace_hours: number("grace", usual.grace_hours)?,
            minimum_points: number("minimum", usual.minimum_points)?,
            minimum_hours: number("minimum-hours", usual.minimum_hours)?,
        };
        admin.ports.vaults.create(name, path, choices, &visitor.caller.who).await.map_err(Trouble::from)
    };
    finish(&admin, &visitor, &form, made.await, "vault")
}

/// Takes an existing vault into use.
pub async fn attach(State(admin): State<Admin>, visitor: Visitor, form: Form) -> Answer {
    let attached = async {
        let (name, path) = name_and_path(&form)?;
        let key =
            form.text("key").lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        let key = key.ok_or_else(|| {
            Trouble::invalid(
                "the vault's key is missing; nothing was changed; paste the text of its key file",
            )
        })?;
        admin.ports.vaults.attach(name, path, key, &visitor.caller.who).await.map_err(Trouble::from)
    };
    finish(&admin, &visitor, &form, attached.await, "attached")
}

fn finish(
    admin: &Admin,
    visitor: &Visitor,
    form: &Form,
    outcome: Answer<VaultDefinition>,
    did: &'static str,
) -> Answer<Response> {
    match outcome {
        Ok(_) => Ok(see("/vaults", did)),
        Err(trouble) => Ok(again(trouble.status(), form_page(admin, visitor, form, Some(trouble.text())))),
    }
}

fn name_and_path(form: &Form) -> Answer<(VaultName, PathBuf)> {
    let path = PathBuf::from(form.text("path"));
    if !path.is_absolute() {
        return Err(Trouble::invalid(
            "the directory is not an absolute path; nothing was changed; write for example /srv/vault",
        ));
    }
    Ok((VaultName::new(form.text("name").to_lowercase())?, path))
}

fn form_page(admin: &Admin, visitor: &Visitor, form: &Form, wrong: Option<&str>) -> String {
    let is_attach = form.ticked("key");
    let usual = VaultChoices::default();
    let or = |field: &str, usual: u32| match form.text(field) {
        "" => usual.to_string(),
        text => text.to_owned(),
    };
    let name_fields = html! {
        label { "Name" input class="short" name="name" value=(form.text("name")) placeholder="local" autocapitalize="none" required; }
        label { "Directory" input name="path" value=(form.text("path")) placeholder="/srv/vault" required; small { "On this box, or on a share that is mounted here. Best on another disk than the appliance's own" } }
    };
    let content = html! {
        h1 { "Make a vault" }
        section class="card" {
            @if !is_attach { (complaint(wrong)) }
            form method="post" action="/vaults" {
                (csrf(visitor))
                (name_fields)
                div class="row" {
                    label { "Hours between expired and deleted" input type="number" min="1" name="grace" value=(or("grace", usual.grace_hours)) required; }
                    label { "Hours a point is kept in any case" input type="number" min="0" name="minimum-hours" value=(or("minimum-hours", usual.minimum_hours)) required; }
                    label { "Fewest points of a server" input type="number" min="1" name="minimum" value=(or("minimum", usual.minimum_points)) required; }
                }
                p class="hint" { "All three are fixed in the vault from then on: no session, plugin or owner can go below them." }
                button { "Make the vault and its key" }
            }
        }
        details open[is_attach] {
            summary { "Use a vault that exists already" }
            section class="card" {
                @if is_attach { (complaint(wrong)) }
                form method="post" action="/vaults/attach" {
                    (csrf(visitor))
                    (name_fields)
                    label { "Key" textarea name="key" spellcheck="false" autocomplete="off" required {} small { "The text of its key file" } }
                    button class="quiet" { "Use it" }
                }
            }
        }
    };
    Shell { admin, visitor, place: Place::Vaults, title: "Make a vault", did: None }.wrap(content)
}
