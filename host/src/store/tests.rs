//! The store through its own tables: what is kept, in which order, and what a reopened one still knows.

use super::*;
use crate::model::{
    alert::Severity,
    audit::Verdict,
    job::{Task, Trigger, Work},
    metric::{Sample, SeriesKey},
    name::{AlertId, RunId},
    run::{LogLevel, LogLine, Progress, Run, RunState},
    schedule::Schedule,
};
use chrono::{TimeDelta, TimeZone};

pub(super) fn at(minute: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 0, 0, 0).unwrap() + TimeDelta::minutes(minute)
}

pub(super) fn server(name: &str) -> Server {
    serde_json::from_value(serde_json::json!({"name": name, "disks": []})).unwrap()
}

pub(super) fn run_of(job: &str, minute: i64) -> Run {
    Run {
        id: RunId(0),
        job: JobName::new(job).unwrap(),
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

pub(super) fn alert(key: &str, severity: Severity) -> NewAlert {
    NewAlert {
        source: "acme.backup".into(),
        key: key.into(),
        severity,
        title: "no".into(),
        detail: "nothing works".into(),
        server: None,
    }
}

pub(super) fn entry(subject: &str) -> AuditEntry {
    AuditEntry {
        at: at(0),
        who: "user:eva".into(),
        action: "server.save".into(),
        subject: subject.into(),
        verdict: Verdict::Allowed,
        reason: None,
    }
}

fn open() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    (directory, store)
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let (directory, store) = open();
    let db1 = server("db1");
    store.servers.put(&db1.name, &db1).await.unwrap();
    assert!(!store.servers.insert(&db1.name, &db1).await.unwrap());
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.servers.get(&db1.name).unwrap(), Some(db1.clone()));
    assert!(store.servers.remove(&db1.name).await.unwrap());
    assert!(!store.servers.remove(&db1.name).await.unwrap());
    assert_eq!(store.servers.list().unwrap(), []);
}

