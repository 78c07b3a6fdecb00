//! Plugins: what each may do in words, granting and revoking, pausing, installing after a look inside.

use super::{
    AskedQuery, asked,
    icon::{Icon, icon},
    phrases,
    problem::{Answer, Trouble},
    see,
    shell::{Place, Shell, complaint, csrf, press},
    shown, words,
};
use crate::{
    admin::{
        Admin,
        auth::{form::Form, gate::Visitor},
        ports::Inspection,
    },
    model::{
        account::Role,
        job::Work,
        name::PluginId,
        plugin::{Capability, Grant, InstalledPlugin, Manifest, Permission},
    },
};
use axum::extract::{Path, State};
use chrono::{DateTime, Duration, Utc};
use maud::{Markup, html};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// How long a package that was looked at may wait for "install".
const WAITS: Duration = Duration::minutes(15);
/// How many may wait at once.
const WAITING: usize = 2;

/// The plugin of that id.
pub fn find(admin: &Admin, id: &str) -> Answer<InstalledPlugin> {
    let missing = || Trouble::missing("plugin", &id);
    let id = PluginId::new(id).map_err(|_| missing())?;
    admin.store.plugins.get(&id)?.ok_or_else(missing)
}

/// What a plugin may do here, by capability.
pub fn grants_of(admin: &Admin, id: &PluginId) -> Answer<BTreeMap<Capability, Grant>> {
    let grants = admin.store.grants.list_prefix(&format!("{id}/"))?;
    Ok(grants.into_iter().map(|grant| (grant.capability, grant)).collect())
}

/// All plugins.
pub async fn list(State(admin): State<Admin>, visitor: Visitor, query: AskedQuery) -> Answer {
    let asked = asked(query);
    let mut plugins = Vec::new();
    for plugin in admin.store.plugins.list()? {
        let grants = grants_of(&admin, &plugin.manifest.id)?;
        plugins.push((plugin, grants));
    }
    let content = html! {
        h1 { "Plugins" }
        p class="calm" { "Plugins decide what is done; they run in a sandbox and can do nothing that you have not granted." }
        div id="plugins" data-live {
            @for (plugin, grants) in &plugins { (card(plugin, grants)) }
            @if plugins.is_empty() { p { "No plugin is installed." } }
        }
        @if visitor.may(Role::Owner) {
            section class="card" {
                h2 { "Install a plugin" }
                form method="post" action="/plugins/inspect" enctype="multipart/form-data" {
                    (csrf(&visitor))
                    label { "Package" input type="file" name="package" accept=".wasm" required; small { "You see what is in it before anything is installed" } }
                    button class="quiet" { "Look inside" }
                }
            }
        }
    };
    let shell = Shell {
        admin: &admin,
        visitor: &visitor,
        place: Place::Plugins,
        title: "Plugins",
        did: asked.did.as_deref(),
    };
    Ok(shown(shell.wrap(content)))
}

fn card(plugin: &InstalledPlugin, grants: &BTreeMap<Capability, Grant>) -> Markup {
    let manifest = &plugin.manifest;
    let missing = manifest.permissions.iter().filter(|asked| !grants.contains_key(&asked.capability)).count();
    html! {
        section class="card" {
            div class="heading" {
                h2 { a class="name" href={"/plugins/" (manifest.id)} { (manifest.name) } " " span class="small" { (manifest.version) } }
                (standing(plugin, missing))
            }
            p { (manifest.description) }
            p class="small" { code { (manifest.id) } ", " (phrases::publisher(&plugin.publisher)) }
        }
    }
}

fn standing(plugin: &InstalledPlugin, missing: usize) -> Markup {
    html! {
        @if plugin.paused.is_some() { span class="pill late" { (icon(Icon::None)) "Paused" } }
        @else if missing > 0 { span class="pill late" { (icon(Icon::Lock)) "Waits for " (words::count(missing, "grant", "grants")) } }
        @else { span class="pill good" { (icon(Icon::Good)) "Ready" } }
    }
}

