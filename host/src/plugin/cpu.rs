//! The CPU a guest uses, measured on the thread that polls it.
//!
//! Epoch ticks alone would charge a guest that waits in the host as if it had computed. So the run's future is wrapped:
//! each poll adds the thread's CPU time to the meter, and the epoch callback, which runs at every tick inside a poll,
//! compares the sum with the budget.

use super::limits::LimitReached;
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// CPU used so far, and since when the present poll counts.
#[derive(Debug, Clone)]
pub(super) struct CpuMeter {
    budget: Duration,
    used: Arc<Mutex<Used>>,
}

#[derive(Debug, Default)]
struct Used {
    before: Duration,
    poll_began: Option<Duration>,
}

impl CpuMeter {
    /// A meter with a budget.
    pub(super) fn new(budget: Duration) -> Self {
        Self { budget, used: Arc::default() }
    }

    /// CPU used so far.
    pub(super) fn used(&self) -> Duration {
        let used = self.used.lock();
        let now = used.poll_began.map_or(Duration::ZERO, |began| thread_time().saturating_sub(began));
        used.before + now
    }

    /// Whether there is budget left; asked on the thread that polls.
    pub(super) fn check(&self) -> Result<(), LimitReached> {
        if self.used() < self.budget { Ok(()) } else { Err(LimitReached::Cpu { limit: self.budget }) }
    }

    /// Counts the CPU of each poll of `future`.
    pub(super) fn measure<F>(&self, future: F) -> Metered<F> {
        Metered { future: Box::pin(future), meter: self.clone() }
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A future whose polls are counted.
pub(super) struct Metered<F> {
    future: Pin<Box<F>>,
    meter: CpuMeter,
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.meter.used.lock().poll_began = Some(thread_time());
        let polled = self.future.as_mut().poll(context);
        let mut used = self.meter.used.lock();
        if let Some(began) = used.poll_began.take() {
            used.before += thread_time().saturating_sub(began);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn computing_is_charged_and_waiting_is_not() {
        let meter = CpuMeter::new(Duration::from_millis(20));
        let inner = meter.clone();
        meter
            .measure(async move {
                tokio::time::sleep(Duration::from_millis(60)).await;
                assert!(inner.check().is_ok(), "a wait was charged");
                while inner.check().is_ok() {
                    std::hint::black_box(0);
                }
            })
            .await;
        assert!(meter.used() >= Duration::from_millis(20));
    }
}
