//! What stands around every page: head, navigation, notices, foot.

use super::{
    icon::{Icon, icon},
    problem::sentences,
};
use crate::{
    admin::{
        Admin, assets,
        auth::gate::{CSRF_FIELD, Visitor},
    },
    model::{account::Role, alert::Severity},
};
use maud::{DOCTYPE, Markup, html};

/// The places the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first screen, and servers.
    Overview,
    /// Jobs and runs.
    Jobs,
    /// Vaults.
    Vaults,
    /// Plugins and grants.
    Plugins,
    /// Alerts.
    Alerts,
    /// The audit log.
    Audit,
    /// People and tokens.
    People,
    /// This appliance.
    About,
}

const PLACES: [(Place, &str, &str); 8] = [
    (Place::Overview, "/", "Overview"),
    (Place::Jobs, "/jobs", "Jobs"),
    (Place::Vaults, "/vaults", "Vaults"),
    (Place::Plugins, "/plugins", "Plugins"),
    (Place::Alerts, "/alerts", "Alerts"),
    (Place::Audit, "/audit", "Audit"),
    (Place::People, "/people", "People"),
    (Place::About, "/about", "About"),
];

/// A page for somebody who is signed in.
pub struct Shell<'a> {
    /// The room.
    pub admin: &'a Admin,
    /// Who looks.
    pub visitor: &'a Visitor,
    /// Where they are.
    pub place: Place,
    /// For the browser's tab.
    pub title: &'a str,
    /// What was just done (a code of `DONE`), from the address.
    pub did: Option<&'a str>,
}

impl Shell<'_> {
    /// The whole document.
    pub fn wrap(&self, content: Markup) -> String {
        let about = self.admin.ports.upkeep.about();
        let body = html! {
            a class="skip" href="#content" { "Skip to the content" }
            header class="top" {
                div class="bar" {
                    a class="brand" href="/" { (icon(Icon::Keep)) "Holdfast" }
                    (self.navigation())
                    form class="who" method="post" action="/sign-out" {
                        (csrf(self.visitor))
                        a href="/account" { (self.visitor.user) }
                        button class="quiet" { "Sign out" }
                    }
                }
            }
            p id="stale" class="banner" role="status" hidden { "The appliance does not answer. What you see may be old." }
            (self.banners())
            main id="content" {
                @if let Some(words) = self.did.and_then(done_in_words) {
                    p class="did" role="status" { (icon(Icon::Good)) (words) }
                }
                (content)
            }
            footer {
                p {
                    "Holdfast " (about.version)
                    @if about.demo { " · demonstration with a simulated server" }
                    " · times are " (self.admin.zone.name()) " · " a href="" { "Refresh" }
                }
            }
        };
        document(self.title, true, body).into_string()
    }

    /// Whether the visitor's role reaches that place.
    fn is_open(&self, place: Place) -> bool {
        place != Place::People || self.visitor.may(Role::Owner)
    }

    fn navigation(&self) -> Markup {
        let worst = self.admin.ports.upkeep.worst();
        html! {
            nav aria-label="Main" {
                @for (place, address, name) in PLACES.into_iter().filter(|place| self.is_open(place.0)) {
                    a href=(address) aria-current=[(place == self.place).then_some("page")] {
                        (name)
                        @if place == Place::Alerts { (alert_mark(worst)) }
                    }
                }
            }
        }
    }

    fn banners(&self) -> Markup {
        html! {
            @if self.admin.ports.plugins.accepts_unsigned() {
                p class="banner" { (icon(Icon::Look)) "Unsigned plugins are accepted here: for development only." }
            }
            @if !self.admin.tls {
                p class="banner calm" { (icon(Icon::Lock)) "Plain HTTP: only this computer can reach this page." }
            }
        }
    }
}

fn alert_mark(worst: Option<Severity>) -> Markup {
    html! {
        @match worst {
            Some(Severity::Critical) => { " " (icon(Icon::Bad)) span class="sr" { "critical alerts are open" } },
            Some(Severity::Warning) => { " " (icon(Icon::Look)) span class="sr" { "warnings are open" } },
            _ => {},
        }
    }
}

/// A page for somebody who is not signed in.
pub fn outside(title: &str, content: Markup) -> Markup {
    let body = html! {
        main id="content" class="narrow" {
            p class="brand" { (icon(Icon::Keep)) "Holdfast" }
            (content)
        }
    };
    document(title, false, body)
}

fn document(title: &str, live: bool, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) " · Holdfast" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href=(assets::icon()) type="image/svg+xml";
                link rel="stylesheet" href=(assets::style());
                @if live { script src=(assets::script()) defer {} }
            }
            body { (body) }
        }
    }
}

/// The hidden field without which no form is taken.
pub fn csrf(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name=(CSRF_FIELD) value=(visitor.session.csrf); }
}

/// A form that is one button. Not shown to those whose role does not reach.
pub fn press(visitor: &Visitor, least: Role, action: &str, class: &str, label: Markup) -> Markup {
    html! {
        @if visitor.may(least) {
            form class="press" method="post" action=(action) { (csrf(visitor)) button class=(class) { (label) } }
        }
    }
}

/// What is wrong with a form, above it.
pub fn complaint(text: Option<&str>) -> Markup {
    html! {
        @if let Some(text) = text {
            div class="complaint" role="alert" {
                (icon(Icon::Bad))
                div { @for sentence in sentences(text) { p { (sentence) } } }
            }
        }
    }
}

const DONE: [(&str, &str); 22] = [
    ("acknowledged", "Acknowledged."),
    ("resolved", "Resolved."),
    ("saved", "Saved."),
    ("added", "Added."),
    ("removed", "Removed."),
    ("held", "The recovery point is held: retention leaves it alone until you release it."),
    ("released", "Released: retention decides about the recovery point again."),
    ("expired", "The recovery point is expired. It stays restorable until the grace period ends."),
    ("unexpired", "The recovery point is kept after all."),
    ("cancelling", "The run was told to stop."),
    ("enabled", "The job runs by its schedule again."),
    ("disabled", "The job only runs when somebody starts it."),
    ("granted", "Granted. The plugin can use it from its next call on."),
    ("revoked", "Revoked. The plugin's next call is refused."),
    ("resumed", "The plugin may run again."),
    ("installed", "Installed. It can do nothing until you grant what it asks for."),
    ("password", "The password was changed and all other sessions have ended."),
    ("role", "The role was changed."),
    ("revoked-token", "The token is void."),
    ("vault", "The vault is made. Keep a copy of its key now: without it the backups cannot be read."),
    ("attached", "The vault is in use. Its recovery points are listed."),
    ("welcome", "Welcome. This appliance is yours now."),
];

/// The words for what the address says was done; unknown codes say nothing, so nobody can put words into our page.
fn done_in_words(code: &str) -> Option<&'static str> {
    DONE.iter().find(|(known, _)| *known == code).map(|(_, words)| *words)
}
