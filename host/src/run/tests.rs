//! The room driven from its door: real state, a puppet for a plugin, a hand-moved clock.

use super::*;
use crate::{
    clock::HandClock,
    model::{
        job::{EventKind, Job, Task, Trigger, Work},
        name::VaultName,
        run::{EndCause, LogLevel, Run, RunState},
        vault::VaultChoices,
    },
    store::RunFilter,
    vaults::Vaults,
};
use chrono::{DateTime, TimeZone, Utc};
use std::path::Path;
use tokio::sync::mpsc;

/// A plugin under the test's thumb: each run is announced, then does what its job's name says.
struct Puppet {
    began: mpsc::UnboundedSender<RunContext>,
    go: Arc<tokio::sync::Semaphore>,
}

fn ended(state: RunState, message: &str) -> Ended {
    Ended { state, cause: EndCause::Reported, message: message.into() }
}

#[async_trait]
impl PluginWork for Puppet {
    async fn execute(&self, _plugin: &PluginId, job: &str, _settings: &Value, context: RunContext) -> Ended {
        self.began.send(context.clone()).unwrap();
        match job {
            "panic" => panic!("a bug"),
            "deaf" => std::future::pending().await,
            "fail" => ended(RunState::Failed, "no disk"),
            "trap" => Ended { cause: EndCause::Trap, ..ended(RunState::Failed, "trapped") },
            _ => tokio::select! {
                () = context.cancel.cancelled() => ended(RunState::Cancelled, "stopped"),
                permit = self.go.acquire() => {
                    permit.unwrap().forget();
                    context.sink.log(LogLevel::Info, "done".into());
                    context.sink.progress(Progress { done: 1, total: 1, note: "all".into() });
                    ended(RunState::Succeeded, "done")
                }
            },
        }
    }
}

struct Site {
    directory: tempfile::TempDir,
    store: Store,
    vaults: Vaults,
    runs: Runs,
    began: mpsc::UnboundedReceiver<RunContext>,
    go: Arc<tokio::sync::Semaphore>,
}

fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
}

fn name(job: &str) -> JobName {
    JobName::new(job).unwrap()
}

fn person() -> Trigger {
    Trigger::Person { who: "user:eva".into() }
}

fn by_clock() -> Trigger {
    Trigger::Schedule { due: noon(), caught_up: false }
}

fn open(
    directory: &Path,
    store: &Store,
    boot: &str,
    grace: Duration,
) -> (Runs, Vaults, mpsc::UnboundedReceiver<RunContext>, Arc<tokio::sync::Semaphore>) {
    let clock: SharedClock = HandClock::new(noon());
    let vaults = Vaults::new(directory, store.clone(), Arc::clone(&clock));
    let (began, heard) = mpsc::unbounded_channel();
    let go = Arc::new(tokio::sync::Semaphore::new(0));
    let parts = RunParts {
        store: store.clone(),
        clock: Arc::clone(&clock),
        boot: boot.into(),
        plugins: Arc::new(Puppet { began, go: Arc::clone(&go) }),
        tasks: Tasks::new(store.clone(), clock, vaults.clone()),
    };
    let mut runs = Runs::new(parts);
    Arc::get_mut(&mut runs.0).unwrap().grace = grace;
    (runs, vaults, heard, go)
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (runs, vaults, began, go) = open(directory.path(), &store, "boot1", GRACE);
        Self { directory, store, vaults, runs, began, go }
    }

    /// The appliance is gone without a word, and starts again.
    fn crash(self) -> Self {
        let Self { directory, store, .. } = self;
        let (runs, vaults, began, go) = open(directory.path(), &store, "boot2", GRACE);
        Self { directory, store, vaults, runs, began, go }
    }

    async fn job(&self, job: &str, does: &str, more: Value) {
        let mut text = serde_json::json!({
            "name": job, "work": {"type": "plugin", "plugin": "acme.x", "job": does, "settings": {}}
        });
        text.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let job: Job = serde_json::from_value(text).unwrap();
        self.store.jobs.put(&job.name, &job).await.unwrap();
    }

    async fn settled(&self, run: RunId) -> Run {
        let mut news = self.runs.subscribe();
        loop {
            let run = self.store.runs.get(run).unwrap().unwrap();
            if run.state.is_settled() {
                return run;
            }
            news.recv().await.unwrap();
        }
    }

    fn history(&self, job: &str) -> Vec<RunState> {
        let filter = RunFilter { job: Some(name(job)), ..RunFilter::default() };
        self.store.runs.list(&filter).unwrap().iter().map(|run| run.state).collect()
    }
}

