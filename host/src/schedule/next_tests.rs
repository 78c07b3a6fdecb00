//! Daylight saving by example, and everything against a walk through all minutes.

use super::*;
use chrono::{NaiveTime, Timelike};
use proptest::prelude::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The next `count` times as local clock and offset.
fn times(rule: &str, zone: Tz, from: &str, count: usize) -> Vec<String> {
    let rule = Rule::read(rule).unwrap();
    let mut at = utc(from);
    let mut said = Vec::new();
    for _ in 0..count {
        at = next(&rule, zone, at).unwrap();
        said.push(at.with_timezone(&zone).format("%d %H:%M %z").to_string());
    }
    said
}

// Berlin, 2026: 29 March 02:00 becomes 03:00; 25 October 03:00 becomes 02:00.
const BERLIN: Tz = Tz::Europe__Berlin;
const SPRING: &str = "2026-03-28T22:59:59Z";
const AUTUMN: &str = "2026-10-24T21:59:59Z";

#[test]
fn a_fixed_time_in_the_gap_fires_once_right_after_it() {
    assert_eq!(times("30 2 * * *", BERLIN, SPRING, 2), ["29 03:00 +0200", "30 02:30 +0200"]);
    assert_eq!(times("0,30 2 * * *", BERLIN, SPRING, 2), ["29 03:00 +0200", "30 02:00 +0200"]);
    assert_eq!(times("0 2,3 * * *", BERLIN, SPRING, 2), ["29 03:00 +0200", "30 02:00 +0200"]);
}

#[test]
fn a_fixed_time_that_comes_twice_fires_at_the_first() {
    assert_eq!(times("30 2 * * *", BERLIN, AUTUMN, 2), ["25 02:30 +0200", "26 02:30 +0100"]);
    assert_eq!(
        times("0,30 2,3 * * *", BERLIN, AUTUMN, 4),
        ["25 02:00 +0200", "25 02:30 +0200", "25 03:00 +0100", "25 03:30 +0100"]
    );
}

#[test]
fn a_rule_that_repeats_keeps_its_rhythm_through_the_gap() {
    assert_eq!(
        times("*/30 * * * *", BERLIN, "2026-03-29T00:29:00Z", 3),
        ["29 01:30 +0100", "29 03:00 +0200", "29 03:30 +0200"]
    );
    assert_eq!(
        times("30 */2 * * *", BERLIN, SPRING, 3),
        ["29 00:30 +0100", "29 03:30 +0200", "29 04:30 +0200"]
    );
    assert_eq!(times("*/30 2 * * *", BERLIN, SPRING, 2), ["29 03:00 +0200", "29 03:30 +0200"]);
}

#[test]
fn a_rule_that_repeats_keeps_firing_through_the_hour_that_comes_twice() {
    assert_eq!(
        times("*/30 * * * *", BERLIN, "2026-10-24T23:59:00Z", 5),
        ["25 02:00 +0200", "25 02:30 +0200", "25 02:00 +0100", "25 02:30 +0100", "25 03:00 +0100"]
    );
}

#[test]
fn half_hour_changes_and_a_day_left_out_have_answers_too() {
    // Lord Howe Island: 4 October 2026, 02:00 becomes 02:30.
    let howe = Tz::Australia__Lord_Howe;
    assert_eq!(times("15 2 * * *", howe, "2026-10-03T13:00:00Z", 1), ["04 02:30 +1100"]);
    assert_eq!(
        times("15 * * * *", howe, "2026-10-03T14:40:00Z", 3),
        ["04 01:15 +1030", "04 02:45 +1100", "04 03:15 +1100"].map(String::from)
    );
    // Samoa had no 30 December 2011.
    assert_eq!(
        times("0 12 * * *", Tz::Pacific__Apia, "2011-12-29T10:00:00Z", 3),
        ["29 12:00 -1000", "31 00:00 +1400", "31 12:00 +1400"]
    );
}

#[test]
fn absurd_moments_have_no_next_time() {
    let rule = Rule::read("* * * * * *").unwrap();
    assert_eq!(next(&rule, BERLIN, DateTime::<Utc>::MAX_UTC), None);
    assert_eq!(next(&rule, BERLIN, DateTime::<Utc>::MIN_UTC), None);
}

/// A rule as a test knows it: what it says, and the sets it stands for, made without the reader.
#[derive(Debug, Clone)]
struct Plain {
    text: String,
    minutes: Vec<u32>,
    hours: Vec<u32>,
    weekdays: Vec<u32>,
    repeating: bool,
}

impl Plain {
    fn names(&self, local: NaiveDateTime) -> bool {
        self.minutes.contains(&local.minute())
            && self.hours.contains(&local.hour())
            && self.weekdays.contains(&local.weekday().num_days_from_sunday())
    }
}

fn field(size: u32) -> impl Strategy<Value = (String, Vec<u32>, bool)> {
    prop_oneof![
        Just(("*".to_owned(), (0..size).collect(), true)),
        (1..size).prop_map(move |n| (format!("*/{n}"), (0..size).step_by(n as usize).collect(), true)),
        (0..size).prop_map(|n| (n.to_string(), vec![n], false)),
        (0..size.min(4), 0..4_u32).prop_map(|(a, n)| (
            format!("{a}-{}", a + n),
            (a..=a + n).collect(),
            false
        )),
        (0..4_u32, 0..size).prop_map(|(a, b)| (format!("{a},{b}"), vec![a, b], false)),
    ]
}

