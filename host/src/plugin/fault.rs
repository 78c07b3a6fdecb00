//! From how a guest ended to a run's end with words for a person.

use super::{
    instance::{End, Remains},
    limits::{HANDLES, HOSTCALL_BYTES, LimitReached},
};
use crate::{
    capability::{
        HostFault,
        bindings::exports::holdfast::plugin::jobs::{Failure, Outcome},
    },
    model::run::{EndCause, Ended, RunState},
};
use wasmtime::{Trap, WasmBacktrace};

/// Frames shown of a backtrace.
const FRAMES: usize = 6;

/// Whose fault a message is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whose<'a> {
    /// The plugin's id.
    pub plugin: &'a str,
    /// Its version.
    pub version: &'a semver::Version,
    /// The job.
    pub job: &'a str,
}

/// The end of a run from the end of its guest.
pub(super) fn ended(whose: Whose<'_>, end: End<Result<Outcome, Failure>>, cancelled: bool) -> Ended {
    match end {
        End::Returned(reported) => by_report(reported),
        End::Trapped(remains) => by_trap(whose, &remains, cancelled),
        End::OutOfTime => of(
            RunState::Failed,
            EndCause::TimeLimit,
            format!(
                "{} ran longer than its time limit and was ended; what it had finished stays; give the job more time if its work \
                 is that big, or ask the plugin's author",
                name(whose)
            ),
        ),
        End::Abandoned => of(
            RunState::Cancelled,
            EndCause::Cancel,
            format!(
                "{} was cancelled and did not stop by itself, so it was ended; what it had finished stays",
                name(whose)
            ),
        ),
    }
}

fn by_report(reported: Result<Outcome, Failure>) -> Ended {
    match reported {
        Ok(Outcome::Succeeded(message)) => of(RunState::Succeeded, EndCause::Reported, message),
        Ok(Outcome::Degraded(message)) => of(RunState::Degraded, EndCause::Reported, message),
        Err(Failure::Failed(message) | Failure::Other(message)) => {
            of(RunState::Failed, EndCause::Reported, message)
        }
        Err(Failure::Cancelled) => of(
            RunState::Cancelled,
            EndCause::Cancel,
            "it was cancelled and stopped; what it had finished stays".to_owned(),
        ),
    }
}

fn by_trap(whose: Whose<'_>, remains: &Remains, cancelled: bool) -> Ended {
    let (cause, what) = classify(remains);
    if cancelled && cause == EndCause::Trap {
        let message = format!("{} was cancelled and then failed: {what}", name(whose));
        return of(RunState::Cancelled, EndCause::Cancel, message);
    }
    let advice = match cause {
        EndCause::Trap => "this is a bug in the plugin: send this message to its author",
        EndCause::HostFault => "this is a bug in the appliance: report this message",
        _ => {
            "no other run was disturbed; the plugin's author can ask for more in its manifest, up to the appliance's cap"
        }
    };
    let mut message = format!("{} was stopped: {what}; {advice}", name(whose));
    if let Some(said) = &remains.last_error {
        message.push_str(&format!("\nit last said: {said}"));
    } else if !remains.stderr.is_empty() {
        message.push_str(&format!("\nit last wrote: {}", remains.stderr));
    }
    if cause == EndCause::Trap {
        message.push_str(&frames(&remains.error));
    }
    of(RunState::Failed, cause, message)
}

/// What ended it. Our own errors come first: a trap that wraps one says less.
fn classify(remains: &Remains) -> (EndCause, String) {
    let error = &remains.error;
    if let Some(limit) = remains.limit {
        let cause = match limit {
            LimitReached::Memory { .. } => EndCause::MemoryLimit,
            LimitReached::Tables { .. } => EndCause::OtherLimit,
            LimitReached::Cpu { .. } => EndCause::CpuLimit,
        };
        return (cause, limit.to_string());
    }
    if let Some(fault) = error.downcast_ref::<HostFault>() {
        return (EndCause::HostFault, fault.to_string());
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            (EndCause::OtherLimit, "it called itself too deeply and ran out of call stack".to_owned())
        }
        Some(Trap::Interrupt) => (EndCause::CpuLimit, "it used its CPU limit".to_owned()),
        Some(Trap::UnreachableCodeReached) => {
            (EndCause::Trap, "it gave up by itself (a panic or an abort)".to_owned())
        }
        Some(trap) => (EndCause::Trap, trap.to_string()),
        None => by_words(error),
    }
}

/// wasmtime has no types for these; its words are pinned by tests that trip each.
fn by_words(error: &wasmtime::Error) -> (EndCause, String) {
    let root = error.root_cause().to_string();
    if root.contains("handle limit exceeded") {
        return (EndCause::OtherLimit, format!("it held more than {HANDLES} handles at once"));
    }
    if root.contains("fuel allocated for hostcalls") {
        let mib = HOSTCALL_BYTES >> 20;
        return (EndCause::OtherLimit, format!("it passed more than {mib} MiB to the appliance in one call"));
    }
    (EndCause::Trap, root)
}

/// The innermost frames of the backtrace, without addresses and without the machinery of the panic itself.
fn frames(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let text = backtrace.to_string();
    let functions = text.lines().filter_map(|line| line.split_once('!')).map(|(_, name)| without_hash(name));
    let own = functions.skip_while(|name| is_machinery(name));
    own.take(FRAMES).map(|name| format!("\n  at {name}")).collect()
}

/// Rust's own way from a panic to the trap.
fn is_machinery(function: &str) -> bool {
    ["abort", "std::", "core::", "alloc::", "__rust", "<core::", "<std::", "<alloc::"]
        .iter()
        .any(|machinery| function.starts_with(machinery))
}

/// `std[d123b7a1a2ed1472]::process` as `std::process`.
fn without_hash(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        let hash = after
            .split_once(']')
            .filter(|(inside, _)| inside.len() >= 12 && inside.chars().all(|c| c.is_ascii_hexdigit()));
        plain.push_str(before);
        match hash {
            Some((_, behind)) => rest = behind,
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn name(whose: Whose<'_>) -> String {
    format!("plugin {} {}, job \"{}\"", whose.plugin, whose.version, whose.job)
}

fn of(state: RunState, cause: EndCause, message: String) -> Ended {
    Ended { state, cause, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crate_hashes_are_left_out_of_names_and_nothing_else_is() {
        assert_eq!(without_hash("std[d123b7a1a2ed1472]::process::abort"), "std::process::abort");
        assert_eq!(without_hash("acme::list<[u8]>::get"), "acme::list<[u8]>::get");
    }
}