fn none() -> Value {
    serde_json::json!({})
}

#[tokio::test]
async fn a_run_is_started_on_disk_before_its_work_and_settled_after() {
    let mut site = Site::new();
    site.job("a", "work", none()).await;
    let run = site.runs.request(&name("a"), person(), true).await.unwrap();
    assert_eq!(run.state, RunState::Queued);
    let context = site.began.recv().await.unwrap();
    let started = site.store.runs.get(run.id).unwrap().unwrap();
    assert_eq!((started.state, started.boot.as_deref()), (RunState::Started, Some("boot1")));
    assert!(context.dry_run && site.runs.is_active(&name("a")));
    site.go.add_permits(1);
    let run = site.settled(run.id).await;
    assert_eq!((run.state, run.progress.note.as_str()), (RunState::Succeeded, "all"));
    let lines = site.store.runs.logs().read(run.id, 0, 10).unwrap();
    assert_eq!(lines[0].line.text, "done");
    site.runs.shutdown(Duration::from_secs(9)).await;
    assert!(!site.runs.is_active(&name("a")));
    assert!(matches!(site.runs.request(&name("a"), person(), false).await, Err(RequestRun::Stopping)));
}

#[tokio::test]
async fn an_overlap_is_refused_and_recorded_queued_once_or_replaces() {
    let mut site = Site::new();
    for policy in ["skip", "queue", "replace"] {
        site.job(policy, "work", serde_json::json!({"overlap": policy})).await;
        let first = site.runs.request(&name(policy), person(), false).await.unwrap();
        site.began.recv().await.unwrap();
        let second = site.runs.request(&name(policy), by_clock(), false).await.unwrap();
        match policy {
            "skip" => {
                assert_eq!((second.state, second.cause), (RunState::Refused, Some(EndCause::Overlap)));
                assert!(second.message.unwrap().contains(&format!("run {}", first.id)));
            }
            "queue" => {
                let third = site.runs.request(&name(policy), by_clock(), false).await.unwrap();
                assert_eq!((second.state, third.state), (RunState::Queued, RunState::Refused));
            }
            _ => {
                assert_eq!(site.settled(first.id).await.state, RunState::Cancelled);
                site.began.recv().await.unwrap();
            }
        }
    }
    site.go.add_permits(9);
    site.settled(site.store.runs.newest_of(&name("replace")).unwrap().unwrap().id).await;
    assert_eq!(site.history("replace"), [RunState::Succeeded, RunState::Cancelled]);
}

#[tokio::test]
async fn a_panic_costs_one_run_and_raises_an_alert_that_the_next_success_resolves() {
    let mut site = Site::new();
    site.job("a", "panic", none()).await;
    let run = site.runs.request(&name("a"), by_clock(), false).await.unwrap();
    let run = site.settled(run.id).await;
    assert_eq!((run.state, run.cause), (RunState::Failed, Some(EndCause::HostFault)));
    site.runs.shutdown(Duration::from_secs(9)).await;
    assert_eq!(site.store.alerts.open().unwrap()[0].key, "run-failed/a");
    let mut site = {
        site.began.close();
        site.crash()
    };
    site.job("a", "work", none()).await;
    site.go.add_permits(1);
    let run = site.runs.request(&name("a"), by_clock(), false).await.unwrap();
    assert_eq!(site.settled(run.id).await.state, RunState::Succeeded);
    site.began.recv().await.unwrap();
    site.runs.shutdown(Duration::from_secs(9)).await;
    assert!(site.store.alerts.open().unwrap().is_empty());
}

