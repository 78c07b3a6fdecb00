//! Who may what: asked and granted, asked and not granted, not asked.

use super::*;
use crate::model::plugin::{LimitsAsked, Permission};
use chrono::DateTime;
use proptest::prelude::*;

fn manifest(asks: &[Capability]) -> Manifest {
    Manifest {
        id: PluginId::new("acme.x").unwrap(),
        name: "X".into(),
        version: semver::Version::new(1, 0, 0),
        api: "0.1".into(),
        description: String::new(),
        jobs: Vec::new(),
        permissions: asks.iter().map(|&capability| Permission { capability, why: "test".into() }).collect(),
        limits: LimitsAsked::default(),
        settings: Default::default(),
    }
}

fn grant(capability: Capability) -> Grant {
    Grant {
        plugin: PluginId::new("acme.x").unwrap(),
        capability,
        servers: Scope::Only(vec![server("db1")]),
        tags: vec![Tag::new("web").unwrap()],
        vaults: Scope::Only(vec![VaultName::new("nas").unwrap()]),
        by: "owner".into(),
        at: DateTime::UNIX_EPOCH,
    }
}

fn server(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

#[test]
fn a_capability_the_manifest_does_not_ask_for_is_refused_even_if_granted() {
    for capability in Capability::ALL {
        let denied =
            check(&manifest(&[]), capability, Some(&grant(capability)), Target::default()).unwrap_err();
        assert!(matches!(denied, Denied::NotAsked { .. }), "{denied}");
        assert!(denied.to_string().contains("[[permission]]"), "{denied}");
    }
}

#[test]
fn a_capability_nobody_granted_is_refused_with_the_command_that_grants_it() {
    for capability in Capability::ALL {
        let denied = check(&manifest(&[capability]), capability, None, Target::default()).unwrap_err();
        let fix = format!("holdfast plugin grant acme.x {}", capability.name());
        assert!(denied.to_string().contains(&fix), "{denied}");
    }
}

#[test]
fn what_is_asked_and_granted_is_allowed_on_the_servers_tags_and_vaults_named() {
    for capability in Capability::ALL {
        let (manifest, grant) = (manifest(&[capability]), grant(capability));
        let (db1, web3, nas) = (server("db1"), server("web3"), VaultName::new("nas").unwrap());
        let by_name = Target { server: Some(&db1), tags: &[], vault: Some(&nas) };
        let web = [Tag::new("web").unwrap()];
        let by_tag = Target { server: Some(&web3), tags: &web, vault: None };
        assert_eq!(check(&manifest, capability, Some(&grant), by_name), Ok(()));
        assert_eq!(check(&manifest, capability, Some(&grant), by_tag), Ok(()));
    }
}

#[test]
fn a_server_outside_the_scope_is_refused_by_name() {
    let (db2, capability) = (server("db2"), Capability::RecoveryPoints);
    let target = Target { server: Some(&db2), tags: &[], vault: None };
    let denied = check(&manifest(&[capability]), capability, Some(&grant(capability)), target).unwrap_err();
    assert_eq!(
        denied.to_string(),
        "denied: plugin acme.x is not granted \"recovery-points\" on server db2; nothing was done; the owner can grant it \
         under Plugins → acme.x, or: holdfast plugin grant acme.x recovery-points --server db2"
    );
}

#[test]
fn a_vault_outside_the_scope_is_refused_by_name() {
    let (other, capability) = (VaultName::new("usb").unwrap(), Capability::Vaults);
    let target = Target { vault: Some(&other), ..Target::default() };
    let denied = check(&manifest(&[capability]), capability, Some(&grant(capability)), target).unwrap_err();
    assert!(denied.to_string().contains("--vault usb"), "{denied}");
}

#[test]
fn another_plugins_grant_does_not_count() {
    let capability = Capability::Alerts;
    let mut stolen = grant(capability);
    stolen.plugin = PluginId::new("acme.y").unwrap();
    assert!(check(&manifest(&[capability]), capability, Some(&stolen), Target::default()).is_err());
}

proptest! {
    #[test]
    fn an_empty_grant_allows_no_server_and_no_vault(name in "[a-z][a-z0-9]{0,8}", tags in prop::collection::vec("[a-z]{1,4}", 0..3)) {
        let capability = Capability::Retention;
        let empty = Grant { servers: Scope::Only(vec![]), tags: vec![], vaults: Scope::Only(vec![]), ..grant(capability) };
        let (manifest, server, vault) = (manifest(&[capability]), server(&name), VaultName::new(&name).unwrap());
        let tags: Vec<Tag> = tags.iter().map(|tag| Tag::new(tag).unwrap()).collect();
        let on_server = Target { server: Some(&server), tags: &tags, vault: None };
        let on_vault = Target { vault: Some(&vault), ..Target::default() };
        prop_assert!(check(&manifest, capability, Some(&empty), on_server).is_err());
        prop_assert!(check(&manifest, capability, Some(&empty), on_vault).is_err());
    }

    #[test]
    fn narrowing_a_grant_never_allows_more(granted in prop::collection::vec("[a-c]", 0..4), keep in 0usize..4, name in "[a-c]") {
        let capability = Capability::Servers;
        let wide = Grant { servers: Scope::Only(granted.iter().map(|g| server(g)).collect()), tags: vec![], ..grant(capability) };
        let narrow = Grant { servers: Scope::Only(granted.iter().take(keep).map(|g| server(g)).collect()), ..wide.clone() };
        let (manifest, server) = (manifest(&[capability]), server(&name));
        let target = Target { server: Some(&server), ..Target::default() };
        if check(&manifest, capability, Some(&narrow), target).is_ok() {
            prop_assert!(check(&manifest, capability, Some(&wide), target).is_ok());
        }
    }
}
