//! The loop with a clock moved by hand. Nothing here sleeps: the loop is woken as a changed definition wakes it, and
//! the test waits for the start it expects.

use super::*;
use crate::{
    clock::HandClock,
    model::{
        job::{Task, Work},
        schedule::{Blackout, MissedPolicy, OverlapPolicy},
    },
};
use parking_lot::Mutex;
use tokio::sync::mpsc;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn rule(cron: &str) -> Schedule {
    Schedule {
        cron: cron.into(),
        zone: "UTC".into(),
        missed: MissedPolicy::CatchUpOnce,
        jitter_seconds: 0,
        blackouts: Vec::<Blackout>::new(),
    }
}

fn job(name: &str, crons: &[&str]) -> Job {
    Job {
        name: JobName::new(name).unwrap(),
        work: Work::Task { task: Task::ExportState },
        schedules: crons.iter().map(|cron| rule(cron)).collect(),
        events: vec![],
        overlap: OverlapPolicy::Skip,
        rerun_interrupted: true,
        timeout_seconds: 60,
        enabled: true,
    }
}

type Started = (String, DateTime<Utc>, bool);

/// How the next starts go.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    Recorded,
    /// The transaction failed.
    Failed,
    /// Neither recorded nor settled, as for a job that was just removed.
    LeftOut,
}

/// Runs that are only noted.
struct Runs {
    store: Store,
    started: mpsc::UnboundedSender<Started>,
    answer: Mutex<Answer>,
    asked: Mutex<usize>,
}

#[async_trait]
impl Starts for Runs {
    async fn start_due(&self, job: &JobName, rule: &Schedule, fire: Fire) -> Result<(), StoreError> {
        *self.asked.lock() += 1;
        let answer = *self.answer.lock();
        match answer {
            Answer::Failed => return Err(StoreError::Closed),
            Answer::LeftOut => return Ok(()),
            Answer::Recorded => self.store.due.settle(job, rule, fire.due).await?,
        }
        self.started.send((job.to_string(), fire.due, fire.caught_up)).unwrap();
        Ok(())
    }
}

struct Site {
    store: Store,
    runs: Arc<Runs>,
    clock: Arc<HandClock>,
    started: mpsc::UnboundedReceiver<Started>,
    _directory: tempfile::TempDir,
}

impl Site {
    async fn new(now: &str, jobs: Vec<Job>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (sender, started) = mpsc::unbounded_channel();
        let (answer, asked) = (Mutex::new(Answer::Recorded), Mutex::new(0));
        let runs = Arc::new(Runs { store: store.clone(), started: sender, answer, asked });
        let site = Self { store, runs, clock: HandClock::new(utc(now)), started, _directory: directory };
        for job in jobs {
            site.put(job).await;
        }
        site
    }
    async fn put(&self, job: Job) {
        self.store.jobs.put(&job.name, &job).await.unwrap();
    }
    fn boot(&self) -> Ticker {
        Ticker::new(self.store.clone(), self.runs.clone(), self.clock.clone())
    }
    fn boot_at(&self, now: &str) -> Ticker {
        self.clock.set(utc(now));
        self.boot()
    }
    async fn settled(&self, job: &str, cron: &str, at: &str) {
        self.store.due.settle(&JobName::new(job).unwrap(), &rule(cron), utc(at)).await.unwrap();
    }
    async fn look(&mut self, ticker: &mut Ticker, now: &str) -> Vec<Started> {
        self.clock.set(utc(now));
        ticker.look().await;
        std::iter::from_fn(|| self.started.try_recv().ok()).collect()
    }
    /// Looks every minute, as a ticker does that has nothing to start.
    async fn stay(&mut self, ticker: &mut Ticker, from: &str, minutes: i64) -> Vec<Started> {
        let mut all = Vec::new();
        for minute in 0..=minutes {
            let now = utc(from) + TimeDelta::minutes(minute);
            all.extend(self.look(ticker, &now.to_rfc3339()).await);
        }
        all
    }
}

const NIGHTLY: &str = "30 2 * * *";

fn one(due: &str, caught_up: bool) -> Vec<Started> {
    vec![("nightly".to_owned(), utc(due), caught_up)]
}