#[tokio::test]
async fn only_failures_that_nobody_else_speaks_of_raise_an_alert() {
    let site = Site::new();
    for (job, does, trigger) in
        [("a", "fail", by_clock()), ("b", "trap", person()), ("c", "trap", by_clock())]
    {
        site.job(job, does, none()).await;
        let run = site.runs.request(&name(job), trigger, false).await.unwrap();
        assert_eq!(site.settled(run.id).await.state, RunState::Failed);
    }
    site.runs.shutdown(Duration::from_secs(9)).await;
    let open: Vec<String> = site.store.alerts.open().unwrap().into_iter().map(|alert| alert.key).collect();
    assert_eq!(open, ["run-failed/c"]);
}

#[tokio::test]
async fn a_run_over_its_time_is_stopped_and_deaf_work_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let (runs, vaults, began, go) = open(directory.path(), &store, "boot1", Duration::ZERO);
    let site = Site { directory, store, vaults, runs, began, go };
    for (job, does) in [("a", "work"), ("b", "deaf")] {
        site.job(job, does, serde_json::json!({"timeout_seconds": 0})).await;
        let run = site.runs.request(&name(job), person(), false).await.unwrap();
        let run = site.settled(run.id).await;
        assert_eq!((run.state, run.cause), (RunState::Failed, Some(EndCause::TimeLimit)), "{job}");
    }
}

#[tokio::test]
async fn a_person_can_cancel_what_runs_and_what_waits_but_not_what_is_over() {
    let mut site = Site::new();
    site.job("a", "work", serde_json::json!({"overlap": "queue"})).await;
    let first = site.runs.request(&name("a"), person(), false).await.unwrap();
    let second = site.runs.request(&name("a"), person(), false).await.unwrap();
    site.began.recv().await.unwrap();
    assert!(site.runs.cancel(second.id, "user:eva").await.unwrap());
    assert!(site.runs.cancel(first.id, "user:eva").await.unwrap());
    for run in [first.id, second.id] {
        let run = site.settled(run).await;
        assert_eq!(run.state, RunState::Cancelled);
        assert!(run.message.unwrap().contains("user:eva"));
    }
    site.runs.shutdown(Duration::from_secs(9)).await;
    assert!(!site.runs.cancel(first.id, "user:eva").await.unwrap());
    assert!(!site.runs.cancel(RunId(99), "user:eva").await.unwrap());
}

#[tokio::test]
async fn no_more_than_the_limit_run_at_once_and_the_rest_follow() {
    let mut site = Site::new();
    let mut ids = Vec::new();
    for number in 0..PARALLEL + 2 {
        let job = format!("j{number}");
        site.job(&job, "work", none()).await;
        ids.push(site.runs.request(&name(&job), person(), false).await.unwrap().id);
    }
    for _ in 0..PARALLEL {
        site.began.recv().await.unwrap();
    }
    let waiting = RunFilter { state: Some(RunState::Queued), ..RunFilter::default() };
    assert_eq!(site.store.runs.list(&waiting).unwrap().len(), 2);
    assert!(site.began.try_recv().is_err());
    site.go.add_permits(99);
    for id in ids {
        assert_eq!(site.settled(id).await.state, RunState::Succeeded);
    }
}

