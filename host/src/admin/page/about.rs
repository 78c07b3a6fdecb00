//! This appliance: version, data, certificate, where the API is.

use super::{
    problem::Answer,
    shell::{Place, Shell},
    shown, words,
};
use crate::admin::{Admin, auth::gate::Visitor};
use axum::extract::State;
use maud::html;

/// Facts about this appliance.
pub async fn show(State(admin): State<Admin>, visitor: Visitor) -> Answer {
    let about = admin.ports.upkeep.about();
    let now = admin.clock.now();
    let content = html! {
        h1 { "This appliance" }
        section class="card" {
            dl class="facts" {
                dt { "Version" } dd { "Holdfast " (about.version) }
                dt { "Running since" } dd { (words::full(about.started, admin.zone)) " (" (words::length(now - about.started)) ")" }
                dt { "Its clock" } dd { (words::full(now, admin.zone)) }
                dt { "Data" } dd { code { (about.data) } @if let Some(free) = about.data_free_bytes { ", " (words::size(free)) " free" } }
                dt { "Certificate" }
                dd {
                    @match admin.fingerprint() {
                        Some(fingerprint) => { "its own, SHA-256 " code { (fingerprint) } p class="small" { "It must be the one the console shows. Command lines on other computers pin it." } },
                        None => "none: plain HTTP on this computer only",
                    }
                }
                dt { "API" } dd { code { "/api/v1" } ", described by " a href="/api/v1/openapi.json" { "OpenAPI" } }
            }
        }
        p class="calm" { "The formats are open: a vault and its key are enough to restore, with or without this appliance." }
    };
    Ok(shown(
        Shell { admin: &admin, visitor: &visitor, place: Place::About, title: "About", did: None }
            .wrap(content),
    ))
}
