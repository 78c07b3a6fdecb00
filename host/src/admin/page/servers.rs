//! Servers: one server with its recovery points, and the form that adds or changes one.

use super::{
    AskedQuery, again, asked,
    icon::icon,
    overview::{consistency_in_words, look_of},
    phrases,
    problem::{Answer, Trouble},
    see,
    shell::{Place, Shell, complaint, csrf, press},
    shown,
    site::Site,
    standing::standing,
    words,
};
use crate::{
    admin::{
        Admin,
        api::{
            Api,
            backups::{self, BackupOrder},
        },
        auth::{form::Form, gate::Visitor},
    },
    model::{
        account::Role,
        name::{DiskName, ServerName, Tag},
        point::PointRecord,
        server::{Disk, DiskLocation, Server, ServerKind},
    },
};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use std::sync::Arc;

/// Points shown before "all".
const SHOWN: usize = 30;

/// The server of that name.
pub fn find(admin: &Admin, name: &str) -> Answer<Server> {
    let missing = || Trouble::missing("server", &name);
    let name = ServerName::new(name).map_err(|_| missing())?;
    admin.store.servers.get(&name)?.ok_or_else(missing)
}

/// One server.
pub async fn show(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path(name): Path<String>,
    query: AskedQuery,
) -> Answer {
    let asked = asked(query);
    let server = find(&admin, &name)?;
    let site = Site::read(&admin)?;
    let points = site.points_of(&server);
    let job = admin.ports.definitions.backup_job_of(&server);
    let content = html! {
        p class="trail" { a href="/" { "Overview" } " / " (server.name) }
        div id="server" data-live {
            (head(&server, points, site.now, job.is_some(), &visitor))
            div class="columns" {
                section class="card" {
                    h2 { "Definition" }
                    (definition(&server))
                    @if visitor.may(Role::Owner) {
                        p { a class="button quiet" href={"/servers/" (server.name) "/edit"} { "Change" } }
                    }
                }
                section class="card" {
                    h2 { "How it is backed up" }
                    @if let Some(job) = &job {
                        dl class="facts" {
                            dt { "Job" } dd { a href={"/jobs/" (job.name)} { (job.name) } }
                            dt { "When" } dd { (phrases::schedules(job)) }
                            dt { "Next run" }
                            dd {
                                @match admin.ports.definitions.next_run(job).filter(|_| job.enabled) {
                                    Some(at) => { (words::moment(site.now, at, admin.zone)) ", " (words::age(site.now, at)) },
                                    None => { "only when somebody starts it" },
                                }
                            }
                        }
                    } @else {
                        p { "No job backs this server up. It gets no recovery points by itself." }
                        @if visitor.may(Role::Owner) {
                            p { a class="button" href={"/jobs/new?server=" (server.name)} { "Add a job" } }
                        }
                    }
                }
            }
            (points_table(&admin, &server, points, site.now, asked.all.is_some()))
        }
    };
    let shell = Shell {
        admin: &admin,
        visitor: &visitor,
        place: Place::Overview,
        title: server.name.as_str(),
        did: asked.did.as_deref(),
    };
    Ok(shown(shell.wrap(content)))
}

fn head(
    server: &Server,
    points: &[PointRecord],
    now: DateTime<Utc>,
    has_job: bool,
    visitor: &Visitor,
) -> Markup {
    let standing = standing(server, points, now);
    let (class, mark) = look_of(standing.protection);
    html! {
        div class="heading" {
            div class={"headline " (class)} {
                (icon(mark))
                div {
                    h1 { (server.name) }
                    p {
                        strong class="word" { (standing.protection.word()) } ": "
                        @match &standing.newest {
                            Some((at, vault, _)) => {
                                "newest recovery point " (words::age(now, *at)) " in " (vault)
                                ", may be " (words::target(server.rpo_minutes)) " old"
                            },
                            None => { "there is no recovery point to go back to" },
                        }
                    }
                }
            }
            @if has_job {
                (press(visitor, Role::Operator, &format!("/servers/{}/back-up", server.name), "", html! { "Back up now" }))
            }
        }
    }
}