#[tokio::test]
async fn what_a_crash_left_reads_interrupted_and_is_run_again_three_times_at_most() {
    let mut site = Site::new();
    site.job("a", "work", serde_json::json!({"overlap": "queue"})).await;
    site.job("once", "work", serde_json::json!({"rerun_interrupted": false})).await;
    let first = site.runs.request(&name("a"), person(), true).await.unwrap();
    let lost = site.runs.request(&name("once"), person(), false).await.unwrap();
    site.began.recv().await.unwrap();
    site.began.recv().await.unwrap();
    let mut last = first.id;
    for round in 0..3 {
        site = site.crash();
        Arc::get_mut(&mut site.runs.0).unwrap().boot = format!("round{round}");
        let found = site.runs.recover().await.unwrap();
        assert_eq!(found.again.len(), 1, "round {round}");
        assert_eq!(found.interrupted.len(), if round == 0 { 2 } else { 1 });
        let before = site.store.runs.get(last).unwrap().unwrap();
        assert_eq!((before.state, before.cause), (RunState::Interrupted, Some(EndCause::Crash)));
        let context = site.began.recv().await.unwrap();
        assert_eq!(context.trigger, Trigger::Again { of: last });
        assert!(context.dry_run);
        last = found.again[0];
    }
    site = site.crash();
    Arc::get_mut(&mut site.runs.0).unwrap().boot = "last".into();
    let found = site.runs.recover().await.unwrap();
    assert_eq!((found.interrupted, found.again), (vec![last], vec![]));
    assert_eq!(site.store.runs.get(lost.id).unwrap().unwrap().state, RunState::Interrupted);
    assert!(site.store.runs.unsettled().unwrap().is_empty());
}

#[tokio::test]
async fn a_shutdown_leaves_unfinished_runs_to_the_next_start() {
    let mut site = Site::new();
    site.job("a", "work", serde_json::json!({"overlap": "queue"})).await;
    for _ in 0..2 {
        site.runs.request(&name("a"), person(), false).await.unwrap();
    }
    site.began.recv().await.unwrap();
    site.runs.shutdown(Duration::from_secs(9)).await;
    assert_eq!(site.history("a"), [RunState::Queued, RunState::Started]);
    site = site.crash();
    let found = site.runs.recover().await.unwrap();
    assert_eq!(found.interrupted.len(), 2);
}

#[tokio::test]
async fn a_due_time_is_settled_with_the_run_and_a_disabled_job_runs_by_hand_only() {
    let site = Site::new();
    site.job("a", "fail", serde_json::json!({"enabled": false})).await;
    let rule = serde_json::from_value(serde_json::json!({"cron": "0 * * * *"})).unwrap();
    let refused = site.runs.request_due(&name("a"), &rule, noon(), false).await;
    assert!(matches!(refused, Err(RequestRun::Disabled { .. })));
    assert_eq!(site.store.due.settled(&name("a"), &rule).unwrap(), None);
    site.runs.request(&name("a"), person(), false).await.unwrap();
    site.job("b", "fail", none()).await;
    let run = site.runs.request_due(&name("b"), &rule, noon(), true).await.unwrap();
    assert_eq!(run.trigger, Trigger::Schedule { due: noon(), caught_up: true });
    assert_eq!(site.store.due.settled(&name("b"), &rule).unwrap(), Some(noon()));
    let unknown = site.runs.request(&name("c"), person(), false).await;
    assert!(matches!(unknown, Err(RequestRun::NoSuchJob { .. })));
}

#[tokio::test]
async fn an_event_starts_the_jobs_that_wait_for_it_unless_they_are_under_way() {
    let mut site = Site::new();
    site.job("a", "work", serde_json::json!({"events": ["point-created"]})).await;
    site.job("b", "work", serde_json::json!({"events": ["alert-raised"]})).await;
    site.runs.event(EventKind::PointCreated, None).await;
    let context = site.began.recv().await.unwrap();
    assert_eq!(context.trigger, Trigger::Event { event: EventKind::PointCreated, server: None });
    site.runs.event(EventKind::PointCreated, None).await;
    assert_eq!(site.history("a"), [RunState::Started]);
    assert_eq!(site.history("b"), []);
}

