//! What a server's backup leads to: alerts raised and resolved, suspicion weighed, older points held, old ones let go.
//!
//! None of it can undo the recovery point, so nothing here fails the backup: what goes wrong becomes a remark.

use crate::{
    choose::Candidate,
    overdue::{self, Urgency},
    settings::Settings,
    summary::{Made, size},
    suspicion::{self, History, Jump, Measured, Suspicion, WINDOW},
};
use holdfast_plugin_sdk::{
    InWords,
    alerts::{self, Severity},
    metrics, recovery_points,
    recovery_points::RecoveryPoint,
    retention::{self, Rule},
    run, warn,
};

const CHANGED: &str = "backup_changed_bytes";
const INCOMPRESSIBLE: &str = "backup_incompressible_bytes";
const STORED: &str = "backup_stored_bytes";
const DURATION: &str = "backup_duration_seconds";
/// Older points held when a server looks attacked.
const HELD: usize = 3;
/// Points looked through for the newest older ones.
const LOOKED_AT: u32 = 50;

/// After a recovery point was made. An error is words for a person.
pub(crate) fn after_success(
    server: &Candidate,
    settings: &Settings,
    id: &str,
    seconds: u64,
) -> Result<Made, String> {
    let name = &server.name;
    quietly("resolving an alert", alerts::resolve(&format!("backup-failed/{name}")));
    quietly("resolving an alert", alerts::resolve(&format!("rpo/{name}")));
    let point = recovery_points::get(&settings.vault, id).map_err(|error| error.in_words())?;
    let points = recovery_points::list(name, &settings.vault, LOOKED_AT).map_err(|error| error.in_words())?;
    let older: Vec<&RecoveryPoint> =
        points.iter().filter(|older| older.id() != id && older.expired().is_none()).collect();
    let mut remarks = Vec::new();
    let suspected = watch(server, settings, &point, &older, &mut remarks);
    measure(name, &point, seconds, !older.is_empty());
    if !suspected {
        remarks.extend(let_go(name, settings));
    }
    Ok(Made { changed: point.changed_bytes(), stored: point.stored_bytes(), remarks })
}

/// After a recovery point could not be made.
pub(crate) fn after_failure(server: &Candidate, settings: &Settings, reason: &str) {
    let name = &server.name;
    let newest = newest_usable(name, &settings.vault);
    let now = run::now();
    let urgency = overdue::urgency(newest, now, server.rpo_minutes);
    let standing = overdue::in_words(newest, now, server.rpo_minutes);
    let severity = if urgency == Urgency::Now { Severity::Critical } else { Severity::Warning };
    let raised = alerts::raise(
        &format!("backup-failed/{name}"),
        severity,
        &format!("The backup of {name} failed"),
        &format!("{reason}. {standing} The next run tries again."),
        Some(name),
    );
    quietly("raising an alert", raised);
    if urgency == Urgency::Now {
        let raised = alerts::raise(
            &format!("rpo/{name}"),
            Severity::Critical,
            &format!("{name} cannot be recovered to a recent state"),
            &format!("{standing} Look at why its backup fails and run it again: {reason}"),
            Some(name),
        );
        quietly("raising an alert", raised);
    }
}

fn newest_usable(server: &str, vault: &str) -> Option<u64> {
    let points = recovery_points::list(server, vault, LOOKED_AT).ok()?;
    points.iter().filter(|point| point.expired().is_none()).map(RecoveryPoint::taken).max()
}

