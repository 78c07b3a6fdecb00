//! The audit log: who asked for what, and whether it was allowed.

use super::{
    AskedQuery, asked,
    icon::{Icon, icon},
    problem::Answer,
    shell::{Place, Shell},
    shown, words,
};
use crate::{
    admin::{Admin, auth::gate::Visitor},
    model::audit::{AuditRecord, Verdict},
};
use axum::extract::State;
use maud::{Markup, html};

/// Records on one page.
const PAGE: usize = 100;

/// The newest records, or those before a number.
pub async fn list(State(admin): State<Admin>, visitor: Visitor, query: AskedQuery) -> Answer {
    let asked = asked(query);
    let records = admin.store.audit.list(asked.before, PAGE)?;
    let content = html! {
        h1 { "Audit" }
        p class="calm" { "Everything that was asked of this appliance by people, programs and plugins. Each record carries the hash of the one before it, so that a changed or removed one shows." }
        div id="audit" data-live {
            section class="card" { div class="scroll" { table class="cards" {
                thead { tr { th class="number" { "No." } th { "When" } th { "Who" } th { "What" } th { "On" } th { "Verdict" } } }
                tbody { @for record in &records { (row(&admin, record)) } }
            } } }
        }
        @if let Some(last) = records.last().filter(|_| records.len() == PAGE) { p { a href={"/audit?before=" (last.sequence)} { "Older records" } } }
    };
    let shell = Shell { admin: &admin, visitor: &visitor, place: Place::Audit, title: "Audit", did: None };
    Ok(shown(shell.wrap(content)))
}

fn row(admin: &Admin, record: &AuditRecord) -> Markup {
    html! {
        tr {
            td class="number" data-label="No." { (record.sequence) }
            td data-label="When" title=(words::full(record.at, admin.zone)) { (words::moment(admin.clock.now(), record.at, admin.zone)) }
            td data-label="Who" { (record.who) }
            td data-label="What" { (record.action) }
            td class="text" data-label="On" { (record.subject) }
            td class="text" data-label="Verdict" {
                @match record.verdict {
                    Verdict::Allowed => { span class="pill good" { (icon(Icon::Good)) "Allowed" } },
                    Verdict::Refused => { span class="pill bad" { (icon(Icon::Bad)) "Refused" } },
                }
                @if let Some(reason) = &record.reason { " " span class="small" { (reason) } }
            }
        }
    }
}
