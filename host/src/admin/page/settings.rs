//! A plugin's settings as a form, made from the schema in its manifest, and back into values. Pure.

use crate::{
    admin::auth::form::Form,
    model::plugin::{SettingKind, SettingSchema},
};
use maud::{Markup, html};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a form offers for settings that name things here.
#[derive(Debug, Clone, Default)]
pub struct Here {
    /// Vaults by name.
    pub vaults: Vec<String>,
    /// Servers by name.
    pub servers: Vec<String>,
    /// Tags that servers have.
    pub tags: Vec<String>,
}

fn field(name: &str) -> String {
    format!("setting.{name}")
}

/// The fields of all settings. `values` are the present ones; a setting without one shows its default.
pub fn fields(schema: &BTreeMap<String, SettingSchema>, values: &Map<String, Value>, here: &Here) -> Markup {
    let mut ordered: Vec<_> = schema.iter().collect();
    ordered.sort_by_key(|(name, setting)| (!setting.required, rank(setting.kind), (*name).clone()));
    let draw = |(name, setting): &(&String, &SettingSchema)| {
        one(&field(name), setting, values.get(*name).or(setting.default.as_ref()), here)
    };
    let (numbers, others): (Vec<_>, Vec<_>) =
        ordered.iter().partition(|(_, setting)| setting.kind == SettingKind::Integer);
    let (before, after): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|(_, setting)| rank(setting.kind) < rank(SettingKind::Integer));
    html! {
        @for setting in before { (draw(&setting)) }
        @if !numbers.is_empty() { div class="row" { @for setting in numbers { (draw(&setting)) } } }
        @for setting in after { (draw(&setting)) }
    }
}

fn rank(kind: SettingKind) -> u8 {
    match kind {
        SettingKind::Servers => 0,
        SettingKind::Vault => 1,
        SettingKind::Integer => 2,
        SettingKind::Text => 3,
        SettingKind::Boolean => 4,
        SettingKind::TextList => 5,
    }
}

fn one(field: &str, setting: &SettingSchema, value: Option<&Value>, here: &Here) -> Markup {
    let text = value.map(plain).unwrap_or_default();
    let help = html! { @if !setting.help.is_empty() { small { (setting.help) } } };
    match setting.kind {
        SettingKind::Boolean => html! {
            label class="tick" {
                input type="checkbox" name=(field) value="true" checked[value == Some(&Value::Bool(true))];
                span { (setting.title) (help) }
            }
        },
        SettingKind::Servers => servers(field, setting, value, here),
        SettingKind::TextList => html! {
            label { (setting.title) textarea name=(field) { (lines(value)) } (help) small { "One in each line" } }
        },
        SettingKind::Vault => choice(field, setting, &text, &here.vaults, help),
        SettingKind::Text if !setting.choices.is_empty() => {
            choice(field, setting, &text, &setting.choices, help)
        }
        SettingKind::Text => html! {
            label { (setting.title) input name=(field) value=(text) required[setting.required]; (help) }
        },
        SettingKind::Integer => html! {
            label {
                (setting.title)
                input class="short" type="number" name=(field) value=(text) min=[setting.minimum] max=[setting.maximum] required[setting.required];
                (help)
            }
        },
    }
}

fn choice(field: &str, setting: &SettingSchema, value: &str, from: &[String], help: Markup) -> Markup {
    html! {
        label {
            (setting.title)
            select name=(field) required[setting.required] {
                @if !setting.required { option value="" { "as the plugin decides" } }
                @for name in from { option selected[name == value] { (name) } }
            }
            (help)
        }
    }
}

fn servers(field: &str, setting: &SettingSchema, value: Option<&Value>, here: &Here) -> Markup {
    let chosen: Vec<&str> =
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let tags: Vec<String> = here.tags.iter().map(|tag| format!("tag:{tag}")).collect();
    html! {
        fieldset {
            legend { (setting.title) }
            @for name in &here.servers {
                label class="tick" { input type="checkbox" name=(field) value=(name) checked[chosen.contains(&name.as_str())]; (name) }
            }
            @for name in &tags {
                label class="tick" { input type="checkbox" name=(field) value=(name) checked[chosen.contains(&name.as_str())]; "every server tagged " (name.trim_start_matches("tag:")) }
            }
            @if here.servers.is_empty() { p { "There is no server yet." } }
            @if !setting.help.is_empty() { small { (setting.help) } }
        }
    }
}

/// Present settings with the titles of their schema, as people read them.
pub fn in_words(
    schema: &BTreeMap<String, SettingSchema>,
    values: &Map<String, Value>,
) -> Vec<(String, String)> {
    let words = |value: &Value| match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ").replace("tag:", "tagged ")
        }
        other => plain(other),
    };
    let title =
        |name: &String| schema.get(name).map_or_else(|| name.clone(), |setting| setting.title.clone());
    values.iter().map(|(name, value)| (title(name), words(value))).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn lines(value: Option<&Value>) -> String {
    let texts: Vec<_> = value.and_then(Value::as_array).into_iter().flatten().map(plain).collect();
    texts.join("\n")
}