/// Weighs the new point against the past; true while the server is under suspicion, from now or from before.
fn watch(
    server: &Candidate,
    settings: &Settings,
    point: &RecoveryPoint,
    older: &[&RecoveryPoint],
    remarks: &mut Vec<String>,
) -> bool {
    let name = &server.name;
    let key = format!("possible-ransomware/{name}");
    let history = History { changed: past(CHANGED, name), incompressible: past(INCOMPRESSIBLE, name) };
    let now = Measured {
        changed: point.changed_bytes() as f64,
        incompressible: point.incompressible_bytes() as f64,
        disks: point.disk_bytes() as f64,
    };
    // The first point of a server is all change; that is no jump.
    let found = if older.is_empty() { None } else { suspicion::weigh(&history, now, settings.ransomware) };
    if let Some(found) = found {
        let held = hold_newest(older, &settings.vault);
        raise_suspicion(name, &key, found, held);
        remarks.push(format!(
            "possible ransomware: {}; {held} older recovery points are held and none was let go",
            in_words(found)
        ));
        return true;
    }
    if alerts::open().is_ok_and(|open| open.contains(&key)) {
        remarks.push(
            "it is still under suspicion of ransomware, so no old recovery point was let go; look at it and resolve the alert"
                .to_owned(),
        );
        return true;
    }
    false
}

fn raise_suspicion(name: &str, key: &str, found: Suspicion, held: usize) {
    let raised = alerts::raise(
        key,
        Severity::Critical,
        &format!("{name} may be under attack by ransomware"),
        &format!(
            "{}. {held} older recovery points are held, so that nothing lets them go, and retention pauses for this server. Look \
             at the server now. If it is clean, resolve this alert and release the holds; if not, disconnect it and restore an \
             older point.",
            in_words(found)
        ),
        Some(name),
    );
    quietly("raising an alert", raised);
}

fn in_words(found: Suspicion) -> String {
    let what = match found.what {
        Jump::Incompressible => "bytes changed that do not compress, as encrypted files do not",
        Jump::Changed => "bytes changed",
    };
    format!("{} of {what}; usually it is {}", whole(found.now), whole(found.usual))
}

fn whole(bytes: f64) -> String {
    // A float keeps sizes up to 8 PiB to the byte; what is shown is rounded to a tenth anyway.
    size(bytes.max(0.0) as u64)
}

/// Holds the newest older points and says how many are held now.
fn hold_newest(older: &[&RecoveryPoint], vault: &str) -> usize {
    let mut held = 0;
    for point in older.iter().take(HELD) {
        let reason = "possible ransomware in a newer backup of this server";
        match recovery_points::hold(vault, &point.id(), reason) {
            Ok(()) => held += 1,
            Err(error) => warn(format!("holding {} failed: {}", point.id(), error.in_words())),
        }
    }
    held
}

fn past(series: &str, server: &str) -> Vec<f64> {
    match metrics::query(series, server, 0, WINDOW) {
        Ok(samples) => samples.into_iter().map(|(_, value)| value).collect(),
        Err(error) => {
            warn(format!("{server}: its history cannot be read: {}", error.in_words()));
            Vec::new()
        }
    }
}

fn measure(server: &str, point: &RecoveryPoint, seconds: u64, has_parent: bool) {
    let record = |name: &str, value: u64| {
        quietly("recording a measurement", metrics::record(name, server, value as f64));
    };
    record(STORED, point.stored_bytes());
    record(DURATION, seconds);
    if has_parent {
        record(CHANGED, point.changed_bytes());
        record(INCOMPRESSIBLE, point.incompressible_bytes());
    }
}

/// Applies the job's retention; a remark if it could not be.
fn let_go(server: &str, settings: &Settings) -> Option<String> {
    let periods = settings.keep.periods();
    if periods.is_empty() {
        return None;
    }
    let rule = Rule::new();
    for (period, count) in periods {
        if let Err(error) = rule.keep(period, count) {
            return Some(not_let_go(&error));
        }
    }
    match retention::apply(server, &settings.vault, &rule) {
        Ok(gone) if gone.is_empty() => None,
        Ok(gone) => {
            holdfast_plugin_sdk::info(format!("{server}: {} old recovery points were let go", gone.len()));
            None
        }
        Err(error) => Some(not_let_go(&error)),
    }
}

fn not_let_go(error: &retention::Error) -> String {
    format!("old recovery points were not let go: {}", error.in_words())
}

/// What goes wrong beside the backup is logged and no more.
fn quietly<E: InWords>(doing: &str, done: Result<(), E>) {
    if let Err(error) = done {
        warn(format!("{doing} failed: {}", error.in_words()));
    }
}
