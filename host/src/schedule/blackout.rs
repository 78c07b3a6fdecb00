//! Blackout windows: local times of day in which nothing starts. What would start inside one starts at its end.
//!
//! Where clocks are changed, a window that begins in a gap begins after it, and one that ends in the hour that comes
//! twice ends with the second: in doubt it is closed.

use super::{cron::weekday, next::after_gap};
use crate::model::schedule::Blackout;
use chrono::{DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

const MINUTES_A_DAY: u32 = 24 * 60;
/// Windows that follow on each other are walked through at most so often; `check` refuses a week without an opening.
const MOST_WINDOWS_IN_A_ROW: usize = 200;

/// Why a text is not a blackout window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadBlackout {
    /// The time of day cannot be read.
    #[error(
        "the blackout window {from} to {to} has \"{given}\" as a time; nothing was changed; write times as HH:MM, 00:00 to 23:59"
    )]
    Time {
        /// Where it begins, as written.
        from: String,
        /// Where it ends, as written.
        to: String,
        /// The part that cannot be read.
        given: String,
    },
    /// A weekday cannot be read.
    #[error(
        "the blackout window {from} to {to} has \"{given}\" as a weekday; nothing was changed; use mon, tue, wed, thu, fri, sat, sun"
    )]
    Day {
        /// Where it begins, as written.
        from: String,
        /// Where it ends, as written.
        to: String,
        /// The part that cannot be read.
        given: String,
    },
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    from: u32,
    to: u32,
    /// By days from Sunday.
    days: [bool; 7],
}

/// All windows of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blackouts(Vec<Window>);

impl Blackouts {
    /// Reads all windows. The error lists every problem.
    pub fn read(written: &[Blackout]) -> Result<Self, Vec<ReadBlackout>> {
        let (mut windows, mut problems) = (Vec::new(), Vec::new());
        for blackout in written {
            match read_window(blackout) {
                Ok(window) => windows.push(window),
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() { Ok(Self(windows)) } else { Err(problems) }
    }

    /// True when the windows together leave no minute of the week open.
    pub fn leave_nothing_open(&self) -> bool {
        let week = 7 * MINUTES_A_DAY;
        (0..week).all(|minute| self.0.iter().any(|window| window.covers(minute, week)))
    }

    /// When the windows that cover `at` end; none when `at` is open.
    pub fn closed_until(&self, zone: Tz, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut end = at;
        for _ in 0..MOST_WINDOWS_IN_A_ROW {
            let further =
                self.around(zone, end).filter(|(from, to)| *from <= end && end < *to).map(|(_, to)| to);
            match further.max() {
                Some(later) => end = later,
                None => break,
            }
        }
        (end > at).then_some(end)
    }

    /// When the windows that cover `at` began; none when `at` is open.
    pub fn closed_since(&self, zone: Tz, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.closed_until(zone, at)?;
        let mut begin = at;
        for _ in 0..MOST_WINDOWS_IN_A_ROW {
            // A window that ends exactly where the next begins leaves no opening either.
            let further = self.around(zone, begin).filter(|(from, to)| *from < begin && begin <= *to);
            match further.map(|(from, _)| from).min() {
                Some(earlier) => begin = earlier,
                None => break,
            }
        }
        Some(begin)
    }

    /// The windows that could cover `at` or touch it.
    fn around(&self, zone: Tz, at: DateTime<Utc>) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> {
        let today = at.with_timezone(&zone).date_naive();
        self.0.iter().flat_map(move |window| {
            (0..=2).filter_map(move |back| window.span(zone, today.checked_sub_days(Days::new(back))?))
        })
    }
}

impl Window {
    fn span(&self, zone: Tz, day: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        if !*self.days.get(day.weekday().num_days_from_sunday() as usize)? {
            return None;
        }
        let begin = moment(zone, day, self.from)?;
        let last = if self.to <= self.from { day.succ_opt()? } else { day };
        let end = moment(zone, last, self.to)?;
        Some((begin.0, end.1))
    }

    fn covers(&self, minute: u32, week: u32) -> bool {
        let length =
            if self.to <= self.from { self.to + MINUTES_A_DAY - self.from } else { self.to - self.from };
        (0..7_u32).zip(self.days).any(|(day, begins)| {
            let begin = day * MINUTES_A_DAY + self.from;
            begins && (minute + week - begin) % week < length
        })
    }
}

/// The first and the last instant at which clocks show that minute of the day.
fn moment(zone: Tz, day: NaiveDate, minute: u32) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let local = day.and_time(NaiveTime::MIN).checked_add_signed(TimeDelta::minutes(i64::from(minute)))?;
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) => Some((at.to_utc(), at.to_utc())),
        MappedLocalTime::Ambiguous(first, second) => Some((first.to_utc(), second.to_utc())),
        MappedLocalTime::None => after_gap(zone, local).map(|at| (at, at)),
    }
}

