//! The form for a job: made from the plugin's manifest, with a preview of the next times before anything is saved.

use super::{
    Asked, AskedQuery, again, asked,
    jobs::{NEXT, find},
    phrases,
    problem::{Answer, Trouble},
    rhythm::Rhythm,
    see,
    settings::{self, Here},
    shell::{Place, Shell, complaint, csrf},
    shown, words,
};
use crate::{
    admin::{
        Admin,
        auth::{form::Form, gate::Visitor},
    },
    model::{
        job::{Job, Work},
        name::{JobName, PluginId},
        plugin::{InstalledPlugin, SettingKind},
        schedule::OverlapPolicy,
    },
};
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A job as it stands in the form.
struct Draft {
    name: String,
    rhythm: Rhythm,
    overlap: OverlapPolicy,
    settings: Map<String, Value>,
    /// What runs: fixed when the form is shown first.
    work: Work,
    next: Vec<DateTime<Utc>>,
}

/// Where a new job begins: with a choice of what runs, or with the form if there is only one.
pub async fn new_form(State(admin): State<Admin>, visitor: Visitor, query: AskedQuery) -> Answer {
    let asked = asked(query);
    let offers = offers(&admin.store.plugins.list()?);
    let chosen = match (&asked.plugin, &asked.job, offers.as_slice()) {
        (Some(plugin), Some(job), _) => offers.iter().find(|offer| offer.0 == *plugin && offer.1 == *job),
        (None, None, [only]) => Some(only),
        _ => None,
    };
    let Some((plugin, job, _)) = chosen else { return Ok(shown(choose(&admin, &visitor, &offers, &asked))) };
    let plugin = plugin_of(&admin, plugin)?;
    let draft = fresh(&admin, &plugin, job, asked.server.as_deref())?;
    Ok(shown(page(&admin, &visitor, &draft, None, None)?))
}

/// Plugin, job, and what the author says it is for.
fn offers(plugins: &[InstalledPlugin]) -> Vec<(String, String, String)> {
    let of = |plugin: &InstalledPlugin| {
        let id = plugin.manifest.id.to_string();
        plugin
            .manifest
            .jobs
            .iter()
            .map(move |job| (id.clone(), job.name.clone(), job.why.clone()))
            .collect::<Vec<_>>()
    };
    plugins.iter().flat_map(of).collect()
}

fn plugin_of(admin: &Admin, id: &str) -> Answer<InstalledPlugin> {
    let missing = || Trouble::missing("plugin", &id);
    let id = PluginId::new(id).map_err(|_| missing())?;
    admin.store.plugins.get(&id)?.ok_or_else(missing)
}

fn choose(admin: &Admin, visitor: &Visitor, offers: &[(String, String, String)], asked: &Asked) -> String {
    let more = asked.server.as_ref().map(|server| format!("&server={server}")).unwrap_or_default();
    let content = html! {
        h1 { "Add a job" }
        p { "What shall it do?" }
        @if offers.is_empty() { p class="calm" { "No plugin is installed, so there is nothing to run." } }
        @for (plugin, job, why) in offers {
            section class="card" {
                div class="heading" { h2 { (plugin) ": " (job) } a class="button" href={"/jobs/new?plugin=" (plugin) "&job=" (job) (more)} { "Choose" } }
                p class="words" { (why) }
            }
        }
    };
    Shell { admin, visitor, place: Place::Jobs, title: "Add a job", did: None }.wrap(content)
}

/// A new job: the author's suggestions, the only vault, the server it was asked for.
fn fresh(admin: &Admin, plugin: &InstalledPlugin, job: &str, server: Option<&str>) -> Answer<Draft> {
    let manifest = &plugin.manifest;
    let offer = manifest.jobs.iter().find(|offer| offer.name == job);
    let vaults = admin.store.vaults.list()?;
    let mut settings = Map::new();
    for (name, setting) in &manifest.settings {
        let value = match (setting.kind, server, vaults.as_slice()) {
            (SettingKind::Servers, Some(server), _) => Some(Value::from(vec![server])),
            (SettingKind::Vault, _, [only]) => Some(Value::from(only.name.as_str())),
            _ => None,
        };
        settings.extend(value.map(|value| (name.clone(), value)));
    }
    let suggested = offer.and_then(|offer| offer.cron.as_deref());
    Ok(Draft {
        name: server.map(|server| format!("{job}-{server}")).unwrap_or_default(),
        rhythm: Rhythm::fresh(suggested, admin.zone.name()),
        overlap: OverlapPolicy::default(),
        settings,
        work: Work::Plugin { plugin: manifest.id.clone(), job: job.to_owned(), settings: Value::Null },
        next: vec![],
    })
}

