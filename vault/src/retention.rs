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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utc(at: DateTime<Utc>) -> DateTime<FixedOffset> {
        at.fixed_offset()
    }

    fn point(number: usize, hours: i64) -> PointTime {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let created = DateTime::from_timestamp(1_700_000_000 + hours * 3600, 0).unwrap();
        PointTime { point: PointId(id), created, held: false }
    }

    fn kept(points: &[PointTime], rule: &RetentionRule, now: i64) -> Vec<i64> {
        let verdicts = keep(points, rule, point(0, now).created, utc);
        let hours = |v: &Verdict| (v.created.timestamp() - 1_700_000_000) / 3600;
        verdicts.iter().filter(|v| v.keeps()).map(hours).collect()
    }

    #[test]
    fn days_without_a_point_use_up_nothing() {
        let points = [point(1, 0), point(2, 24), point(3, 24 * 40), point(4, 24 * 41)];
        let rule = RetentionRule { daily: 3, ..RetentionRule::default() };
        assert_eq!(kept(&points, &rule, 24 * 41), [24 * 41, 24 * 40, 24]);
    }

    #[test]
    fn the_day_is_the_sites_and_not_greenwichs() {
        // 22:13 and 23:13 UTC: one day there, two days two hours further east.
        let points = [point(1, 0), point(2, 1)];
        let rule = RetentionRule { daily: 2, ..RetentionRule::default() };
        let now = points[1].created;
        let east = |at: DateTime<Utc>| at.with_timezone(&FixedOffset::east_opt(3600).unwrap());
        assert_eq!(kept(&points, &rule, 1).len(), 1);
        assert_eq!(keep(&points, &rule, now, east).iter().filter(|v| v.keeps()).count(), 2);
    }

    #[test]
    fn no_rule_keeps_everything() {
        let points: Vec<PointTime> = (0..50).map(|n| point(n, n as i64)).collect();
        assert_eq!(kept(&points, &RetentionRule::default(), 100).len(), 50);
    }

    fn rules() -> impl Strategy<Value = RetentionRule> {
        let n = 0..6_u32;
        (n.clone(), n.clone(), n.clone(), n.clone(), n.clone(), n).prop_map(
            |(last, hourly, daily, weekly, monthly, yearly)| RetentionRule {
                last,
                hourly,
                daily,
                weekly,
                monthly,
                yearly,
            },
        )
    }

    fn histories() -> impl Strategy<Value = Vec<PointTime>> {
        prop::collection::vec((0..30_000_i64, prop::bool::weighted(0.1)), 0..80).prop_map(|hours| {
            let points = hours.into_iter().enumerate();
            points.map(|(n, (at, held))| PointTime { held, ..point(n, at) }).collect()
        })
    }

    proptest! {
        #[test]
        fn the_newest_point_of_a_server_always_stays(points in histories(), rule in rules()) {
            let verdicts = keep(&points, &rule, point(0, 40_000).created, utc);
            prop_assert_eq!(verdicts.len(), points.len());
            if let Some(newest) = verdicts.first() {
                prop_assert!(newest.keeps());
            }
        }

        #[test]
        fn held_points_and_those_from_the_future_always_stay(points in histories(), rule in rules(), now in 0..30_000_i64) {
            let now = point(0, now).created;
            for verdict in keep(&points, &rule, now, utc) {
                let held = points.iter().any(|p| p.point == verdict.point && p.held);
                prop_assert!(verdict.keeps() || (!held && verdict.created <= now));
            }
        }

        #[test]
        fn no_more_points_stay_than_the_rule_asks_for(points in histories(), rule in rules()) {
            prop_assume!(rule != RetentionRule::default());
            let verdicts = keep(&points, &rule, point(0, 40_000).created, utc);
            let by_rule = verdicts.iter().filter(|v| v.reasons.iter().any(|r| *r != KeepReason::Held)).count();
            let most = rule.last + rule.hourly + rule.daily + rule.weekly + rule.monthly + rule.yearly;
            prop_assert!(by_rule <= most as usize);
        }

        #[test]
        fn asking_again_after_expiring_expires_nothing_more(points in histories(), rule in rules()) {
            let now = point(0, 40_000).created;
            let stays: Vec<PointId> =
                keep(&points, &rule, now, utc).into_iter().filter(Verdict::keeps).map(|v| v.point).collect();
            let left: Vec<PointTime> = points.iter().filter(|p| stays.contains(&p.point)).copied().collect();
            prop_assert!(keep(&left, &rule, now, utc).iter().all(Verdict::keeps));
        }

        #[test]
        fn a_more_generous_rule_keeps_no_less(points in histories(), rule in rules(), more in 0..6_usize) {
            prop_assume!(rule != RetentionRule::default());
            let now = point(0, 40_000).created;
            let mut generous = rule;
            let fields = [&mut generous.last, &mut generous.hourly, &mut generous.daily, &mut generous.weekly, &mut generous.monthly, &mut generous.yearly];
            *fields.into_iter().nth(more).unwrap() += 1;
            let wide = keep(&points, &generous, now, utc);
            for (narrow, wide) in keep(&points, &rule, now, utc).iter().zip(&wide) {
                prop_assert!(!narrow.keeps() || wide.keeps());
            }
        }
    }
}
