//! How bad it is that a server has no new recovery point: its newest one's age against its recovery point objective.

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// The newest point is still young enough.
    Soon,
    /// Too old, or there is none.
    Now,
}

/// Weighs the newest usable point's moment against the objective, in seconds and minutes.
pub(crate) fn urgency(newest: Option<u64>, now: u64, rpo_minutes: u32) -> Urgency {
    match newest {
        Some(taken) if now.saturating_sub(taken) <= u64::from(rpo_minutes) * 60 => Urgency::Soon,
        _ => Urgency::Now,
    }
}

/// What it means for the data, and what to do.
pub(crate) fn in_words(newest: Option<u64>, now: u64, rpo_minutes: u32) -> String {
    let allowed = minutes(rpo_minutes.into());
    match newest {
        Some(taken) => {
            let age = minutes(now.saturating_sub(taken) / 60);
            format!("Its newest recovery point is {age} old; it may be {allowed} old.")
        }
        None => format!("It has no recovery point at all; one may be {allowed} old."),
    }
}

fn minutes(count: u64) -> String {
    match count {
        1 => "1 minute".to_owned(),
        0..120 => format!("{count} minutes"),
        120..2880 => format!("{} hours", count / 60),
        _ => format!("{} days", count / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_server_without_any_point_is_urgent() {
        assert_eq!(urgency(None, 1_000_000, 60), Urgency::Now);
    }

    #[test]
    fn the_objective_itself_is_still_in_time() {
        assert_eq!(urgency(Some(0), 3600, 60), Urgency::Soon);
        assert_eq!(urgency(Some(0), 3601, 60), Urgency::Now);
    }

    #[test]
    fn a_clock_that_jumped_back_is_not_urgent() {
        assert_eq!(urgency(Some(5000), 10, 1), Urgency::Soon);
    }

    #[test]
    fn ages_are_said_in_the_unit_people_use() {
        assert!(in_words(Some(0), 60, 60).contains("1 minute old"));
        assert!(in_words(Some(0), 3 * 3600, 60).contains("3 hours old; it may be 60 minutes old"));
        assert!(in_words(Some(0), 3 * 86_400, 1440).contains("3 days old; it may be 24 hours old"));
    }

    proptest! {
        #[test]
        fn getting_older_never_gets_less_urgent(taken in 0u64..1_000_000, age in 0u64..1_000_000, more in 0u64..1_000_000, rpo in 1u32..10_000) {
            let before = urgency(Some(taken), taken + age, rpo);
            prop_assert!(urgency(Some(taken), taken + age + more, rpo) >= before);
        }
    }
}
