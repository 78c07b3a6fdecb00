//! Alerts: what is open, what is past, and taking one.

use super::{
    AskedQuery, asked,
    icon::icon,
    overview::severity_look,
    phrases,
    problem::{Answer, Trouble, sentences},
    see,
    shell::{Place, Shell, press},
    shown, words,
};
use crate::{
    admin::{Admin, auth::gate::Visitor},
    model::{
        account::Role,
        alert::{Alert, Severity},
        name::AlertId,
    },
};
use axum::extract::{Path, State};
use maud::{Markup, html};

/// Past alerts shown.
const PAST: usize = 50;

/// Open alerts, the worst first, and the newest past ones.
pub async fn list(State(admin): State<Admin>, visitor: Visitor, query: AskedQuery) -> Answer {
    let asked = asked(query);
    let mut open = admin.store.alerts.open()?;
    open.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), std::cmp::Reverse(alert.seen)));
    let mut past = admin.store.alerts.newest(PAST)?;
    past.retain(|alert| alert.resolved.is_some());
    let content = html! {
        h1 { "Alerts" }
        div id="alerts" data-live {
            @if open.is_empty() { p class="calm" { "No alert is open." } }
            @for alert in &open { (card(&admin, &visitor, alert)) }
            @if !past.is_empty() {
                section class="card" { h2 { "Past" } (past_table(&admin, &past)) }
            }
        }
    };
    let shell = Shell {
        admin: &admin,
        visitor: &visitor,
        place: Place::Alerts,
        title: "Alerts",
        did: asked.did.as_deref(),
    };
    Ok(shown(shell.wrap(content)))
}

fn severity_in_words(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::Warning => "Warning",
        Severity::Info => "For information",
    }
}

fn card(admin: &Admin, visitor: &Visitor, alert: &Alert) -> Markup {
    let (class, mark) = severity_look(alert.severity);
    let now = admin.clock.now();
    html! {
        section class="card" id={"alert-" (alert.id)} {
            div class="heading" {
                h2 { (alert.title) }
                span class={"pill " (class)} { (icon(mark)) (severity_in_words(alert.severity)) }
            }
            @for sentence in sentences(&alert.detail) { p { (sentence) } }
            p class="small" {
                @if let Some(server) = &alert.server { "Server " a href={"/servers/" (server)} { (server) } ". " }
                "Raised " (words::age(now, alert.raised))
                @if alert.count > 1 { ", " (alert.count) " times, last " (words::age(now, alert.seen)) }
                ", by " (alert.source) "."
                @if let Some(who) = &alert.acknowledged { " Taken by " (phrases::person(who)) "." }
            }
            div class="actions" {
                @if alert.acknowledged.is_none() {
                    (press(visitor, Role::Operator, &format!("/alerts/{}/acknowledge", alert.id), "", html! { "I take care of it" }))
                }
                (press(visitor, Role::Operator, &format!("/alerts/{}/resolve", alert.id), "quiet", html! { "It is over" }))
            }
        }
    }
}

fn past_table(admin: &Admin, past: &[Alert]) -> Markup {
    let now = admin.clock.now();
    html! {
        div class="scroll" {
            table class="cards" {
                thead { tr { th { "What" } th { "Server" } th { "From" } th { "To" } th class="number" { "Times" } } }
                tbody {
                    @for alert in past {
                        tr {
                            td class="lead" { (alert.title) }
                            td data-label="Server" { (alert.server.as_ref().map(ToString::to_string).unwrap_or_default()) }
                            td data-label="From" { (words::moment(now, alert.raised, admin.zone)) }
                            td data-label="To" { (alert.resolved.map(|at| words::moment(now, at, admin.zone)).unwrap_or_default()) }
                            td class="number" data-label="Times" { (alert.count) }
                        }
                    }
                }
            }
        }
    }
}

fn id(text: &str) -> Answer<AlertId> {
    text.parse().map_err(|_| Trouble::missing("alert", &text))
}

/// Says that somebody takes care of it.
pub async fn acknowledge(State(admin): State<Admin>, visitor: Visitor, Path(alert): Path<String>) -> Answer {
    admin.ports.upkeep.acknowledge(id(&alert)?, &visitor.caller.who).await?;
    Ok(see("/alerts", "acknowledged"))
}

/// Ends an alert by hand.
pub async fn resolve(State(admin): State<Admin>, visitor: Visitor, Path(alert): Path<String>) -> Answer {
    admin.ports.upkeep.resolve(id(&alert)?, &visitor.caller.who).await?;
    Ok(see("/alerts", "resolved"))
}