fn definition(server: &Server) -> Markup {
    html! {
        dl class="facts" {
            dt { "Disks" }
            dd { @for disk in &server.disks { p { (disk.name) ": " code { (disk.location) } } } }
            dt { "Newest point may be" } dd { (words::target(server.rpo_minutes)) " old" }
            dt { "Tags" }
            dd { @if server.tags.is_empty() { "none" } @for tag in &server.tags { span class="pill none" { (tag) } " " } }
        }
    }
}

fn points_table(
    admin: &Admin,
    server: &Server,
    points: &[PointRecord],
    now: DateTime<Utc>,
    all: bool,
) -> Markup {
    let shown = if all { points.len() } else { SHOWN };
    html! {
        section class="card" {
            div class="heading" {
                h2 { "Recovery points" }
                span class="small" { (words::count(points.len(), "point", "points")) }
            }
            @if points.is_empty() {
                p class="calm" { "None yet. The first one appears here when the job has run." }
            } @else {
                div class="scroll" {
                    table class="cards" {
                        thead { tr { th { "Taken" } th { "Vault" } th class="number" { "Disks" } th class="number" { "Changed" } th class="number" { "Stored" } th { "Consistency" } th { "State" } } }
                        tbody { @for point in points.iter().take(shown) { (point_row(admin, point, now)) } }
                    }
                }
                @if points.len() > shown { p { a href={"/servers/" (server.name) "?all=1"} { "Show all " (points.len()) } } }
            }
        }
    }
}

fn point_row(admin: &Admin, point: &PointRecord, now: DateTime<Utc>) -> Markup {
    html! {
        tr {
            td class="lead" {
                a href=(super::points::address(point)) { (words::moment(now, point.taken, admin.zone)) }
                " " span class="small" { (words::age(now, point.taken)) }
            }
            td class="wide" data-label="Vault" { (point.vault) }
            td class="number wide" data-label="Disks" { (words::size(point.sizes.disks)) }
            td class="number wide" data-label="Changed" { (words::size(point.sizes.changed)) }
            td class="number" data-label="Stored" { (words::size(point.sizes.stored)) }
            td class="wide" data-label="Consistency" { (consistency_in_words(point.consistency)) }
            td data-label="State" { (super::points::state(point)) }
        }
    }
}

/// Backs this server up, with the settings of the job that covers it, as the API does.
pub async fn back_up(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let order = BackupOrder { servers: vec![find(&admin, &name)?.name], vault: None };
    let (store, ports, clock) = (admin.store.clone(), admin.ports.clone(), Arc::clone(&admin.clock));
    let api = Api::new(store, ports, clock, admin.accounts.clone());
    let queued = backups::queue(&api, &order, &visitor.caller.who).await;
    let runs = queued.map_err(|problem| Trouble::invalid(problem.detail))?;
    let to = runs.first().map_or("/jobs".to_owned(), |run| format!("/runs/{run}"));
    Ok(Redirect::to(&to).into_response())
}

/// The form for a new server.
pub async fn new_form(State(admin): State<Admin>, visitor: Visitor) -> Answer {
    Ok(shown(form_page(&admin, &visitor, &Draft::default(), None, None)))
}

/// The form for a change.
pub async fn edit_form(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let server = find(&admin, &name)?;
    Ok(shown(form_page(&admin, &visitor, &Draft::of(&server), Some(&server), None)))
}

/// Adds a server.
pub async fn add(State(admin): State<Admin>, visitor: Visitor, form: Form) -> Answer {
    save(&admin, &visitor, &form, None).await
}