#[tokio::test]
async fn a_transaction_that_refuses_changes_nothing_and_later_ones_see_earlier_ones() {
    let (_directory, store) = open();
    let mut changes = store.subscribe();
    let (servers, refused) = (store.servers.clone(), server("no"));
    let outcome: Result<(), StoreError> = store
        .transact(move |transaction| {
            servers.put_in(transaction, &refused.name, &refused)?;
            Err(StoreError::Closed)
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(store.servers.list().unwrap(), []);
    let puts = (0..50).map(|number| {
        let servers = store.servers.clone();
        store.transact(move |transaction| {
            let seen = servers.list_in(transaction, "")?.len();
            let server = server(&format!("s{number}"));
            servers.put_in(transaction, &server.name, &server)?;
            Ok::<_, StoreError>(seen)
        })
    });
    let mut seen: Vec<usize> =
        futures::future::join_all(puts).await.into_iter().map(|seen| seen.unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
    assert_eq!(changes.recv().await.unwrap().table, "servers");
}

#[tokio::test]
async fn a_bug_in_a_transaction_costs_that_transaction_only() {
    let (_directory, store) = open();
    let outcome: Result<(), StoreError> = store.transact(|_| panic!("a bug")).await;
    assert!(outcome.is_err());
    store.servers.put(&server("db1").name, &server("db1")).await.unwrap();
}

#[tokio::test]
async fn runs_are_listed_newest_first_with_filters_and_pages() {
    let (_directory, store) = open();
    for minute in 0..12 {
        let job = if minute % 3 == 0 { "a" } else { "b" };
        store.runs.create(run_of(job, minute)).await.unwrap();
    }
    let ids = |filter: RunFilter| -> Vec<u64> {
        store.runs.list(&filter).unwrap().iter().map(|run| run.id.0).collect()
    };
    let job = Some(JobName::new("a").unwrap());
    assert_eq!(ids(RunFilter { limit: 3, ..RunFilter::default() }), [12, 11, 10]);
    assert_eq!(ids(RunFilter { job: job.clone(), ..RunFilter::default() }), [10, 7, 4, 1]);
    assert_eq!(ids(RunFilter { job: job.clone(), before: Some(RunId(7)), ..RunFilter::default() }), [4, 1]);
    let end = |run: &mut Run| {
        run.state = RunState::Succeeded;
        Ok::<(), StoreError>(())
    };
    store.runs.update(RunId(7), end).await.unwrap();
    let succeeded = RunFilter { job, state: Some(RunState::Succeeded), limit: 1, ..RunFilter::default() };
    assert_eq!(ids(succeeded), [7]);
    assert_eq!(store.runs.unsettled().unwrap().len(), 11);
    assert!(store.runs.update(RunId(99), end).await.unwrap().is_none());
}

#[tokio::test]
async fn run_numbers_are_never_used_again_even_when_history_is_pruned() {
    let (directory, store) = open();
    let first = store.runs.create(run_of("a", 0)).await.unwrap();
    let end = |run: &mut Run| {
        run.state = RunState::Succeeded;
        run.ended = Some(at(1));
        Ok::<(), StoreError>(())
    };
    store.runs.update(first.id, end).await.unwrap();
    let second = store.runs.create(run_of("a", 2)).await.unwrap();
    let line = LogLine { at: at(0), level: LogLevel::Info, text: "x".into() };
    store.runs.logs().append(first.id, 1, &line).unwrap();
    let keep = RunHistory { per_job: 1, age: TimeDelta::days(90) };
    assert_eq!(store.runs.prune(keep, at(3)).await.unwrap(), 1);
    assert!(store.runs.logs().read(first.id, 0, 10).unwrap().is_empty());
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.runs.list(&RunFilter::default()).unwrap().len(), 1);
    assert_eq!(store.runs.create(run_of("a", 4)).await.unwrap().id.0, second.id.0 + 1);
}

#[tokio::test]
async fn log_lines_are_read_after_a_number_and_survive_reopening() {
    let (directory, store) = open();
    for sequence in 1..=5 {
        let line = LogLine { at: at(0), level: LogLevel::Info, text: format!("line {sequence}") };
        store.runs.logs().append(RunId(3), sequence, &line).unwrap();
    }
    store.runs.logs().flush().await.unwrap();
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    let lines = store.runs.logs().read(RunId(3), 2, 2).unwrap();
    assert_eq!(lines.iter().map(|line| line.sequence).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(lines[0].line.text, "line 3");
    assert!(store.runs.logs().read(RunId(2), 0, 10).unwrap().is_empty());
}

#[tokio::test]
async fn one_key_has_one_open_alert_that_counts_up() {
    let (_directory, store) = open();
    let first = store.alerts.raise(alert("db1", Severity::Warning), at(0)).await.unwrap();
    store.alerts.acknowledge(first.id, "user:eva").await.unwrap();
    let again = store.alerts.raise(alert("db1", Severity::Warning), at(1)).await.unwrap();
    assert_eq!((again.id, again.count, again.raised, again.seen), (first.id, 2, at(0), at(1)));
    assert!(again.acknowledged.is_some());
    let worse = store.alerts.raise(alert("db1", Severity::Critical), at(2)).await.unwrap();
    assert_eq!(worse.acknowledged, None);
    store.alerts.raise(alert("db2", Severity::Info), at(3)).await.unwrap();
    let open: Vec<u64> = store.alerts.open().unwrap().iter().map(|alert| alert.id.0).collect();
    assert_eq!(open, [1, 2]);
    assert!(store.alerts.resolve("acme.backup", "db1", at(4)).await.unwrap().is_some());
    assert!(store.alerts.resolve("acme.backup", "db1", at(5)).await.unwrap().is_none());
    let next = store.alerts.raise(alert("db1", Severity::Warning), at(6)).await.unwrap();
    assert_eq!((next.id, next.count), (AlertId(3), 1));
    // Resolving the old one again must not hide the new one.
    store.alerts.resolve_by_id(first.id, at(7)).await.unwrap();
    assert_eq!(store.alerts.open_of("acme.backup", "db1").unwrap().unwrap().id, AlertId(3));
}

#[tokio::test]
async fn the_audit_chain_holds_and_is_listed_newest_first() {
    let (directory, store) = open();
    for number in 0..20 {
        store.audit.append(entry(&format!("db{number}"))).await.unwrap();
    }
    store.audit.note(entry("last")).unwrap();
    store.close();
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.audit.verify_chain().unwrap(), Ok(21));
    let page = store.audit.list(Some(21), 2).unwrap();
    assert_eq!(page.iter().map(|record| record.sequence).collect::<Vec<_>>(), [20, 19]);
    let mut forged = store.audit.list(None, 1).unwrap().remove(0);
    forged.who = "user:mallory".into();
    store.audit.table.put(&key::number(forged.sequence), &forged).await.unwrap();
    assert_eq!(store.audit.verify_chain().unwrap(), Err(BrokenChain::Changed { sequence: 21 }));
}

#[tokio::test]
async fn a_series_keeps_its_newest_samples_only() {
    let (_directory, store) = open();
    let key = SeriesKey { source: "a/b".into(), name: "x_bytes".into(), subject: "db1".into() };
    let samples = i64::try_from(metrics::SAMPLES).unwrap() + 10;
    let appends = (0..samples).map(|minute| {
        store.metrics.append(key.clone(), Sample { at: at(minute), value: minute as f64 / 3.0 })
    });
    for appended in futures::future::join_all(appends).await {
        appended.unwrap();
    }
    let all = store.metrics.query(&key, None, usize::MAX).unwrap();
    assert_eq!(all.len() as u64, metrics::SAMPLES);
    assert_eq!((all[0].at, all.last().unwrap().at), (at(10), at(samples - 1)));
    assert_eq!(store.metrics.query(&key, Some(at(samples - 3)), 100).unwrap().len(), 3);
    assert_eq!(store.metrics.series_of("a/b").unwrap(), std::slice::from_ref(&key));
    assert!(store.metrics.series_of("a").unwrap().is_empty());
    let nonsense = Sample { at: at(0), value: f64::NAN };
    assert!(matches!(store.metrics.append(key, nonsense).await, Err(AppendSample::NotANumber { .. })));
}

#[tokio::test]
async fn plugin_state_stays_within_its_quota_and_apart() {
    let (_directory, store) = open();
    let (one, other) = (PluginId::new("acme.one").unwrap(), PluginId::new("acme.one2").unwrap());
    let state = &store.plugin_state;
    state.put(&one, "a", b"12345", 10).await.unwrap();
    state.put(&other, "a", b"x", 10).await.unwrap();
    assert_eq!(state.usage(&one).unwrap(), 6);
    let said = state.put(&one, "b", b"12345", 10).await.unwrap_err().to_string();
    assert!(said.contains("acme.one may keep 10 bytes and this would make it 12"), "{said}");
    state.put(&one, "a", b"123456789", 10).await.unwrap();
    assert_eq!(state.get(&one, "a").unwrap().unwrap(), b"123456789");
    assert_eq!(state.keys(&one, "").unwrap(), ["a"]);
    assert!(state.remove(&one, "a").await.unwrap());
    assert_eq!(state.get(&other, "a").unwrap().unwrap(), b"x");
}

#[tokio::test]
async fn settings_and_boots_are_kept_and_settled_times_never_move_back() {
    let (directory, store) = open();
    store.settings.put(Settings::SITE_NAME, &"Müller").await.unwrap();
    assert_eq!(store.settings.count_boot().await.unwrap(), 1);
    let job = JobName::new("nightly").unwrap();
    let rule: Schedule = serde_json::from_value(serde_json::json!({"cron": "*/5 * * * *"})).unwrap();
    store.due.settle(&job, &rule, at(10)).await.unwrap();
    store.due.settle(&job, &rule, at(5)).await.unwrap();
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.settings.count_boot().await.unwrap(), 2);
    assert_eq!(store.settings.get::<String>(Settings::SITE_NAME).unwrap().unwrap(), "Müller");
    assert_eq!(store.due.settled(&job, &rule).unwrap(), Some(at(10)));
}

#[tokio::test]
async fn a_closed_store_refuses_writes_and_still_reads() {
    let (_directory, store) = open();
    store.servers.put(&server("db1").name, &server("db1")).await.unwrap();
    store.close();
    assert!(store.servers.put(&server("db2").name, &server("db2")).await.is_err());
    assert_eq!(store.servers.list().unwrap().len(), 1);
}

#[tokio::test]
async fn an_export_taken_in_elsewhere_gives_the_same_state() {
    let (_directory, store) = open();
    store.servers.put(&server("db1").name, &server("db1")).await.unwrap();
    let run = store.runs.create(run_of("a", 0)).await.unwrap();
    store.alerts.raise(alert("db1", Severity::Warning), at(0)).await.unwrap();
    store.audit.append(entry("db1")).await.unwrap();
    let text = store.export_text(at(1)).await.unwrap();
    assert!(!text.contains("sessions") && serde_json::from_str::<serde_json::Value>(&text).is_ok());
    let (_elsewhere, other) = open();
    for _ in 0..9 {
        other.runs.create(run_of("b", 0)).await.unwrap();
    }
    let copy = other.import_text(&text, "user:eva", at(2)).await.unwrap();
    assert_eq!(other.servers.list().unwrap(), store.servers.list().unwrap());
    assert_eq!(other.runs.list(&RunFilter::default()).unwrap(), std::slice::from_ref(&run));
    assert_eq!(other.runs.unsettled().unwrap(), [run]);
    assert_eq!(other.alerts.open().unwrap(), store.alerts.open().unwrap());
    assert_eq!(other.audit.verify_chain().unwrap(), Ok(2));
    assert_eq!(other.audit.list(None, 1).unwrap()[0].action, "state.import");
    // Numbers that this appliance gave out before are not used again.
    assert_eq!(other.runs.create(run_of("a", 3)).await.unwrap().id, RunId(10));
    let before = std::fs::read_to_string(copy).unwrap();
    other.import_text(&before, "user:eva", at(4)).await.unwrap();
    assert_eq!(other.runs.list(&RunFilter::default()).unwrap().len(), 9);
}

#[tokio::test]
async fn an_export_that_is_not_right_changes_nothing() {
    let (directory, store) = open();
    store.servers.put(&server("db1").name, &server("db1")).await.unwrap();
    let text = store.export_text(at(1)).await.unwrap();
    let (body, _) = text.split_once(",\n\"blake3\"").unwrap();
    let without = |old: &str, new: &str| format!("{}}}", body.replace(old, new));
    let bad = [
        ("rubbish".to_owned(), "not a Holdfast export"),
        (text.replace("db1", "db2"), "damaged or was changed"),
        (without("\"db1\":{", "\"db2\":{"), "servers record db2: it says it is db1"),
        (without("\"disks\"", "\"disk\""), "servers record db1"),
        (without("\"servers\":", "\"serfers\":"), "table serfers"),
        (without("\"holdfast-state\":1", "\"holdfast-state\":9"), "state version 9"),
    ];
    for (text, expected) in bad {
        let said = store.import_text(&text, "user:eva", at(2)).await.unwrap_err().to_string();
        assert!(said.contains(expected) && said.contains("nothing was changed"), "{said}");
    }
    assert_eq!(store.servers.list().unwrap().len(), 1);
    assert!(!directory.path().join("exports").exists());
    let on_purpose = without("\"rpo_minutes\":1440", "\"rpo_minutes\":7");
    store.import_text(&on_purpose, "user:eva", at(2)).await.unwrap();
    assert_eq!(store.servers.list().unwrap()[0].rpo_minutes, 7);
}

#[tokio::test]
async fn exports_are_private_bounded_and_free_the_journal_behind_them() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, store) = open();
    for round in 0..i64::try_from(export::KEPT).unwrap() + 5 {
        store.settings.put(Settings::SITE_NAME, &round).await.unwrap();
        let path = store.save_export(at(round)).await.unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(store.exports().len(), export::KEPT);
    assert!(journal::files(&directory.path().join("journal")).len() <= 3);
    assert_eq!(store.exports()[0].written(), Some(at(i64::try_from(export::KEPT).unwrap() + 4)));
}

