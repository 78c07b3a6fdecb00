//! Grants: what one permission of a plugin means, on what it holds, and the form that gives it.

use super::{
    icon::{Icon, icon},
    phrases::{self, names_servers, names_vaults},
    plugins::{asked_in_words, find},
    problem::{Answer, Trouble},
    see,
    shell::{csrf, press},
    words,
};
use crate::{
    admin::{
        Admin,
        auth::{form::Form, gate::Visitor},
    },
    model::{
        account::Role,
        name::{ServerName, Tag, VaultName},
        plugin::{Capability, Grant, InstalledPlugin, Permission, Scope},
    },
};
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// One permission on a plugin's page, with the form that grants it or the button that takes it back.
pub fn permission(
    admin: &Admin,
    visitor: &Visitor,
    plugin: &InstalledPlugin,
    asked: &Permission,
    grant: Option<&Grant>,
    now: DateTime<Utc>,
) -> Answer<Markup> {
    let at = format!("/plugins/{}/grants/{}", plugin.manifest.id, asked.capability.name());
    let is_owner = visitor.may(Role::Owner);
    let form = if is_owner {
        form(admin, visitor, &at, asked.capability, grant)?
    } else {
        html! {}
    };
    Ok(html! {
        section class="card permission" {
            (asked_in_words(&plugin.manifest, asked))
            @if let Some(grant) = grant {
                div class="meaning" {
                    p { span class="pill good" { (icon(Icon::Good)) "Granted" } }
                    @if let Some(reach) = phrases::reach(grant) { p { "on " (reach) } }
                    p class="small" { "by " (phrases::person(&grant.by)) ", " (words::age(now, grant.at)) }
                }
                @if is_owner {
                    details {
                        summary { "Change or revoke" }
                        (form)
                        (press(visitor, Role::Owner, &format!("{at}/revoke"), "danger", html! { "Revoke " (asked.capability.name()) }))
                    }
                }
            } @else {
                div class="meaning" {
                    p { span class="pill late" { (icon(Icon::Lock)) "Not granted" } }
                    p class="small" { "Its calls are refused." }
                }
                (form)
            }
        }
    })
}

fn form(
    admin: &Admin,
    visitor: &Visitor,
    at: &str,
    capability: Capability,
    grant: Option<&Grant>,
) -> Answer<Markup> {
    let servers = admin.store.servers.list()?;
    let vaults = admin.store.vaults.list()?;
    let tags: BTreeSet<&Tag> = servers.iter().flat_map(|server| &server.tags).collect();
    let all_servers = grant.is_none_or(|grant| grant.servers == Scope::All);
    let all_vaults = grant.is_none_or(|grant| grant.vaults == Scope::All);
    let has_server = |name: &ServerName| grant.is_some_and(|grant| names(&grant.servers).contains(name));
    let has_tag = |tag: &Tag| grant.is_some_and(|grant| grant.tags.contains(tag));
    let has_vault = |name: &VaultName| grant.is_some_and(|grant| names(&grant.vaults).contains(name));
    Ok(html! {
        form method="post" action=(at) {
            (csrf(visitor))
            @if names_servers(capability) {
                fieldset {
                    legend { "On which servers" }
                    label class="tick" { input type="radio" name="servers" value="all" checked[all_servers]; "All servers, also those that come later" }
                    label class="tick" { input type="radio" name="servers" value="only" checked[!all_servers]; "Only these:" }
                    @for server in &servers { label class="tick" { input type="checkbox" name="server" value=(server.name) checked[has_server(&server.name)]; (server.name) } }
                    @for tag in tags { label class="tick" { input type="checkbox" name="tag" value=(tag) checked[has_tag(tag)]; "every server tagged " (tag) } }
                }
            }
            @if names_vaults(capability) {
                fieldset {
                    legend { "On which vaults" }
                    label class="tick" { input type="radio" name="vaults" value="all" checked[all_vaults]; "All vaults, also those that come later" }
                    label class="tick" { input type="radio" name="vaults" value="only" checked[!all_vaults]; "Only these:" }
                    @for vault in &vaults { label class="tick" { input type="checkbox" name="vault" value=(vault.name) checked[has_vault(&vault.name)]; (vault.name) } }
                }
            }
            button class=(if grant.is_some() { "quiet" } else { "" }) { "Grant " (capability.name()) }
        }
    })
}

