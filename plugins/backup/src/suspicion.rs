//! Whether a backup looks like the work of ransomware: a jump against the server's own history.
//!
//! Ciphertext does not compress, so the surest sign is a jump in changed bytes that did not. A jump in changed bytes
//! alone is a sign too (wiping, a cipher that leaves structure), but upgrades and imports do that every month, so it
//! counts only when a large part of the disks changed. The history is described by its median and its median absolute
//! deviation, which a few odd days do not move.

use serde::Deserialize;

/// How readily a jump counts as an attack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sensitivity {
    Off,
    Low,
    #[default]
    Normal,
    High,
}

/// Backups looked back on.
pub(crate) const WINDOW: u32 = 20;
/// With fewer there is no "usual".
const ENOUGH: usize = 5;
/// A MAD times this estimates a standard deviation.
const SIGMA: f64 = 1.4826;
/// Below this much nothing is a jump, however quiet the server is.
const FLOOR: f64 = (64 << 20) as f64;

struct Bounds {
    /// Standard deviations above the median.
    deviations: f64,
    /// Times the median.
    times: f64,
    /// Share of the disks that must be incompressible.
    incompressible_share: f64,
    /// Share of the disks that must have changed, where only that tells.
    changed_share: f64,
}

impl Sensitivity {
    fn bounds(self) -> Option<Bounds> {
        let (deviations, times, incompressible_share, changed_share) = match self {
            Self::Off => return None,
            Self::Low => (12.0, 6.0, 0.05, 0.5),
            Self::Normal => (8.0, 4.0, 0.02, 0.3),
            Self::High => (5.0, 2.5, 0.01, 0.15),
        };
        Some(Bounds { deviations, times, incompressible_share, changed_share })
    }
}

/// What a backup found, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    pub(crate) changed: f64,
    pub(crate) incompressible: f64,
    pub(crate) disks: f64,
}

/// The server's past, in bytes, in any order. Its first, full backup is not part of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct History {
    pub(crate) changed: Vec<f64>,
    pub(crate) incompressible: Vec<f64>,
}

/// What is unusual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Suspicion {
    pub(crate) what: Jump,
    pub(crate) now: f64,
    pub(crate) usual: f64,
}

/// Which measure jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jump {
    Incompressible,
    Changed,
}

/// Weighs a backup against the history.
pub(crate) fn weigh(history: &History, now: Measured, sensitivity: Sensitivity) -> Option<Suspicion> {
    let bounds = sensitivity.bounds()?;
    let least = |share: f64| FLOOR.max(share * now.disks);
    let jump = |what, past: &[f64], value: f64, least: f64| {
        let usual = usual(past)?;
        let limit = least
            .max(usual.median + bounds.deviations * SIGMA * usual.deviation)
            .max(usual.median * bounds.times);
        (value > limit).then_some(Suspicion { what, now: value, usual: usual.median })
    };
    jump(
        Jump::Incompressible,
        &history.incompressible,
        now.incompressible,
        least(bounds.incompressible_share),
    )
    .or_else(|| jump(Jump::Changed, &history.changed, now.changed, least(bounds.changed_share)))
}

struct Usual {
    median: f64,
    deviation: f64,
}