/// One recovery point of a small disk in a real vault.
async fn backed_up(site: &Site) -> (VaultName, String, Vec<u8>) {
    let vault = VaultName::new("local").unwrap();
    let place = site.directory.path().join("vault");
    site.vaults.create(vault.clone(), place, &VaultChoices::default()).await.unwrap();
    let content: Vec<u8> = (0..300_000u32).flat_map(|number| number.to_le_bytes()).collect();
    let disk = site.directory.path().join("disk.raw");
    std::fs::write(&disk, &content).unwrap();
    let request = holdfast_vault::BackupRequest {
        server: holdfast_vault::Server { id: "db1".into(), name: "db1".into() },
        created: noon(),
        consistency: holdfast_vault::Consistency::Crash,
        definition: Value::Null,
        tags: Vec::new(),
        disks: vec![holdfast_vault::BackupDisk::new(
            "disk0",
            Arc::new(holdfast_vault::FileDisk::open(disk).unwrap()),
        )],
        parent: holdfast_vault::Parent::Newest,
    };
    let open = site.vaults.open(&vault).await.unwrap();
    let report = open.backup(request, &holdfast_vault::Control::new()).await.unwrap();
    let record = site.vaults.remember(&vault, &report.point).await.unwrap();
    (vault, record.id, content)
}

async fn once(site: &Site, task: Task) -> Run {
    let run = site.runs.request_once(name("once"), Work::Task { task }, person()).await.unwrap();
    site.settled(run.id).await
}

#[tokio::test]
async fn a_restore_gives_the_disk_back_whole_and_never_over_something_unasked() {
    let site = Site::new();
    let (vault, point, content) = backed_up(&site).await;
    let target = site.directory.path().join("restored");
    let restore = |overwrite| Task::Restore {
        vault: vault.clone(),
        point: point.clone(),
        disk: None,
        target: target.clone(),
        format: crate::model::job::RestoreFormat::Raw,
        overwrite,
    };
    let run = once(&site, restore(false)).await;
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
    let file = target.join("disk0.raw");
    assert!(std::fs::read(&file).unwrap() == content);
    std::fs::write(&file, b"something else").unwrap();
    let refused = once(&site, restore(false)).await;
    assert_eq!(refused.state, RunState::Failed);
    assert_eq!(std::fs::read(&file).unwrap(), b"something else");
    assert_eq!(once(&site, restore(true)).await.state, RunState::Succeeded);
    assert!(std::fs::read(&file).unwrap() == content);
}

#[tokio::test]
async fn a_verify_marks_what_it_read_and_damage_is_named_and_raises_an_alert() {
    let site = Site::new();
    let (vault, point, _) = backed_up(&site).await;
    let verify = || Task::Verify { vault: vault.clone(), read_data: true };
    let run = once(&site, verify()).await;
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
    let cached = site.store.points.get(&format!("{vault}/{point}")).unwrap().unwrap();
    assert_eq!(cached.verified, Some(noon()));
    let pack = largest_file(&site.directory.path().join("vault"));
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let run = once(&site, verify()).await;
    assert_eq!(run.state, RunState::Failed);
    assert!(run.message.unwrap().contains("db1"));
    let alert = site.store.alerts.open().unwrap().remove(0);
    assert_eq!(alert.key, "vault-damaged/local");
}

fn largest_file(directory: &Path) -> std::path::PathBuf {
    let mut pending = vec![directory.to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path())
            } else {
                files.push(entry.path())
            }
        }
    }
    files.into_iter().max_by_key(|file| file.metadata().unwrap().len()).unwrap()
}

#[tokio::test]
async fn prune_and_export_say_what_they_did_and_unknown_vaults_what_to_do() {
    let site = Site::new();
    let (vault, ..) = backed_up(&site).await;
    for (dry_run, says) in [(true, "dry run, nothing was deleted"), (false, "freed")] {
        let run = once(&site, Task::Prune { vault: vault.clone(), dry_run }).await;
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.message);
        assert!(run.message.clone().unwrap().contains(says), "{:?}", run.message);
    }
    let run = once(&site, Task::ExportState).await;
    assert!(run.message.unwrap().contains("exports/state-"));
    assert_eq!(site.store.exports().len(), 1);
    let gone = VaultName::new("gone").unwrap();
    let run = once(&site, Task::Verify { vault: gone, read_data: false }).await;
    assert_eq!(run.state, RunState::Failed);
    assert!(run.message.unwrap().contains("no vault \"gone\""));
}
