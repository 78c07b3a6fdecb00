//! A bar for work on a vault, and Ctrl-C that stops it properly.

use super::super::{failure::Failure, show::Bar};
use crate::model::run::Progress;
use holdfast_vault::{Control, VaultError};
use std::time::Duration;

const AGAIN: Duration = Duration::from_millis(100);

/// Waits for `work`, which reports to `control`, with a bar on a terminal when `bar` is wanted.
pub(super) async fn watch<T>(
    title: &str,
    bar: bool,
    control: &Control,
    work: impl Future<Output = Result<T, VaultError>>,
) -> Result<T, Failure> {
    let bar = Bar::new(title, bar);
    let mut work = std::pin::pin!(work);
    let mut tick = tokio::time::interval(AGAIN);
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            stop = tokio::signal::ctrl_c() => {
                if stop.is_ok() {
                    control.cancel();
                }
            }
            _ = tick.tick() => {
                let at = control.progress();
                bar.show(&Progress { done: at.done, total: at.total, note: String::new() }, true);
            }
        }
    };
    bar.end();
    outcome.map_err(super::failed)
}
