//! The next instant a rule names in a time zone, with defined answers where local time jumps.
//!
//! Walks the stretches between the zone's transitions. Within one, local time is the instant plus a fixed offset. Where
//! a stretch ends, a time of day that falls into a gap fires at the gap's end, and one in an overlap fires in the first
//! pass only. Rules that repeat through every hour fire in both passes, and in a gap as if the clock had not jumped, so
//! that they go on by elapsed time.

use super::cron::Rule;
use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// No zone changes its offset twice within so many days.
const STRETCH: TimeDelta = TimeDelta::days(7);

/// No gap is longer, but for days that a country skipped.
const LONGEST_GAP: TimeDelta = TimeDelta::hours(3);

/// The first instant after `after` at which the rule fires in `zone`.
pub(super) fn next(rule: &Rule, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let found = by_local_time(rule, zone, after)?;
    if !rule.repeats {
        return Some(found);
    }
    Some(as_if_no_jump(rule, zone, after, found).unwrap_or(found))
}

fn by_local_time(rule: &Rule, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut offset = offset_at(zone, after);
    let mut at = after;
    let mut local = after.naive_utc() + offset;
    loop {
        let named = rule.after(local)?;
        let candidate = (named - offset).and_utc();
        if offset_at(zone, candidate) == offset {
            if rule.repeats || is_first_pass(zone, named, candidate) {
                return Some(candidate);
            }
            local = named;
            continue;
        }
        let jump = first_transition(zone, at, candidate, offset);
        at = jump;
        offset = offset_at(zone, jump);
        if named < jump.naive_utc() + offset && !rule.repeats {
            return Some(jump);
        }
        // The time that the jump lands on may itself be named.
        local = jump.naive_utc() + offset - TimeDelta::seconds(1);
    }
}

/// Before `until`: an instant that the rule names by the offset from before a gap, within the gap's length after it.
fn as_if_no_jump(rule: &Rule, zone: Tz, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut at = after - LONGEST_GAP;
    loop {
        let old = offset_at(zone, at);
        let jump = first_transition(zone, at, until, old);
        let gap = offset_at(zone, jump) - old;
        if jump >= until {
            return None;
        }
        let from = after.max(jump - TimeDelta::seconds(1));
        let named = (rule.after(from.naive_utc() + old)? - old).and_utc();
        if named < jump + gap && named < until {
            return Some(named);
        }
        at = jump;
    }
}

/// The instant of a local time: the gap's end if it falls into one, the first if there are two.
pub(super) fn instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    if let Some(found) = zone.from_local_datetime(&local).earliest() {
        return found.to_utc();
    }
    let before = local.and_utc() - TimeDelta::days(2);
    first_transition(zone, before, local.and_utc() + TimeDelta::days(2), offset_at(zone, before))
}

pub(super) fn offset_at(zone: Tz, at: DateTime<Utc>) -> TimeDelta {
    TimeDelta::seconds(i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()))
}

fn is_first_pass(zone: Tz, local: NaiveDateTime, instant: DateTime<Utc>) -> bool {
    zone.from_local_datetime(&local).earliest().is_none_or(|first| first.to_utc() == instant)
}

