//! What to do about one rule of one job at one moment. A pure function of what is settled, since when the appliance has
//! been awake, and the time.
//!
//! However many due times have come, at most one start comes out: the latest stands for all before it. A due time at or
//! before the settled one is never looked at again, so a clock that jumps back starts nothing twice.

use super::timetable::Timetable;
use crate::model::{name::JobName, schedule::MissedPolicy};
use chrono::{DateTime, TimeDelta, Utc};

/// A settled time further ahead than this means that the clock was wrong when it was settled, or is wrong now.
pub const WRONG_CLOCK: TimeDelta = TimeDelta::days(1);
/// How long a clock that fell back must run on without a jump before it is believed: a box without a battery boots in
/// 1970 and has the right time within minutes.
pub const BELIEVED: TimeDelta = TimeDelta::hours(1);

/// The moment of a judgement.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The wall clock.
    pub now: DateTime<Utc>,
    /// Since when the appliance has been up and looking without a long break. What should have started earlier was missed.
    pub awake_since: DateTime<Utc>,
    /// Since when the clock has not jumped in either direction.
    pub steady_since: DateTime<Utc>,
}

/// A run to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fire {
    /// The time the rule names.
    pub due: DateTime<Utc>,
    /// Its start passed while the appliance was off.
    pub caught_up: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing now; look again then, or never if the rule does not fire again.
    Wait(Option<DateTime<Utc>>),
    /// Start the job and settle the due time, in one transaction.
    Start(Fire),
    /// Settle through then without a start: the rule is new, or it missed times that its schedule leaves out.
    Pass {
        /// The latest time that is settled by it.
        through: DateTime<Utc>,
    },
    /// What is settled lies too far ahead of a clock that proved steady: settle anew, even back, without a start.
    Restart {
        /// From when due times count.
        from: DateTime<Utc>,
    },
}

