//! Settings against their schema: good ones, and each thing that can be wrong.

use super::*;
use crate::model::server::ServerKind;
use proptest::prelude::*;
use serde_json::json;

fn rule(kind: SettingKind) -> SettingSchema {
    SettingSchema {
        kind,
        title: "T".into(),
        help: String::new(),
        default: None,
        required: false,
        choices: vec![],
        minimum: None,
        maximum: None,
    }
}

fn schema() -> BTreeMap<String, SettingSchema> {
    [
        ("vault", SettingSchema { required: true, ..rule(SettingKind::Vault) }),
        ("servers", SettingSchema { default: Some(json!([])), ..rule(SettingKind::Servers) }),
        (
            "keep",
            SettingSchema {
                default: Some(json!(7)),
                minimum: Some(1),
                maximum: Some(100),
                ..rule(SettingKind::Integer)
            },
        ),
        ("mode", SettingSchema { choices: vec!["a".into(), "b".into()], ..rule(SettingKind::Text) }),
        ("loud", rule(SettingKind::Boolean)),
    ]
    .into_iter()
    .map(|(name, rule)| (name.to_owned(), rule))
    .collect()
}

fn site() -> SiteNames {
    SiteNames {
        servers: vec![Server {
            name: ServerName::new("db1").unwrap(),
            kind: ServerKind::Image,
            tags: vec![],
            disks: vec![],
            rpo_minutes: 60,
        }],
        vaults: vec![VaultName::new("nas").unwrap()],
    }
}

#[test]
fn good_settings_come_back_with_defaults_filled_in() {
    let checked = check(&schema(), &json!({"vault": "nas", "servers": ["db1", "tag:web"]}), &site()).unwrap();
    assert_eq!(Value::Object(checked), json!({"vault": "nas", "servers": ["db1", "tag:web"], "keep": 7}));
}

#[test]
fn everything_wrong_is_said_at_once() {
    let given =
        json!({"vault": "usb", "servers": ["db2"], "keep": 0, "mode": "c", "loud": "yes", "volume": 3});
    let problems = check(&schema(), &given, &site()).unwrap_err();
    let mut named: Vec<&str> = problems.iter().map(|p| p.setting.as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, ["keep", "loud", "mode", "servers", "vault", "volume"], "{problems:#?}");
}

#[test]
fn a_required_setting_cannot_be_left_out() {
    for nothing in [Value::Null, json!({}), json!({"vault": null})] {
        let problems = check(&schema(), &nothing, &site()).unwrap_err();
        assert_eq!(problems[0].setting, "vault");
    }
}

#[test]
fn settings_that_are_no_table_are_refused() {
    assert!(check(&schema(), &json!([1]), &site()).is_err());
}

proptest! {
    #[test]
    fn what_passes_passes_again_unchanged(keep in -5i64..200, loud in any::<Option<bool>>()) {
        let mut given = json!({"vault": "nas", "keep": keep});
        if let Some(loud) = loud {
            given["loud"] = json!(loud);
        }
        if let Ok(checked) = check(&schema(), &given, &site()) {
            prop_assert!((1..=100).contains(&keep));
            let again = check(&schema(), &Value::Object(checked.clone()), &site()).unwrap();
            prop_assert_eq!(again, checked);
        } else {
            prop_assert!(!(1..=100).contains(&keep));
        }
    }
}
