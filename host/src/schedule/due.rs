//! What is due: a pure function of the timetable, the due time settled last, the time, and when the appliance started.

use super::window::Timetable;
use crate::model::{name::JobName, schedule::MissedPolicy};
use chrono::{DateTime, TimeDelta, Utc};

/// A start later than this was missed, whatever kept it: the box was off or asleep, or its clock jumped.
const LATE: TimeDelta = TimeDelta::minutes(5);
/// A settled time further ahead of the clock than this was settled under a wrong clock, or the clock is wrong now.
const WRONG_CLOCK: TimeDelta = TimeDelta::days(1);
/// How long a clock that fell back has to stay there before it is believed.
const BELIEVED: TimeDelta = TimeDelta::hours(1);
/// How far back to look for the newest due time, in widening steps: frequent rules are found in the first.
const LOOK_BACK: [TimeDelta; 4] =
    [TimeDelta::hours(2), TimeDelta::days(2), TimeDelta::days(40), TimeDelta::days(4000)];

/// The appliance's times that `decide` looks at.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The wall clock.
    pub now: DateTime<Utc>,
    /// The wall clock when the appliance started.
    pub boot: DateTime<Utc>,
    /// How long it has been up, by a clock that does not jump.
    pub up: TimeDelta,
}

/// A run to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fire {
    /// The time the rule named.
    pub due: DateTime<Utc>,
    /// That time passed while the appliance could not act on it.
    pub caught_up: bool,
}

/// What to do about one schedule of one job now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet; look again at that time, if there ever is one.
    Wait {
        /// The next start.
        until: Option<DateTime<Utc>>,
    },
    /// Settle every due time through this one, and start a run if `fire` says so; then decide again.
    Settle {
        /// The newest due time that is settled by it.
        through: DateTime<Utc>,
        /// The run to start.
        fire: Option<Fire>,
    },
    /// The clock has long been far behind what was settled: begin anew from here, without a run.
    Restart {
        /// From when due times count.
        from: DateTime<Utc>,
    },
}

/// Decides about one schedule. `settled` is the due time settled last; a new rule has none and fires nothing that was
/// due before it was first seen.
pub fn decide(
    job: &JobName,
    table: &Timetable,
    missed: MissedPolicy,
    settled: Option<DateTime<Utc>>,
    moment: Moment,
) -> Decision {
    let Moment { now, boot, up } = moment;
    let Some(settled) = settled else { return Decision::Settle { through: now, fire: None } };
    if settled > now + WRONG_CLOCK {
        return match up >= BELIEVED {
            true => Decision::Restart { from: now },
            false => Decision::Wait { until: Some(now + (BELIEVED - up)) },
        };
    }
    let Some((due, start)) = newest_startable(job, table, settled, now) else {
        let next = table.next_due(settled);
        return Decision::Wait { until: next.map(|due| table.start_of(job, due)) };
    };
    let was_missed = start < boot || now - start > LATE;
    let fire = match (was_missed, missed) {
        (true, MissedPolicy::Skip) => None,
        (caught_up, _) => Some(Fire { due, caught_up }),
    };
    Decision::Settle { through: due, fire }
}

