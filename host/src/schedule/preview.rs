//! The next times, for a person: when a schedule would fire, and when a job runs next.

use super::{cron::BadSchedule, window::Timetable};
use crate::model::{job::Job, schedule::Schedule};
use chrono::{DateTime, Utc};

/// The next start times after `after`, without jitter, at most `count`.
pub fn preview(
    schedule: &Schedule,
    after: DateTime<Utc>,
    count: usize,
) -> Result<Vec<DateTime<Utc>>, BadSchedule> {
    let table = Timetable::new(schedule)?;
    let dues = std::iter::successors(table.next_due(after), |due| table.next_due(*due));
    let mut starts: Vec<DateTime<Utc>> = Vec::new();
    // Due times that share a blackout start together; a frequent rule may have very many of them.
    for due in dues.take(100_000) {
        let start = table.out_of_windows(due);
        if starts.last() != Some(&start) {
            starts.push(start);
        }
        if starts.len() >= count {
            break;
        }
    }
    Ok(starts)
}

/// When the job runs next by itself, jitter and blackouts included. None for one that never does.
pub fn next_run(job: &Job, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if !job.enabled {
        return None;
    }
    let of_schedule = |schedule: &Schedule| {
        let table = Timetable::new(schedule).ok()?;
        let from = now - table.longest_delay();
        let dues = std::iter::successors(table.next_due(from), |due| table.next_due(*due));
        let mut starts = dues.take(1_000_000).map(|due| (due, table.start_of(&job.name, due)));
        starts.find(|(_, start)| *start > now).map(|(_, start)| start)
    };
    job.schedules.iter().filter_map(of_schedule).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&format!("{text}:00Z")).unwrap().to_utc()
    }

    #[test]
    fn a_preview_shows_what_will_happen_around_a_blackout() {
        let schedule = serde_json::from_value(serde_json::json!({
            "cron": "0 */4 * * *", "blackouts": [{"from": "07:00", "to": "13:00"}]
        }));
        let starts = preview(&schedule.unwrap(), utc("2026-03-01T03:00"), 3).unwrap();
        assert_eq!(starts, [utc("2026-03-01T04:00"), utc("2026-03-01T13:00"), utc("2026-03-01T16:00")]);
    }

    #[test]
    fn a_job_runs_next_at_the_earliest_of_its_schedules_and_a_disabled_one_never() {
        let mut job: Job = serde_json::from_value(serde_json::json!({
            "name": "a", "work": {"type": "task", "task": {"task": "export-state"}},
            "schedules": [{"cron": "0 2 * * *"}, {"cron": "0 1 * * *"}, {"cron": "nonsense"}]
        }))
        .unwrap();
        assert_eq!(next_run(&job, utc("2026-03-01T00:30")), Some(utc("2026-03-01T01:00")));
        job.enabled = false;
        assert_eq!(next_run(&job, utc("2026-03-01T00:30")), None);
    }
}