/// One plugin.
pub async fn show(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path(id): Path<String>,
    query: AskedQuery,
) -> Answer {
    let asked = asked(query);
    let plugin = find(&admin, &id)?;
    let manifest = &plugin.manifest;
    let grants = grants_of(&admin, &manifest.id)?;
    let missing = manifest.permissions.iter().filter(|asked| !grants.contains_key(&asked.capability)).count();
    let now = admin.clock.now();
    let uses = |work: &Work| matches!(work, Work::Plugin { plugin, .. } if *plugin == manifest.id);
    let jobs: Vec<_> = admin.store.jobs.list()?.into_iter().filter(|job| uses(&job.work)).collect();
    let content = html! {
        p class="trail" { a href="/plugins" { "Plugins" } " / " (manifest.name) }
        div id="plugin" data-live {
            div class="heading" { h1 { (manifest.name) " " span class="small" { (manifest.version) } } (standing(&plugin, missing)) }
            p { (manifest.description) }
            @if let Some(reason) = &plugin.paused {
                section class="card" {
                    h2 { "It is paused" } p { (reason) }
                    (press(&visitor, Role::Owner, &format!("/plugins/{}/resume", manifest.id), "", html! { "Let it run again" }))
                }
            }
            h2 { "What it asks for" }
            @for permission in &manifest.permissions {
                (super::grants::permission(&admin, &visitor, &plugin, permission, grants.get(&permission.capability), now)?)
            }
            @if manifest.permissions.is_empty() { p class="calm" { "Nothing." } }
            section class="card" {
                h2 { "About it" }
                dl class="facts" {
                    dt { "Id" } dd { code { (manifest.id) } }
                    dt { "Publisher" } dd { (phrases::publisher(&plugin.publisher)) }
                    dt { "Installed" } dd { (words::full(plugin.installed, admin.zone)) }
                    dt { "Contract" } dd { (manifest.api) }
                    dt { "File" } dd { code { (plugin.digest) } }
                    dt { "Used by" }
                    dd { @if jobs.is_empty() { "no job" } @for job in &jobs { a href={"/jobs/" (job.name)} { (job.name) } " " } }
                }
            }
        }
        @if visitor.may(Role::Owner) {
            details {
                summary { "Remove this plugin" }
                p { "Its grants and what it remembers go with it. Jobs that use it must be removed first. Recovery points stay." }
                (press(&visitor, Role::Owner, &format!("/plugins/{}/remove", manifest.id), "danger", html! { "Remove " (manifest.name) }))
            }
        }
    };
    let shell = Shell {
        admin: &admin,
        visitor: &visitor,
        place: Place::Plugins,
        title: &manifest.name,
        did: asked.did.as_deref(),
    };
    Ok(shown(shell.wrap(content)))
}

/// Lets a paused plugin run again.
pub async fn resume(State(admin): State<Admin>, visitor: Visitor, Path(id): Path<String>) -> Answer {
    let id = find(&admin, &id)?.manifest.id;
    admin.ports.plugins.resume(&id, &visitor.caller.who).await?;
    Ok(see(&format!("/plugins/{id}"), "resumed"))
}

/// Removes a plugin.
pub async fn remove(State(admin): State<Admin>, visitor: Visitor, Path(id): Path<String>) -> Answer {
    let id = find(&admin, &id)?.manifest.id;
    admin.ports.plugins.remove(&id, &visitor.caller.who).await?;
    Ok(see("/plugins", "removed"))
}

/// Packages that were looked at and wait for "install": few, and not for long.
#[derive(Default)]
pub struct Uploads(Mutex<Vec<Upload>>);

struct Upload {
    digest: String,
    who: String,
    at: DateTime<Utc>,
    package: Vec<u8>,
}

impl Uploads {
    fn keep(&self, upload: Upload) {
        let mut waiting = self.0.lock();
        waiting.retain(|other| upload.at - other.at < WAITS && other.digest != upload.digest);
        while waiting.len() >= WAITING {
            waiting.remove(0);
        }
        waiting.push(upload);
    }

