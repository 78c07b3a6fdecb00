//! The one place that reads the time, so that everything else can be given one.

use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Tells the time. The appliance has the system's; tests have one they move by hand.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock that many may hold.
pub type SharedClock = Arc<dyn Clock>;

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub struct HandClock(parking_lot::Mutex<DateTime<Utc>>);

impl HandClock {
    /// A clock that stands at `at`.
    pub fn new(at: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self(parking_lot::Mutex::new(at)))
    }

    /// Moves it, forwards or backwards.
    pub fn set(&self, at: DateTime<Utc>) {
        *self.0.lock() = at;
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock()
    }
}
