//! How a server stands: its newest recovery point against the oldest it may be. Pure.

use crate::model::{
    point::{Consistency, PointRecord},
    server::Server,
};
use chrono::{DateTime, Duration, Utc};

/// Bars on the overview.
const BARS: usize = 14;

/// One word for how a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// There is no recovery point to go back to.
    Unprotected,
    /// The newest one is older than it may be.
    Overdue,
    /// The newest one is recent enough.
    Protected,
}

impl Protection {
    /// As the page says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Protected => "Protected",
            Self::Overdue => "Overdue",
            Self::Unprotected => "Not protected",
        }
    }
}

/// One recovery point as a bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// When it was taken.
    pub taken: DateTime<Utc>,
    /// What it added to the vault, in bytes.
    pub stored: u64,
    /// 1 to 100: its height against the largest of the bars, on a scale on which ten times as much is a step.
    pub height: u32,
}

/// How a server stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// In a word.
    pub protection: Protection,
    /// When the newest usable point was taken, in which vault it is and how consistent it is.
    pub newest: Option<(DateTime<Utc>, String, Consistency)>,
    /// The newest point's age in percent of what it may be.
    pub used: u32,
    /// The newest points, oldest first.
    pub bars: Vec<Bar>,
}

/// How `server` stands with `points` (newest first). An expired point is restorable for a while, but nothing to rely on.
pub fn standing(server: &Server, points: &[PointRecord], now: DateTime<Utc>) -> Standing {
    let usable: Vec<&PointRecord> = points.iter().filter(|point| point.expired.is_none()).collect();
    let newest = usable.first();
    let target = Duration::minutes(i64::from(server.rpo_minutes.max(1)));
    let age = newest.map(|point| (now - point.taken).max(Duration::zero()));
    let protection = match age {
        None => Protection::Unprotected,
        Some(age) if age > target => Protection::Overdue,
        Some(_) => Protection::Protected,
    };
    let used = age.map_or(0, |age| {
        let share = age.num_seconds().saturating_mul(100) / target.num_seconds().max(1);
        u32::try_from(share).unwrap_or(u32::MAX)
    });
    Standing {
        protection,
        newest: newest.map(|point| (point.taken, point.vault.to_string(), point.consistency)),
        used,
        bars: bars(&usable),
    }
}

fn bars(newest_first: &[&PointRecord]) -> Vec<Bar> {
    let shown: Vec<_> = newest_first.iter().take(BARS).rev().collect();
    let steps = |bytes: u64| bytes.max(1).ilog2();
    let sizes = || shown.iter().map(|point| steps(point.sizes.stored));
    let (least, most) = (sizes().min().unwrap_or(0), sizes().max().unwrap_or(1));
    // At least eight steps apart, so that sizes which hardly differ do not look as if they did.
    let floor = least.min(most.saturating_sub(8));
    shown
        .iter()
        .map(|point| {
            let height = 25 + 75 * (steps(point.sizes.stored) - floor) / (most - floor).max(1);
            Bar { taken: point.taken, stored: point.sizes.stored, height: height.min(100) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{name::*, point::PointSizes, server::ServerKind};
    use proptest::prelude::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }
    fn server(rpo_minutes: u32) -> Server {
        Server {
            name: ServerName::new("db1").unwrap(),
            kind: ServerKind::Image,
            tags: vec![],
            disks: vec![],
            rpo_minutes,
        }
    }
    fn point(minutes_ago: i64, stored: u64) -> PointRecord {
        PointRecord {
            id: format!("p{minutes_ago}"),
            vault: VaultName::new("local").unwrap(),
            server: ServerName::new("db1").unwrap(),
            taken: now() - Duration::minutes(minutes_ago),
            consistency: Consistency::Crash,
            held: false,
            expired: None,
            run: None,
            sizes: PointSizes { stored, ..PointSizes::default() },
            disks: vec![],
            verified: None,
        }
    }

    #[test]
    fn a_server_is_protected_up_to_its_target_and_overdue_after_it() {
        let at = |minutes| standing(&server(60), &[point(minutes, 1)], now()).protection;
        assert_eq!(at(0), Protection::Protected);
        assert_eq!(at(60), Protection::Protected);
        assert_eq!(at(61), Protection::Overdue);
        assert_eq!(standing(&server(60), &[], now()).protection, Protection::Unprotected);
    }

    #[test]
    fn an_expired_point_protects_nobody() {
        let expired = PointRecord { expired: Some(now()), ..point(1, 1) };
        assert_eq!(
            standing(&server(60), std::slice::from_ref(&expired), now()).protection,
            Protection::Unprotected
        );
        let older = standing(&server(60), &[expired, point(30, 1)], now());
        assert_eq!(older.newest.unwrap().0, now() - Duration::minutes(30));
    }

    #[test]
    fn the_newest_fourteen_points_are_bars_oldest_first() {
        let points: Vec<_> = (0..20).map(|minute| point(minute, 1 << minute)).collect();
        let bars = standing(&server(60), &points, now()).bars;
        assert_eq!(bars.len(), 14);
        assert!(bars.windows(2).all(|pair| pair[0].taken < pair[1].taken));
        assert_eq!(bars[0].height, 100);
    }

    proptest! {
        #[test]
        fn every_bar_can_be_seen(sizes in proptest::collection::vec(any::<u64>(), 0..30)) {
            let points: Vec<_> = sizes.iter().enumerate().map(|(n, size)| point(i64::try_from(n).unwrap(), *size)).collect();
            for bar in standing(&server(60), &points, now()).bars {
                prop_assert!((25..=100).contains(&bar.height));
            }
        }
    }
}
