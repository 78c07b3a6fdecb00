//! Backs servers up side by side: begins as many recovery points as the appliance lets it, and begins the next whenever
//! one ends.

use crate::{
    choose::Candidate,
    follow_up,
    settings::Settings,
    summary::{Made, ServerResult},
};
use holdfast_plugin_sdk::{
    Failure, InWords, info,
    operations::{self, Operation, wait_any},
    recovery_points, run, warn,
};
use std::collections::VecDeque;

/// How long one look at the operations waits, so that progress stays live.
const LOOK: u32 = 1000;

struct UnderWay<'a> {
    server: &'a Candidate,
    operation: Operation,
    began: u64,
}

/// A recovery point of every server, or why not. Fails only when it is cancelled.
pub(crate) fn back_up(servers: &[Candidate], settings: &Settings) -> Result<Vec<ServerResult>, Failure> {
    let mut waiting: VecDeque<&Candidate> = servers.iter().collect();
    let mut under_way: Vec<UnderWay<'_>> = Vec::new();
    let mut results = Vec::new();
    while !waiting.is_empty() || !under_way.is_empty() {
        begin_as_many_as_fit(&mut waiting, &mut under_way, &mut results, settings);
        if run::cancelled() {
            // Letting go of the operations cancels them.
            return Err(Failure::Cancelled);
        }
        tell_progress(&under_way, results.len(), servers.len());
        let handles: Vec<&Operation> = under_way.iter().map(|one| &one.operation).collect();
        let mut ended = wait_any(&handles, LOOK);
        ended.sort_unstable();
        for position in ended.into_iter().rev().filter_map(|position| usize::try_from(position).ok()) {
            if position < under_way.len() {
                let one = under_way.swap_remove(position);
                results.push(settle(one, settings)?);
            }
        }
    }
    results.sort_by(|a, b| a.server.cmp(&b.server));
    Ok(results)
}

fn begin_as_many_as_fit<'a>(
    waiting: &mut VecDeque<&'a Candidate>,
    under_way: &mut Vec<UnderWay<'a>>,
    results: &mut Vec<ServerResult>,
    settings: &Settings,
) {
    while let Some(server) = waiting.pop_front() {
        match recovery_points::create(&server.name, &settings.vault) {
            Ok(operation) => {
                info(format!("{}: recovery point begun", server.name));
                under_way.push(UnderWay { server, operation, began: run::now() });
            }
            Err(recovery_points::Error::Quota(_)) if !under_way.is_empty() => {
                waiting.push_front(server);
                return;
            }
            Err(error) => results.push(failed(server, error.in_words(), settings)),
        }
    }
}

fn settle(one: UnderWay<'_>, settings: &Settings) -> Result<ServerResult, Failure> {
    let UnderWay { server, operation, began } = one;
    match operation.wait(0) {
        Some(Ok(id)) => {
            let seconds = run::now().saturating_sub(began);
            info(format!("{}: recovery point {id} made in {seconds} s", server.name));
            let made = follow_up::after_success(server, settings, &id, seconds)
                .unwrap_or_else(|words| Made { changed: 0, stored: 0, remarks: vec![words] });
            Ok(ServerResult { server: server.name.clone(), made: Ok(made) })
        }
        Some(Err(operations::Error::Cancelled)) if run::cancelled() => Err(Failure::Cancelled),
        Some(Err(error)) => Ok(failed(server, error.in_words(), settings)),
        None => Ok(failed(server, "the appliance said it had ended and it had not".to_owned(), settings)),
    }
}

fn failed(server: &Candidate, reason: String, settings: &Settings) -> ServerResult {
    warn(format!("{}: {reason}", server.name));
    follow_up::after_failure(server, settings, &reason);
    ServerResult { server: server.name.clone(), made: Err(reason) }
}

fn tell_progress(under_way: &[UnderWay<'_>], settled: usize, all: usize) {
    let mut notes = Vec::new();
    let (mut done, mut total) = (0u64, 0u64);
    for one in under_way {
        let (here, of, note) = one.operation.progress();
        done = done.saturating_add(here);
        total = total.saturating_add(of);
        notes.push(if note.is_empty() {
            one.server.name.clone()
        } else {
            format!("{}: {note}", one.server.name)
        });
    }
    let note = format!("{settled} of {all} servers done; {}", notes.join(", "));
    run::progress(done, total, &note);
}