/// Changes a server.
pub async fn change(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Answer {
    let server = find(&admin, &name)?;
    save(&admin, &visitor, &form, Some(&server)).await
}

/// Forgets a server.
pub async fn remove(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let server = find(&admin, &name)?;
    admin.ports.definitions.remove_server(&server.name, &visitor.caller.who).await?;
    Ok(see("/", "removed"))
}

async fn save(admin: &Admin, visitor: &Visitor, form: &Form, present: Option<&Server>) -> Answer {
    let draft = Draft::from_form(form);
    let refuse = |trouble: &Trouble| -> Response {
        again(trouble.status(), form_page(admin, visitor, &draft, present, Some(trouble.text())))
    };
    let server = match draft.server(present) {
        Ok(server) => server,
        Err(trouble) => return Ok(refuse(&trouble)),
    };
    let who = &visitor.caller.who;
    match admin.ports.definitions.save_server(server.clone(), present.is_some(), who).await {
        Ok(_) => {
            Ok(see(&format!("/servers/{}", server.name), if present.is_some() { "saved" } else { "added" }))
        }
        Err(error) => Ok(refuse(&Trouble::from(error))),
    }
}

/// A server as it stands in the form.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Draft {
    name: String,
    disks: String,
    tags: String,
    rpo: String,
    unit: String,
}

impl Default for Draft {
    fn default() -> Self {
        let empty = String::new;
        Self { name: empty(), disks: empty(), tags: empty(), rpo: "24".to_owned(), unit: "60".to_owned() }
    }
}

impl Draft {
    fn of(server: &Server) -> Self {
        let lines: Vec<_> =
            server.disks.iter().map(|disk| format!("{} = {}", disk.name, disk.location)).collect();
        let tags: Vec<_> = server.tags.iter().map(ToString::to_string).collect();
        let minutes = server.rpo_minutes;
        let unit = [1440, 60].into_iter().find(|unit| minutes.is_multiple_of(*unit)).unwrap_or(1);
        Self {
            name: server.name.to_string(),
            disks: lines.join("\n"),
            tags: tags.join(", "),
            rpo: (minutes / unit).to_string(),
            unit: unit.to_string(),
        }
    }

    fn from_form(form: &Form) -> Self {
        let text = |name| form.text(name).to_owned();
        Self {
            name: text("name"),
            disks: text("disks"),
            tags: text("tags"),
            rpo: text("rpo"),
            unit: text("unit"),
        }
    }

    /// The server, or what is wrong with the draft. A disk keeps its format when its location stays.
    fn server(&self, present: Option<&Server>) -> Answer<Server> {
        let name = match present {
            Some(present) => present.name.clone(),
            None => ServerName::new(self.name.to_lowercase())?,
        };
        let disks = self.disks.lines().map(str::trim).filter(|line| !line.is_empty());
        let disks: Vec<Disk> =
            disks.enumerate().map(|(number, line)| disk(number, line, present)).collect::<Answer<_>>()?;
        if disks.is_empty() {
            return Err(Trouble::invalid(
                "no disk was given; nothing was changed; give at least one, one in each line",
            ));
        }
        let tags = self.tags.split([',', ' ']).filter(|tag| !tag.is_empty());
        let tags = tags.map(|tag| Tag::new(tag.to_lowercase())).collect::<Result<_, _>>()?;
        let rpo = (self.rpo.parse::<u32>().ok()).zip(self.unit.parse::<u32>().ok());
        let rpo_minutes =
            rpo.and_then(|(number, unit)| number.checked_mul(unit)).filter(|minutes| *minutes > 0);
        let rpo_minutes = rpo_minutes.ok_or_else(|| {
            Trouble::invalid("the allowed age is not a whole number above zero; nothing was changed; write for example 24 hours")
        })?;
        let kind = present.map_or(ServerKind::Image, |present| present.kind);
        Ok(Server { name, kind, tags, disks, rpo_minutes })
    }
}

fn disk(number: usize, line: &str, present: Option<&Server>) -> Answer<Disk> {
    let (name, location) = match line.split_once(" = ") {
        Some((name, location)) => (DiskName::new(name.trim().to_lowercase())?, location.trim()),
        None => (DiskName::new(format!("disk{number}"))?, line),
    };
    let known = present.and_then(|server| server.disks.iter().find(|disk| disk.name == name));
    if let Some(known) = known.filter(|known| known.location.to_string() == location) {
        return Ok(known.clone());
    }
    Ok(Disk { name, location: DiskLocation::from_text(location) })
}