fn plain() -> impl Strategy<Value = Plain> {
    let weekday = prop_oneof![3 => Just(("*".to_owned(), (0..7).collect::<Vec<_>>())),
        1 => (0..7_u32).prop_map(|n| (n.to_string(), vec![n]))];
    (field(60), field(24), weekday).prop_map(|((m, minutes, a), (h, hours, b), (w, weekdays))| Plain {
        text: format!("{m} {h} * * {w}"),
        minutes,
        hours,
        weekdays,
        repeating: a || b,
    })
}

/// Walks all minutes and knows nothing of the arithmetic above.
fn walk(rule: &Plain, zone: Tz, after: DateTime<Utc>, minutes: i64) -> Vec<DateTime<Utc>> {
    let minute = TimeDelta::minutes(1);
    let shown = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local();
    let mut fired = std::collections::BTreeSet::new();
    let mut at = after - TimeDelta::hours(30);
    for _ in 0..(minutes + 30 * 60) {
        let (before, here) = (shown(at), shown(at + minute));
        at += minute;
        let again = || (1..=180).any(|back| shown(at - minute * back) == here);
        if rule.names(here) && (rule.repeating || !again()) {
            fired.insert(at);
        }
        let mut swallowed = before + minute;
        while swallowed < here {
            if rule.names(swallowed) {
                fired.insert(if rule.repeating { at + (swallowed - before - minute) } else { at });
            }
            swallowed += minute;
        }
    }
    fired.into_iter().filter(|fire| *fire > after && *fire <= at).collect()
}

fn zone_and_change() -> impl Strategy<Value = (Tz, &'static str)> {
    prop_oneof![
        Just((Tz::Europe__Berlin, "2026-03-29T01:00:00Z")),
        Just((Tz::Europe__Berlin, "2026-10-25T01:00:00Z")),
        Just((Tz::America__New_York, "2026-03-08T07:00:00Z")),
        Just((Tz::America__New_York, "2026-11-01T06:00:00Z")),
        Just((Tz::Australia__Lord_Howe, "2026-10-03T15:30:00Z")),
        Just((Tz::Australia__Lord_Howe, "2026-04-04T15:00:00Z")),
        // Clocks change at midnight, so the date itself is in the gap.
        Just((Tz::America__Santiago, "2026-09-06T04:00:00Z")),
        Just((Tz::America__Santiago, "2026-04-05T03:00:00Z")),
        Just((Tz::Asia__Kolkata, "2026-05-05T00:00:00Z")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn it_agrees_with_a_walk_through_all_minutes(plain in plain(), (zone, change) in zone_and_change(), back in 0..1500_i64) {
        let rule = Rule::read(&plain.text).unwrap();
        let after = utc(change) - TimeDelta::minutes(back);
        let expected = walk(&plain, zone, after, 2160);
        let end = after + TimeDelta::minutes(2160);
        let mut found = Vec::new();
        let mut at = after;
        while let Some(following) = next(&rule, zone, at).filter(|following| *following <= end) {
            prop_assert!(following > at, "{following} comes after {at}");
            found.push(following);
            at = following;
        }
        prop_assert_eq!(found, expected, "{} in {}", plain.text, zone);
    }

    #[test]
    fn from_any_moment_between_two_times_the_next_is_the_later(plain in plain(), (zone, change) in zone_and_change(), secs in -90_000..90_000_i64, part in 0..1000_i64) {
        let rule = Rule::read(&plain.text).unwrap();
        let from = utc(change) + TimeDelta::seconds(secs);
        let first = next(&rule, zone, from).unwrap();
        let second = next(&rule, zone, first).unwrap();
        let between = first + (second - first) * i32::try_from(part).unwrap() / 1000;
        prop_assert_eq!(next(&rule, zone, between), Some(second));
        prop_assert_eq!(next(&rule, zone, second - TimeDelta::nanoseconds(1)), Some(second));
    }

    #[test]
    fn a_rule_of_every_n_hours_never_pauses_longer_than_n_hours(n in proptest::sample::select(vec![1_i64, 2, 3, 4, 6, 8, 12]), minute in 0..60_u32, (zone, change) in zone_and_change()) {
        let rule = Rule::read(&format!("{minute} */{n} * * *")).unwrap();
        let mut at = utc(change) - TimeDelta::hours(40);
        for _ in 0..48 {
            let following = next(&rule, zone, at).unwrap();
            // The hour that comes twice can stretch a pause that spans it: local clocks show it once more.
            let stretch = sway(zone, following);
            prop_assert!(following - at <= TimeDelta::hours(n) + stretch);
            at = following;
        }
    }
}

#[test]
fn every_second_fires_once_a_second_even_near_a_change() {
    let rule = Rule::read("* * * * * *").unwrap();
    let mut at = utc("2026-10-25T00:59:30Z");
    for _ in 0..60 {
        let following = next(&rule, BERLIN, at).unwrap();
        assert_eq!(following - at, TimeDelta::seconds(1));
        at = following;
    }
    assert_eq!(local(BERLIN, at).time(), NaiveTime::from_hms_opt(2, 0, 30).unwrap());
}
