//! Jitter, windows and previews.

use super::*;
use crate::model::{
    job::{Task, Work},
    schedule::{Blackout, OverlapPolicy},
};
use proptest::prelude::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn schedule(cron: &str, jitter_seconds: u32, blackouts: &[(&str, &str)]) -> Schedule {
    Schedule {
        cron: cron.into(),
        zone: "Europe/Berlin".into(),
        missed: MissedPolicy::CatchUpOnce,
        jitter_seconds,
        blackouts: blackouts
            .iter()
            .map(|(from, to)| Blackout { from: (*from).into(), to: (*to).into(), days: vec![] })
            .collect(),
    }
}

fn name(text: &str) -> JobName {
    JobName::new(text).unwrap()
}

fn job(schedules: Vec<Schedule>, enabled: bool) -> Job {
    Job {
        name: name("nightly"),
        work: Work::Task { task: Task::ExportState },
        schedules,
        events: vec![],
        overlap: OverlapPolicy::Skip,
        rerun_interrupted: true,
        timeout_seconds: 60,
        enabled,
    }
}

#[test]
fn jitter_is_the_same_each_time_differs_between_jobs_and_stays_in_its_bounds() {
    let table = check(&schedule("0 2 * * *", 600, &[])).unwrap();
    let due = utc("2026-06-01T00:00:00Z");
    let starts: Vec<i64> =
        (0..50).map(|n| (table.start_of(&name(&format!("job-{n}")), due) - due).num_seconds()).collect();
    assert!(starts.iter().all(|late| (0..=600).contains(late)), "{starts:?}");
    assert!(starts.iter().collect::<std::collections::HashSet<_>>().len() > 30, "{starts:?}");
    assert_eq!(table.start_of(&name("job-7"), due), table.start_of(&name("job-7"), due));
}

#[test]
fn jitter_never_reaches_the_next_due_time() {
    let table = check(&schedule("* * * * *", 86_400, &[])).unwrap();
    for minute in 0..200 {
        let due = utc("2026-06-01T00:00:00Z") + TimeDelta::minutes(minute);
        assert!(table.start_of(&name("often"), due) < due + TimeDelta::minutes(1));
    }
}

#[test]
fn jitter_that_ends_in_a_window_waits_for_its_end() {
    let table = check(&schedule("59 7 * * *", 3600, &[("08:00", "18:00")])).unwrap();
    let due = utc("2026-06-01T05:59:00Z");
    let starts: Vec<_> = (0..20).map(|n| table.start_of(&name(&format!("job-{n}")), due)).collect();
    assert!(starts.contains(&utc("2026-06-01T16:00:00Z")));
    assert!(starts.iter().all(|start| table.closed_until(*start).is_none()));
}

#[test]
fn a_preview_shows_the_end_of_a_window_once() {
    let quarter = schedule("*/15 * * * *", 0, &[("08:00", "18:00")]);
    let shown = preview(&quarter, utc("2026-06-01T05:40:00Z"), 3).unwrap();
    assert_eq!(shown, ["2026-06-01T05:45:00Z", "2026-06-01T16:00:00Z", "2026-06-01T16:15:00Z"].map(utc));
}

#[test]
fn a_preview_from_inside_a_window_shows_what_waits_for_its_end() {
    let daily = schedule("0 9 * * *", 0, &[("08:00", "18:00")]);
    let shown = preview(&daily, utc("2026-06-01T10:00:00Z"), 2).unwrap();
    assert_eq!(shown, ["2026-06-01T16:00:00Z", "2026-06-02T16:00:00Z"].map(utc));
}

#[test]
fn a_preview_of_absurd_times_is_empty_and_of_a_bad_rule_an_error() {
    let daily = schedule("0 9 * * *", 0, &[("08:00", "18:00")]);
    for absurd in [DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC, utc("9001-01-01T00:00:00Z")] {
        assert!(preview(&daily, absurd, 3).unwrap().is_empty());
        assert_eq!(next_of(&job(vec![daily.clone()], true), absurd), None);
    }
    preview(&daily, utc("9000-12-30T00:00:00Z"), 30).unwrap();
    let each = schedule("* * * * * *", 0, &[]);
    assert_eq!(preview(&each, utc("2026-06-01T00:00:00Z"), usize::MAX).unwrap().len(), MOST_PREVIEWED);
    assert!(preview(&schedule("nonsense", 0, &[]), utc("2026-06-01T00:00:00Z"), 3).is_err());
}