#[tokio::test]
async fn a_change_of_settings_is_followed_by_an_export() {
    let (_directory, store) = open();
    let clock = crate::clock::HandClock::new(at(0));
    let stop = tokio_util::sync::CancellationToken::new();
    let keeping = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        let (quiet, look) = (std::time::Duration::from_millis(1), std::time::Duration::from_secs(900));
        let pace = import::Pace { quiet, longest: look, look };
        async move { store.keep_exported_at(pace, clock, stop).await }
    });
    let wait_for = |count: usize| {
        let store = store.clone();
        async move {
            while store.exports().len() < count {
                tokio::task::yield_now().await;
            }
        }
    };
    wait_for(1).await;
    store.servers.put(&server("db1").name, &server("db1")).await.unwrap();
    wait_for(2).await;
    stop.cancel();
    keeping.await.unwrap();
}

#[tokio::test]
async fn old_audit_records_move_to_archives_and_the_chain_still_holds() {
    let (directory, store) = open();
    let append = |count: usize| {
        let audit = store.audit.clone();
        async move {
            for number in 0..count {
                audit.append(entry(&format!("db{number}"))).await.unwrap();
            }
        }
    };
    append(25).await;
    let first = store.audit.archive_beyond(10, 5).await.unwrap().unwrap();
    assert_eq!(store.audit.archive_beyond(10, 5).await.unwrap(), None);
    append(10).await;
    store.audit.archive_beyond(10, 5).await.unwrap().unwrap();
    assert_eq!(store.audit.list(None, 100).unwrap().len(), 10);
    assert_eq!(store.audit.verify_chain().unwrap(), Ok(35));
    let second = std::fs::read_dir(directory.path().join("audit")).unwrap().flatten();
    let second = second.map(|entry| entry.path()).find(|path| *path != first).unwrap();
    std::fs::rename(&second, directory.path().join("aside")).unwrap();
    assert!(store.audit.verify_chain().unwrap().is_err(), "a missing archive shows");
    std::fs::rename(directory.path().join("aside"), &second).unwrap();
    std::fs::remove_file(&first).unwrap();
    assert_eq!(store.audit.verify_chain().unwrap(), Ok(20), "the oldest may be taken away");
}