fn names<T>(scope: &Scope<T>) -> &[T] {
    match scope {
        Scope::All => &[],
        Scope::Only(names) => names,
    }
}

fn capability(name: &str) -> Answer<Capability> {
    let found = Capability::ALL.into_iter().find(|capability| capability.name() == name);
    found.ok_or_else(|| Trouble::missing("capability", &name))
}

/// Grants a capability on what the form names. What a capability does not distinguish is granted whole.
pub async fn grant(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path((id, name)): Path<(String, String)>,
    form: Form,
) -> Answer {
    let (plugin, capability) = (find(&admin, &id)?, capability(&name)?);
    let scope = read_scope(&form, capability)?;
    let grant = Grant {
        plugin: plugin.manifest.id.clone(),
        capability,
        servers: scope.servers,
        tags: scope.tags,
        vaults: scope.vaults,
        by: visitor.caller.who,
        at: admin.clock.now(),
    };
    admin.ports.plugins.grant(grant).await?;
    Ok(see(&format!("/plugins/{}", plugin.manifest.id), "granted"))
}

#[derive(Debug, PartialEq, Eq)]
struct Reach {
    servers: Scope<ServerName>,
    tags: Vec<Tag>,
    vaults: Scope<VaultName>,
}

/// Nothing ticked is nothing granted: a form that was sent half never becomes "all".
fn read_scope(form: &Form, capability: Capability) -> Answer<Reach> {
    let mut reach = Reach { servers: Scope::All, tags: vec![], vaults: Scope::All };
    if names_servers(capability) && form.text("servers") != "all" {
        let names: Vec<_> = form.all("server").map(ServerName::new).collect::<Result<_, _>>()?;
        reach.tags = form.all("tag").map(Tag::new).collect::<Result<_, _>>()?;
        if names.is_empty() && reach.tags.is_empty() {
            return Err(Trouble::invalid(
                "no server was chosen; nothing was granted; tick at least one, or all",
            ));
        }
        reach.servers = Scope::Only(names);
    }
    if names_vaults(capability) && form.text("vaults") != "all" {
        let names: Vec<_> = form.all("vault").map(VaultName::new).collect::<Result<_, _>>()?;
        if names.is_empty() {
            return Err(Trouble::invalid(
                "no vault was chosen; nothing was granted; tick at least one, or all",
            ));
        }
        reach.vaults = Scope::Only(names);
    }
    Ok(reach)
}

/// Takes a grant back.
pub async fn revoke(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path((id, name)): Path<(String, String)>,
) -> Answer {
    let (plugin, capability) = (find(&admin, &id)?, capability(&name)?);
    admin.ports.plugins.revoke(&plugin.manifest.id, capability, &visitor.caller.who).await?;
    Ok(see(&format!("/plugins/{}", plugin.manifest.id), "revoked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Form {
        Form::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn an_empty_form_grants_nothing() {
        for capability in
            [Capability::Servers, Capability::RecoveryPoints, Capability::Retention, Capability::Vaults]
        {
            assert!(read_scope(&form(&[]), capability).is_err(), "{capability:?}");
        }
    }

    #[test]
    fn named_things_are_granted_and_no_others() {
        let given = form(&[
            ("servers", "only"),
            ("server", "db1"),
            ("tag", "web"),
            ("vaults", "all"),
            ("vault", "local"),
        ]);
        let reach = read_scope(&given, Capability::RecoveryPoints).unwrap();
        assert_eq!(reach.servers, Scope::Only(vec![ServerName::new("db1").unwrap()]));
        assert_eq!(reach.tags, [Tag::new("web").unwrap()]);
        assert_eq!(reach.vaults, Scope::All);
    }
}