/// Judges one rule. `settled` is the due time settled last; a rule that has none is new and catches up nothing.
pub fn judge(job: &JobName, table: &Timetable, settled: Option<DateTime<Utc>>, look: Look) -> Verdict {
    let Some(settled) = settled else { return Verdict::Pass { through: look.now } };
    if settled.signed_duration_since(look.now) > WRONG_CLOCK {
        let left = BELIEVED - look.now.signed_duration_since(look.steady_since);
        return match left > TimeDelta::zero() {
            true => Verdict::Wait(look.now.checked_add_signed(left)),
            false => Verdict::Restart { from: look.now },
        };
    }
    // A catch-up must not begin inside a window either.
    if let Some(opens) = table.closed_until(look.now) {
        return Verdict::Wait(Some(opens));
    }
    let Some(last) = table.last_started(job, settled, look.now) else {
        return Verdict::Wait(table.first_start(job, Some(settled), look.now).map(|due| due.start));
    };
    let missed = last.start < look.awake_since;
    match table.missed {
        MissedPolicy::Skip if missed => Verdict::Pass { through: last.due },
        MissedPolicy::Skip | MissedPolicy::CatchUpOnce => {
            Verdict::Start(Fire { due: last.due, caught_up: missed })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::schedule::{Blackout, Schedule},
        schedule::check,
    };
    use proptest::prelude::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }
    fn nightly() -> JobName {
        JobName::new("nightly").unwrap()
    }
    fn table(cron: &str, missed: MissedPolicy, jitter_seconds: u32, windows: &[(&str, &str)]) -> Timetable {
        let blackouts = windows
            .iter()
            .map(|(from, to)| Blackout { from: (*from).into(), to: (*to).into(), days: vec![] })
            .collect();
        check(&Schedule { cron: cron.into(), zone: "UTC".into(), missed, jitter_seconds, blackouts }).unwrap()
    }
    fn look(now: DateTime<Utc>, awake_since: DateTime<Utc>) -> Look {
        Look { now, awake_since, steady_since: now }
    }
    fn judged(table: &Timetable, settled: &str, awake_since: &str, now: &str) -> Verdict {
        judge(&nightly(), table, Some(utc(settled)), look(utc(now), utc(awake_since)))
    }

    #[test]
    fn a_due_time_starts_once_it_has_come_and_not_before() {
        let rule = table("30 2 * * *", MissedPolicy::Skip, 0, &[]);
        let (settled, up) = ("2026-06-01T02:30:00Z", "2026-06-01T02:00:00Z");
        let due = utc("2026-06-02T02:30:00Z");
        assert_eq!(judged(&rule, settled, up, "2026-06-02T02:29:59Z"), Verdict::Wait(Some(due)));
        assert_eq!(
            judged(&rule, settled, up, "2026-06-02T02:30:00Z"),
            Verdict::Start(Fire { due, caught_up: false })
        );
    }

    #[test]
    fn many_missed_times_are_caught_up_once_with_the_latest() {
        let rule = table("0 * * * *", MissedPolicy::CatchUpOnce, 0, &[]);
        let boot = "2026-06-08T10:20:00Z";
        let due = utc("2026-06-08T10:00:00Z");
        assert_eq!(
            judged(&rule, "2026-06-01T02:00:00Z", boot, boot),
            Verdict::Start(Fire { due, caught_up: true })
        );
        let next = Verdict::Wait(Some(utc("2026-06-08T11:00:00Z")));
        assert_eq!(judged(&rule, "2026-06-08T10:00:00Z", boot, boot), next);
    }

    #[test]
    fn missed_times_are_passed_over_when_the_schedule_says_so() {
        let rule = table("0 * * * *", MissedPolicy::Skip, 0, &[]);
        let boot = "2026-06-08T10:20:00Z";
        let due = utc("2026-06-08T10:00:00Z");
        assert_eq!(judged(&rule, "2026-06-01T02:00:00Z", boot, boot), Verdict::Pass { through: due });
    }

    #[test]
    fn a_time_that_comes_while_awake_is_not_a_catch_up_even_after_missed_ones() {
        let rule = table("0 * * * *", MissedPolicy::Skip, 0, &[]);
        let due = utc("2026-06-08T11:00:00Z");
        let verdict = judged(&rule, "2026-06-01T02:00:00Z", "2026-06-08T10:20:00Z", "2026-06-08T11:00:01Z");
        assert_eq!(verdict, Verdict::Start(Fire { due, caught_up: false }));
    }

    #[test]
    fn a_catch_up_waits_for_the_window_to_end() {
        let rule = table("0 2 * * *", MissedPolicy::CatchUpOnce, 0, &[("08:00", "18:00")]);
        let boot = "2026-06-08T09:00:00Z";
        let opens = utc("2026-06-08T18:00:00Z");
        assert_eq!(judged(&rule, "2026-06-07T02:00:00Z", boot, boot), Verdict::Wait(Some(opens)));
        let due = utc("2026-06-08T02:00:00Z");
        let then = judged(&rule, "2026-06-07T02:00:00Z", boot, "2026-06-08T18:00:00Z");
        assert_eq!(then, Verdict::Start(Fire { due, caught_up: true }));
    }

    #[test]
    fn times_inside_a_window_start_together_at_its_end_and_keep_their_due_time() {
        let rule = table("*/15 * * * *", MissedPolicy::Skip, 0, &[("08:00", "10:00")]);
        let up = "2026-06-08T00:00:00Z";
        let verdict = judged(&rule, "2026-06-08T07:45:00Z", up, "2026-06-08T10:00:00Z");
        let due = utc("2026-06-08T10:00:00Z");
        assert_eq!(verdict, Verdict::Start(Fire { due, caught_up: false }));
    }

    #[test]
    fn a_clock_that_jumps_back_starts_nothing_twice() {
        let rule = table("30 2 * * *", MissedPolicy::CatchUpOnce, 0, &[]);
        let settled = "2026-06-02T02:30:00Z";
        for now in ["2026-06-02T01:00:00Z", "2026-06-02T02:30:00Z", "2026-06-02T23:00:00Z"] {
            let next = Verdict::Wait(Some(utc("2026-06-03T02:30:00Z")));
            assert_eq!(judged(&rule, settled, "2026-06-01T00:00:00Z", now), next, "{now}");
        }
    }

    #[test]
    fn a_new_rule_catches_up_nothing() {
        let rule = table("30 2 * * *", MissedPolicy::CatchUpOnce, 0, &[]);
        let now = utc("2026-06-02T08:00:00Z");
        assert_eq!(judge(&nightly(), &rule, None, look(now, now)), Verdict::Pass { through: now });
    }

    #[test]
    fn a_clock_that_fell_far_back_is_believed_once_it_has_run_steadily_for_an_hour() {
        let rule = table("30 2 * * *", MissedPolicy::CatchUpOnce, 0, &[]);
        let now = utc("2026-06-02T12:00:00Z");
        let settled = Some(utc("2035-01-01T02:30:00Z"));
        let steady_for = |minutes| {
            let steady_since = now - TimeDelta::minutes(minutes);
            judge(
                &nightly(),
                &rule,
                settled,
                Look { now, awake_since: now - TimeDelta::days(9), steady_since },
            )
        };
        assert_eq!(steady_for(0), Verdict::Wait(Some(utc("2026-06-02T13:00:00Z"))));
        assert_eq!(steady_for(59), Verdict::Wait(Some(utc("2026-06-02T12:01:00Z"))));
        assert_eq!(steady_for(60), Verdict::Restart { from: now });
    }

    #[test]
    fn a_settled_time_hours_ahead_is_kept() {
        let rule = table("0 * * * *", MissedPolicy::CatchUpOnce, 0, &[]);
        let next = Verdict::Wait(Some(utc("2026-06-02T06:00:00Z")));
        let up = "2026-05-01T00:00:00Z";
        assert_eq!(judged(&rule, "2026-06-02T05:00:00Z", up, "2026-06-02T00:00:00Z"), next);
    }

    #[test]
    fn times_at_the_ends_of_the_calendar_are_waited_out() {
        let rule = table("0 * * * *", MissedPolicy::CatchUpOnce, 60, &[("08:00", "10:00")]);
        let ends = [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, utc("2026-06-02T00:00:00Z")];
        for (settled, now) in ends.into_iter().flat_map(|settled| ends.map(|now| (settled, now))) {
            let verdict = judge(&nightly(), &rule, Some(settled), look(now, now));
            assert!(matches!(verdict, Verdict::Wait(_)), "{settled} {now} {verdict:?}");
        }
    }

    #[test]
    fn ten_years_off_with_a_rule_for_each_second_are_not_walked_through() {
        let rule = table("* * * * * *", MissedPolicy::CatchUpOnce, 86_400, &[("08:00", "18:00")]);
        let (boot, opens) = ("2026-06-08T18:00:00Z", utc("2026-06-08T18:00:00Z"));
        let verdict = judged(&rule, "2016-06-08T02:00:00Z", boot, boot);
        assert_eq!(verdict, Verdict::Start(Fire { due: opens, caught_up: false }));
    }

    #[test]
    fn jitter_longer_than_the_pause_between_two_times_leaves_none_out() {
        let rule = table("*/7 * * * *", MissedPolicy::Skip, 900, &[]);
        let begin = utc("2026-06-01T00:00:00Z");
        let (mut settled, mut started) = (begin, 0);
        for seconds in (0..86_400).step_by(5) {
            let now = begin + TimeDelta::seconds(seconds);
            if let Verdict::Start(Fire { due, .. }) =
                judge(&nightly(), &rule, Some(settled), look(now, begin))
            {
                settled = due;
                started += 1;
            }
        }
        // Nine times an hour; the one at the beginning is settled, and the last may still wait for its jitter.
        assert!(started >= 24 * 9 - 2, "{started}");
    }

    proptest! {
        #[test]
        fn whatever_the_clock_does_within_a_day_no_time_starts_twice(
            cron in prop::sample::select(vec!["*/7 * * * *", "30 2 * * *", "0 */3 * * *", "0 9 * * 1-5"]),
            jitter in prop::sample::select(vec![0_u32, 120, 4000]),
            shut in any::<bool>(),
            missed in prop::sample::select(vec![MissedPolicy::Skip, MissedPolicy::CatchUpOnce]),
            moves in prop::collection::vec((-20_000_i64..40_000, any::<bool>()), 1..60),
        ) {
            let table = table(cron, missed, jitter, if shut { &[("22:00", "06:00")] } else { &[] });
            let mut now = utc("2026-06-01T12:00:00Z");
            let (mut settled, mut awake_since) = (now, now);
            let mut started: Vec<DateTime<Utc>> = Vec::new();
            for (seconds, slept) in moves {
                now += TimeDelta::seconds(seconds);
                awake_since = if slept { now } else { awake_since.min(now) };
                match judge(&nightly(), &table, Some(settled), look(now, awake_since)) {
                    Verdict::Start(Fire { due, caught_up }) => {
                        prop_assert!(started.last().is_none_or(|before| *before < due));
                        prop_assert!(due <= now && due > settled && !(caught_up && missed == MissedPolicy::Skip));
                        started.push(due);
                        settled = due;
                    }
                    Verdict::Pass { through: due } => {
                        prop_assert!(missed == MissedPolicy::Skip && due > settled && due <= now);
                        settled = due;
                    }
                    Verdict::Wait(until) => prop_assert!(until.is_none_or(|until| until > now)),
                    Verdict::Restart { .. } => prop_assert!(false, "a clock that jumped this moment is not believed"),
                }
                let again = judge(&nightly(), &table, Some(settled), look(now, awake_since));
                prop_assert!(matches!(again, Verdict::Wait(_)), "{again:?}");
            }
        }

        #[test]
        fn looking_often_starts_every_due_time_of_a_rule_without_jitter(
            cron in prop::sample::select(vec!["*/7 * * * *", "30 2 * * *", "0 */3 * * *"]),
            steps in prop::collection::vec(1_i64..60, 50..400),
        ) {
            let table = table(cron, MissedPolicy::Skip, 0, &[]);
            let begin = utc("2026-06-01T01:00:00Z");
            let (mut now, mut settled) = (begin, begin);
            let mut started = Vec::new();
            for seconds in steps {
                now += TimeDelta::seconds(seconds);
                if let Verdict::Start(Fire { due, .. }) = judge(&nightly(), &table, Some(settled), look(now, begin)) {
                    started.push(due);
                    settled = due;
                }
            }
            let all: Vec<_> = std::iter::successors(table.next_due(begin), |due| table.next_due(*due))
                .take_while(|due| *due <= now)
                .collect();
            prop_assert_eq!(started, all);
        }
    }
}
