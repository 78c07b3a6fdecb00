//! How often a job runs, as people choose it, and as the cron rule it becomes. Pure.

use crate::{
    admin::auth::form::Form,
    model::schedule::{MissedPolicy, Schedule},
};
use maud::{Markup, html};

const USUAL: [(&str, &str); 6] = [
    ("*/15 * * * *", "every 15 minutes"),
    ("0 * * * *", "every hour"),
    ("0 */4 * * *", "every 4 hours"),
    ("daily", "every day at"),
    ("weekdays", "Monday to Friday at"),
    ("weekly", "every Sunday at"),
];

/// The choice as it stands in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rhythm {
    /// A rule of the list, `daily`, `weekdays`, `weekly`, `rule` or `never`.
    pub often: String,
    /// `HH:MM` for those that need it.
    pub time: String,
    /// The rule a person wrote.
    pub cron: String,
    /// IANA zone.
    pub zone: String,
    /// Run once when times passed while the appliance was off.
    pub catch_up: bool,
}

impl Rhythm {
    /// What a new job begins with; `suggested` is the plugin author's rule.
    pub fn fresh(suggested: Option<&str>, zone: &str) -> Self {
        let missed = MissedPolicy::CatchUpOnce;
        let (jitter_seconds, blackouts) = (0, vec![]);
        let cron = suggested.unwrap_or("0 * * * *").to_owned();
        Self::of(Some(&Schedule { cron, zone: zone.to_owned(), missed, jitter_seconds, blackouts }), zone)
    }

    /// What a job has; no schedule is "never".
    pub fn of(schedule: Option<&Schedule>, zone: &str) -> Self {
        let Some(schedule) = schedule else {
            return Self { often: "never".to_owned(), ..Self::fresh(None, zone) };
        };
        let fields: Vec<&str> = schedule.cron.split_whitespace().collect();
        let at = |minute: &str, hour: &str| {
            let (minute, hour): (u32, u32) = (minute.parse().ok()?, hour.parse().ok()?);
            (minute < 60 && hour < 24).then(|| format!("{hour:02}:{minute:02}"))
        };
        let (often, time) = match fields.as_slice() {
            [minute, hour, "*", "*", days] if at(minute, hour).is_some() => {
                let often = match days.to_ascii_lowercase().as_str() {
                    "*" => "daily",
                    "1-5" | "mon-fri" => "weekdays",
                    "0" | "7" | "sun" => "weekly",
                    _ => "rule",
                };
                (often, at(minute, hour))
            }
            _ if USUAL.iter().any(|(rule, _)| *rule == schedule.cron) => (schedule.cron.as_str(), None),
            _ => ("rule", None),
        };
        Self {
            often: often.to_owned(),
            time: time.unwrap_or_else(|| "02:00".to_owned()),
            cron: schedule.cron.clone(),
            zone: schedule.zone.clone(),
            catch_up: schedule.missed == MissedPolicy::CatchUpOnce,
        }
    }

    /// What a form says.
    pub fn from_form(form: &Form) -> Self {
        let text = |name| form.text(name).to_owned();
        let catch_up = form.ticked("catch-up");
        Self { often: text("often"), time: text("time"), cron: text("cron"), zone: text("zone"), catch_up }
    }

    /// The schedule it is; what `present` has and the form does not show stays. None is "never".
    pub fn schedule(&self, present: Option<&Schedule>) -> Result<Option<Schedule>, String> {
        let cron = match self.often.as_str() {
            "never" => return Ok(None),
            "daily" => self.at("* * *")?,
            "weekdays" => self.at("* * 1-5")?,
            "weekly" => self.at("* * 0")?,
            "rule" => self.cron.clone(),
            usual if USUAL.iter().any(|(rule, _)| *rule == usual) => usual.to_owned(),
            other => {
                return Err(format!("\"{other}\" is no choice; nothing was changed; choose one of the list"));
            }
        };
        let missed = if self.catch_up { MissedPolicy::CatchUpOnce } else { MissedPolicy::Skip };
        Ok(Some(Schedule {
            cron,
            zone: self.zone.clone(),
            missed,
            jitter_seconds: present.map_or(0, |present| present.jitter_seconds),
            blackouts: present.map(|present| present.blackouts.clone()).unwrap_or_default(),
        }))
    }

    fn at(&self, days: &str) -> Result<String, String> {
        let wrong = || {
            format!("\"{}\" is not a time of day; nothing was changed; write for example 02:30", self.time)
        };
        let (hour, minute) = self.time.split_once(':').ok_or_else(wrong)?;
        let (hour, minute): (u32, u32) = hour
            .parse()
            .ok()
            .zip(minute.parse().ok())
            .filter(|(h, m)| *h < 24 && *m < 60)
            .ok_or_else(wrong)?;
        Ok(format!("{minute} {hour} {days}"))
    }

    /// The fields.
    pub fn fields(&self) -> Markup {
        html! {
            fieldset {
                legend { "When" }
                div class="row" {
                    label {
                        "How often"
                        select name="often" {
                            @for (rule, words) in USUAL { option value=(rule) selected[self.often == rule] { (words) } }
                            option value="rule" selected[self.often == "rule"] { "by a cron rule" }
                            option value="never" selected[self.often == "never"] { "only when somebody starts it" }
                        }
                    }
                    label { "At" input type="time" name="time" value=(self.time); small { "for daily and weekly" } }
                    label { "Cron rule" input class="code" name="cron" value=(self.cron) spellcheck="false"; small { "minute hour day month weekday" } }
                    label { "Time zone" input name="zone" value=(self.zone) required; small { "for example Europe/Berlin" } }
                }
                label class="tick" {
                    input type="checkbox" name="catch-up" value="yes" checked[self.catch_up];
                    "If the appliance was off at that time: run once as soon as it is on again"
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(cron: &str) -> Schedule {
        Rhythm { often: "rule".into(), cron: cron.into(), ..Rhythm::fresh(None, "Europe/Berlin") }
            .schedule(None)
            .unwrap()
            .unwrap()
    }

    #[test]
    fn every_rule_survives_being_shown_in_the_form() {
        for cron in [
            "*/15 * * * *",
            "0 * * * *",
            "30 2 * * *",
            "5 23 * * 1-5",
            "0 4 * * 0",
            "0 2 1 * *",
            "0 0 2 * * *",
            "5-9 * * * *",
        ] {
            let before = schedule(cron);
            let after = Rhythm::of(Some(&before), "UTC").schedule(Some(&before)).unwrap().unwrap();
            assert_eq!(after, before, "{cron}");
        }
    }

    #[test]
    fn what_people_choose_becomes_a_rule() {
        let choice = |often: &str, time: &str| {
            let fresh = Rhythm::fresh(None, "UTC");
            Rhythm { often: often.into(), time: time.into(), ..fresh }
                .schedule(None)
                .map(|found| found.map(|s| s.cron))
        };
        assert_eq!(choice("daily", "02:30"), Ok(Some("30 2 * * *".into())));
        assert_eq!(choice("weekdays", "23:05"), Ok(Some("5 23 * * 1-5".into())));
        assert_eq!(choice("never", ""), Ok(None));
        assert!(choice("daily", "25:00").unwrap_err().contains("not a time of day"));
        assert!(choice("whenever", "").is_err());
    }
}
