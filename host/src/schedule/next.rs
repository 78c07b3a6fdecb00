//! The next time a rule names in a time zone, with defined answers where the zone's clocks are changed.
//!
//! Local times that do not exist (clocks go forward): a rule for fixed times fires once, right after the gap; a rule
//! that repeats fires as if the clocks had not been touched, so its rhythm in elapsed time holds.
//! Local times that exist twice (clocks go back): a rule for fixed times fires at the first; one that repeats at both.

use super::cron::Rule;
use chrono::{DateTime, Datelike, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

/// Longer than any change of clocks: Samoa left out a whole day in 2011.
const WIDEST_CHANGE: TimeDelta = TimeDelta::hours(26);

/// The first time strictly after `after` that the rule names.
pub fn next(rule: &Rule, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if !in_reach(after) {
        return None;
    }
    // Around a change of clocks, the order of local times is not the order of instants. Further away than the change
    // is wide it is again, so we look that much further to both sides and take the earliest.
    let mut local = local(zone, after) - sway(zone, after);
    let mut best: Option<DateTime<Utc>> = None;
    let mut stop: Option<NaiveDateTime> = None;
    loop {
        let Some(named) = rule.next_local(local) else { return best };
        if stop.is_some_and(|stop| named > stop) {
            return best;
        }
        for instant in instants(rule, zone, named).into_iter().flatten().filter(|at| *at > after) {
            if best.is_none_or(|best| instant < best) {
                best = Some(instant);
            }
            if stop.is_none() && in_reach(instant) {
                stop = named.checked_add_signed(sway(zone, instant));
            }
        }
        if best.is_some() && stop.is_none() {
            return best;
        }
        local = named;
    }
}

/// Years in which arithmetic on times cannot overflow; outside of them nothing fires.
pub(super) fn in_reach(at: DateTime<Utc>) -> bool {
    (1900..=9000).contains(&at.year())
}

fn local(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// By how much clocks are changed around a moment; zero nearly always.
fn sway(zone: Tz, around: DateTime<Utc>) -> TimeDelta {
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
    let offsets = [offset(around - WIDEST_CHANGE), offset(around), offset(around + WIDEST_CHANGE)];
    let widest = offsets.iter().max().zip(offsets.iter().min()).map_or(0, |(most, least)| most - least);
    TimeDelta::seconds(i64::from(widest))
}

/// When the zone's clocks show a local time, or what stands for it where they do not.
fn instants(rule: &Rule, zone: Tz, named: NaiveDateTime) -> [Option<DateTime<Utc>>; 2] {
    match zone.from_local_datetime(&named) {
        MappedLocalTime::Single(at) => [Some(at.to_utc()), None],
        MappedLocalTime::Ambiguous(first, second) => {
            [Some(first.to_utc()), rule.repeats().then(|| second.to_utc())]
        }
        MappedLocalTime::None if rule.repeats() => [as_if_unchanged(zone, named), None],
        MappedLocalTime::None => [after_gap(zone, named), None],
    }
}

fn as_if_unchanged(zone: Tz, named: NaiveDateTime) -> Option<DateTime<Utc>> {
    let (_, before) = GapInfo::new(&named, &zone)?.begin?;
    let seconds = i64::from(before.fix().local_minus_utc());
    Some(named.checked_sub_signed(TimeDelta::seconds(seconds))?.and_utc())
}

/// The first instant after the gap that swallowed a local time.
pub(super) fn after_gap(zone: Tz, named: NaiveDateTime) -> Option<DateTime<Utc>> {
    GapInfo::new(&named, &zone)?.end.map(|end| end.to_utc())
}

#[cfg(test)]
#[path = "next_tests.rs"]
mod tests;