#[test]
fn the_next_start_of_a_job_is_the_earliest_of_its_rules_and_none_when_it_is_off() {
    let rules = vec![schedule("0 3 * * *", 0, &[]), schedule("0 2 * * *", 0, &[]), schedule("bad", 0, &[])];
    let now = utc("2026-06-01T00:00:00Z");
    assert_eq!(next_of(&job(rules.clone(), true), now), Some(utc("2026-06-01T01:00:00Z")));
    assert_eq!(next_of(&job(rules, false), now), None);
    assert_eq!(next_of(&job(vec![], true), now), None);
}

#[test]
fn the_next_start_can_belong_to_a_due_time_that_has_passed() {
    let waiting = job(vec![schedule("0 9 * * *", 0, &[("08:00", "18:00")])], true);
    assert_eq!(next_of(&waiting, utc("2026-06-01T15:00:00Z")), Some(utc("2026-06-01T16:00:00Z")));
    let late = schedule("0 2 * * *", 3600, &[]);
    let start = check(&late).unwrap().start_of(&name("nightly"), utc("2026-06-01T00:00:00Z"));
    assert!(
        start > utc("2026-06-01T00:00:01Z"),
        "this job's jitter must not be nil for the test to mean anything"
    );
    assert_eq!(next_of(&job(vec![late], true), start - TimeDelta::seconds(1)), Some(start));
}

#[test]
fn a_rule_for_each_second_has_its_next_start_inside_and_outside_of_a_window() {
    let each = job(vec![schedule("* * * * * *", 0, &[("08:00", "18:00")])], true);
    assert_eq!(next_of(&each, utc("2026-06-01T03:00:00Z")), Some(utc("2026-06-01T03:00:01Z")));
    assert_eq!(next_of(&each, utc("2026-06-01T15:30:00Z")), Some(utc("2026-06-01T16:00:00Z")));
    let spread = job(vec![schedule("* * * * * *", 86_400, &[("08:00", "18:00")])], true);
    assert_eq!(next_of(&spread, utc("2026-06-01T03:00:00Z")), Some(utc("2026-06-01T03:00:01Z")));
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let cron = prop::sample::select(vec![
        "*/7 * * * *",
        "0 * * * *",
        "30 2 * * *",
        "0 */5 * * *",
        "15 9,17 * * 1-5",
    ]);
    let window = prop::sample::select(vec![
        vec![],
        vec![("08:00", "18:00")],
        vec![("22:00", "02:30"), ("02:30", "05:00")],
    ]);
    (cron, prop::sample::select(vec![0, 30, 900, 20_000]), window)
        .prop_map(|(cron, jitter, window)| schedule(cron, jitter, &window))
}

proptest! {
    #[test]
    fn starts_keep_the_order_of_due_times_and_are_never_inside_a_window(
        schedule in any_schedule(), from in 0..31_536_000_i64,
    ) {
        let table = check(&schedule).unwrap();
        let mut due = utc("2026-01-01T00:00:00Z") + TimeDelta::seconds(from);
        let mut before = due;
        for _ in 0..40 {
            due = table.next_due(due).unwrap();
            let start = table.start_of(&name("nightly"), due);
            prop_assert!(start >= due && start >= before);
            prop_assert_eq!(table.closed_until(start), None);
            before = start;
        }
    }

    #[test]
    fn what_starts_next_is_what_has_started_when_its_time_has_come(
        schedule in any_schedule(), from in 0..31_536_000_i64,
    ) {
        let table = check(&schedule).unwrap();
        let now = utc("2026-01-01T00:00:00Z") + TimeDelta::seconds(from);
        let coming = table.first_start(&name("nightly"), None, now).unwrap();
        prop_assert!(coming.start > now);
        let mut plain = now - TimeDelta::days(4);
        let walked = loop {
            plain = table.next_due(plain).unwrap();
            let start = table.start_of(&name("nightly"), plain);
            if start > now {
                break Due { due: plain, start };
            }
        };
        prop_assert_eq!(coming, walked, "the same as a walk through every due time");
        let settled = coming.due - TimeDelta::days(3);
        let early = coming.start - TimeDelta::seconds(1);
        let before = table.last_started(&name("nightly"), settled, early);
        prop_assert!(before.is_none_or(|before| before.due < coming.due));
        let then = table.last_started(&name("nightly"), settled, coming.start).unwrap();
        prop_assert_eq!(then.start, coming.start);
    }
}
