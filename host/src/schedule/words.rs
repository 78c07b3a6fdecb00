//! A rule in words, for people who do not read crontab.

use super::cron::{Rule, Set};

/// More single times than this are said as hours and minutes apart.
const TIMES_SPELLED_OUT: usize = 6;
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How the numbers of one field lie.
enum Shape {
    All,
    /// Every n-th from zero to the field's end; true when it goes on evenly over the end.
    Step(u32, bool),
    Run(u32, u32),
    Other,
}

impl Rule {
    /// When the rule fires, for example "every 5 minutes" or "at 02:30 on Mon–Fri".
    pub fn in_words(&self) -> String {
        let (time, of_day) = self.time_in_words();
        let days = self.days_in_words();
        match (days, of_day) {
            (Some(days), _) => format!("{time} {days}"),
            (None, true) => format!("{time} every day"),
            (None, false) => time,
        }
    }

    /// True when the words name times of a day, so that "every day" has to follow.
    fn time_in_words(&self) -> (String, bool) {
        let seconds = self.seconds.numbers();
        let plain = seconds == [0];
        let (minutes, hours) = (self.minutes.numbers(), self.hours.numbers());
        if plain && minutes.len() * hours.len() <= TIMES_SPELLED_OUT && !self.repeats() {
            let times: Vec<String> =
                hours.iter().flat_map(|h| minutes.iter().map(move |m| format!("{h:02}:{m:02}"))).collect();
            return (format!("at {}", listed(&times)), true);
        }
        let minute = match (shape(self.minutes, 0, 60), minutes.as_slice()) {
            (Shape::All, _) => "every minute".to_owned(),
            (Shape::Step(n, even), _) => {
                format!("every {n} minutes{}", if even { "" } else { " from the full hour" })
            }
            (_, [one]) => match shape(self.hours, 0, 24) {
                Shape::All => return (self.with_seconds(hourly("every hour", *one)), false),
                Shape::Step(n, true) => {
                    return (self.with_seconds(hourly(&format!("every {n} hours"), *one)), false);
                }
                _ => format!("at minute {one}"),
            },
            (Shape::Run(a, b), _) => format!("every minute from :{a:02} to :{b:02}"),
            _ => format!("at minutes {}", listed(&minutes)),
        };
        let text = match shape(self.hours, 0, 24) {
            Shape::All => minute,
            Shape::Run(a, b) => format!("{minute} from {a:02}:00 to {b:02}:59"),
            Shape::Step(n, true) => format!("{minute} of every {}", counted_hour(n)),
            _ => {
                let hours: Vec<String> = hours.iter().map(|h| format!("{h:02}")).collect();
                format!("{minute} of hour {}", listed(&hours))
            }
        };
        (self.with_seconds(text), false)
    }

    fn with_seconds(&self, text: String) -> String {
        let seconds = self.seconds.numbers();
        let said = match shape(self.seconds, 0, 60) {
            _ if seconds == [0] => return text,
            Shape::All => "every second".to_owned(),
            Shape::Step(n, true) => format!("every {n} seconds"),
            _ => format!("at second {}", listed(&seconds)),
        };
        if text == "every minute" { said } else { format!("{said}, {text}") }
    }

    fn days_in_words(&self) -> Option<String> {
        let by_weekday = match shape(self.weekdays, 0, 7) {
            Shape::All => None,
            _ => Some(format!("on {}", weekdays_in_words(self.weekdays))),
        };
        let by_day = match shape(self.days, 1, 31) {
            Shape::All => None,
            _ => Some(format!("on the {} of the month", listed_days(self.days))),
        };
        let months = match shape(self.months, 1, 12) {
            Shape::All => None,
            Shape::Run(a, b) => Some(format!("in {}–{}", month(a), month(b))),
            _ => Some(format!(
                "in {}",
                listed(&self.months.numbers().into_iter().map(month).collect::<Vec<_>>())
            )),
        };
        let days = match (by_day, by_weekday) {
            (Some(day), Some(weekday)) if self.either_day => Some(format!("{day} or {weekday}")),
            (Some(day), Some(weekday)) => Some(format!("{weekday} if {day}")),
            (day, weekday) => day.or(weekday),
        };
        match (days, months) {
            (Some(days), Some(months)) => Some(format!("{days} {months}")),
            (None, Some(months)) => Some(format!("every day {months}")),
            (days, None) => days,
        }
    }
}