    fn take(&self, digest: &str, who: &str, now: DateTime<Utc>) -> Option<Vec<u8>> {
        let mut waiting = self.0.lock();
        waiting.retain(|upload| now - upload.at < WAITS);
        let position = waiting.iter().position(|upload| upload.digest == digest && upload.who == who)?;
        Some(waiting.remove(position).package)
    }
}

/// Shows what is in a package. Nothing is installed.
pub async fn inspect(State(admin): State<Admin>, visitor: Visitor, form: Form) -> Answer {
    let package = form.file().map(|bytes| bytes.to_vec()).ok_or_else(|| {
        Trouble::invalid("no file was chosen; nothing was installed; choose a plugin's .wasm file")
    })?;
    let found = admin.ports.plugins.inspect(package.clone()).await?;
    let present = admin.store.plugins.get(&found.manifest.id)?;
    let content = inspection(&visitor, &found, present.as_ref());
    let (digest, who, at) = (found.digest.clone(), visitor.caller.who.clone(), admin.clock.now());
    admin.uploads.keep(Upload { digest, who, at, package });
    let shell =
        Shell { admin: &admin, visitor: &visitor, place: Place::Plugins, title: "Look inside", did: None };
    Ok(shown(shell.wrap(content)))
}

/// Installs a package that was looked at.
pub async fn install(State(admin): State<Admin>, visitor: Visitor, form: Form) -> Answer {
    let who = &visitor.caller.who;
    let package = admin.uploads.take(form.text("digest"), who, admin.clock.now()).ok_or_else(|| {
        Trouble::invalid(
            "the package was looked at too long ago; nothing was installed; choose the file again",
        )
    })?;
    let installed = admin.ports.plugins.install(package, who).await?;
    Ok(see(&format!("/plugins/{}", installed.manifest.id), "installed"))
}

fn inspection(visitor: &Visitor, found: &Inspection, present: Option<&InstalledPlugin>) -> Markup {
    let manifest = &found.manifest;
    html! {
        h1 { (manifest.name) " " span class="small" { (manifest.version) } }
        p { (manifest.description) }
        @if let Some(present) = present { p { "It replaces version " (present.manifest.version) ". Grants stay as they are." } }
        @for problem in &found.problems { (complaint(Some(problem))) }
        section class="card" {
            h2 { "What it asks for" }
            @if manifest.permissions.is_empty() { p { "Nothing." } }
            @for asked in &manifest.permissions { (asked_in_words(manifest, asked)) }
        }
        section class="card" {
            dl class="facts" {
                dt { "Id" } dd { code { (manifest.id) } }
                dt { "Publisher" } dd { (phrases::publisher(&found.publisher)) }
                dt { "Size" } dd { (words::size(found.bytes)) }
                dt { "File" } dd { code { (found.digest) } }
                dt { "Can reach at most" } dd { @if found.imports.is_empty() { "nothing" } @for import in &found.imports { p { code { (import) } } } }
            }
        }
        @if found.problems.is_empty() {
            form method="post" action="/plugins" {
                (csrf(visitor))
                input type="hidden" name="digest" value=(found.digest);
                div class="actions" { button { "Install" } a class="button quiet" href="/plugins" { "Leave it" } }
            }
        } @else {
            p { a class="button" href="/plugins" { "Back" } }
        }
    }
}

/// A permission: what it means in our words, and why in the author's.
pub fn asked_in_words(manifest: &Manifest, asked: &Permission) -> Markup {
    html! {
        div {
            h3 { (asked.capability.name()) @if asked.capability.is_destructive() { " " span class="pill late" { (icon(Icon::Look)) "can take something away" } } }
            p { (asked.capability.in_words()) "." }
            p class="words" { (manifest.name) "'s author says: “" (asked.why) "”" }
        }
    }
}
