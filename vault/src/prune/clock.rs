//! The vault clock: the measure of grace.
//!
//! It advances only when a prune runs, by the wall time since the last one but at most a day, and never backwards. A clock
//! that jumps ahead by a year therefore costs the grace period one day, and one that jumps back costs it nothing.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::catalog::{open_record, seal_record};
use crate::error::{Result, VaultError};
use crate::key::Keys;
use crate::layout;
use crate::object::Objects;
use crate::seal::Kind;

/// What one prune may advance the clock by, in seconds.
const STEP: u64 = 86_400;

/// The clock as it is stored. It is the one object that is overwritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VaultClock {
    /// Seconds of vault time.
    pub(crate) seconds: u64,
    /// Wall time of the last advance, in seconds since 1970; 0 before the first.
    wall: i64,
}

impl VaultClock {
    pub(crate) async fn load(objects: &Objects, keys: &Keys) -> Result<Self> {
        let path = object_store::path::Path::from(layout::CLOCK);
        match objects.find(&path).await? {
            None => Ok(Self::default()),
            Some(bytes) => match open_record(&keys.record, Kind::Clock, &path, &bytes) {
                // Starting over only makes grace periods longer.
                Err(VaultError::Damaged { .. }) => Ok(Self::default()),
                other => other,
            },
        }
    }

    pub(crate) async fn save(&self, objects: &Objects, keys: &Keys) -> Result<()> {
        let bytes = seal_record(&keys.record, Kind::Clock, self)?;
        objects.put(&object_store::path::Path::from(layout::CLOCK), bytes).await
    }

    /// The clock after a prune at wall time `now`.
    pub(crate) fn advanced(self, now: DateTime<Utc>) -> Self {
        let wall = now.timestamp();
        let passed = if self.wall == 0 { 0 } else { wall.saturating_sub(self.wall) };
        let step = u64::try_from(passed).unwrap_or(0).min(STEP);
        Self { seconds: self.seconds.saturating_add(step), wall }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_clock_that_jumps_a_year_ahead_costs_a_day_of_grace() {
        let clock = VaultClock::default().advanced(at(1_000_000));
        let jumped = clock.advanced(at(1_000_000 + 31_536_000));
        assert_eq!(jumped.seconds, 86_400);
    }

    proptest! {
        #[test]
        fn it_never_goes_back_and_never_gains_more_than_a_day_a_prune(times in prop::collection::vec(0i64..4_000_000_000, 0..50)) {
            let mut clock = VaultClock::default();
            for time in times {
                let next = clock.advanced(at(time));
                prop_assert!(next.seconds >= clock.seconds);
                prop_assert!(next.seconds - clock.seconds <= 86_400);
                clock = next;
            }
        }
    }
}
