//! Cron rules as people know them from crontab, over the `cron` crate, which differs in two places: it counts weekdays
//! from 1 = Sunday (here 0 and 7 are Sunday, 1 is Monday), and it wants day of month *and* weekday to match where
//! crontab takes either when both are given.

use chrono::{DateTime, NaiveDateTime, Utc};
use std::{collections::BTreeSet, str::FromStr};

/// Why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// The wrong number of fields.
    #[error(
        "the cron rule \"{rule}\" has {count} fields; nothing was saved; write five (minute hour day month weekday) or six (seconds first), for example \"30 2 * * *\" for 02:30 every day"
    )]
    Fields {
        /// What was given.
        rule: String,
        /// How many it has.
        count: usize,
    },
    /// One field cannot be read.
    #[error(
        "the {field} field \"{text}\" of the cron rule \"{rule}\" cannot be read; nothing was saved; it takes {takes}, as in *, 5, 1-5, */10 or 1,15"
    )]
    Field {
        /// The whole rule.
        rule: String,
        /// Which field.
        field: &'static str,
        /// Its text.
        text: String,
        /// What it may be.
        takes: &'static str,
    },
    /// A rule by name that is none.
    #[error(
        "the cron rule \"{rule}\" is not known; nothing was saved; use @hourly, @daily, @weekly, @monthly or @yearly, or the event appliance-started for @reboot"
    )]
    Named {
        /// What was given.
        rule: String,
    },
    /// There is no such day.
    #[error(
        "the cron rule \"{rule}\" never fires, there is no such day; nothing was saved; check its day and month fields"
    )]
    Never {
        /// What was given.
        rule: String,
    },
    /// Not a zone.
    #[error(
        "\"{zone}\" is not a time zone; nothing was saved; use a name such as Europe/Berlin, America/New_York or UTC"
    )]
    Zone {
        /// What was given.
        zone: String,
    },
    /// A blackout window that cannot be read.
    #[error(
        "the blackout window from \"{from}\" to \"{to}\" cannot be read; nothing was saved; write times as HH:MM and days as mon, tue, wed, thu, fri, sat or sun"
    )]
    Window {
        /// Its beginning.
        from: String,
        /// Its end.
        to: String,
    },
    /// Blackout windows leave no time.
    #[error(
        "the blackout windows leave no time at which the job could start; nothing was saved; shorten one"
    )]
    NoTimeLeft,
}

/// A cron rule without a zone: local times on the calendar.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// One expression, or two of which either may match.
    either: Vec<cron::Schedule>,
    /// For every hour of the day: an interval rather than a time of day.
    pub(super) repeats: bool,
}

const SECONDS: (&str, &str) = ("seconds", "0 to 59");
const MINUTES: (&str, &str) = ("minute", "0 to 59");
const HOURS: (&str, &str) = ("hour", "0 to 23");
const DAYS: (&str, &str) = ("day", "1 to 31");
const MONTHS: (&str, &str) = ("month", "1 to 12 or jan to dec");
const WEEKDAYS: (&str, &str) = ("weekday", "0 to 7 (0 and 7 are Sunday) or mon to sun");

impl Rule {
    /// Reads a rule of five or six fields, or one by name.
    pub(super) fn parse(text: &str) -> Result<Self, BadSchedule> {
        let rule = text.trim().to_owned();
        let spelled = spell_out(&rule)?;
        let mut fields: Vec<&str> = spelled.split_whitespace().collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        let Ok([second, minute, hour, day, month, weekday]) = <[&str; 6]>::try_from(fields.as_slice()) else {
            let count = spelled.split_whitespace().count();
            return Err(BadSchedule::Fields { rule, count });
        };
        for (name, text, alone) in [
            (SECONDS, second, format!("{second} * * * * *")),
            (MINUTES, minute, format!("0 {minute} * * * *")),
            (HOURS, hour, format!("0 0 {hour} * * *")),
            (DAYS, day, format!("0 0 0 {day} * *")),
            (MONTHS, month, format!("0 0 0 1 {month} *")),
        ] {
            if !plain(text) || expression(&alone).is_none() {
                return Err(bad_field(&rule, name, text));
            }
        }
        let days = weekdays(weekday).ok_or_else(|| bad_field(&rule, WEEKDAYS, weekday))?;
        let time = format!("{second} {minute} {hour}");
        let expressions = match (open(day), open(weekday)) {
            (false, false) => vec![format!("{time} {day} {month} *"), format!("{time} * {month} {days}")],
            _ => vec![format!("{time} {day} {month} {days}")],
        };
        let either: Vec<cron::Schedule> = expressions.iter().filter_map(|text| expression(text)).collect();
        if either.len() != expressions.len() {
            return Err(bad_field(&rule, DAYS, day));
        }
        let repeats = expression(&format!("0 0 {hour} * * *")).is_some_and(|rule| every_hour(&rule));
        let parsed = Self { either, repeats };
        match parsed.after(DateTime::UNIX_EPOCH.naive_utc()) {
            Some(_) => Ok(parsed),
            None => Err(BadSchedule::Never { rule }),
        }
    }

