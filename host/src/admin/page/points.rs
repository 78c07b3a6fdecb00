//! One recovery point: what it is, restoring it, and keeping it or letting it go.

use super::{
    AskedQuery, asked,
    icon::{Icon, icon},
    overview::consistency_in_words,
    phrases,
    problem::{Answer, Trouble},
    see,
    shell::{Place, Shell, csrf, press},
    shown, words,
};
use crate::{
    admin::{
        Admin,
        auth::{form::Form, gate::Visitor},
    },
    model::{
        account::Role,
        job::{RestoreFormat, Task, Trigger, Work},
        name::JobName,
        point::PointRecord,
    },
};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use std::path::PathBuf;

/// Where a point's page is.
pub fn address(point: &PointRecord) -> String {
    format!("/points/{}/{}", point.vault, point.id)
}

fn find(admin: &Admin, vault: &str, id: &str) -> Answer<PointRecord> {
    let found = admin.store.points.get(&format!("{vault}/{id}"))?;
    found.ok_or_else(|| Trouble::missing("recovery point", &phrases::short(id)))
}

/// Held, expired or neither, as marks.
pub fn state(point: &PointRecord) -> Markup {
    html! {
        @if point.held { span class="pill busy" { (icon(Icon::Lock)) "Held" } " " }
        @if point.expired.is_some() { span class="pill late" { (icon(Icon::Late)) "Expired" } }
        @else if !point.held { span class="pill good" { (icon(Icon::Good)) "Kept" } }
    }
}

/// One point.
pub async fn show(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path((vault, id)): Path<(String, String)>,
    query: AskedQuery,
) -> Answer {
    let asked = asked(query);
    let point = find(&admin, &vault, &id)?;
    let now = admin.clock.now();
    let taken = words::moment(now, point.taken, admin.zone);
    let content = html! {
        p class="trail" { a href="/" { "Overview" } " / " a href={"/servers/" (point.server)} { (point.server) } " / recovery point" }
        h1 { (point.server) ", " (taken) }
        div class="columns" {
            div id="point" data-live {
                (facts(&admin, &point, now))
                @if visitor.may(Role::Operator) { (keeping(&visitor, &point)) }
            }
            @if visitor.may(Role::Operator) { (restore_form(&visitor, &point)) }
        }
    };
    let title = format!("{} {taken}", point.server);
    let shell = Shell {
        admin: &admin,
        visitor: &visitor,
        place: Place::Overview,
        title: &title,
        did: asked.did.as_deref(),
    };
    Ok(shown(shell.wrap(content)))
}

fn facts(admin: &Admin, point: &PointRecord, now: DateTime<Utc>) -> Markup {
    html! {
        section class="card" {
            div class="heading" { h2 { "What it is" } (state(point)) }
            dl class="facts" {
                dt { "Taken" } dd { (words::full(point.taken, admin.zone)) " (" (words::age(now, point.taken)) ")" }
                dt { "Consistency" } dd { (consistency_in_words(point.consistency)) }
                dt { "Vault" } dd { a href="/vaults" { (point.vault) } }
                dt { "Id" } dd { code { (point.id) } }
                dt { "Disks" }
                dd { @for (name, bytes) in &point.disks { p { (name) ", " (words::size(*bytes)) } } }
                dt { "Read" } dd { (words::size(point.sizes.read)) }
                dt { "Changed" } dd { (words::size(point.sizes.changed)) }
                dt { "Stored" } dd { (words::size(point.sizes.stored)) }
                dt { "Data checked" }
                dd { @match point.verified { Some(at) => (words::age(now, at)), None => "not yet" } }
                @if let Some(run) = point.run { dt { "Made by" } dd { a href={"/runs/" (run)} { "run " (run) } } }
            }
        }
    }
}

fn restore_form(visitor: &Visitor, point: &PointRecord) -> Markup {
    html! {
        section class="card" {
            h2 { "Restore" }
            p { "Writes the disks to files on this box. The server itself and the recovery point stay as they are." }
            form method="post" action={(address(point)) "/restore"} {
                (csrf(visitor))
                label { "Into" input name="target" placeholder="/srv/restore" required; small { "A directory: one file for each disk. With one disk chosen: the file itself" } }
                div class="row" {
                    label {
                        "Disk"
                        select name="disk" {
                            option value="" { "all" }
                            @for (name, _) in &point.disks { option { (name) } }
                        }
                    }
                    label { "As" select name="format" { option value="raw" { "raw" } option value="qcow2" { "qcow2" } } }
                }
                label class="tick" { input type="checkbox" name="overwrite" value="yes"; "Write over what is there (only what differs)" }
                button { "Restore" }
            }
        }
    }
}