fn shape(set: Set, first: u32, size: u32) -> Shape {
    let numbers = set.numbers();
    if numbers.len() == size as usize {
        return Shape::All;
    }
    let (Some(&low), Some(&high)) = (numbers.first(), numbers.last()) else { return Shape::Other };
    let evenly = |step: u32| numbers.iter().zip(0..).all(|(number, place)| *number == low + step * place);
    if let [_, second, _, ..] = numbers.as_slice() {
        let step = second - low;
        if step == 1 && evenly(1) {
            return Shape::Run(low, high);
        }
        if low == 0 && first == 0 && evenly(step) && high + step >= size {
            return Shape::Step(step, size.is_multiple_of(step));
        }
    }
    if let (0, [_, half]) = (low, numbers.as_slice())
        && first == 0
        && half * 2 == size
    {
        return Shape::Step(*half, true);
    }
    Shape::Other
}

fn hourly(every: &str, minute: u32) -> String {
    if minute == 0 { every.to_owned() } else { format!("{every} at minute {minute}") }
}

fn counted_hour(n: u32) -> String {
    match n {
        2 => "2nd hour".to_owned(),
        3 => "3rd hour".to_owned(),
        n => format!("{n}th hour"),
    }
}

/// Runs of three or more days are joined: "Mon–Fri". The week is read from Monday.
fn weekdays_in_words(set: Set) -> String {
    let week: Vec<u32> = [1, 2, 3, 4, 5, 6, 0].into_iter().collect();
    joined(&week, |day| set.has(*day), |day| name(&WEEKDAYS, *day))
}

fn listed_days(set: Set) -> String {
    let days: Vec<u32> = (1..=31).collect();
    joined(&days, |day| set.has(*day), |day| ordinal(*day))
}

fn joined(all: &[u32], has: impl Fn(&u32) -> bool, say: impl Fn(&u32) -> String) -> String {
    let mut said = Vec::new();
    for run in all.split(|item| !has(item)) {
        match run {
            [first, _, .., last] => said.push(format!("{}–{}", say(first), say(last))),
            few => said.extend(few.iter().map(&say)),
        }
    }
    listed(&said)
}

fn ordinal(day: u32) -> String {
    let ending = match day {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    };
    format!("{day}{ending}")
}

fn month(number: u32) -> String {
    name(&MONTHS, number.saturating_sub(1))
}

fn name(names: &[&str], place: u32) -> String {
    names.get(place as usize).copied().unwrap_or_default().to_owned()
}

fn listed<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    match items.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_a_person_would_say_them() {
        for (rule, words) in [
            ("* * * * *", "every minute"),
            ("*/5 * * * *", "every 5 minutes"),
            ("*/30 * * * *", "every 30 minutes"),
            ("*/7 * * * *", "every 7 minutes from the full hour"),
            ("0 * * * *", "every hour"),
            ("30 * * * *", "every hour at minute 30"),
            ("0 */6 * * *", "every 6 hours"),
            ("0 0,12 * * *", "at 00:00 and 12:00 every day"),
            ("*/30 2 * * *", "every 30 minutes of hour 02"),
            ("15 */2 * * *", "every 2 hours at minute 15"),
            ("30 2 * * *", "at 02:30 every day"),
            ("30 2 * * 1-5", "at 02:30 on Mon–Fri"),
            ("0 6,18 * * sat,sun", "at 06:00 and 18:00 on Sat and Sun"),
            ("0 3 * * fri-mon", "at 03:00 on Mon and Fri–Sun"),
            ("*/15 8-17 * * mon-fri", "every 15 minutes from 08:00 to 17:59 on Mon–Fri"),
            ("0 0 1 * *", "at 00:00 on the 1st of the month"),
            ("0 0 1,15 * *", "at 00:00 on the 1st and 15th of the month"),
            ("0 0 1-7 * 0", "at 00:00 on the 1st–7th of the month or on Sun"),
            ("0 4 * 1,7 *", "at 04:00 every day in Jan and Jul"),
            ("0 4 * 3-10 sun", "at 04:00 on Sun in Mar–Oct"),
            ("@yearly", "at 00:00 on the 1st of the month in Jan"),
            ("*/10 * * * * *", "every 10 seconds"),
            ("* * * * * *", "every second"),
            ("15 30 2 * * *", "at second 15, at minute 30 of hour 02"),
            ("0 9-17 * * *", "at minute 0 from 09:00 to 17:59"),
            ("*/10 */3 * * *", "every 10 minutes of every 3rd hour"),
        ] {
            assert_eq!(Rule::read(rule).unwrap().in_words(), words, "{rule}");
        }
    }
}
