//! The command line: one file per command.
//!
//! What flows in: what a person or a script typed. What flows out: tables or JSON on standard output, progress and errors
//! on standard error, and an exit code that says how it went (`failure`). Every command is a client of the HTTP API
//! (`client`), by default through the appliance's own socket (`place`); `offline` alone opens a vault itself, for the day
//! when there is no appliance any more.
//!
//! What it refuses to know: the store, and how any order is carried out.

mod about;
mod alerts;
mod audit;
mod backup;
pub mod client;
mod context;
mod dispatch;
pub mod failure;
mod follow;
mod job;
mod job_definition;
mod offline;
mod pin;
pub mod place;
mod plugin;
mod plugin_text;
mod plugin_tools;
mod points;
mod prune;
mod restore;
mod runs;
mod schedule;
mod serve;
mod server;
pub mod show;
mod state;
mod token;
mod trial;
mod users;
mod vault;
mod verify;

use clap::Parser;
use context::Context;
use failure::EXIT_CODES;
use std::process::ExitCode;

/// Holdfast keeps the servers of a small business recoverable.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Holdfast {
    #[command(flatten)]
    place: place::Place,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: dispatch::Command,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let holdfast = match Holdfast::try_parse() {
        Ok(holdfast) => holdfast,
        Err(error) => {
            // Help and version are printed to standard output and are no errors; clap knows.
            let code = if error.use_stderr() { 2 } else { 0 };
            return error.print().map_or(ExitCode::from(1), |()| ExitCode::from(code));
        }
    };
    let json = holdfast.json;
    match dispatch::run(holdfast.command, Context::new(holdfast.place, json)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

#[cfg(test)]
mod tests;
