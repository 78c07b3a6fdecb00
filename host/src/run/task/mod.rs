//! The appliance's own work, on the same path as plugins: queued, recorded, cancellable, shown.

mod export_state;
mod prune;
mod restore;
mod verify;

use crate::{
    capability::context::RunContext,
    clock::SharedClock,
    model::{
        job::Task,
        run::{EndCause, Ended, Progress, RunState},
    },
    store::{Store, StoreError},
    vaults::{Vaults, VaultsError},
};
use holdfast_vault::{Control, Phase, VaultError};
use std::{future::Future, time::Duration};

/// How often the progress of an engine is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Does the appliance's own work.
#[derive(Clone)]
pub struct Tasks {
    store: Store,
    clock: SharedClock,
    vaults: Vaults,
}

/// Why a task did not do what it should.
enum Trouble {
    /// It was told to stop.
    Cancelled,
    /// It could not; for a person.
    Failed(String),
}

impl From<VaultError> for Trouble {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Cancelled => Self::Cancelled,
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<VaultsError> for Trouble {
    fn from(error: VaultsError) -> Self {
        match error {
            VaultsError::Vault(error) => error.into(),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Tasks {
    /// Tasks over the site's vaults.
    pub fn new(store: Store, clock: SharedClock, vaults: Vaults) -> Self {
        Self { store, clock, vaults }
    }

    pub(super) async fn execute(&self, task: Task, context: RunContext) -> Ended {
        let outcome = match task {
            Task::Restore { vault, point, disk, target, format, overwrite } => {
                let order = restore::Order { vault, point, disk, target, format, overwrite };
                self.restore(order, &context).await
            }
            Task::Verify { vault, read_data } => self.verify(&vault, read_data, &context).await,
            Task::Prune { vault, dry_run } => self.prune(&vault, dry_run || context.dry_run, &context).await,
            Task::ExportState => self.export_state().await,
        };
        match outcome {
            Ok(message) => Ended { state: RunState::Succeeded, cause: EndCause::Reported, message },
            Err(Trouble::Failed(message)) => {
                Ended { state: RunState::Failed, cause: EndCause::Reported, message }
            }
            Err(Trouble::Cancelled) => Ended {
                state: RunState::Cancelled,
                cause: EndCause::Cancel,
                message: "cancelled; what was finished is kept".to_owned(),
            },
        }
    }
}

/// Waits for an engine, shows how far it is, and hands a wish to stop on to it.
async fn watched<T, E>(
    context: &RunContext,
    control: &Control,
    what: &str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::pin!(work);
    let mut look = tokio::time::interval(LOOK);
    let mut told = false;
    loop {
        tokio::select! {
            done = &mut work => {
                show(context, control, what);
                return done;
            }
            () = context.cancel.cancelled(), if !told => {
                told = true;
                control.cancel();
            }
            _at = look.tick() => show(context, control, what),
        }
    }
}

fn show(context: &RunContext, control: &Control, what: &str) {
    let progress = control.progress();
    let doing = match progress.phase {
        Phase::Starting => "starting",
        Phase::Reading => "reading",
        Phase::Committing => "committing",
        Phase::Writing => "writing",
        Phase::Checking => "checking",
        Phase::Marking => "marking",
        Phase::Repacking => "repacking",
        Phase::Deleting => "deleting",
        Phase::Finished => "finished",
    };
    let note = if what.is_empty() { doing.to_owned() } else { format!("{what}: {doing}") };
    context.sink.progress(Progress { done: progress.done, total: progress.total, note });
}

/// A number of bytes, for a person.
fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{number} {name}") } else { format!("{value:.1} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_as_people_write_them() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }
}