/// The first whole second in `(after, until]` at which the offset is no longer `offset`; `until` if there is none.
fn first_transition(
    zone: Tz,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
    offset: TimeDelta,
) -> DateTime<Utc> {
    let mut low = after.timestamp();
    let mut high = until.timestamp();
    let differs =
        |second: i64| DateTime::from_timestamp(second, 0).is_none_or(|at| offset_at(zone, at) != offset);
    while low + STRETCH.num_seconds() < high && !differs(low + STRETCH.num_seconds()) {
        low += STRETCH.num_seconds();
    }
    high = high.min(low + STRETCH.num_seconds());
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if differs(middle) { high = middle } else { low = middle }
    }
    DateTime::from_timestamp(high, 0).unwrap_or(until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America::New_York, Europe::Berlin};
    use proptest::prelude::*;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&format!("{text}:00Z")).unwrap().to_utc()
    }

    fn fires(rule: &str, zone: Tz, from: &str, until: &str) -> Vec<String> {
        let rule = Rule::parse(rule).unwrap();
        let mut at = utc(from);
        let mut found = Vec::new();
        while let Some(next) = next(&rule, zone, at).filter(|next| *next <= utc(until)) {
            found.push(next.with_timezone(&zone).format("%d %H:%M %z").to_string());
            at = next;
        }
        found
    }

    #[test]
    fn a_time_in_the_gap_fires_right_after_it_and_only_once() {
        // Berlin, 29 March 2026: 02:00 is followed by 03:00.
        let days = fires("30 2 * * *", Berlin, "2026-03-27T12:00", "2026-03-30T12:00");
        assert_eq!(days, ["28 02:30 +0100", "29 03:00 +0200", "30 02:30 +0200"]);
        let quarters = fires("*/15 2 * * *", Berlin, "2026-03-28T12:00", "2026-03-29T12:00");
        assert_eq!(quarters, ["29 03:00 +0200"]);
    }

    #[test]
    fn the_time_after_the_gap_is_not_lost() {
        let three = fires("0 3 * * *", Berlin, "2026-03-28T12:00", "2026-03-29T12:00");
        assert_eq!(three, ["29 03:00 +0200"]);
    }

    #[test]
    fn a_time_of_day_in_the_overlap_fires_the_first_time_only() {
        // Berlin, 25 October 2026: 02:59 summer time is followed by 02:00.
        let days = fires("30 2 * * *", Berlin, "2026-10-24T12:00", "2026-10-26T12:00");
        assert_eq!(days, ["25 02:30 +0200", "26 02:30 +0100"]);
    }

    #[test]
    fn starting_within_the_second_pass_does_not_fire_again() {
        let days = fires("30 2 * * *", Berlin, "2026-10-25T01:10", "2026-10-26T00:00");
        assert_eq!(days, [] as [&str; 0]);
    }

    #[test]
    fn a_rule_for_every_hour_goes_on_by_elapsed_time() {
        let half_hours = fires("*/30 * * * *", Berlin, "2026-10-24T23:45", "2026-10-25T02:15");
        assert_eq!(
            half_hours,
            ["25 02:00 +0200", "25 02:30 +0200", "25 02:00 +0100", "25 02:30 +0100", "25 03:00 +0100"]
        );
        let odd = fires("17 */2 * * *", Berlin, "2026-03-28T22:30", "2026-03-29T03:00");
        assert_eq!(odd, ["29 00:17 +0100", "29 03:17 +0200", "29 04:17 +0200"]);
        let spring = fires("*/30 * * * *", New_York, "2026-03-08T06:15", "2026-03-08T07:45");
        assert_eq!(spring, ["08 01:30 -0500", "08 03:00 -0400", "08 03:30 -0400"]);
    }

    #[test]
    fn a_yearly_rule_is_right_across_both_transitions() {
        assert_eq!(fires("0 12 1 7 *", Berlin, "2026-01-01T00:00", "2027-06-01T00:00"), ["01 12:00 +0200"]);
        assert_eq!(fires("0 12 1 12 *", Berlin, "2026-01-01T00:00", "2027-06-01T00:00"), ["01 12:00 +0100"]);
    }

    #[test]
    fn a_local_time_has_one_instant() {
        let local = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        assert_eq!(instant(Berlin, local("2026-03-29 02:30")), utc("2026-03-29T01:00"));
        assert_eq!(instant(Berlin, local("2026-10-25 02:30")), utc("2026-10-25T00:30"));
        assert_eq!(instant(Berlin, local("2026-07-01 12:00")), utc("2026-07-01T10:00"));
        assert_eq!(instant(New_York, local("2026-03-08 02:30")), utc("2026-03-08T07:00"));
    }

    const ZONES: [Tz; 6] = [
        Berlin,
        New_York,
        Tz::Australia__Lord_Howe,
        Tz::Africa__Casablanca,
        Tz::Asia__Kathmandu,
        Tz::America__St_Johns,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn each_answer_is_later_and_every_start_in_between_agrees(
            zone in 0usize..6, minute in 0u32..60, hour in 0u32..24, repeats: bool, hours in 0i64..40_000, step in 1i64..100_000
        ) {
            let rule = if repeats { format!("{minute} * * * *") } else { format!("{minute} {hour} * * *") };
            let rule = Rule::parse(&rule).unwrap();
            let zone = ZONES[zone];
            let from = utc("2024-01-01T00:00") + TimeDelta::hours(hours) + TimeDelta::seconds(step % 3600);
            let answer = next(&rule, zone, from).unwrap();
            prop_assert!(answer > from);
            let between = from + TimeDelta::seconds(step % (answer - from).num_seconds());
            prop_assert_eq!(next(&rule, zone, between), Some(answer));
        }

        #[test]
        fn a_daily_rule_fires_once_on_every_local_day(zone in 0usize..6, minute in 0u32..60, hour in 0u32..24, year in 2020i32..2030) {
            let rule = Rule::parse(&format!("{minute} {hour} * * *")).unwrap();
            let zone = ZONES[zone];
            let from = Utc.with_ymd_and_hms(year, 1, 1, 12, 0, 0).unwrap();
            let mut at = from;
            let mut previous = from.with_timezone(&zone).date_naive();
            while at < from + TimeDelta::days(366) {
                at = next(&rule, zone, at).unwrap();
                let day = at.with_timezone(&zone).date_naive();
                prop_assert!(day == previous.succ_opt().unwrap() || day == previous && previous == from.with_timezone(&zone).date_naive(), "{} then {}", previous, at);
                previous = day;
            }
        }

        #[test]
        fn an_hourly_rule_fires_once_every_elapsed_hour_in_zones_of_whole_hours(minute in 0u32..60, year in 2020i32..2030) {
            let rule = Rule::parse(&format!("{minute} * * * *")).unwrap();
            let mut at = Utc.with_ymd_and_hms(year, 3, 1, 0, 0, 0).unwrap();
            at = next(&rule, Berlin, at).unwrap();
            for _ in 0..24 * 60 {
                let following = next(&rule, Berlin, at).unwrap();
                prop_assert_eq!((following - at).num_minutes(), 60, "{} then {}", at, following);
                at = following;
            }
        }
    }
}
