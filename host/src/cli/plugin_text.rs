//! Plugins and permissions in words.

use super::{
    context::Context,
    show::{Column, Table, one_line, size},
};
use crate::{
    admin::api::plugins::Inspection,
    model::plugin::{Capability, Grant, InstalledPlugin, Manifest, Publisher, Scope},
};
use std::fmt::Display;

/// A plugin with what it is permitted.
#[derive(serde::Serialize)]
pub(super) struct Shown {
    pub(super) plugin: InstalledPlugin,
    pub(super) grants: Vec<Grant>,
}

pub(super) fn table(context: &Context, plugins: &[InstalledPlugin]) -> String {
    let mut table = Table::new(&[
        Column::Left("PLUGIN"),
        Column::Left("VERSION"),
        Column::Left("PUBLISHER"),
        Column::Left("INSTALLED"),
        Column::Left("STATE"),
        Column::Left("WHAT IT DOES"),
    ]);
    for plugin in plugins {
        table.row([
            plugin.manifest.id.to_string(),
            plugin.manifest.version.to_string(),
            publisher(&plugin.publisher),
            context.view.age(plugin.installed),
            plugin.paused.as_ref().map_or("ready".to_owned(), |why| format!("paused: {why}")),
            plugin.manifest.description.clone(),
        ]);
    }
    table.text("There is no plugin.")
}

pub(super) fn details(context: &Context, shown: &Shown) -> String {
    let Shown { plugin, grants } = shown;
    let mut text = head(&plugin.manifest, &plugin.publisher);
    text.push_str(&format!("Installed {}\n", context.view.with_age(plugin.installed)));
    if let Some(why) = &plugin.paused {
        text.push_str(&format!(
            "Paused: {}. Let it run again with `holdfast plugin resume {}`\n",
            one_line(why),
            plugin.manifest.id
        ));
    }
    text.push_str("\nIt asks to\n");
    for permission in &plugin.manifest.permissions {
        let given = grants.iter().find(|grant| grant.capability == permission.capability);
        let state = given.map_or("NOT GRANTED".to_owned(), |grant| {
            format!("granted{}, by {}", reach(grant), one_line(&grant.by))
        });
        text.push_str(&asked(permission.capability, &permission.why));
        text.push_str(&format!("    {state}\n"));
    }
    text
}

pub(super) fn inspection(inspection: &Inspection) -> String {
    let mut text = head(&inspection.manifest, &inspection.publisher);
    text.push_str(&format!(
        "Package {}, BLAKE3 {}\n\nIt asks to\n",
        size::human(inspection.bytes),
        inspection.digest
    ));
    for permission in &inspection.manifest.permissions {
        text.push_str(&asked(permission.capability, &permission.why));
    }
    text.push_str("\nThe most it can use, whatever it says of itself\n");
    for import in &inspection.imports {
        text.push_str(&format!("  {}\n", one_line(import)));
    }
    if inspection.problems.is_empty() {
        text.push_str("\nIt would install here.\n");
    }
    for problem in &inspection.problems {
        text.push_str(&format!("\nIt would not install here: {}\n", one_line(problem)));
    }
    text
}

pub(super) fn installed(plugin: &InstalledPlugin) -> String {
    let id = &plugin.manifest.id;
    let mut text = format!("{id} {} is installed.\n", plugin.manifest.version);
    if !plugin.manifest.permissions.is_empty() {
        text.push_str("It may do nothing yet. Grant what you agree to:\n");
    }
    for permission in &plugin.manifest.permissions {
        text.push_str(&format!("  holdfast plugin grant {id} {}\n", permission.capability.name()));
    }
    text
}

/// A permission in one sentence.
pub(super) fn grant(grant: &Grant) -> String {
    format!("{}{}", grant.capability.in_words(), reach(grant))
}

fn head(manifest: &Manifest, by: &Publisher) -> String {
    let mut text = format!("{} {} ({})\n", manifest.id, manifest.version, one_line(&manifest.name));
    if !manifest.description.is_empty() {
        text.push_str(&format!("{}\n", one_line(&manifest.description)));
    }
    text.push_str(&format!("Publisher: {}\n", publisher(by)));
    for job in &manifest.jobs {
        text.push_str(&format!("Job {}: {}\n", one_line(&job.name), one_line(&job.why)));
    }
    text
}

fn asked(capability: Capability, why: &str) -> String {
    let mark = if capability.is_destructive() { " (takes something away)" } else { "" };
    format!("  {}{mark}: {}\n    because: {}\n", capability.name(), capability.in_words(), one_line(why))
}

fn reach(grant: &Grant) -> String {
    let mut parts = Vec::new();
    if let Some(servers) = named("servers", &grant.servers, grant.tags.is_empty()) {
        parts.push(servers);
    }
    if !grant.tags.is_empty() {
        parts.push(format!("servers with the label {}", list(&grant.tags)));
    }
    if let Some(vaults) = named("vaults", &grant.vaults, true) {
        parts.push(vaults);
    }
    if parts.is_empty() { String::new() } else { format!(", only on {}", parts.join(", ")) }
}

fn named<T: Display>(what: &str, scope: &Scope<T>, say_none: bool) -> Option<String> {
    match scope {
        Scope::All => None,
        Scope::Only(names) if names.is_empty() => say_none.then(|| format!("no {what}")),
        Scope::Only(names) => Some(format!("{what} {}", list(names))),
    }
}

fn list<T: Display>(names: &[T]) -> String {
    names.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn publisher(publisher: &Publisher) -> String {
    match publisher {
        Publisher::Bundled => "part of the appliance".to_owned(),
        Publisher::Signed { key } => format!("key {key:.16}"),
        Publisher::Unsigned => "NOT SIGNED".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::time::Viewpoint;

    fn shown() -> Shown {
        serde_json::from_str::<serde_json::Value>(include_str!("tests/plugin.json"))
            .map(|mut value| Shown {
                plugin: serde_json::from_value(value["plugin"].take()).unwrap(),
                grants: serde_json::from_value(value["grants"].take()).unwrap(),
            })
            .unwrap()
    }

    #[test]
    fn a_plugin_is_shown_with_what_it_asks_and_what_it_got() {
        let mut context = Context::new(Default::default(), false);
        let utc = chrono::FixedOffset::east_opt(0).unwrap();
        context.view = Viewpoint::fixed("2026-03-10T12:00:00Z".parse().unwrap(), utc);
        insta::assert_snapshot!(details(&context, &shown()));
        insta::assert_snapshot!(installed(&shown().plugin));
    }

    #[test]
    fn an_inspection_shows_the_bound_that_a_manifest_cannot_lie_about() {
        let plugin = shown().plugin;
        let inspected = Inspection {
            manifest: plugin.manifest,
            publisher: Publisher::Unsigned,
            digest: "ab".repeat(32),
            bytes: 1_234_567,
            imports: vec!["holdfast:servers/servers@0.1.0".into(), "holdfast:retention/retention@0.1.0".into()],
            problems: vec!["it is not signed; only packages signed by their publisher are installed here: sign it with `holdfast plugin sign`".into()],
        };
        insta::assert_snapshot!(inspection(&inspected));
    }
}
