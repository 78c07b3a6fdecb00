//! A small state with settings and history, and whether it is all there.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use holdfast::{
    model::{
        alert::Severity,
        audit::Verdict,
        job::{Task, Trigger, Work},
        metric::{Sample, SeriesKey},
        name::{JobName, PluginId, RunId, ServerName},
        run::{LogLevel, LogLine, Progress, Run, RunState},
        server::Server,
    },
    store::{AuditEntry, NewAlert, RunFilter, Settings, Store, StoreError},
};
use std::{fs, path::Path};

pub(crate) fn at(minute: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 0, 0, 0).unwrap() + TimeDelta::minutes(minute)
}

pub(crate) fn server(number: u64) -> Server {
    let rpo = 60 + number;
    serde_json::from_value(
        serde_json::json!({"name": format!("db{number}"), "disks": [], "rpo_minutes": rpo}),
    )
    .unwrap()
}

fn run(minute: i64) -> Run {
    Run {
        id: RunId(0),
        job: JobName::new("nightly").unwrap(),
        work: Work::Task { task: Task::ExportState },
        trigger: Trigger::Person { who: "console".into() },
        dry_run: false,
        state: RunState::Queued,
        queued: at(minute),
        started: None,
        ended: None,
        boot: None,
        message: None,
        cause: None,
        progress: Progress::default(),
    }
}

/// One round of what an appliance does all day; each kind of record once.
pub(crate) async fn live(store: &Store, round: u64) {
    let server = server(round);
    store.servers.put(&server.name, &server).await.unwrap();
    let minute = i64::try_from(round).unwrap();
    let begun = store.runs.create(run(minute)).await.unwrap();
    let line = LogLine { at: at(minute), level: LogLevel::Info, text: "x".repeat(200) };
    store.runs.logs().append(begun.id, 1, &line).unwrap();
    let end = move |run: &mut Run| {
        run.state = RunState::Succeeded;
        run.ended = Some(at(minute));
        Ok::<(), StoreError>(())
    };
    store.runs.update(begun.id, end).await.unwrap();
    let alert = NewAlert {
        source: "appliance".into(),
        key: format!("k{}", round % 5),
        severity: Severity::Warning,
        title: "t".into(),
        detail: "d".repeat(300),
        server: None,
    };
    store.alerts.raise(alert, at(minute)).await.unwrap();
    let entry = AuditEntry {
        at: at(minute),
        who: "user:eva".into(),
        action: "server.save".into(),
        subject: server.name.to_string(),
        verdict: Verdict::Allowed,
        reason: None,
    };
    store.audit.append(entry).await.unwrap();
    let series = SeriesKey { source: "acme.x".into(), name: "n_bytes".into(), subject: "db1".into() };
    store.metrics.append(series, Sample { at: at(minute), value: 0.1 * round as f64 }).await.unwrap();
    let plugin = PluginId::new("acme.x").unwrap();
    store.plugin_state.put(&plugin, "round", round.to_string().as_bytes(), 1_000).await.unwrap();
    store.settings.put(Settings::SITE_NAME, &format!("round {round}")).await.unwrap();
}

/// Everything that `rounds` rounds left is there.
pub(crate) fn assert_whole(store: &Store, rounds: u64, case: &str) {
    for round in 0..rounds {
        let name = ServerName::new(format!("db{round}")).unwrap();
        assert_eq!(store.servers.get(&name).unwrap(), Some(server(round)), "{case}: server {round}");
    }
    let runs = store.runs.list(&RunFilter::default()).unwrap();
    let job = RunFilter { job: Some(JobName::new("nightly").unwrap()), ..RunFilter::default() };
    assert_eq!(store.runs.list(&job).unwrap(), runs, "{case}: the index of runs");
    let ended = runs.iter().filter(|run| run.state == RunState::Succeeded).count() as u64;
    assert!(ended >= rounds, "{case}: {ended} of {rounds} runs");
    assert!(store.audit.verify_chain().unwrap().unwrap() >= rounds, "{case}: audit");
    assert_eq!(store.alerts.open().unwrap().len() as u64, rounds.min(5), "{case}: alerts");
    let name: String = store.settings.get(Settings::SITE_NAME).unwrap().unwrap();
    let last: u64 = name.strip_prefix("round ").unwrap().parse().unwrap();
    assert!(last + 1 >= rounds, "{case}: {name}");
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// All files below a directory, relative to it, largest first.
pub(crate) fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut pending = vec![directory.to_owned()];
    let mut found = Vec::new();
    while let Some(at) = pending.pop() {
        for entry in fs::read_dir(at).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(directory).unwrap().to_owned());
            }
        }
    }
    found.sort_by_key(|file| std::cmp::Reverse(fs::metadata(directory.join(file)).unwrap().len()));
    found
}
