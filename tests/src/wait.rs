//! Waiting for a condition, with a deadline that says what was waited for.

use std::time::{Duration, Instant};

/// Polls `condition` until it yields a value; panics with `what` when `limit` is over.
pub fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