    /// The first local time after `local` that the rule names.
    pub(super) fn after(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let from: DateTime<Utc> = local.and_utc();
        self.either.iter().filter_map(|rule| rule.after(&from).next()).min().map(|found| found.naive_utc())
    }
}

fn expression(text: &str) -> Option<cron::Schedule> {
    cron::Schedule::from_str(text).ok()
}

/// Characters of crontab fields; keeps the crate's own extensions out.
fn plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | '/' | '-' | ','))
}

/// As crontab has it: a field that begins with a star restricts together with the other, not instead of it.
fn open(field: &str) -> bool {
    field.starts_with('*')
}

fn every_hour(hours: &cron::Schedule) -> bool {
    use cron::TimeUnitSpec;
    hours.hours().count() == 24 || (hours.source().split_whitespace().nth(2).is_some_and(open))
}

fn spell_out(rule: &str) -> Result<String, BadSchedule> {
    if !rule.starts_with('@') {
        return Ok(rule.to_owned());
    }
    let spelled = match rule.to_ascii_lowercase().as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => return Err(BadSchedule::Named { rule: rule.to_owned() }),
    };
    Ok(spelled.to_owned())
}

fn bad_field(rule: &str, (field, takes): (&'static str, &'static str), text: &str) -> BadSchedule {
    BadSchedule::Field { rule: rule.to_owned(), field, text: text.to_owned(), takes }
}

/// The weekday field in the crate's numbers (1 = Sunday); `*` where it is every day.
fn weekdays(field: &str) -> Option<String> {
    let mut days = BTreeSet::new();
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| (1..=7).contains(step))?),
            None => (item, 1),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (weekday(first)?, weekday(last)?),
            None if range == "*" => (0, 6),
            None if step > 1 => (weekday(range)?, 6),
            None => (weekday(range)?, weekday(range)?),
        };
        // `sat-mon` goes on through the end of the week.
        let last = if last < first { last + 7 } else { last };
        days.extend((first..=last).step_by(step).map(|day| day % 7));
    }
    if days.len() == 7 {
        return Some("*".to_owned());
    }
    Some(days.iter().map(|day| (day + 1).to_string()).collect::<Vec<_>>().join(","))
}