fn keeping(visitor: &Visitor, point: &PointRecord) -> Markup {
    let at = address(point);
    html! {
        section class="card" {
            h2 { "Keep it or let it go" }
            @if point.held {
                p { "It is held: retention leaves it alone." }
                (press(visitor, Role::Owner, &format!("{at}/release"), "quiet", html! { "Release" }))
            } @else {
                form method="post" action={(at) "/hold"} {
                    (csrf(visitor))
                    label { "Hold it, because" input name="reason" required maxlength="200"; small { "Retention leaves a held point alone until it is released" } }
                    button class="quiet" { "Hold" }
                }
            }
            @if point.expired.is_some() {
                p { "It is expired. It can be restored and taken back until the vault's grace period ends; then its space is freed." }
                (press(visitor, Role::Operator, &format!("{at}/unexpire"), "quiet", html! { "Keep it after all" }))
            } @else if visitor.may(Role::Owner) && !point.held {
                details {
                    summary { "Let it go" }
                    p { "It is marked as expired now and deleted when the vault's grace period has passed. Until then anybody who may restore can take that back. Nobody can shorten the grace period, and a server's last points cannot be expired at all." }
                    (press(visitor, Role::Owner, &format!("{at}/expire"), "danger", html! { "Expire this point" }))
                }
            }
        }
    }
}

/// Starts a restore.
pub async fn restore(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path((vault, id)): Path<(String, String)>,
    form: Form,
) -> Answer {
    let point = find(&admin, &vault, &id)?;
    let target = PathBuf::from(form.text("target"));
    if !target.is_absolute() {
        return Err(Trouble::invalid(
            "the place to restore to is not an absolute path; nothing was started; write for example /srv/restore",
        ));
    }
    let disk = Some(form.text("disk").to_owned()).filter(|disk| !disk.is_empty());
    if let Some(disk) = &disk
        && !point.disks.iter().any(|(name, _)| name == disk)
    {
        return Err(Trouble::missing("disk", disk));
    }
    let format = match form.text("format") {
        "qcow2" => RestoreFormat::Qcow2,
        _ => RestoreFormat::Raw,
    };
    let overwrite = form.ticked("overwrite");
    let task = Task::Restore {
        vault: point.vault.clone(),
        point: point.id.clone(),
        disk,
        target,
        format,
        overwrite,
    };
    let trigger = Trigger::Person { who: visitor.caller.who };
    let run = admin.ports.runs.request_once(JobName::new("restore")?, Work::Task { task }, trigger).await?;
    Ok(Redirect::to(&format!("/runs/{run}")).into_response())
}

/// Holds a point.
pub async fn hold(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path((vault, id)): Path<(String, String)>,
    form: Form,
) -> Answer {
    let point = find(&admin, &vault, &id)?;
    let reason: String = form.text("reason").chars().take(200).collect();
    if reason.is_empty() {
        return Err(Trouble::invalid(
            "no reason was given; nothing was changed; say why the point must stay",
        ));
    }
    admin.ports.vaults.hold(&point.vault, &point.id, &reason, &visitor.caller.who).await?;
    Ok(see(&address(&point), "held"))
}

/// Ends a hold.
pub async fn release(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path((vault, id)): Path<(String, String)>,
) -> Answer {
    let point = find(&admin, &vault, &id)?;
    admin.ports.vaults.release(&point.vault, &point.id, &visitor.caller.who).await?;
    Ok(see(&address(&point), "released"))
}

/// Lets a point go.
pub async fn expire(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path((vault, id)): Path<(String, String)>,
) -> Answer {
    let point = find(&admin, &vault, &id)?;
    admin.ports.vaults.expire(&point.vault, &point.id, &visitor.caller.who).await?;
    Ok(see(&address(&point), "expired"))
}

/// Takes an expired point back.
pub async fn unexpire(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path((vault, id)): Path<(String, String)>,
) -> Answer {
    let point = find(&admin, &vault, &id)?;
    admin.ports.vaults.unexpire(&point.vault, &point.id, &visitor.caller.who).await?;
    Ok(see(&address(&point), "unexpired"))
}
