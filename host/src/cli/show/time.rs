//! Times as people read them: local, with their age; and durations as people write them.

use chrono::{DateTime, FixedOffset, Local, TimeDelta, Utc};

/// When and where it is looked from. The clock is read once per command, so that a table agrees with itself.
#[derive(Debug, Clone, Copy)]
pub struct Viewpoint {
    now: DateTime<Utc>,
    /// None is the machine's own zone.
    offset: Option<FixedOffset>,
}

impl Viewpoint {
    /// Now and here.
    pub fn here(now: DateTime<Utc>) -> Self {
        Self { now, offset: None }
    }

    /// With a fixed distance from UTC, so that tests look the same everywhere.
    pub fn fixed(now: DateTime<Utc>, offset: FixedOffset) -> Self {
        Self { now, offset: Some(offset) }
    }

    /// The moment it is looked from.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Date and time, local.
    pub fn time(&self, at: DateTime<Utc>) -> String {
        const FORM: &str = "%Y-%m-%d %H:%M:%S";
        match self.offset {
            Some(offset) => at.with_timezone(&offset).format(FORM).to_string(),
            None => at.with_timezone(&Local).format(FORM).to_string(),
        }
    }

    /// Date and time with how long ago or how soon.
    pub fn with_age(&self, at: DateTime<Utc>) -> String {
        format!("{} ({})", self.time(at), self.age(at))
    }

    /// How long ago, or how soon.
    pub fn age(&self, at: DateTime<Utc>) -> String {
        let passed = self.now - at;
        match passed {
            passed if passed.abs() < TimeDelta::seconds(1) => "now".to_owned(),
            passed if passed > TimeDelta::zero() => format!("{} ago", span(passed)),
            passed => format!("in {}", span(-passed)),
        }
    }
}

/// A length of time in its largest unit, two for the small ones.
pub fn span(length: TimeDelta) -> String {
    let seconds = length.num_seconds();
    match seconds {
        0 => format!("{} ms", length.num_milliseconds()),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 if seconds % 3600 < 60 => format!("{} h", seconds / 3600),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Minutes from `90m`, `24h`, `7d`, `2w`, or seconds where `unit` is one: what `--rpo` and its like take.
pub fn parse_span(text: &str) -> Result<std::time::Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..).unwrap_or_default() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(format!("\"{text}\" is no length of time; write for example 90m, 24h or 7d")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("\"{text}\" is no length of time; write for example 90m, 24h or 7d"))?;
    let seconds = number.checked_mul(unit).ok_or_else(|| format!("\"{text}\" is too long"))?;
    Ok(std::time::Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn ages_read_as_people_say_them() {
        let view = Viewpoint::here(at("2026-03-10T12:00:00Z"));
        let ages = [
            "2026-03-10T12:00:00Z",
            "2026-03-10T11:59:18Z",
            "2026-03-10T11:14:00Z",
            "2026-03-09T10:05:00Z",
            "2026-02-10T12:00:00Z",
            "2026-03-10T14:30:00Z",
        ]
        .map(|text| view.age(at(text)));
        assert_eq!(
            ages,
            ["now", "42 s ago", "46 min ago", "25 h 55 min ago", "28 days ago", "in 2 h 30 min"]
        );
    }

    #[test]
    fn times_are_local() {
        let berlin = FixedOffset::east_opt(3600).unwrap();
        let view = Viewpoint::fixed(at("2026-03-10T12:00:00Z"), berlin);
        assert_eq!(view.with_age(at("2026-03-10T11:00:00Z")), "2026-03-10 12:00:00 (1 h ago)");
    }

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        let seconds = |text| parse_span(text).map(|span| span.as_secs());
        assert_eq!(seconds("90m"), Ok(5400));
        assert_eq!(seconds("24h"), Ok(86_400));
        assert_eq!(seconds("2w"), Ok(1_209_600));
        for bad in ["", "24", "h", "1.5h", "-1h", "1y", "99999999999999999999h", "9999999999999999999w"] {
            assert!(parse_span(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
