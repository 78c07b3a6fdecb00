//! What the appliance does for itself: the jobs every vault and every appliance has, and what is put right at a start.
//!
//! These are ordinary jobs, so they are seen, run, moved and switched off like any other.

use crate::{
    model::{
        job::{Job, Task, Work},
        name::{JobName, VaultName},
        schedule::{MissedPolicy, OverlapPolicy, Schedule},
    },
    store::{Store, StoreError},
};

/// The name of the job that writes the daily export.
const EXPORT: &str = "state-export";

/// The jobs of one vault: prune nightly, read all data weekly. Spread within the hour by the name, so that sites with several
/// vaults do not begin all at once.
pub(super) fn jobs_of_vault(vault: &VaultName) -> Vec<Job> {
    let prune = Task::Prune { vault: vault.clone(), dry_run: false };
    let verify = Task::Verify { vault: vault.clone(), read_data: true };
    [(format!("prune-{vault}"), prune, "30 3 * * *"), (format!("verify-{vault}"), verify, "0 4 * * 0")]
        .into_iter()
        .filter_map(|(name, task, cron)| own_job(&name, task, cron))
        .collect()
}

/// The jobs every appliance has. Missing ones are added at each start; changed ones are left as they are.
pub(super) async fn ensure_own_jobs(store: &Store) -> Result<(), StoreError> {
    if let Some(job) = own_job(EXPORT, Task::ExportState, "15 0 * * *") {
        store.jobs.insert(&job.name, &job).await?;
    }
    Ok(())
}

/// None only if the vault's name leaves no room for the prefix; such a vault is pruned and verified by hand.
fn own_job(name: &str, task: Task, cron: &str) -> Option<Job> {
    Some(Job {
        name: JobName::new(name).ok()?,
        work: Work::Task { task },
        schedules: vec![Schedule {
            cron: cron.to_owned(),
            zone: "UTC".to_owned(),
            missed: MissedPolicy::CatchUpOnce,
            jitter_seconds: 1800,
            blackouts: Vec::new(),
        }],
        events: Vec::new(),
        overlap: OverlapPolicy::Skip,
        rerun_interrupted: true,
        timeout_seconds: 24 * 3600,
        enabled: true,
    })
}
