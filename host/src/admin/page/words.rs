//! Times, ages, sizes and rules as people read them. Pure.

use chrono::{DateTime, Datelike, Duration, Utc};
use chrono_tz::Tz;

/// How long ago or how soon, in the unit that matters.
pub fn age(now: DateTime<Utc>, then: DateTime<Utc>) -> String {
    let gone = now - then;
    if gone >= Duration::zero() {
        if gone < Duration::minutes(1) { "just now".to_owned() } else { format!("{} ago", length(gone)) }
    } else if gone > Duration::minutes(-1) {
        "in a moment".to_owned()
    } else {
        format!("in {}", length(-gone))
    }
}

/// A length of time in one unit, rounded down: `12 min`, `3 h`, `2 days`.
pub fn length(time: Duration) -> String {
    let (minutes, hours, days) = (time.num_minutes(), time.num_hours(), time.num_days());
    match (minutes, hours, days) {
        (..1, ..) => format!("{} s", time.num_seconds().max(0)),
        (..120, ..) => format!("{minutes} min"),
        (_, ..48, _) => format!("{hours} h"),
        _ => format!("{days} days"),
    }
}

/// A target in minutes, as a person chose it: `15 min`, `24 h`, `7 days`.
pub fn target(minutes: u32) -> String {
    match minutes {
        m if m >= 2880 && m % 1440 == 0 => format!("{} days", m / 1440),
        m if m >= 120 && m % 60 == 0 => format!("{} h", m / 60),
        m => format!("{m} min"),
    }
}

/// How long something took: `850 ms`, `4.2 s`, `3 min 20 s`.
pub fn took(time: Duration) -> String {
    let millis = time.num_milliseconds().max(0);
    match millis {
        ..1000 => format!("{millis} ms"),
        1000..10_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        10_000..60_000 => format!("{} s", millis / 1000),
        60_000..3_600_000 => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
        _ => format!("{} h {} min", millis / 3_600_000, millis % 3_600_000 / 60_000),
    }
}

/// A moment in the appliance's zone; the year only when it is another one.
pub fn moment(now: DateTime<Utc>, at: DateTime<Utc>, zone: Tz) -> String {
    let (now, at) = (now.with_timezone(&zone), at.with_timezone(&zone));
    if now.date_naive() == at.date_naive() {
        format!("today {}", at.format("%H:%M"))
    } else if now.year() == at.year() {
        at.format("%a %-d %b %H:%M").to_string()
    } else {
        at.format("%-d %b %Y %H:%M").to_string()
    }
}

/// A moment with everything, for a title or a log.
pub fn full(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// A size in decimal units with three digits that matter.
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 5] = [
        ("PB", 1_000_000_000_000_000),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1000),
    ];
    match UNITS.into_iter().find(|(_, unit)| bytes >= *unit) {
        None => format!("{bytes} B"),
        Some((name, unit)) => {
            let tenths = bytes / (unit / 10);
            if tenths >= 1000 {
                format!("{} {name}", tenths / 10)
            } else {
                format!("{}.{} {name}", tenths / 10, tenths % 10)
            }
        }
    }
}

/// A number of things: `1 disk`, `3 disks`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// A part of a whole in percent, never above 100.
pub fn percent(part: u64, whole: u64) -> u64 {
    let share = u128::from(part) * 100 / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(100).min(100)
}

/// A cron rule in words where it is one of the usual kinds; the rule itself where it is not.
pub fn rule(cron: &str) -> String {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let five = match fields.as_slice() {
        ["0", rest @ ..] if rest.len() == 5 => rest,
        all => all,
    };
    usual(five).unwrap_or_else(|| format!("by the rule {cron}"))
}

