//! The bundled backup plugin.
//!
//! One run: choose the servers, begin a recovery point of each as far as there is room, wait for whichever ends first,
//! follow it up (alerts, suspicion, retention), and say in one sentence what became of all. A server that fails never
//! stops another.
//!
//! Decisions are plain functions in files of their own (`choose`, `overdue`, `suspicion`, `summary`), tested natively;
//! `side_by_side` and `follow_up` are the only files that talk to the appliance.

mod choose;
mod follow_up;
mod overdue;
mod settings;
mod side_by_side;
mod summary;
mod suspicion;

use choose::Candidate;
use holdfast_plugin_sdk::{Failure, Outcome, Plugin, Problem, export_plugin, run, servers};
use settings::Settings;

struct Backup;

impl Plugin for Backup {
    fn run(_job: &str) -> Result<Outcome, Failure> {
        let settings: Settings = holdfast_plugin_sdk::settings()?;
        let granted: Vec<Candidate> = servers::list()?.iter().map(candidate).collect();
        let chosen = choose::choose(&granted, &settings.servers);
        if chosen.servers.is_empty() {
            return Err(Failure::Failed(choose::nothing_to_do(&settings.servers)));
        }
        if run::dry_run() {
            return Ok(Outcome::Succeeded(summary::would_do(&chosen, &settings.vault)));
        }
        let results = side_by_side::back_up(&chosen.servers, &settings)?;
        summary::outcome(&settings.vault, &results, &chosen.missing)
    }

    fn check_settings(_job: &str) -> Vec<Problem> {
        match holdfast_plugin_sdk::settings::<Settings>() {
            Ok(_) => Vec::new(),
            Err(error) => vec![Problem { setting: "settings".to_owned(), message: error.to_string() }],
        }
    }
}

export_plugin!(Backup);

fn candidate(server: &servers::Server) -> Candidate {
    Candidate { name: server.name(), tags: server.tags(), rpo_minutes: server.rpo_minutes() }
}
