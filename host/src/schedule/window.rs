//! A schedule ready to be asked: rule, zone, blackout windows and jitter; from due times to start times.

use super::{
    cron::{BadSchedule, Rule},
    next::{instant, next, offset_at},
};
use crate::model::{
    name::JobName,
    schedule::{Blackout, Schedule},
};
use chrono::{DateTime, Datelike, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// A time is moved out of one window after another at most so often.
const MOVES: usize = 20;
/// The longest a start can be behind its due time, but for jitter: windows that follow each other.
const LONGEST_MOVE: TimeDelta = TimeDelta::days(8);

/// A checked schedule.
#[derive(Debug, Clone)]
pub struct Timetable {
    rule: Rule,
    zone: Tz,
    windows: Vec<Window>,
    jitter: u32,
}

impl Timetable {
    /// Checks a schedule: the rule can be read and fires, the zone exists, the windows leave time.
    pub fn new(schedule: &Schedule) -> Result<Self, BadSchedule> {
        let zone =
            schedule.zone.parse::<Tz>().map_err(|_| BadSchedule::Zone { zone: schedule.zone.clone() })?;
        let windows = schedule.blackouts.iter().map(Window::new).collect::<Result<Vec<_>, _>>()?;
        let table =
            Self { rule: Rule::parse(&schedule.cron)?, zone, windows, jitter: schedule.jitter_seconds };
        let monday = NaiveDateTime::new(chrono::NaiveDate::default(), NaiveTime::MIN);
        match table.leave(monday) {
            Some(_) => Ok(table),
            None => Err(BadSchedule::NoTimeLeft),
        }
    }

    /// The first due time after `after`.
    pub fn next_due(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        next(&self.rule, self.zone, after)
    }

    /// When a run that is due at `due` begins: after the blackout it falls into, plus the job's jitter.
    pub fn start_of(&self, job: &JobName, due: DateTime<Utc>) -> DateTime<Utc> {
        let start = self.out_of_windows(due) + self.jitter_of(job, due);
        self.out_of_windows(start)
    }

    /// The longest a start can be behind its due time.
    pub(super) fn longest_delay(&self) -> TimeDelta {
        let windows = if self.windows.is_empty() { TimeDelta::zero() } else { LONGEST_MOVE };
        TimeDelta::seconds(i64::from(self.jitter)) + windows
    }

    pub(super) fn out_of_windows(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let local = at.naive_utc() + offset_at(self.zone, at);
        match self.leave(local) {
            Some(left) if left != local => instant(self.zone, left).max(at),
            _ => at,
        }
    }

    fn leave(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let mut at = local;
        for _ in 0..MOVES {
            match self.windows.iter().find_map(|window| window.end_if_inside(at)) {
                Some(end) => at = end,
                None => return Some(at),
            }
        }
        None
    }

    /// The same for the same job and time, whoever asks and whenever.
    fn jitter_of(&self, job: &JobName, due: DateTime<Utc>) -> TimeDelta {
        let hash = blake3::hash(format!("{job}\n{}", due.timestamp()).as_bytes());
        let (head, _) = hash.as_bytes().split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let seconds = u64::from_le_bytes(*head) % (u64::from(self.jitter) + 1);
        TimeDelta::seconds(seconds.cast_signed())
    }
}

/// A blackout window in local time.
#[derive(Debug, Clone)]
struct Window {
    from: NaiveTime,
    length: TimeDelta,
    /// Numbers from Monday; empty is every day.
    days: Vec<u32>,
}

impl Window {
    fn new(blackout: &Blackout) -> Result<Self, BadSchedule> {
        let bad = || BadSchedule::Window { from: blackout.from.clone(), to: blackout.to.clone() };
        let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| bad());
        let (from, to) = (time(&blackout.from)?, time(&blackout.to)?);
        let mut length = to - from;
        if length <= TimeDelta::zero() {
            length += TimeDelta::days(1);
        }
        let day = |name: &String| {
            const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
            let number = NAMES.iter().position(|known| *known == name.to_ascii_lowercase());
            number.and_then(|number| u32::try_from(number).ok()).ok_or_else(bad)
        };
        let days = blackout.days.iter().map(day).collect::<Result<_, _>>()?;
        Ok(Self { from, length, days })
    }

    /// The end of the window that `at` is in, if it is in one that began today or yesterday.
    fn end_if_inside(&self, at: NaiveDateTime) -> Option<NaiveDateTime> {
        [at.date().pred_opt(), Some(at.date())].into_iter().flatten().find_map(|day| {
            let number = day.weekday().num_days_from_monday();
            let begins = self.days.is_empty() || self.days.contains(&number);
            let from = day.and_time(self.from);
            let inside = from <= at && at < from + self.length;
            (begins && inside).then_some(from + self.length)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: serde_json::Value) -> Schedule {
        serde_json::from_value(text).unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&format!("{text}:00Z")).unwrap().to_utc()
    }

    #[test]
    fn a_time_in_a_window_moves_to_its_end_also_across_midnight() {
        let table = Timetable::new(&schedule(serde_json::json!({
            "cron": "0 * * * *", "blackouts": [{"from": "22:00", "to": "06:00", "days": ["fri"]}]
        })))
        .unwrap();
        // 6 March 2026 is a Friday.
        assert_eq!(table.out_of_windows(utc("2026-03-06T21:59")), utc("2026-03-06T21:59"));
        assert_eq!(table.out_of_windows(utc("2026-03-06T22:00")), utc("2026-03-07T06:00"));
        assert_eq!(table.out_of_windows(utc("2026-03-07T05:59")), utc("2026-03-07T06:00"));
        assert_eq!(table.out_of_windows(utc("2026-03-07T06:00")), utc("2026-03-07T06:00"));
        assert_eq!(table.out_of_windows(utc("2026-03-07T23:00")), utc("2026-03-07T23:00"));
    }

    #[test]
    fn windows_that_follow_each_other_are_left_together() {
        let table = Timetable::new(&schedule(serde_json::json!({
            "cron": "0 * * * *",
            "blackouts": [{"from": "08:00", "to": "12:00"}, {"from": "12:00", "to": "18:00"}]
        })))
        .unwrap();
        assert_eq!(table.out_of_windows(utc("2026-03-06T09:00")), utc("2026-03-06T18:00"));
    }

    #[test]
    fn windows_are_in_local_time_and_may_end_in_a_gap() {
        let table = Timetable::new(&schedule(serde_json::json!({
            "cron": "0 * * * *", "zone": "Europe/Berlin", "blackouts": [{"from": "01:00", "to": "02:30"}]
        })))
        .unwrap();
        assert_eq!(table.out_of_windows(utc("2026-03-29T00:30")), utc("2026-03-29T01:00"));
    }

    #[test]
    fn jitter_is_bounded_and_the_same_each_time_but_not_for_each_job() {
        let table =
            Timetable::new(&schedule(serde_json::json!({"cron": "0 2 * * *", "jitter_seconds": 600})))
                .unwrap();
        let due = utc("2026-03-06T02:00");
        let delays: Vec<i64> = (0..50)
            .map(|number| {
                let job = JobName::new(format!("job{number}")).unwrap();
                assert_eq!(table.start_of(&job, due), table.start_of(&job, due));
                (table.start_of(&job, due) - due).num_seconds()
            })
            .collect();
        assert!(delays.iter().all(|delay| (0..=600).contains(delay)), "{delays:?}");
        assert!(delays.iter().max() > delays.iter().min(), "{delays:?}");
    }

    #[test]
    fn schedules_that_cannot_work_are_refused_in_words() {
        let said = |text: serde_json::Value| Timetable::new(&schedule(text)).unwrap_err().to_string();
        assert!(said(serde_json::json!({"cron": "0 2 * * *", "zone": "Berlin"})).contains("time zone"));
        let never = serde_json::json!({"cron": "0 2 * * *", "blackouts": [{"from": "00:00", "to": "00:00"}]});
        assert!(said(never).contains("leave no time"));
        let odd = serde_json::json!({"cron": "0 2 * * *", "blackouts": [{"from": "8", "to": "12:00"}]});
        assert!(said(odd).contains("HH:MM"));
    }
}