/// 0 is Sunday.
fn weekday(text: &str) -> Option<usize> {
    const NAMES: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    let text = text.to_ascii_lowercase();
    match text.parse::<usize>() {
        Ok(number) => (number <= 7).then_some(number),
        Err(_) => NAMES.iter().position(|name| *name == text || (text.len() == 3 && name.starts_with(&text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Datelike, NaiveDate, Weekday};
    use proptest::prelude::*;

    fn at(day: u32, hour: u32, minute: u32) -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2026, 3, day).unwrap().and_hms_opt(hour, minute, 0).unwrap()
    }

    fn days_of(rule: &str) -> Vec<Weekday> {
        let rule = Rule::parse(rule).unwrap();
        // 1 March 2026 is a Sunday; the week from Monday to the Sunday after it.
        let times = std::iter::successors(rule.after(at(1, 23, 0)), |time| rule.after(*time));
        let mut found: Vec<Weekday> =
            times.take_while(|time| *time < at(9, 0, 0)).map(|time| time.weekday()).collect();
        found.sort_by_key(Weekday::num_days_from_monday);
        found.dedup();
        found
    }

    #[test]
    fn weekday_numbers_and_names_are_those_of_crontab() {
        use Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
        assert_eq!(days_of("0 9 * * 0"), [Sun]);
        assert_eq!(days_of("0 9 * * 7"), [Sun]);
        assert_eq!(days_of("0 9 * * 1"), [Mon]);
        assert_eq!(days_of("0 9 * * Fri"), [Fri]);
        assert_eq!(days_of("0 9 * * 1-5"), [Mon, Tue, Wed, Thu, Fri]);
        assert_eq!(days_of("0 9 * * 5-7"), [Fri, Sat, Sun]);
        assert_eq!(days_of("0 9 * * sat-mon"), [Mon, Sat, Sun]);
        assert_eq!(days_of("0 9 * * mon,wednesday"), [Mon, Wed]);
        assert_eq!(days_of("0 9 * * */2"), [Tue, Thu, Sat, Sun]);
    }

    #[test]
    fn day_and_weekday_together_mean_either() {
        let rule = Rule::parse("0 0 13 * fri").unwrap();
        let mut from = at(1, 0, 0);
        let mut days = Vec::new();
        for _ in 0..5 {
            from = rule.after(from).unwrap();
            days.push(from.day());
        }
        assert_eq!(days, [6, 13, 20, 27, 3]);
        // With a star in front, both must match: every second day of the month that is a Friday.
        let both = Rule::parse("0 0 */2 * fri").unwrap();
        assert_eq!(both.after(at(1, 0, 0)).unwrap().day(), 13);
    }

    #[test]
    fn six_fields_begin_with_seconds_and_names_are_spelled_out() {
        let rule = Rule::parse("*/20 * * * * *").unwrap();
        assert_eq!(rule.after(at(1, 0, 0)).unwrap() - at(1, 0, 0), chrono::TimeDelta::seconds(20));
        assert_eq!(Rule::parse("@daily").unwrap().after(at(1, 5, 0)), Some(at(2, 0, 0)));
    }

    #[test]
    fn a_rule_for_every_hour_repeats_and_a_time_of_day_does_not() {
        for repeating in ["*/15 * * * *", "0 */2 * * *", "5 0-23 * * *", "* * * * * *"] {
            assert!(Rule::parse(repeating).unwrap().repeats, "{repeating}");
        }
        for fixed in ["30 2 * * *", "*/15 2 * * *", "0 8-18 * * *"] {
            assert!(!Rule::parse(fixed).unwrap().repeats, "{fixed}");
        }
    }

    #[test]
    fn what_cannot_fire_or_be_read_is_refused_in_words() {
        let said = |rule: &str| Rule::parse(rule).unwrap_err().to_string();
        assert!(said("0 0 30 2 *").contains("never fires"), "{}", said("0 0 30 2 *"));
        assert!(said("0 0 31 4,6,9,11 *").contains("never fires"));
        assert!(said("* * * *").contains("has 4 fields"));
        assert!(said("").contains("has 0 fields"));
        assert!(said("61 * * * *").contains("the minute field \"61\""));
        assert!(said("0 25 * * *").contains("the hour field \"25\""));
        assert!(said("0 0 * 13 *").contains("the month field \"13\""));
        assert!(said("0 0 * * 8").contains("the weekday field \"8\""));
        assert!(said("0 0 * * mo").contains("the weekday field"));
        assert!(said("0 0 L * *").contains("the day field \"L\""));
        assert!(said("*/0 * * * *").contains("the minute field \"*/0\""));
        assert!(said("@reboot").contains("appliance-started"));
        Rule::parse("0 0 29 2 *").unwrap();
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9a-z*/,@# -]{0,30}") {
            let _ = Rule::parse(&text);
        }

        #[test]
        fn the_next_time_is_later_and_the_very_next(minutes in 1u32..60, from in 0i64..500_000) {
            let rule = Rule::parse(&format!("*/{minutes} * * * *")).unwrap();
            let from = at(1, 0, 0) + chrono::TimeDelta::minutes(from);
            let next = rule.after(from).unwrap();
            prop_assert!(next > from);
            prop_assert!(next - from <= chrono::TimeDelta::minutes(i64::from(minutes)));
            prop_assert_eq!(rule.after(next - chrono::TimeDelta::seconds(1)), Some(next));
        }
    }
}