fn form_page(
    admin: &Admin,
    visitor: &Visitor,
    draft: &Draft,
    present: Option<&Server>,
    wrong: Option<&str>,
) -> String {
    let title = if present.is_some() { "Change the server" } else { "Add a server" };
    let action = present.map_or("/servers".to_owned(), |server| format!("/servers/{}", server.name));
    let content = html! {
        h1 { (title) }
        section class="card" {
            (complaint(wrong))
            form method="post" action=(action) {
                (csrf(visitor))
                @if let Some(server) = present {
                    p { "Name: " strong { (server.name) } }
                } @else {
                    label { "Name" input class="short" name="name" value=(draft.name) autocapitalize="none" required; small { "As you call it. Lower-case letters, digits, - and _" } }
                }
                label {
                    "Disks" textarea name="disks" spellcheck="false" required placeholder="/var/lib/libvirt/images/db1.qcow2" { (draft.disks) }
                    small { "One in each line: a file or block device on this box, or nbd://host:port/export. All of them together are one recovery point. With a name: " code { "system = /dev/vg/db1" } }
                }
                div class="row" {
                    label { "The newest recovery point may be" input type="number" min="1" name="rpo" value=(draft.rpo) required; }
                    label {
                        "Unit"
                        select name="unit" {
                            @for (unit, name) in [("1", "minutes old"), ("60", "hours old"), ("1440", "days old")] {
                                option value=(unit) selected[unit == draft.unit] { (name) }
                            }
                        }
                    }
                }
                label { "Tags" input name="tags" value=(draft.tags) autocapitalize="none"; small { "Optional. Jobs and grants can name a tag instead of servers" } }
                p { "The disks are opened and measured now; nothing is written to them, ever." }
                button { (title) }
            }
        }
        @if let Some(server) = present {
            details {
                summary { "Forget this server" }
                p { "Its definition goes. Its recovery points stay in the vault and can be restored." }
                (press(visitor, Role::Owner, &format!("/servers/{}/remove", server.name), "danger", html! { "Forget " (server.name) }))
            }
        }
    };
    let shell = Shell { admin, visitor, place: Place::Overview, title, did: None };
    shell.wrap(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::server::DiskFormat;

    fn draft(disks: &str) -> Draft {
        Draft { name: "DB1".into(), disks: disks.into(), ..Draft::default() }
    }

    #[test]
    fn disks_are_numbered_unless_named() {
        let server = draft("/a.raw\n\n system = nbd://h/x \n/b.raw").server(None).unwrap();
        let disks: Vec<_> =
            server.disks.iter().map(|disk| format!("{} {}", disk.name, disk.location)).collect();
        assert_eq!(disks, ["disk0 /a.raw", "system nbd://h/x", "disk2 /b.raw"]);
        assert_eq!((server.name.as_str(), server.rpo_minutes), ("db1", 1440));
    }

    #[test]
    fn a_change_keeps_a_disks_format_while_its_location_stays() {
        let location = DiskLocation::File { path: "/a".into(), format: DiskFormat::Qcow2 };
        let disk = Disk { name: DiskName::new("disk0").unwrap(), location };
        let present = Server { disks: vec![disk], ..draft("/x").server(None).unwrap() };
        let same = Draft::of(&present).server(Some(&present)).unwrap();
        assert_eq!(same, present);
        let moved = draft("disk0 = /b").server(Some(&present)).unwrap();
        assert_eq!(moved.disks[0].location, DiskLocation::from_text("/b"));
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        assert!(draft("").server(None).unwrap_err().text().contains("no disk"));
        assert!(
            Draft { rpo: "0".into(), ..draft("/a") }.server(None).unwrap_err().text().contains("allowed age")
        );
        assert!(Draft { rpo: "99999999".into(), unit: "1440".into(), ..draft("/a") }.server(None).is_err());
        assert!(Draft { name: "../etc".into(), ..draft("/a") }.server(None).is_err());
    }
}