fn usual(fields: &[&str]) -> Option<String> {
    match *fields {
        ["*", "*", "*", "*", "*"] | ["*/1", "*", "*", "*", "*"] => Some("every minute".to_owned()),
        [minutes, "*", "*", "*", "*"] if minutes.starts_with("*/") => {
            let every: u32 = minutes.get(2..)?.parse().ok()?;
            Some(format!("every {every} minutes"))
        }
        [minute, "*", "*", "*", "*"] => {
            let minute: u32 = minute.parse().ok()?;
            Some(format!("every hour{}", past(minute)))
        }
        [minute, hours, "*", "*", "*"] if hours.starts_with("*/") => {
            let (minute, every): (u32, u32) = (minute.parse().ok()?, hours.get(2..)?.parse().ok()?);
            Some(format!("every {every} hours{}", past(minute)))
        }
        [minute, hour, "*", "*", days] => {
            let (minute, hour): (u32, u32) = (minute.parse().ok()?, hour.parse().ok()?);
            Some(format!("{} at {hour:02}:{minute:02}", weekdays(days)?))
        }
        _ => None,
    }
}

fn past(minute: u32) -> String {
    if minute == 0 { String::new() } else { format!(" at {minute} min past") }
}

fn weekdays(days: &str) -> Option<String> {
    let day = |text: &str| match text.to_ascii_lowercase().as_str() {
        "1" | "mon" => Some("Monday"),
        "2" | "tue" => Some("Tuesday"),
        "3" | "wed" => Some("Wednesday"),
        "4" | "thu" => Some("Thursday"),
        "5" | "fri" => Some("Friday"),
        "6" | "sat" => Some("Saturday"),
        "0" | "7" | "sun" => Some("Sunday"),
        _ => None,
    };
    if days == "*" {
        return Some("every day".to_owned());
    }
    if let Some((from, to)) = days.split_once('-') {
        return Some(format!("{} to {}", day(from)?, day(to)?));
    }
    let names: Option<Vec<_>> = days.split(',').map(day).collect();
    names.map(|names| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn ages_are_said_in_the_unit_that_matters() {
        for (seconds, words) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 min ago"),
            (719, "11 min ago"),
            (7199, "119 min ago"),
            (7200, "2 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 days ago"),
            (-30, "in a moment"),
            (-600, "in 10 min"),
        ] {
            assert_eq!(age(at(seconds), at(0)), words);
        }
    }

    #[test]
    fn sizes_keep_what_matters() {
        for (bytes, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_540_000, "1.5 MB"),
            (123_400_000_000, "123 GB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(size(bytes), words);
        }
    }

    #[test]
    fn usual_rules_are_said_in_words_and_others_are_shown() {
        for (cron, words) in [
            ("* * * * *", "every minute"),
            ("*/15 * * * *", "every 15 minutes"),
            ("5 * * * *", "every hour at 5 min past"),
            ("0 */4 * * *", "every 4 hours"),
            ("30 2 * * *", "every day at 02:30"),
            ("0 30 2 * * *", "every day at 02:30"),
            ("0 2 * * mon-fri", "Monday to Friday at 02:00"),
            ("0 2 * * 1,3", "Monday, Wednesday at 02:00"),
            ("0 2 1 * *", "by the rule 0 2 1 * *"),
            ("nonsense", "by the rule nonsense"),
        ] {
            assert_eq!(rule(cron), words);
        }
    }

    #[test]
    fn a_moment_today_says_so_in_the_appliances_zone() {
        let zone: Tz = "Europe/Berlin".parse().unwrap();
        assert_eq!(moment(at(0), at(-3600), zone), "today 08:00");
        assert_eq!(moment(at(0), at(-86_400 * 2), zone), "Wed 13 Jan 09:00");
        assert_eq!(moment(at(0), at(-86_400 * 60), zone), "16 Nov 2026 09:00");
    }

    proptest! {
        #[test]
        fn no_input_makes_words_fail(a in any::<u64>(), b in any::<u64>(), text in ".{0,40}", t in -4_000_000_000_i64..4_000_000_000) {
            size(a);
            prop_assert!(percent(a, b) <= 100);
            rule(&text);
            age(at(t), at(0));
            took(Duration::seconds(t));
        }
    }
}
