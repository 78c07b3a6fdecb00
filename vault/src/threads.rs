//! Sharing blocking work among as many threads as the machine has cores.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::error::{Result, VaultError};

pub(crate) fn count() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8)
}

/// Does the work for each item, in order of start; the first failure stops all and is what is returned.
pub(crate) fn for_each<T: Sync>(
    items: &[T],
    doing: &'static str,
    work: impl Fn(&T) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let one_thread = || -> Result<()> {
        while !failed.load(Relaxed)
            && let Some(item) = items.get(next.fetch_add(1, Relaxed))
        {
            if let Err(error) = work(item) {
                failed.store(true, Relaxed);
                return Err(error);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count().min(items.len())).map(|_| scope.spawn(one_thread)).collect();
        let mut outcome = Ok(());
        for thread in threads {
            let ended = thread.join().map_err(|_| VaultError::Internal { doing }).flatten();
            outcome = outcome.and(ended);
        }
        outcome
    })
}
