//! `holdfast schedule preview`: when would a rule fire?

use super::{context::Context, failure::Failure, show::time::parse_span};
use crate::{
    admin::api::schedules::{Preview, PreviewOrder},
    model::schedule::{Blackout, MissedPolicy, Schedule},
};
use std::time::Duration;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The next times a rule fires, without saving anything
    Preview {
        /// Five cron fields, or six with seconds first
        cron: String,
        #[command(flatten)]
        rule: Rule,
        /// How many times
        #[arg(long, default_value_t = 5)]
        count: usize,
    },
}

/// What besides the cron rule decides when something runs.
#[derive(Debug, clap::Args)]
pub(super) struct Rule {
    /// The time zone of the cron rule, such as Europe/Berlin
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    zone: String,
    /// Delay each start at random by up to this
    #[arg(long, value_parser = parse_span, value_name = "30s|10m")]
    jitter: Option<Duration>,
    /// Start nothing in this window of local time, for example 08:00-18:00 or 22:00-06:00@fri,sat
    #[arg(long = "blackout", value_name = "FROM-TO[@DAYS]")]
    blackouts: Vec<String>,
    /// Leave times out that passed while the appliance was off, instead of running once when it is back
    #[arg(long)]
    skip_missed: bool,
}

impl Rule {
    /// The schedule of this rule and a cron rule.
    pub(super) fn schedule(&self, cron: &str) -> Result<Schedule, Failure> {
        Ok(Schedule {
            cron: cron.to_owned(),
            zone: self.zone.clone(),
            missed: if self.skip_missed { MissedPolicy::Skip } else { MissedPolicy::CatchUpOnce },
            jitter_seconds: self
                .jitter
                .map_or(0, |jitter| u32::try_from(jitter.as_secs()).unwrap_or(u32::MAX)),
            blackouts: self.blackouts.iter().map(|text| blackout(text)).collect::<Result<_, _>>()?,
        })
    }
}

fn blackout(text: &str) -> Result<Blackout, Failure> {
    let (window, days) = text.split_once('@').unwrap_or((text, ""));
    let (from, to) = window.split_once('-').ok_or_else(|| {
        Failure::usage(format!("\"{text}\" is no window of time; write for example 08:00-18:00@mon,tue"))
    })?;
    let days = days.split(',').filter(|day| !day.is_empty()).map(str::to_owned).collect();
    Ok(Blackout { from: from.to_owned(), to: to.to_owned(), days })
}

pub(super) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let Command::Preview { cron, rule, count } = command;
    let order = PreviewOrder { schedule: rule.schedule(&cron)?, after: Some(context.view.now()), count };
    let preview: Preview = context.client()?.post("/schedules/preview", &order).await?;
    context.print(&preview, |preview| text(context, &rule.zone, preview, count))
}

/// Each time as the rule's own zone shows it, since that is what the rule was written for, and as it is here.
fn text(context: &Context, zone: &str, preview: &Preview, count: usize) -> String {
    let there: Option<chrono_tz::Tz> = zone.parse().ok();
    let mut text = String::new();
    for at in &preview.times {
        let local = there.map(|there| at.with_timezone(&there).format("%a %Y-%m-%d %H:%M:%S %Z").to_string());
        text.push_str(&format!("{}  here {}\n", local.unwrap_or_default(), context.view.with_age(*at)));
    }
    if preview.times.len() < count {
        text.push_str("and never after that\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::time::Viewpoint;

    #[test]
    fn times_are_shown_in_the_rules_zone_and_here() {
        let mut context = Context::new(Default::default(), false);
        let utc = chrono::FixedOffset::east_opt(0).unwrap();
        context.view = Viewpoint::fixed("2026-03-28T12:00:00Z".parse().unwrap(), utc);
        let times = vec!["2026-03-29T00:30:00Z".parse().unwrap(), "2026-03-29T23:30:00Z".parse().unwrap()];
        assert_eq!(
            text(&context, "Europe/Berlin", &Preview { times }, 3),
            "Sun 2026-03-29 01:30:00 CET  here 2026-03-29 00:30:00 (in 12 h 30 min)\n\
             Mon 2026-03-30 01:30:00 CEST  here 2026-03-29 23:30:00 (in 35 h 30 min)\n\
             and never after that\n"
        );
    }

    #[test]
    fn windows_are_read_with_and_without_days() {
        let read = |text| blackout(text).map(|b| (b.from, b.to, b.days.join(","))).ok();
        let window =
            |from: &str, to: &str, days: &str| Some((from.to_owned(), to.to_owned(), days.to_owned()));
        assert_eq!(read("08:00-18:00"), window("08:00", "18:00", ""));
        assert_eq!(read("22:00-06:00@fri,sat"), window("22:00", "06:00", "fri,sat"));
        assert_eq!(read("08:00"), None);
    }
}
