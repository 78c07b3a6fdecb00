//! Lockout: after a few failures each further attempt must wait, longer every time. Per account and per address.
//!
//! An attempt is counted before it is judged, so that a thousand at once are a thousand, and forgiven when it was right.
//! The state is in memory: a restart forgets it, and restarting the box takes more rights than signing in. What happened
//! is in the audit log.

use chrono::{DateTime, Duration, Utc};
use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr};

/// Failures before the first wait.
const FREE: u32 = 5;
/// A quiet key is forgotten after this.
const FORGET: Duration = Duration::hours(1);
/// Most keys remembered; the longest quiet ones go first.
const KEYS: usize = 10_000;

/// What failures are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// An account name, whether it exists or not.
    Account(String),
    /// Where attempts come from; an IPv6 neighbour has a whole /64.
    Address(IpAddr),
    /// The claim code.
    Claim,
}

impl Key {
    /// The key of an address.
    pub fn address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::Address(IpAddr::V4(v4)),
            IpAddr::V6(v6) => {
                let network = v6.to_bits() & (u128::MAX << 64);
                Self::Address(IpAddr::V6(network.into()))
            }
        }
    }

    /// An account's wait is short, because anybody on the network can cause it; an address waits for its own doing.
    fn longest(&self) -> Duration {
        match self {
            Self::Account(_) => Duration::minutes(1),
            Self::Address(_) | Self::Claim => Duration::minutes(15),
        }
    }
}

/// Seconds that an attempt must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub i64);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: DateTime<Utc>,
}

/// Counts failures and says who must wait.
#[derive(Debug, Default)]
pub struct Lockout(Mutex<HashMap<Key, Failures>>);

impl Lockout {
    /// Counts an attempt under each key, or refuses it and counts nothing.
    pub fn attempt(&self, keys: &[Key], now: DateTime<Utc>) -> Result<(), Wait> {
        let mut failures = self.0.lock();
        let longest = keys.iter().filter_map(|key| wait(failures.get(key).copied(), key, now)).max();
        if let Some(seconds) = longest {
            return Err(Wait(seconds));
        }
        if failures.len() >= KEYS {
            forget(&mut failures, now);
        }
        for key in keys {
            let entry = failures.entry(key.clone()).or_insert(Failures { count: 0, last: now });
            if now - entry.last > FORGET {
                entry.count = 0;
            }
            entry.count = entry.count.saturating_add(1);
            entry.last = now;
        }
        Ok(())
    }

    /// How long the next attempt must wait, if it must.
    pub fn waiting(&self, keys: &[Key], now: DateTime<Utc>) -> Option<Wait> {
        let failures = self.0.lock();
        keys.iter().filter_map(|key| wait(failures.get(key).copied(), key, now)).max().map(Wait)
    }

    /// Forgives: the attempt was right. An account starts anew; an address only gets this attempt back, or somebody with
    /// an account of their own could try others' for ever.
    pub fn succeeded(&self, keys: &[Key]) {
        let mut failures = self.0.lock();
        for key in keys {
            match (key, failures.get_mut(key)) {
                (Key::Address(_), Some(known)) => known.count = known.count.saturating_sub(1),
                _ => {
                    failures.remove(key);
                }
            }
        }
    }
}

/// Seconds still to wait under one key. A clock that jumped back must not lock anyone out for longer than the longest wait.
fn wait(failures: Option<Failures>, key: &Key, now: DateTime<Utc>) -> Option<i64> {
    let failures = failures?;
    let over = failures.count.checked_sub(FREE)?;
    if now - failures.last > FORGET {
        return None;
    }
    let delay = Duration::seconds(5 << over.min(10)).min(key.longest());
    let left = (failures.last + delay - now).min(key.longest());
    (left > Duration::zero()).then(|| left.num_seconds().max(1))
}

fn forget(failures: &mut HashMap<Key, Failures>, now: DateTime<Utc>) {
    failures.retain(|_, known| now - known.last <= FORGET);
    if failures.len() >= KEYS {
        let mut ages: Vec<_> = failures.values().map(|known| known.last).collect();
        ages.sort_unstable();
        let cut = ages.get(KEYS / 2).copied().unwrap_or(now);
        failures.retain(|_, known| known.last > cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }
    fn anna() -> Key {
        Key::Account("anna".to_owned())
    }

    #[test]
    fn five_failures_are_free_and_then_the_wait_grows() {
        let lockout = Lockout::default();
        for _ in 0..FREE {
            lockout.attempt(&[anna()], at(0)).unwrap();
        }
        assert_eq!(lockout.attempt(&[anna()], at(0)), Err(Wait(5)));
        assert_eq!(lockout.attempt(&[anna()], at(4)), Err(Wait(1)));
        lockout.attempt(&[anna()], at(5)).unwrap();
        assert_eq!(lockout.attempt(&[anna()], at(5)), Err(Wait(10)));
    }

    #[test]
    fn success_forgives_and_an_hour_of_quiet_too() {
        let lockout = Lockout::default();
        for _ in 0..FREE {
            lockout.attempt(&[anna()], at(0)).unwrap();
        }
        lockout.succeeded(&[anna()]);
        lockout.attempt(&[anna()], at(0)).unwrap();
        for _ in 1..FREE {
            lockout.attempt(&[anna()], at(0)).unwrap();
        }
        assert!(lockout.attempt(&[anna()], at(1)).is_err());
        lockout.attempt(&[anna()], at(3700)).unwrap();
        lockout.attempt(&[anna()], at(3700)).unwrap();
    }

    #[test]
    fn an_address_that_tries_many_names_waits_for_all_of_them() {
        let lockout = Lockout::default();
        let address = Key::address("10.0.0.7".parse().unwrap());
        for number in 0..FREE {
            lockout.attempt(&[Key::Account(format!("name{number}")), address.clone()], at(0)).unwrap();
        }
        assert!(lockout.attempt(&[anna(), address], at(0)).is_err());
        lockout.attempt(&[anna(), Key::address("10.0.0.8".parse().unwrap())], at(0)).unwrap();
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one_address() {
        let one = Key::address("2001:db8::1".parse().unwrap());
        assert_eq!(one, Key::address("2001:db8::ffff".parse().unwrap()));
        assert_eq!(
            Key::address("::ffff:10.0.0.7".parse().unwrap()),
            Key::address("10.0.0.7".parse().unwrap())
        );
    }

    proptest! {
        #[test]
        fn nobody_waits_longer_than_the_longest_wait(times in proptest::collection::vec(-5000_i64..5000, 1..80)) {
            let lockout = Lockout::default();
            for time in times {
                if let Err(Wait(seconds)) = lockout.attempt(&[anna()], at(time)) {
                    prop_assert!((1..=60).contains(&seconds));
                }
            }
        }
    }
}
