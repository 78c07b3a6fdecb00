//! From what a person wrote to a timetable, or to every problem it has, in words.

use super::{
    blackout::{Blackouts, ReadBlackout},
    cron::{ReadRule, Rule},
    timetable::{LONGEST_JITTER_SECONDS, Timetable},
};
use crate::model::schedule::Schedule;
use chrono_tz::{TZ_VARIANTS, Tz};

/// One thing that is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The rule.
    #[error(transparent)]
    Rule(#[from] ReadRule),
    /// A blackout window.
    #[error(transparent)]
    Blackout(#[from] ReadBlackout),
    /// The time zone.
    #[error("there is no time zone \"{zone}\"; nothing was changed; {advice}")]
    Zone {
        /// What was given.
        zone: String,
        /// What to write instead.
        advice: String,
    },
    /// Nothing could ever start.
    #[error(
        "the blackout windows leave no minute of the week open, so nothing would ever start; nothing was changed; shorten one"
    )]
    NeverOpen,
    /// More jitter than makes sense.
    #[error(
        "a jitter of {seconds} seconds is more than a day; nothing was changed; use at most {LONGEST_JITTER_SECONDS} seconds"
    )]
    Jitter {
        /// What was given.
        seconds: u32,
    },
    /// Two schedules of a job are the same rule in the same zone.
    #[error(
        "the rule \"{rule}\" in {zone} is there twice; nothing was changed; leave one out, it would start the job once anyway"
    )]
    Twice {
        /// The rule.
        rule: String,
        /// Its zone.
        zone: String,
    },
}

/// Everything that is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct CheckSchedule {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// Checks a whole schedule.
pub fn check(schedule: &Schedule) -> Result<Timetable, CheckSchedule> {
    let mut problems = Vec::new();
    let rule = Rule::read(&schedule.cron)
        .map_err(|found| problems.extend(found.into_iter().map(Problem::from)))
        .ok();
    let zone = read_zone(&schedule.zone).map_err(|found| problems.push(found)).ok();
    let closed = Blackouts::read(&schedule.blackouts)
        .map_err(|found| problems.extend(found.into_iter().map(Problem::from)))
        .ok();
    if closed.as_ref().is_some_and(Blackouts::leave_nothing_open) {
        problems.push(Problem::NeverOpen);
    }
    if schedule.jitter_seconds > LONGEST_JITTER_SECONDS {
        problems.push(Problem::Jitter { seconds: schedule.jitter_seconds });
    }
    match (rule, zone, closed) {
        (Some(rule), Some(zone), Some(closed)) if problems.is_empty() => Ok(Timetable {
            rule,
            zone,
            closed,
            jitter_seconds: schedule.jitter_seconds,
            missed: schedule.missed,
        }),
        _ => Err(CheckSchedule { problems }),
    }
}

/// Checks all schedules of one job.
pub fn check_all(schedules: &[Schedule]) -> Result<Vec<Timetable>, CheckSchedule> {
    let (mut tables, mut problems) = (Vec::new(), Vec::new());
    for (place, schedule) in schedules.iter().enumerate() {
        match check(schedule) {
            Ok(table) => tables.push(table),
            Err(found) => problems.extend(found.problems),
        }
        let same = |other: &Schedule| other.cron == schedule.cron && other.zone == schedule.zone;
        if schedules.iter().take(place).any(same) {
            let rule = schedule.cron.chars().take(80).collect();
            problems.push(Problem::Twice { rule, zone: schedule.zone.chars().take(40).collect() });
        }
    }
    if problems.is_empty() { Ok(tables) } else { Err(CheckSchedule { problems }) }
}

fn read_zone(text: &str) -> Result<Tz, Problem> {
    text.parse().map_err(|_| {
        let close = TZ_VARIANTS.iter().map(|zone| zone.name()).find(|name| {
            let city = name.rsplit('/').next().unwrap_or(name);
            name.eq_ignore_ascii_case(text)
                || city.replace('_', " ").eq_ignore_ascii_case(&text.replace('_', " "))
        });
        let advice = match close {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "use a name such as Europe/Berlin, America/New_York or UTC".to_owned(),
        };
        Problem::Zone { zone: text.chars().take(40).collect(), advice }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schedule::{Blackout, MissedPolicy};

    fn schedule(cron: &str, zone: &str) -> Schedule {
        Schedule {
            cron: cron.into(),
            zone: zone.into(),
            missed: MissedPolicy::default(),
            jitter_seconds: 0,
            blackouts: vec![],
        }
    }

    #[test]
    fn every_problem_of_a_schedule_is_said_at_once() {
        let mut bad = schedule("0 0 30 2 *", "berlin");
        bad.blackouts = vec![Blackout { from: "25:00".into(), to: "06:00".into(), days: vec![] }];
        bad.jitter_seconds = 90_000;
        let said = check(&bad).unwrap_err().to_string();
        for part in ["never fires", "did you mean \"Europe/Berlin\"?", "\"25:00\" as a time", "90000 seconds"]
        {
            assert!(said.contains(part), "{part} in {said}");
        }
    }

    #[test]
    fn more_jitter_than_a_day_is_refused() {
        let mut odd = schedule("0 0 * * *", "UTC");
        for (seconds, fine) in [(86_400, true), (86_401, false), (u32::MAX, false)] {
            odd.jitter_seconds = seconds;
            assert_eq!(check(&odd).is_ok(), fine, "{seconds}");
        }
    }

    #[test]
    fn a_zone_that_is_nothing_like_one_gets_an_example() {
        let said = check(&schedule("0 0 * * *", "Mars/Olympus")).unwrap_err().to_string();
        assert!(said.contains("\"Mars/Olympus\"") && said.contains("such as Europe/Berlin"), "{said}");
    }

    #[test]
    fn windows_that_leave_nothing_open_are_refused() {
        let mut shut = schedule("0 0 * * *", "UTC");
        shut.blackouts = vec![Blackout { from: "00:00".into(), to: "00:00".into(), days: vec![] }];
        assert_eq!(check(&shut).unwrap_err().problems, [Problem::NeverOpen]);
    }

    #[test]
    fn the_same_rule_twice_is_refused_and_in_two_zones_is_not() {
        let (utc, berlin) = (schedule("0 0 * * *", "UTC"), schedule("0 0 * * *", "Europe/Berlin"));
        assert!(check_all(&[utc.clone(), utc.clone()]).unwrap_err().to_string().contains("twice"));
        assert_eq!(check_all(&[utc, berlin]).unwrap().len(), 2);
    }
}
