//! Which recovery points to keep: a pure function of their times, the rule, the time and the local calendar.
//!
//! As the field does it: walking from the newest point, each kind of period (hour, day, week, month, year, in local
//! time) keeps the newest point of each of its last N periods *that have a point*, and `last` keeps the newest N.
//! Periods without a point use up nothing, so a server that was off for a month keeps its old points. A point lives
//! while any reason keeps it.

use chrono::{DateTime, Datelike, FixedOffset, Timelike, Utc};
use serde::{Deserialize, Serialize};

use crate::id::PointId;

/// How many points to keep, by kind of period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionRule {
    pub last: u32,
    pub hourly: u32,
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
    pub yearly: u32,
}

/// Of a point, what the rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointTime {
    pub point: PointId,
    pub created: DateTime<Utc>,
    pub held: bool,
}

/// Why a point stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepReason {
    Held,
    /// Dated after now: a clock is wrong somewhere, and deleting on its word would be wrong too.
    FromTheFuture,
    Last,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// What the rule says of one point: no reason means it may expire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub point: PointId,
    pub created: DateTime<Utc>,
    pub reasons: Vec<KeepReason>,
}

impl Verdict {
    pub fn keeps(&self) -> bool {
        !self.reasons.is_empty()
    }
}

/// One server's points against a rule, newest first. `local` turns an instant into the site's wall-clock time. A rule
/// of all zeroes keeps everything: it means "no rule", and a rule that keeps nothing is never what someone wants.
pub fn keep(
    points: &[PointTime],
    rule: &RetentionRule,
    now: DateTime<Utc>,
    local: impl Fn(DateTime<Utc>) -> DateTime<FixedOffset>,
) -> Vec<Verdict> {
    let mut sorted = points.to_vec();
    sorted.sort_by_key(|p| (std::cmp::Reverse(p.created), p.point));
    let mut buckets = Bucket::all(rule);
    let keep_all = *rule == RetentionRule::default();
    sorted
        .iter()
        .map(|p| {
            let mut reasons = Vec::new();
            if p.held {
                reasons.push(KeepReason::Held);
            }
            if p.created > now {
                reasons.push(KeepReason::FromTheFuture);
            } else if keep_all {
                reasons.push(KeepReason::Last);
            } else {
                let at = local(p.created);
                reasons.extend(buckets.iter_mut().filter_map(|bucket| bucket.take(p, &at)));
            }
            Verdict { point: p.point, created: p.created, reasons }
        })
        .collect()
}

/// One kind of period and how many of it are still to fill.
struct Bucket {
    reason: KeepReason,
    left: u32,
    period: Option<(i64, u32)>,
    number: u32,
}

impl Bucket {
    fn all(rule: &RetentionRule) -> [Self; 6] {
        [
            (KeepReason::Last, rule.last),
            (KeepReason::Hourly, rule.hourly),
            (KeepReason::Daily, rule.daily),
            (KeepReason::Weekly, rule.weekly),
            (KeepReason::Monthly, rule.monthly),
            (KeepReason::Yearly, rule.yearly),
        ]
        .map(|(reason, left)| Self { reason, left, period: None, number: 0 })
    }

    /// Keeps the point if it is the first seen of its period and the quota lasts.
    fn take(&mut self, _point: &PointTime, at: &DateTime<FixedOffset>) -> Option<KeepReason> {
        if self.left == 0 {
            return None;
        }
        self.number += 1;
        let date = at.date_naive();
        let period = match self.reason {
            KeepReason::Hourly => (i64::from(date.num_days_from_ce()), at.hour()),
            KeepReason::Daily => (i64::from(date.num_days_from_ce()), 0),
            KeepReason::Weekly => (i64::from(date.iso_week().year()), date.iso_week().week()),
            KeepReason::Monthly => (i64::from(date.year()), date.month()),
            KeepReason::Yearly => (i64::from(date.year()), 0),
            KeepReason::Held | KeepReason::FromTheFuture | KeepReason::Last => (0, self.number),
        };
        if self.period == Some(period) {
            return None;
        }
        self.period = Some(period);
        self.left -= 1;
        Some(self.reason)
    }
}