/// The form for a change.
pub async fn edit_form(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let job = find(&admin, &name)?;
    let draft = Draft::of(&job, &admin);
    Ok(shown(page(&admin, &visitor, &draft, Some(&job), None)?))
}

impl Draft {
    fn of(job: &Job, admin: &Admin) -> Self {
        let settings = match &job.work {
            Work::Plugin { settings, .. } => settings.as_object().cloned().unwrap_or_default(),
            Work::Task { .. } => Map::new(),
        };
        let rhythm = Rhythm::of(job.schedules.first(), admin.zone.name());
        Self {
            name: job.name.to_string(),
            rhythm,
            overlap: job.overlap,
            settings,
            work: job.work.clone(),
            next: vec![],
        }
    }
}

/// Adds a job, or previews it.
pub async fn add(State(admin): State<Admin>, visitor: Visitor, form: Form) -> Answer {
    let plugin = plugin_of(&admin, form.text("plugin"))?;
    let draft = fresh(&admin, &plugin, form.text("job"), None)?;
    save(&admin, &visitor, &form, draft, None).await
}

/// Changes a job, or previews the change.
pub async fn change(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Answer {
    let job = find(&admin, &name)?;
    let draft = Draft::of(&job, &admin);
    save(&admin, &visitor, &form, draft, Some(&job)).await
}

async fn save(
    admin: &Admin,
    visitor: &Visitor,
    form: &Form,
    mut draft: Draft,
    present: Option<&Job>,
) -> Answer {
    form.text("name").to_lowercase().clone_into(&mut draft.name);
    draft.rhythm = Rhythm::from_form(form);
    draft.overlap = match form.text("overlap") {
        "queue" => OverlapPolicy::Queue,
        "replace" => OverlapPolicy::Replace,
        _ => OverlapPolicy::Skip,
    };
    let made = job(admin, form, &mut draft, present);
    let job = match made {
        Ok(job) => job,
        Err(trouble) => {
            let text = trouble.text().to_owned();
            return Ok(again(trouble.status(), page(admin, visitor, &draft, present, Some(&text))?));
        }
    };
    if form.text("do") == "preview" {
        return match next_times(admin, &job) {
            Ok(next) => {
                draft.next = next;
                Ok(again(StatusCode::OK, page(admin, visitor, &draft, present, None)?))
            }
            Err(trouble) => {
                Ok(again(trouble.status(), page(admin, visitor, &draft, present, Some(trouble.text()))?))
            }
        };
    }
    let address = format!("/jobs/{}", job.name);
    match admin.ports.definitions.save_job(job, present.is_some(), &visitor.caller.who).await {
        Ok(()) => Ok(see(&address, if present.is_some() { "saved" } else { "added" })),
        Err(error) => {
            let trouble = Trouble::from(error);
            Ok(again(trouble.status(), page(admin, visitor, &draft, present, Some(trouble.text()))?))
        }
    }
}

fn next_times(admin: &Admin, job: &Job) -> Answer<Vec<DateTime<Utc>>> {
    match job.schedules.first() {
        Some(schedule) => Ok(admin.ports.definitions.preview(schedule, admin.clock.now(), NEXT)?),
        None => Ok(vec![]),
    }
}

/// The job a form describes. The draft keeps what was typed as far as it could be read, to be shown again.
fn job(admin: &Admin, form: &Form, draft: &mut Draft, present: Option<&Job>) -> Answer<Job> {
    let work = match &draft.work {
        Work::Plugin { plugin, job, .. } => {
            let installed = plugin_of(admin, plugin.as_str())?;
            let values = settings::values(&installed.manifest.settings, form).map_err(Trouble::invalid)?;
            draft.settings = values.clone();
            Work::Plugin { plugin: plugin.clone(), job: job.clone(), settings: Value::Object(values) }
        }
        task @ Work::Task { .. } => task.clone(),
    };
    let name = match present {
        Some(present) => present.name.clone(),
        None => JobName::new(draft.name.clone())?,
    };
    let first =
        draft.rhythm.schedule(present.and_then(|job| job.schedules.first())).map_err(Trouble::invalid)?;
    let further = present.into_iter().flat_map(|job| job.schedules.iter().skip(1).cloned());
    let schedules = first.into_iter().chain(further).collect();
    Ok(match present {
        Some(present) => Job { work, schedules, overlap: draft.overlap, ..present.clone() },
        None => Job {
            name,
            work,
            schedules,
            events: vec![],
            overlap: draft.overlap,
            rerun_interrupted: true,
            timeout_seconds: 6 * 3600,
            enabled: true,
        },
    })
}

fn here(admin: &Admin) -> Answer<Here> {
    let servers = admin.store.servers.list()?;
    let tags: BTreeSet<String> =
        servers.iter().flat_map(|server| &server.tags).map(ToString::to_string).collect();
    Ok(Here {
        vaults: admin.store.vaults.list()?.iter().map(|vault| vault.name.to_string()).collect(),
        servers: servers.iter().map(|server| server.name.to_string()).collect(),
        tags: tags.into_iter().collect(),
    })
}

fn page(
    admin: &Admin,
    visitor: &Visitor,
    draft: &Draft,
    present: Option<&Job>,
    wrong: Option<&str>,
) -> Answer<String> {
    let title = if present.is_some() { "Change the job" } else { "Add a job" };
    let action = present.map_or("/jobs".to_owned(), |job| format!("/jobs/{}", job.name));
    let now = admin.clock.now();
    let content = html! {
        h1 { (title) }
        section class="card" {
            (complaint(wrong))
            form method="post" action=(action) {
                (csrf(visitor))
                p { "It runs " strong { (phrases::work(&draft.work)) } "." }
                @if let Some(job) = present { p { "Name: " strong { (job.name) } } }
                @else { label { "Name" input class="short" name="name" value=(draft.name) autocapitalize="none" required; small { "As you call it, for example nightly" } } }
                (work_fields(admin, draft)?)
                (draft.rhythm.fields())
                (preview(draft, now, admin))
                label { "If it is still running when it should start again" (overlap_field(draft.overlap)) }
                div class="actions" {
                    button { (title) }
                    button class="quiet" name="do" value="preview" { "Show the next times" }
                }
            }
        }
    };
    Ok(Shell { admin, visitor, place: Place::Jobs, title, did: None }.wrap(content))
}

fn work_fields(admin: &Admin, draft: &Draft) -> Answer<Markup> {
    let Work::Plugin { plugin, job, .. } = &draft.work else { return Ok(html! {}) };
    let installed = plugin_of(admin, plugin.as_str())?;
    let fields = settings::fields(&installed.manifest.settings, &draft.settings, &here(admin)?);
    Ok(html! {
        input type="hidden" name="plugin" value=(plugin);
        input type="hidden" name="job" value=(job);
        (fields)
    })
}

fn preview(draft: &Draft, now: DateTime<Utc>, admin: &Admin) -> Markup {
    html! {
        @if !draft.next.is_empty() {
            div role="status" {
                p class="label" { "The next " (draft.next.len()) " times, nothing is saved yet" }
                ul class="plain" {
                    @for at in &draft.next { li { (words::full(*at, admin.zone)) " " span class="small" { (words::age(now, *at)) } } }
                }
            }
        }
    }
}

fn overlap_field(present: OverlapPolicy) -> Markup {
    let all =
        [("skip", OverlapPolicy::Skip), ("queue", OverlapPolicy::Queue), ("replace", OverlapPolicy::Replace)];
    html! {
        select name="overlap" {
            @for (value, policy) in all { option value=(value) selected[policy == present] { (phrases::overlap(policy)) } }
        }
    }
}