fn usual(past: &[f64]) -> Option<Usual> {
    if past.len() < ENOUGH {
        return None;
    }
    let median = median(past)?;
    let distances: Vec<f64> = past.iter().map(|value| (value - median).abs()).collect();
    Some(Usual { median, deviation: self::median(&distances)? })
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied()?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = sorted.get(middle.checked_sub(1)?).copied()?;
    Some(lower.midpoint(upper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GIB: f64 = (1 << 30) as f64;
    const MIB: f64 = (1 << 20) as f64;

    fn quiet() -> History {
        let around = |usual: f64| (0..10).map(|day| usual * (0.8 + f64::from(day % 5) / 10.0)).collect();
        History { changed: around(500.0 * MIB), incompressible: around(50.0 * MIB) }
    }

    fn backup(changed: f64, incompressible: f64) -> Measured {
        Measured { changed, incompressible, disks: 100.0 * GIB }
    }

    #[test]
    fn a_usual_day_is_not_suspicious() {
        assert_eq!(weigh(&quiet(), backup(600.0 * MIB, 70.0 * MIB), Sensitivity::High), None);
    }

    #[test]
    fn an_encrypted_disk_is_suspicious_at_every_sensitivity() {
        for sensitivity in [Sensitivity::Low, Sensitivity::Normal, Sensitivity::High] {
            let found = weigh(&quiet(), backup(60.0 * GIB, 59.0 * GIB), sensitivity).unwrap();
            assert_eq!(found.what, Jump::Incompressible);
        }
    }

    #[test]
    fn an_upgrade_of_the_operating_system_is_not_suspicious() {
        assert_eq!(weigh(&quiet(), backup(9.0 * GIB, 1.5 * GIB), Sensitivity::Normal), None);
    }

    #[test]
    fn a_wiped_disk_is_suspicious_though_it_compresses() {
        let found = weigh(&quiet(), backup(80.0 * GIB, 0.0), Sensitivity::Normal).unwrap();
        assert_eq!(found.what, Jump::Changed);
    }

    #[test]
    fn one_odd_day_in_the_past_does_not_hide_an_attack() {
        let mut history = quiet();
        history.incompressible.push(40.0 * GIB);
        assert!(weigh(&history, backup(60.0 * GIB, 59.0 * GIB), Sensitivity::Normal).is_some());
    }

    #[test]
    fn switched_off_it_never_speaks() {
        assert_eq!(weigh(&quiet(), backup(99.0 * GIB, 99.0 * GIB), Sensitivity::Off), None);
    }

    fn any_history() -> impl Strategy<Value = History> {
        (0usize..30).prop_flat_map(|days| {
            let series = || prop::collection::vec(0.0..1e12f64, days);
            (series(), series()).prop_map(|(changed, incompressible)| History { changed, incompressible })
        })
    }

    proptest! {
        #[test]
        fn without_enough_history_nothing_is_suspicious(past in prop::collection::vec(0.0..1e12f64, 0..ENOUGH), changed in 0.0..1e15f64) {
            let history = History { changed: past.clone(), incompressible: past };
            prop_assert_eq!(weigh(&history, backup(changed, changed), Sensitivity::High), None);
        }

        #[test]
        fn a_bigger_jump_is_never_less_suspicious(history in any_history(), value in 0.0..1e12f64, more in 0.0..1e12f64) {
            let small = weigh(&history, backup(value, value), Sensitivity::Normal);
            let big = weigh(&history, backup(value + more, value + more), Sensitivity::Normal);
            prop_assert!(small.is_none() || big.is_some());
        }

        #[test]
        fn a_more_sensitive_watch_sees_all_that_a_less_sensitive_one_sees(history in any_history(), changed in 0.0..1e12f64, share in 0.0..1.0f64) {
            let now = backup(changed, changed * share);
            let seen = |sensitivity| weigh(&history, now, sensitivity).is_some();
            prop_assert!(!seen(Sensitivity::Low) || seen(Sensitivity::Normal));
            prop_assert!(!seen(Sensitivity::Normal) || seen(Sensitivity::High));
        }

        #[test]
        fn what_a_server_always_does_is_not_suspicious(value in 0.0..1e12f64) {
            let history = History { changed: vec![value; 20], incompressible: vec![value; 20] };
            prop_assert_eq!(weigh(&history, backup(value, value), Sensitivity::High), None);
        }

        #[test]
        fn the_order_of_the_past_does_not_matter(mut history in any_history(), value in 0.0..1e12f64) {
            let before = weigh(&history, backup(value, value), Sensitivity::Normal);
            history.changed.reverse();
            history.incompressible.reverse();
            prop_assert_eq!(weigh(&history, backup(value, value), Sensitivity::Normal), before);
        }
    }
}
