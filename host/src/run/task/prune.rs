//! Deleting what retention let go and whose grace period has passed.

use super::{Tasks, Trouble, bytes, watched};
use crate::{
    capability::context::RunContext,
    model::{name::VaultName, run::LogLevel},
};
use holdfast_vault::{Control, PrunePlan, PruneRequest};

/// Packs with at least this share of waste are rewritten.
const REPACK_PERCENT: u8 = 30;

impl Tasks {
    pub(super) async fn prune(
        &self,
        name: &VaultName,
        dry_run: bool,
        context: &RunContext,
    ) -> Result<String, Trouble> {
        let vault = self.vaults.open(name).await?;
        let control = Control::new();
        let request = PruneRequest { now: self.clock.now(), repack_percent: REPACK_PERCENT };
        if dry_run {
            let plan = watched(context, &control, "", vault.plan_prune(request, &control)).await?;
            return Ok(format!("dry run, nothing was deleted; {}", in_words(&plan, "would be")));
        }
        let report = watched(context, &control, "", vault.prune(request, &control)).await?;
        for point in &report.points_removed {
            context
                .sink
                .log(LogLevel::Info, format!("removed recovery point {point}, its grace period is over"));
        }
        self.vaults.refresh(name).await?;
        Ok(format!("{} freed; {}", bytes(report.bytes_freed), in_words(&report.plan, "were")))
    }
}

fn in_words(plan: &PrunePlan, tense: &str) -> String {
    format!(
        "{} recovery points, {} packs {tense} deleted and {} repacked; {} wait for their grace period, {} are in use",
        plan.points.len(),
        plan.packs_to_delete,
        plan.packs_to_repack,
        bytes(plan.bytes_waiting),
        bytes(plan.bytes_kept),
    )
}
