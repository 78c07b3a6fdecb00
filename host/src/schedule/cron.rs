//! A cron rule as people know it from crontab: five fields, or six with seconds first.
//!
//! The crate `cron` reads the fields. Weekdays are read here, because that crate counts Sunday as 1 where crontab counts
//! it as 0 and 7; and so is the day rule of crontab: when day and weekday are both restricted, either may match.

use ::cron::{Schedule as Fields, TimeUnitSpec};
use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use std::str::FromStr;

const LONGEST: usize = 256;
/// 29 February can fall on a given weekday as rarely as every 40 years.
const NEVER_AFTER_YEARS: u32 = 50;

/// Why a text is not a usable rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadRule {
    /// Nothing was given.
    #[error(
        "the schedule has no rule; nothing was changed; give five fields (minute hour day month weekday), for example \
         \"30 2 * * *\" for 02:30 every day"
    )]
    Empty,
    /// Longer than any rule a person would write.
    #[error("the rule \"{rule}…\" is too long; nothing was changed; use at most {LONGEST} characters")]
    Long {
        /// Its beginning.
        rule: String,
    },
    /// Too few or too many fields.
    #[error(
        "the rule \"{rule}\" has {found} fields; nothing was changed; give five (minute hour day month weekday) or six \
         (seconds first)"
    )]
    Count {
        /// The rule.
        rule: String,
        /// How many fields it has.
        found: usize,
    },
    /// One field cannot be read.
    #[error(
        "the rule \"{rule}\" has \"{value}\" as its {field}; nothing was changed; {field} can be {accepts}"
    )]
    Field {
        /// The rule.
        rule: String,
        /// Which field.
        field: &'static str,
        /// What was given.
        value: String,
        /// What would do.
        accepts: &'static str,
    },
    /// A word beginning with `@` that is not known.
    #[error(
        "the rule \"{rule}\" is not known; nothing was changed; use @hourly, @daily, @weekly, @monthly, @yearly or five \
         fields (to run when the appliance starts, use the event appliance-started)"
    )]
    Word {
        /// The rule.
        rule: String,
    },
    /// Readable, but there is no such day.
    #[error(
        "the rule \"{rule}\" never fires; nothing was changed; no year has a day that fits its day and month"
    )]
    Never {
        /// The rule.
        rule: String,
    },
}

/// The position, name and range of each field, as errors say it.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59, a list (0,30), a range (0-29), a step (*/10) or *"),
    ("minute", "0 to 59, a list (0,30), a range (0-29), a step (*/5) or *"),
    ("hour", "0 to 23, a list (6,18), a range (8-17), a step (*/2) or *"),
    ("day of the month", "1 to 31, a list (1,15), a range (1-7), a step (*/2) or *"),
    ("month", "1 to 12, jan to dec, a list (1,7), a range (mar-oct), a step (*/3) or *"),
    ("weekday", "0 to 7 (0 and 7 are Sunday), mon to sun, a list (mon,thu), a range (mon-fri) or *"),
];

/// A set of small numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set(u64);

impl Set {
    fn of(numbers: impl IntoIterator<Item = u32>) -> Self {
        Self(numbers.into_iter().filter(|n| *n < 64).fold(0, |bits, n| bits | 1 << n))
    }
    pub(super) fn has(self, number: u32) -> bool {
        number < 64 && self.0 >> number & 1 == 1
    }
    fn first_from(self, number: u32) -> Option<u32> {
        let bits = self.0.checked_shr(number)?;
        (bits != 0).then(|| number + bits.trailing_zeros())
    }
    pub(super) fn len(self) -> usize {
        self.0.count_ones() as usize
    }
    pub(super) fn numbers(self) -> Vec<u32> {
        (0..64).filter(|n| self.has(*n)).collect()
    }
}

/// A rule that was read and fires some day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(super) seconds: Set,
    pub(super) minutes: Set,
    pub(super) hours: Set,
    pub(super) days: Set,
    pub(super) months: Set,
    /// 0 is Sunday.
    pub(super) weekdays: Set,
    pub(super) either_day: bool,
    repeating: bool,
}

impl Rule {
    /// Reads a rule. The error lists every problem it has.
    pub fn read(text: &str) -> Result<Self, Vec<ReadRule>> {
        let rule = text.trim().to_owned();
        if rule.is_empty() {
            return Err(vec![ReadRule::Empty]);
        }
        if rule.len() > LONGEST {
            return Err(vec![ReadRule::Long { rule: rule.chars().take(40).collect() }]);
        }
        let spelled = match spelled_out(&rule) {
            None => rule.clone(),
            Some(Some(fields)) => fields.to_owned(),
            Some(None) => return Err(vec![ReadRule::Word { rule }]),
        };
        let given: Vec<&str> = spelled.split_whitespace().collect();
        let fields: [&str; 6] = match given.as_slice() {
            [m, h, d, mo, w] => ["0", m, h, d, mo, w],
            [s, m, h, d, mo, w] => [s, m, h, d, mo, w],
            other => return Err(vec![ReadRule::Count { rule, found: other.len() }]),
        };
        let read = Self::of_fields(&rule, fields)?;
        let fires = NaiveDate::from_ymd_opt(2024, 1, 1)
            .and_then(|day| read.next_local(day.and_time(NaiveTime::MIN)))
            .is_some();
        if fires { Ok(read) } else { Err(vec![ReadRule::Never { rule }]) }
    }