fn read_window(written: &Blackout) -> Result<Window, Vec<ReadBlackout>> {
    let shown = |text: &str| text.chars().take(20).collect::<String>();
    let (from, to) = (shown(&written.from), shown(&written.to));
    let mut problems = Vec::new();
    let mut time = |text: &str| {
        minute_of_day(text).unwrap_or_else(|| {
            problems.push(ReadBlackout::Time { from: from.clone(), to: to.clone(), given: shown(text) });
            0
        })
    };
    let (begin, end) = (time(&written.from), time(&written.to));
    let mut days = [written.days.is_empty(); 7];
    for given in &written.days {
        let number = weekday(given).filter(|_| given.starts_with(|c: char| c.is_ascii_alphabetic()));
        match number.and_then(|number| days.get_mut(number as usize)) {
            Some(day) => *day = true,
            None => {
                problems.push(ReadBlackout::Day { from: from.clone(), to: to.clone(), given: shown(given) })
            }
        }
    }
    if problems.is_empty() { Ok(Window { from: begin, to: end, days }) } else { Err(problems) }
}

fn minute_of_day(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| {
        (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u32>().ok())?
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: Tz = Tz::Europe__Berlin;

    fn window(from: &str, to: &str, days: &[&str]) -> Blackout {
        Blackout { from: from.into(), to: to.into(), days: days.iter().map(|day| (*day).into()).collect() }
    }
    fn read(written: &[Blackout]) -> Blackouts {
        Blackouts::read(written).unwrap()
    }
    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_inside_a_window_moves_to_its_end_and_the_end_is_open() {
        let office = read(&[window("08:00", "18:00", &["mon", "tue", "wed", "thu", "fri"])]);
        assert_eq!(
            office.closed_until(BERLIN, utc("2026-06-01T06:00:00Z")),
            Some(utc("2026-06-01T16:00:00Z"))
        );
        assert_eq!(office.closed_until(BERLIN, utc("2026-06-01T16:00:00Z")), None);
        assert_eq!(office.closed_until(BERLIN, utc("2026-06-06T10:00:00Z")), None, "a Saturday");
    }

    #[test]
    fn a_window_across_midnight_belongs_to_the_day_on_which_it_begins() {
        let night = read(&[window("22:00", "06:00", &["fri"])]);
        assert_eq!(
            night.closed_until(BERLIN, utc("2026-06-06T01:00:00Z")),
            Some(utc("2026-06-06T04:00:00Z"))
        );
        assert_eq!(night.closed_until(BERLIN, utc("2026-06-05T01:00:00Z")), None, "Thursday night is open");
        assert_eq!(
            night.closed_since(BERLIN, utc("2026-06-06T01:00:00Z")),
            Some(utc("2026-06-05T20:00:00Z"))
        );
    }

    #[test]
    fn windows_that_touch_are_one() {
        let two = read(&[window("08:00", "12:00", &[]), window("12:00", "18:00", &[])]);
        assert_eq!(two.closed_until(Tz::UTC, utc("2026-06-01T09:00:00Z")), Some(utc("2026-06-01T18:00:00Z")));
        assert_eq!(two.closed_since(Tz::UTC, utc("2026-06-01T17:00:00Z")), Some(utc("2026-06-01T08:00:00Z")));
    }

    #[test]
    fn a_window_over_the_hour_that_comes_twice_ends_with_the_second() {
        let night = read(&[window("01:00", "02:30", &[])]);
        assert_eq!(
            night.closed_until(BERLIN, utc("2026-10-25T00:00:00Z")),
            Some(utc("2026-10-25T01:30:00Z"))
        );
    }

    #[test]
    fn a_week_without_an_opening_is_seen() {
        assert!(read(&[window("00:00", "00:00", &[])]).leave_nothing_open());
        assert!(read(&[window("08:00", "20:00", &[]), window("20:00", "08:00", &[])]).leave_nothing_open());
        assert!(!read(&[window("00:00", "23:59", &[])]).leave_nothing_open());
        assert!(!read(&[window("00:00", "00:00", &["mon"])]).leave_nothing_open());
        assert!(!read(&[]).leave_nothing_open());
    }

    #[test]
    fn a_window_that_never_opens_ends_the_search() {
        let closed = read(&[window("00:00", "00:00", &[])]);
        assert!(closed.closed_until(BERLIN, utc("2026-06-01T09:00:00Z")).is_some());
        assert!(closed.closed_since(BERLIN, utc("2026-06-01T09:00:00Z")).is_some());
    }

    #[test]
    fn every_wrong_part_of_a_window_is_named() {
        let problems = Blackouts::read(&[window("8:00", "24:00", &["mon", "1", "someday"])]).unwrap_err();
        let said = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        for part in
            ["\"8:00\" as a time", "\"24:00\" as a time", "\"1\" as a weekday", "\"someday\" as a weekday"]
        {
            assert!(said.contains(part), "{part} in {said}");
        }
    }
}