/// The values in a form, or what is wrong with them, in words. Settings left empty are left out, so that a default that
/// a later version of the plugin changes is the new one.
pub fn values(schema: &BTreeMap<String, SettingSchema>, form: &Form) -> Result<Map<String, Value>, String> {
    let mut values = Map::new();
    for (name, setting) in schema {
        if let Some(value) = value(&field(name), setting, form)? {
            values.insert(name.clone(), value);
        } else if setting.required {
            return Err(format!("\"{}\" is missing; nothing was changed; fill it in", setting.title));
        }
    }
    Ok(values)
}

fn value(field: &str, setting: &SettingSchema, form: &Form) -> Result<Option<Value>, String> {
    let text = form.text(field);
    Ok(match setting.kind {
        SettingKind::Boolean => Some(Value::Bool(form.ticked(field))),
        SettingKind::Integer if text.is_empty() => None,
        SettingKind::Integer => Some(Value::from(integer(text, setting)?)),
        SettingKind::Text | SettingKind::Vault if text.is_empty() => None,
        SettingKind::Text | SettingKind::Vault => Some(Value::from(text)),
        SettingKind::TextList => list(text.lines().map(str::trim)),
        SettingKind::Servers => list(form.all(field)),
    })
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Value> {
    let texts: Vec<Value> = texts.filter(|text| !text.is_empty()).map(Value::from).collect();
    (!texts.is_empty()).then_some(Value::Array(texts))
}

fn integer(text: &str, setting: &SettingSchema) -> Result<i64, String> {
    let title = &setting.title;
    let wrong = |what: String| format!("\"{title}\" {what}; nothing was changed; correct it");
    let number: i64 = text.parse().map_err(|_| wrong(format!("is not a whole number: {text}")))?;
    match (setting.minimum, setting.maximum) {
        (Some(least), _) if number < least => Err(wrong(format!("must be at least {least}"))),
        (_, Some(most)) if number > most => Err(wrong(format!("must be at most {most}"))),
        _ => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};
    use serde_json::json;

    fn schema() -> BTreeMap<String, SettingSchema> {
        serde_json::from_value(json!({
            "servers": { "type": "servers", "title": "Servers", "required": true },
            "vault": { "type": "vault", "title": "Vault", "required": true },
            "daily": { "type": "integer", "title": "Daily", "default": 7, "minimum": 0, "maximum": 366 },
            "verify": { "type": "boolean", "title": "Verify" },
            "note": { "type": "text", "title": "Note" },
            "paths": { "type": "text-list", "title": "Paths" },
        }))
        .unwrap()
    }
    fn form(pairs: &[(&str, &str)]) -> Form {
        Form::of(pairs.iter().map(|(name, value)| (format!("setting.{name}"), (*value).to_owned())).collect())
    }
    const LEAST: [(&str, &str); 3] = [("servers", "db1"), ("servers", "tag:web"), ("vault", "local")];

    #[test]
    fn values_have_their_kinds_and_empty_ones_are_left_out() {
        let given = form(
            &[&LEAST[..], &[("daily", "14"), ("verify", "true"), ("paths", "a\n\n b"), ("note", " ")]]
                .concat(),
        );
        assert_eq!(
            Value::Object(values(&schema(), &given).unwrap()),
            json!({ "servers": ["db1", "tag:web"], "vault": "local", "daily": 14, "verify": true, "paths": ["a", "b"] })
        );
    }

    #[test]
    fn present_settings_are_said_with_their_titles() {
        let set = json!({ "servers": ["db1", "tag:web"], "verify": true, "daily": 7, "gone": "x" });
        let words = in_words(&schema(), set.as_object().unwrap());
        let text: Vec<_> = words.iter().map(|(title, value)| format!("{title}: {value}")).collect();
        assert_eq!(text, ["Daily: 7", "gone: x", "Servers: db1, tagged web", "Verify: yes"]);
    }

    #[test]
    fn what_is_missing_or_out_of_bounds_is_named() {
        assert!(
            values(&schema(), &form(&[("vault", "local")])).unwrap_err().contains("\"Servers\" is missing")
        );
        for (bad, words) in [("367", "at most 366"), ("-1", "at least 0"), ("many", "not a whole number")] {
            let error = values(&schema(), &form(&[&LEAST[..], &[("daily", bad)]].concat())).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_form_shows_what_is_set_and_the_default_otherwise() {
        let here =
            Here { vaults: vec!["local".into()], servers: vec!["db1".into()], tags: vec!["web".into()] };
        let set = json!({ "servers": ["tag:web"] });
        let text = fields(&schema(), set.as_object().unwrap(), &here).into_string();
        assert!(text.contains("value=\"tag:web\" checked"), "{text}");
        assert!(!text.contains("value=\"db1\" checked"));
        assert!(text.contains("value=\"7\""));
    }

    proptest! {
        #[test]
        fn no_text_breaks_out_of_its_field(text in ".{0,60}") {
            let empty = fields(&schema(), &Map::new(), &Here::default()).into_string();
            let set = json!({ "note": text });
            let html = fields(&schema(), set.as_object().unwrap(), &Here::default()).into_string();
            prop_assert_eq!(html.matches('<').count(), empty.matches('<').count());
            prop_assert_eq!(html.matches('"').count(), empty.matches('"').count());
        }
    }
}