    fn of_fields(rule: &str, fields: [&str; 6]) -> Result<Self, Vec<ReadRule>> {
        let mut problems = Vec::new();
        let mut sets = [Set(0); 6];
        for (position, ((set, value), (field, accepts))) in
            sets.iter_mut().zip(fields).zip(FIELDS).enumerate()
        {
            match read_field(position, value) {
                Some(read) => *set = read,
                None => problems.push(ReadRule::Field {
                    rule: rule.to_owned(),
                    field,
                    value: value.to_owned(),
                    accepts,
                }),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let [seconds, minutes, hours, days, months, weekdays] = sets;
        let [_, minute, hour, day, _, weekday] = fields;
        let stepped = |field: &str| field.contains(['*', '/']);
        let restricted = |field: &str| !field.starts_with(['*', '?']);
        Ok(Self {
            seconds,
            minutes,
            hours,
            days,
            months,
            weekdays,
            either_day: restricted(day) && restricted(weekday),
            repeating: stepped(minute) || stepped(hour) || hours.len() == 24,
        })
    }

    /// True when the rule means "every so often" rather than "at this time": a wildcard or step in minute or hour.
    pub fn repeats(&self) -> bool {
        self.repeating
    }

    /// The first local time after `after` that the rule names, whether or not the zone's clocks ever show it.
    pub(super) fn next_local(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let from = after.with_nanosecond(0)?.checked_add_signed(TimeDelta::seconds(1))?;
        if self.names_day(from.date())
            && let Some(time) = self.first_time(from.time())
        {
            return Some(from.date().and_time(time));
        }
        let midnight = self.first_time(NaiveTime::MIN)?;
        let last = from.date().checked_add_months(Months::new(12 * NEVER_AFTER_YEARS))?;
        let mut day = from.date().checked_add_days(Days::new(1))?;
        while day <= last {
            if !self.months.has(day.month()) {
                day = day.with_day(1)?.checked_add_months(Months::new(1))?;
            } else if self.names_day(day) {
                return Some(day.and_time(midnight));
            } else {
                day = day.checked_add_days(Days::new(1))?;
            }
        }
        None
    }

    fn names_day(&self, day: NaiveDate) -> bool {
        let by_day = self.days.has(day.day());
        let by_weekday = self.weekdays.has(day.weekday().num_days_from_sunday());
        let fits = if self.either_day { by_day || by_weekday } else { by_day && by_weekday };
        fits && self.months.has(day.month())
    }

    fn first_time(&self, from: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        let later_minute = |from: u32| Some((self.minutes.first_from(from)?, self.seconds.first_from(0)?));
        let in_hour = || {
            if self.minutes.has(minute)
                && let Some(second) = self.seconds.first_from(second)
            {
                return Some((minute, second));
            }
            later_minute(minute + 1)
        };
        if self.hours.has(hour)
            && let Some((minute, second)) = in_hour()
        {
            return NaiveTime::from_hms_opt(hour, minute, second);
        }
        let hour = self.hours.first_from(hour + 1)?;
        let (minute, second) = later_minute(0)?;
        NaiveTime::from_hms_opt(hour, minute, second)
    }
}

/// `None`: not one of the `@` words. `Some(None)`: unknown.
fn spelled_out(rule: &str) -> Option<Option<&'static str>> {
    let word = rule.strip_prefix('@')?.to_ascii_lowercase();
    Some(match word.as_str() {
        "hourly" => Some("0 * * * *"),
        "daily" | "midnight" => Some("0 0 * * *"),
        "weekly" => Some("0 0 * * 0"),
        "monthly" => Some("0 0 1 * *"),
        "yearly" | "annually" => Some("0 0 1 1 *"),
        _ => None,
    })
}

fn read_field(position: usize, value: &str) -> Option<Set> {
    if position == 5 {
        return weekdays(value);
    }
    let value = if position == 3 && value == "?" { "*" } else { value };
    if value.contains('?') {
        return None;
    }
    let mut fields = ["0", "*", "*", "*", "*", "*"];
    *fields.get_mut(position)? = value;
    let read = Fields::from_str(&fields.join(" ")).ok()?;
    let set = match position {
        0 => Set::of(read.seconds().iter()),
        1 => Set::of(read.minutes().iter()),
        2 => Set::of(read.hours().iter()),
        3 => Set::of(read.days_of_month().iter()),
        _ => Set::of(read.months().iter()),
    };
    (set.len() > 0).then_some(set)
}

fn weekdays(value: &str) -> Option<Set> {
    let mut set = Set(0);
    for item in value.split(',') {
        let (days, step) = match item.split_once('/') {
            None => (item, 1),
            Some((days, step)) => (days, small_number(step).filter(|n| (1..=7).contains(n))?),
        };
        let (first, last) = match days.split_once('-') {
            _ if days == "*" || days == "?" => (0, 6),
            Some((first, last)) => (weekday(first)?, weekday(last)?),
            None if item.contains('/') => (weekday(days)?, 6.max(weekday(days)?)),
            None => (weekday(days)?, weekday(days)?),
        };
        // "sat-sun" and "fri-mon" go round the end of the week.
        let last = if last < first { last + 7 } else { last };
        let step = usize::try_from(step).ok()?;
        set = Set(set.0 | Set::of((first..=last).step_by(step).map(|day| day % 7)).0);
    }
    Some(set)
}

fn small_number(text: &str) -> Option<u32> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The day's crontab number, 0 to 7, from a number or an English name.
pub(super) fn weekday(text: &str) -> Option<u32> {
    match text.to_ascii_lowercase().as_str() {
        "sun" | "sunday" => Some(0),
        "mon" | "monday" => Some(1),
        "tue" | "tues" | "tuesday" => Some(2),
        "wed" | "wednesday" => Some(3),
        "thu" | "thur" | "thurs" | "thursday" => Some(4),
        "fri" | "friday" => Some(5),
        "sat" | "saturday" => Some(6),
        other => small_number(other).filter(|n| *n <= 7),
    }
}

#[cfg(test)]
#[path = "cron_tests.rs"]
mod tests;
