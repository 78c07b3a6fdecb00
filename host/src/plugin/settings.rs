//! A job's settings against the manifest's schema: checked, all that is wrong said at once, defaults filled in. Pure.

use crate::model::{
    name::{ServerName, Tag, VaultName},
    plugin::{SettingKind, SettingSchema},
    server::Server,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One thing wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingProblem {
    /// Which setting.
    pub setting: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// What there is at the site, for settings that name it.
#[derive(Debug, Clone, Default)]
pub struct SiteNames {
    /// Servers.
    pub servers: Vec<Server>,
    /// Vaults.
    pub vaults: Vec<VaultName>,
}

/// Checks `given` and fills in defaults.
pub fn check(
    schema: &BTreeMap<String, SettingSchema>,
    given: &Value,
    site: &SiteNames,
) -> Result<Map<String, Value>, Vec<SettingProblem>> {
    let empty = Map::new();
    let given = match given {
        Value::Null => &empty,
        Value::Object(given) => given,
        _ => return Err(vec![problem("settings", "must be a table of names and values")]),
    };
    let mut problems: Vec<SettingProblem> = given
        .keys()
        .filter(|name| !schema.contains_key(*name))
        .map(|name| problem(name, &format!("there is no such setting; there are: {}", known(schema))))
        .collect();
    let mut checked = Map::new();
    for (name, rule) in schema {
        match given.get(name).filter(|value| !value.is_null()).or(rule.default.as_ref()) {
            None if rule.required => problems.push(problem(name, "must be given")),
            None => {}
            Some(value) => match misfit(rule, value).or_else(|| stranger(rule.kind, value, site)) {
                Some(message) => problems.push(problem(name, &message)),
                None => {
                    checked.insert(name.clone(), value.clone());
                }
            },
        }
    }
    if problems.is_empty() { Ok(checked) } else { Err(problems) }
}

fn problem(setting: &str, message: &str) -> SettingProblem {
    SettingProblem { setting: setting.to_owned(), message: message.to_owned() }
}

fn known(schema: &BTreeMap<String, SettingSchema>) -> String {
    if schema.is_empty() {
        return "none".to_owned();
    }
    schema.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Why the value does not have the shape its schema asks for.
fn misfit(rule: &SettingSchema, value: &Value) -> Option<String> {
    match rule.kind {
        SettingKind::Text => match value.as_str() {
            None => Some("must be text".to_owned()),
            Some(text) if text.contains('\n') => Some("must be one line".to_owned()),
            Some(text) if !rule.choices.is_empty() && !rule.choices.iter().any(|choice| choice == text) => {
                Some(format!("\"{text}\" is not one of {}", rule.choices.join(", ")))
            }
            Some(_) => None,
        },
        SettingKind::Integer => match value.as_i64() {
            None => Some("must be a whole number".to_owned()),
            Some(number) if rule.minimum.is_some_and(|least| number < least) => {
                Some(format!("{number} is less than {}", rule.minimum.unwrap_or_default()))
            }
            Some(number) if rule.maximum.is_some_and(|most| number > most) => {
                Some(format!("{number} is more than {}", rule.maximum.unwrap_or_default()))
            }
            Some(_) => None,
        },
        SettingKind::Boolean => (!value.is_boolean()).then(|| "must be true or false".to_owned()),
        SettingKind::Vault => match value.as_str().map(VaultName::new) {
            None => Some("must be a vault's name".to_owned()),
            Some(Err(bad)) => Some(bad.to_string()),
            Some(Ok(_)) => None,
        },
        SettingKind::TextList | SettingKind::Servers => {
            let Some(items) = value.as_array() else { return Some("must be a list".to_owned()) };
            items.iter().find_map(|item| match (item.as_str(), rule.kind) {
                (None, _) => Some("must be a list of texts".to_owned()),
                (Some(text), SettingKind::Servers) => server_reference(text).err(),
                (Some(_), _) => None,
            })
        }
    }
}

/// A server's name, or `tag:` and a label.
fn server_reference(text: &str) -> Result<(), String> {
    match text.strip_prefix("tag:") {
        Some(tag) => Tag::new(tag).map(|_| ()).map_err(|bad| bad.to_string()),
        None => ServerName::new(text).map(|_| ()).map_err(|bad| bad.to_string()),
    }
}

/// Why the value names something that is not at this site.
fn stranger(kind: SettingKind, value: &Value, site: &SiteNames) -> Option<String> {
    match kind {
        SettingKind::Vault => {
            let name = value.as_str().unwrap_or_default();
            let here = site.vaults.iter().any(|vault| vault.as_str() == name);
            (!here)
                .then(|| format!("there is no vault \"{name}\" on this appliance; {}", choices(&site.vaults)))
        }
        SettingKind::Servers => value.as_array()?.iter().filter_map(Value::as_str).find_map(|reference| {
            // A label that no server has today may be had by one tomorrow.
            let missing = !reference.starts_with("tag:")
                && !site.servers.iter().any(|server| server.name.as_str() == reference);
            missing.then(|| {
                format!("there is no server \"{reference}\" on this appliance; add it or correct the name")
            })
        }),
        _ => None,
    }
}

fn choices(vaults: &[VaultName]) -> String {
    if vaults.is_empty() {
        return "make one first".to_owned();
    }
    let names: Vec<&str> = vaults.iter().map(VaultName::as_str).collect();
    format!("there are: {}", names.join(", "))
}

/// What is wrong with a schema itself; for the plugin's author.
pub fn schema_problems(schema: &BTreeMap<String, SettingSchema>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, rule) in schema {
        let plain = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !plain {
            found.push(format!("the setting name \"{name}\" is not lower-case letters, digits and '_'"));
        }
        if rule.title.trim().is_empty() {
            found.push(format!("the setting \"{name}\" has no title"));
        }
        if let Some(default) = &rule.default
            && let Some(why) = misfit(rule, default)
        {
            found.push(format!("the default of the setting \"{name}\" does not fit: {why}"));
        }
        if matches!((rule.minimum, rule.maximum), (Some(least), Some(most)) if least > most) {
            found.push(format!("the setting \"{name}\" has a minimum above its maximum"));
        }
    }
    found
}

#[cfg(test)]
mod tests;