#[tokio::test]
async fn the_loop_starts_what_is_due_when_a_job_changes_and_ends_when_told() {
    let mut site = Site::new("2026-06-01T02:00:00Z", vec![]).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(site.boot().run(stop.clone()));
    let mut changes = site.store.subscribe();
    site.put(job("nightly", &[NIGHTLY])).await;
    // That the new job is settled proves that the loop has looked.
    let name = JobName::new("nightly").unwrap();
    while site.store.due.settled(&name, &rule(NIGHTLY)).unwrap().is_none() {
        changes.recv().await.unwrap();
    }
    site.clock.set(utc("2026-06-01T02:30:00Z"));
    site.put(job("other", &["0 0 1 1 *"])).await;
    let (started, due, _) = site.started.recv().await.unwrap();
    assert_eq!((started.as_str(), due), ("nightly", utc("2026-06-01T02:30:00Z")));
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_new_job_catches_up_nothing_from_before_it_was_there() {
    let mut site = Site::new("2026-06-01T12:00:00Z", vec![job("nightly", &[NIGHTLY])]).await;
    let mut ticker = site.boot();
    assert_eq!(site.look(&mut ticker, "2026-06-01T12:00:00Z").await, []);
    assert_eq!(site.look(&mut ticker, "2026-06-01T12:00:30Z").await, []);
    // Off before its first time, on after it: now it did miss one.
    let mut ticker = site.boot_at("2026-06-02T08:00:00Z");
    assert_eq!(site.look(&mut ticker, "2026-06-02T08:00:00Z").await, one("2026-06-02T02:30:00Z", true));
}

#[tokio::test]
async fn after_time_off_one_start_stands_for_all_that_were_missed() {
    let mut site = Site::new("2026-06-09T08:00:00Z", vec![job("nightly", &[NIGHTLY])]).await;
    site.settled("nightly", NIGHTLY, "2026-06-01T02:30:00Z").await;
    let mut ticker = site.boot();
    assert_eq!(site.look(&mut ticker, "2026-06-09T08:00:00Z").await, one("2026-06-09T02:30:00Z", true));
    assert_eq!(site.look(&mut ticker, "2026-06-09T08:00:30Z").await, []);
    let mut ticker = site.boot();
    assert_eq!(site.look(&mut ticker, "2026-06-09T08:01:00Z").await, [], "and not again after another boot");
}

#[tokio::test]
async fn a_start_that_was_not_acknowledged_is_not_settled_and_comes_again() {
    let mut site = Site::new("2026-06-01T02:29:00Z", vec![job("nightly", &[NIGHTLY])]).await;
    let mut ticker = site.boot();
    site.look(&mut ticker, "2026-06-01T02:29:00Z").await;
    *site.runs.answer.lock() = Answer::Failed;
    assert_eq!(site.look(&mut ticker, "2026-06-01T02:30:00Z").await, []);
    *site.runs.answer.lock() = Answer::Recorded;
    assert_eq!(site.look(&mut ticker, "2026-06-01T02:30:30Z").await, one("2026-06-01T02:30:00Z", false));
    assert_eq!(site.look(&mut ticker, "2026-06-01T02:31:00Z").await, []);
}

#[tokio::test]
async fn a_start_that_neither_failed_nor_settled_does_not_keep_the_loop_busy() {
    let mut site = Site::new("2026-06-01T02:29:00Z", vec![job("nightly", &[NIGHTLY])]).await;
    let mut ticker = site.boot();
    site.look(&mut ticker, "2026-06-01T02:29:00Z").await;
    *site.runs.answer.lock() = Answer::LeftOut;
    site.clock.set(utc("2026-06-01T02:30:00Z"));
    assert_eq!(ticker.look().await, Some(utc("2026-06-01T02:30:10Z")));
    assert_eq!(*site.runs.asked.lock(), 1);
}

#[tokio::test]
async fn a_start_that_fails_stops_no_other_rule() {
    let jobs = vec![job("nightly", &[NIGHTLY, "30 * * * *"]), job("other", &[NIGHTLY])];
    let mut site = Site::new("2026-06-01T02:29:00Z", jobs).await;
    let mut ticker = site.boot();
    site.look(&mut ticker, "2026-06-01T02:29:00Z").await;
    *site.runs.answer.lock() = Answer::Failed;
    site.look(&mut ticker, "2026-06-01T02:30:00Z").await;
    assert_eq!(*site.runs.asked.lock(), 3);
    *site.runs.answer.lock() = Answer::Recorded;
    assert_eq!(site.look(&mut ticker, "2026-06-01T02:30:10Z").await.len(), 3);
}

#[tokio::test]
async fn what_fell_due_while_starts_failed_for_long_is_late_but_not_missed() {
    let mut skipping = job("nightly", &[NIGHTLY]);
    skipping.schedules[0].missed = MissedPolicy::Skip;
    let mut site = Site::new("2026-06-01T02:29:00Z", vec![skipping]).await;
    let mut ticker = site.boot();
    site.look(&mut ticker, "2026-06-01T02:29:00Z").await;
    *site.runs.answer.lock() = Answer::Failed;
    assert_eq!(site.stay(&mut ticker, "2026-06-01T02:30:00Z", 20).await, []);
    *site.runs.answer.lock() = Answer::Recorded;
    assert_eq!(site.look(&mut ticker, "2026-06-01T02:50:10Z").await, one("2026-06-01T02:30:00Z", false));
}

#[tokio::test]
async fn what_is_due_between_the_boot_and_the_first_look_was_not_missed() {
    let mut skipping = job("nightly", &[NIGHTLY]);
    skipping.schedules[0].missed = MissedPolicy::Skip;
    let mut site = Site::new("2026-06-01T02:29:59Z", vec![skipping]).await;
    site.settled("nightly", NIGHTLY, "2026-05-31T02:30:00Z").await;
    let mut ticker = site.boot();
    assert_eq!(site.look(&mut ticker, "2026-06-01T02:30:01Z").await, one("2026-06-01T02:30:00Z", false));
}

#[tokio::test]
async fn a_catch_up_after_a_boot_inside_a_window_waits_for_its_end() {
    let mut shut = job("nightly", &[NIGHTLY]);
    shut.schedules[0].blackouts = vec![Blackout { from: "08:00".into(), to: "18:00".into(), days: vec![] }];
    let mut site = Site::new("2026-06-02T09:00:00Z", vec![shut]).await;
    site.settled("nightly", NIGHTLY, "2026-06-01T02:30:00Z").await;
    let mut ticker = site.boot();
    assert_eq!(ticker.look().await, Some(utc("2026-06-02T18:00:00Z")));
    assert_eq!(site.stay(&mut ticker, "2026-06-02T09:00:00Z", 539).await, []);
    assert_eq!(site.look(&mut ticker, "2026-06-02T18:00:00Z").await, one("2026-06-02T02:30:00Z", true));
}

#[tokio::test]
async fn a_job_switched_off_and_on_does_not_catch_up_the_time_between() {
    let mut site = Site::new("2026-06-01T12:00:00Z", vec![job("nightly", &[NIGHTLY])]).await;
    let mut ticker = site.boot();
    site.look(&mut ticker, "2026-06-01T12:00:00Z").await;
    let mut off = job("nightly", &[NIGHTLY]);
    off.enabled = false;
    site.put(off).await;
    for now in ["2026-06-01T12:01:00Z", "2026-06-02T02:30:00Z", "2026-06-02T12:00:00Z"] {
        assert_eq!(site.look(&mut ticker, now).await, []);
    }
    site.put(job("nightly", &[NIGHTLY])).await;
    assert_eq!(site.look(&mut ticker, "2026-06-02T12:00:30Z").await, []);
    site.look(&mut ticker, "2026-06-03T02:29:30Z").await;
    assert_eq!(site.look(&mut ticker, "2026-06-03T02:30:00Z").await, one("2026-06-03T02:30:00Z", false));
}

#[tokio::test]
async fn a_rule_changed_and_changed_back_does_not_catch_up_either() {
    let mut site = Site::new("2026-06-01T12:00:00Z", vec![job("nightly", &[NIGHTLY])]).await;
    let mut ticker = site.boot();
    site.look(&mut ticker, "2026-06-01T12:00:00Z").await;
    site.put(job("nightly", &["0 0 1 1 *"])).await;
    site.look(&mut ticker, "2026-06-03T12:00:00Z").await;
    site.put(job("nightly", &[NIGHTLY])).await;
    assert_eq!(site.look(&mut ticker, "2026-06-03T12:00:30Z").await, []);
}

#[tokio::test]
async fn a_clock_set_forward_fires_once_and_set_back_fires_nothing_twice() {
    let mut site = Site::new("2026-06-01T02:29:00Z", vec![job("nightly", &[NIGHTLY])]).await;
    let mut ticker = site.boot();
    site.look(&mut ticker, "2026-06-01T02:29:00Z").await;
    assert_eq!(site.look(&mut ticker, "2026-06-05T00:00:00Z").await, one("2026-06-04T02:30:00Z", true));
    for now in ["2026-06-04T02:00:00Z", "2026-06-04T02:30:00Z", "2026-06-04T23:00:00Z"] {
        assert_eq!(site.look(&mut ticker, now).await, [], "{now}");
    }
    site.look(&mut ticker, "2026-06-05T02:29:30Z").await;
    assert_eq!(site.look(&mut ticker, "2026-06-05T02:30:00Z").await, one("2026-06-05T02:30:00Z", false));
}

#[tokio::test]
async fn a_box_that_boots_without_a_clock_repeats_nothing_once_it_has_the_time() {
    let mut site = Site::new("1970-01-01T00:00:10Z", vec![job("nightly", &[NIGHTLY])]).await;
    site.settled("nightly", NIGHTLY, "2026-06-01T02:30:00Z").await;
    let mut ticker = site.boot();
    assert_eq!(site.look(&mut ticker, "1970-01-01T00:00:10Z").await, []);
    assert_eq!(site.look(&mut ticker, "2026-06-01T08:00:00Z").await, []);
    site.look(&mut ticker, "2026-06-02T02:29:30Z").await;
    assert_eq!(site.look(&mut ticker, "2026-06-02T02:30:00Z").await, one("2026-06-02T02:30:00Z", false));
}

#[tokio::test]
async fn years_under_a_wrong_clock_stop_the_rules_for_an_hour_and_not_for_years() {
    let mut site = Site::new("2026-06-01T12:00:00Z", vec![job("nightly", &[NIGHTLY])]).await;
    site.settled("nightly", NIGHTLY, "2035-01-01T02:30:00Z").await;
    let mut ticker = site.boot();
    assert_eq!(ticker.look().await, Some(utc("2026-06-01T13:00:00Z")));
    assert_eq!(site.stay(&mut ticker, "2026-06-01T12:00:00Z", 60).await, []);
    assert_eq!(ticker.look().await, Some(utc("2026-06-02T02:30:00Z")));
    site.look(&mut ticker, "2026-06-02T02:29:30Z").await;
    assert_eq!(site.look(&mut ticker, "2026-06-02T02:30:00Z").await, one("2026-06-02T02:30:00Z", false));
    let mut ticker = site.boot_at("2026-06-04T08:00:00Z");
    let after = site.look(&mut ticker, "2026-06-04T08:00:00Z").await;
    assert_eq!(after, one("2026-06-04T02:30:00Z", true), "and it can catch up again");
}

#[tokio::test]
async fn a_clock_that_falls_back_after_days_up_is_not_believed_at_once() {
    let mut site = Site::new("2026-06-01T12:00:00Z", vec![job("nightly", &[NIGHTLY])]).await;
    let mut ticker = site.boot();
    site.stay(&mut ticker, "2026-06-01T12:00:00Z", 120).await;
    assert_eq!(site.stay(&mut ticker, "2001-01-01T02:00:00Z", 50).await, []);
    assert_eq!(site.look(&mut ticker, "2026-06-01T14:52:00Z").await, []);
    assert_eq!(ticker.look().await, Some(utc("2026-06-02T02:30:00Z")), "and what was settled still is");
}

#[tokio::test]
async fn a_rule_that_cannot_be_read_stops_no_other() {
    let mut odd = job("odd", &[NIGHTLY, NIGHTLY, NIGHTLY]);
    odd.schedules[0].jitter_seconds = u32::MAX;
    odd.schedules[1].zone = "Mars/Olympus".into();
    odd.schedules[2].blackouts =
        vec![Blackout { from: "".into(), to: "99:99".into(), days: vec!["x".into()] }];
    let jobs = vec![job("broken", &["nonsense"]), odd, job("nightly", &["61 * * * *", NIGHTLY])];
    let mut site = Site::new("2026-06-01T02:29:00Z", jobs).await;
    let mut ticker = site.boot();
    site.look(&mut ticker, "2026-06-01T02:29:00Z").await;
    assert_eq!(site.look(&mut ticker, "2026-06-01T02:30:00Z").await, one("2026-06-01T02:30:00Z", false));
}

#[tokio::test]
async fn the_same_rule_twice_in_a_job_starts_it_once() {
    let mut site = Site::new("2026-06-01T02:29:00Z", vec![job("nightly", &[NIGHTLY, NIGHTLY])]).await;
    let mut ticker = site.boot();
    site.look(&mut ticker, "2026-06-01T02:29:00Z").await;
    assert_eq!(site.look(&mut ticker, "2026-06-01T02:30:00Z").await, one("2026-06-01T02:30:00Z", false));
}

#[tokio::test]
async fn a_look_says_when_the_next_start_is() {
    let jobs = vec![job("nightly", &[NIGHTLY]), job("hourly", &["0 * * * *"])];
    let site = Site::new("2026-06-01T01:10:00Z", jobs).await;
    let mut ticker = site.boot();
    assert_eq!(ticker.look().await, Some(utc("2026-06-01T02:00:00Z")));
}

#[test]
fn no_nap_is_longer_than_the_longest_whatever_is_next() {
    let now = utc("2026-06-01T02:00:00Z");
    assert_eq!(nap(now, None), LONGEST_NAP);
    assert_eq!(nap(now, Some(now + TimeDelta::days(400))), LONGEST_NAP);
    assert_eq!(nap(now, Some(now + TimeDelta::seconds(7))), Duration::from_secs(7));
    assert_eq!(nap(now, Some(now - TimeDelta::seconds(7))), Duration::ZERO);
}