/// The newest due time after `settled` whose start has come, with that start.
fn newest_startable(
    job: &JobName,
    table: &Timetable,
    settled: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    for step in LOOK_BACK {
        let from = settled.max(now - table.longest_delay() - step);
        let dues = std::iter::successors(table.next_due(from), |due| table.next_due(*due));
        let startable = dues
            .take_while(|due| *due <= now)
            .map(|due| (due, table.start_of(job, due)))
            .filter(|(_, start)| *start <= now)
            .last();
        if startable.is_some() || from == settled {
            return startable;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schedule::Schedule;
    use proptest::prelude::*;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&format!("{text}:00Z")).unwrap().to_utc()
    }

    fn table(text: serde_json::Value) -> Timetable {
        Timetable::new(&serde_json::from_value::<Schedule>(text).unwrap()).unwrap()
    }

    fn job() -> JobName {
        JobName::new("nightly").unwrap()
    }

    fn up_since(boot: &str, now: &str) -> Moment {
        Moment { now: utc(now), boot: utc(boot), up: utc(now) - utc(boot) }
    }

    const NIGHTLY: &str = "0 2 * * *";

    #[test]
    fn a_new_rule_fires_nothing_from_before_it_was_seen() {
        let table = table(serde_json::json!({"cron": NIGHTLY}));
        let moment = up_since("2026-03-01T00:00", "2026-03-01T12:00");
        let decision = decide(&job(), &table, MissedPolicy::CatchUpOnce, None, moment);
        assert_eq!(decision, Decision::Settle { through: moment.now, fire: None });
    }

    #[test]
    fn it_waits_until_the_time_comes_and_fires_then() {
        let table = table(serde_json::json!({"cron": NIGHTLY}));
        let settled = Some(utc("2026-03-01T02:00"));
        let early = up_since("2026-03-01T00:00", "2026-03-02T01:59");
        let due = utc("2026-03-02T02:00");
        let decision = decide(&job(), &table, MissedPolicy::Skip, settled, early);
        assert_eq!(decision, Decision::Wait { until: Some(due) });
        let then = up_since("2026-03-01T00:00", "2026-03-02T02:00");
        let decision = decide(&job(), &table, MissedPolicy::Skip, settled, then);
        assert_eq!(decision, Decision::Settle { through: due, fire: Some(Fire { due, caught_up: false }) });
    }

    #[test]
    fn times_missed_while_off_are_caught_up_once_or_skipped() {
        let table = table(serde_json::json!({"cron": NIGHTLY}));
        let settled = Some(utc("2026-03-01T02:00"));
        let back = up_since("2026-03-09T08:00", "2026-03-09T08:00");
        let newest = utc("2026-03-09T02:00");
        let once = decide(&job(), &table, MissedPolicy::CatchUpOnce, settled, back);
        let fire = Some(Fire { due: newest, caught_up: true });
        assert_eq!(once, Decision::Settle { through: newest, fire });
        let skipped = decide(&job(), &table, MissedPolicy::Skip, settled, back);
        assert_eq!(skipped, Decision::Settle { through: newest, fire: None });
    }

    #[test]
    fn years_off_cost_no_time_even_with_a_rule_for_each_second() {
        let table = table(serde_json::json!({"cron": "* * * * * *"}));
        let moment = up_since("2026-03-01T00:00", "2026-03-01T00:00");
        let settled = Some(utc("2016-03-01T02:00"));
        let decision = decide(&job(), &table, MissedPolicy::CatchUpOnce, settled, moment);
        assert!(matches!(decision, Decision::Settle { through, fire: Some(_) } if through == moment.now));
    }

    #[test]
    fn a_time_in_a_blackout_fires_once_at_its_end() {
        let table = table(serde_json::json!({
            "cron": "0 * * * *", "blackouts": [{"from": "08:00", "to": "18:00"}]
        }));
        let settled = Some(utc("2026-03-01T07:00"));
        let inside = up_since("2026-03-01T00:00", "2026-03-01T15:30");
        let decision = decide(&job(), &table, MissedPolicy::Skip, settled, inside);
        assert_eq!(decision, Decision::Wait { until: Some(utc("2026-03-01T18:00")) });
        let end = up_since("2026-03-01T00:00", "2026-03-01T18:00");
        let decision = decide(&job(), &table, MissedPolicy::Skip, settled, end);
        let due = utc("2026-03-01T18:00");
        assert_eq!(decision, Decision::Settle { through: due, fire: Some(Fire { due, caught_up: false }) });
    }

    #[test]
    fn a_clock_that_fell_far_back_is_believed_only_after_an_hour() {
        let table = table(serde_json::json!({"cron": NIGHTLY}));
        let settled = Some(utc("2026-03-01T02:00"));
        let moment = |up| Moment { now: utc("2001-01-01T00:00"), boot: utc("2001-01-01T00:00"), up };
        let early = decide(&job(), &table, MissedPolicy::Skip, settled, moment(TimeDelta::minutes(1)));
        assert!(matches!(early, Decision::Wait { .. }));
        let late = decide(&job(), &table, MissedPolicy::Skip, settled, moment(TimeDelta::hours(1)));
        assert_eq!(late, Decision::Restart { from: utc("2001-01-01T00:00") });
    }

    proptest! {
        /// However the clock wanders within a day, no due time fires twice and one tick fires at most once.
        #[test]
        fn a_wandering_clock_never_fires_a_due_time_twice(
            steps in prop::collection::vec(-700i64..900, 1..60), jitter in 0u32..300, cron in prop::sample::select(vec!["*/7 * * * *", "0 * * * *", "30 2 * * *"])
        ) {
            let table = table(serde_json::json!({"cron": cron, "jitter_seconds": jitter}));
            let boot = utc("2026-03-01T00:00");
            let mut now = boot;
            let mut settled = None;
            let mut fired = Vec::new();
            for step in steps {
                now = (now + TimeDelta::minutes(step)).max(boot);
                for round in 0..3 {
                    let moment = Moment { now, boot, up: TimeDelta::zero() };
                    match decide(&job(), &table, MissedPolicy::CatchUpOnce, settled, moment) {
                        Decision::Settle { through, fire } => {
                            prop_assert!(round < 2 && settled.is_none_or(|settled| through > settled));
                            settled = Some(through);
                            if let Some(fire) = fire {
                                prop_assert!(!fired.contains(&fire.due));
                                prop_assert!(round == 0 || fired.is_empty());
                                fired.push(fire.due);
                            }
                        }
                        Decision::Wait { until } => {
                            prop_assert!(until.is_some_and(|until| until > now));
                            break;
                        }
                        Decision::Restart { .. } => prop_assert!(false, "restarted within a day"),
                    }
                }
            }
        }

        /// A clock that only runs forwards, looked at often enough, fires every due time exactly once.
        #[test]
        fn a_good_clock_fires_every_due_time_once(jitter in 0u32..50, minutes in 1u32..30) {
            let table = table(serde_json::json!({"cron": format!("*/{minutes} * * * *"), "jitter_seconds": jitter}));
            let boot = utc("2026-03-01T00:00");
            let mut settled = Some(boot);
            let mut fired = 0;
            let mut now = boot;
            let end = boot + TimeDelta::hours(3);
            while now < end + TimeDelta::minutes(1) {
                let moment = Moment { now, boot, up: now - boot };
                match decide(&job(), &table, MissedPolicy::Skip, settled, moment) {
                    Decision::Settle { through, fire } => {
                        settled = Some(through);
                        fired += usize::from(fire.is_some_and(|fire| fire.due <= end));
                    }
                    Decision::Wait { until } => now = until.unwrap(),
                    Decision::Restart { .. } => prop_assert!(false),
                }
            }
            let expected = std::iter::successors(table.next_due(boot), |due| table.next_due(*due))
                .take_while(|due| *due <= end)
                .count();
            prop_assert_eq!(fired, expected);
        }
    }
}
