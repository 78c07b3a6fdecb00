//! Verify: what is damaged, and what that means for whom.
//!
//! *Structure* reads every small object (manifests, maps, index runs, records) and checks that each block a point needs is
//! listed in a pack that is there in its full length: seconds, not hours. *Data* also reads every pack, checks it against the
//! hash that is its name, and where that does not fit opens every frame to see which blocks are hit. Damage then turns into
//! servers, disks and ranges by walking the maps of all points. Nothing a vault's bytes say can make this fail: what
//! cannot be read is what it reports. Packs found damaged are remembered, so that the next backup heals what it can.

mod packs;
mod structure;
mod walk;

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use crate::control::{Control, Phase};
use crate::damage;
use crate::error::{Result, VaultError};
use crate::id::PointId;
use crate::layout::{self, PackName};
use crate::vault::Inner;

/// How deep to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyRequest {
    /// Also read and check every byte of data; otherwise the structure.
    pub read_data: bool,
}

/// What a verify found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VerifyReport {
    pub points: u64,
    pub objects: u64,
    pub bytes_read: u64,
    /// Blocks and map pages whose content was checked; 0 unless data was read.
    pub blocks_checked: u64,
    pub damages: Vec<Damage>,
}

/// One damaged or missing object and what it takes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    pub object: String,
    pub reason: String,
    /// Empty when no recovery point needs what is damaged, or there is a good copy of it.
    pub hits: Vec<DamagedRange>,
}

/// A part of a disk that cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DamagedRange {
    pub point: PointId,
    pub server: String,
    pub disk: String,
    pub offset: u64,
    pub length: u64,
}

impl VerifyReport {
    pub fn is_clean(&self) -> bool {
        self.damages.is_empty()
    }

    fn add(&mut self, object: impl Into<String>, reason: impl Into<String>) {
        self.damages.push(Damage { object: object.into(), reason: reason.into(), hits: Vec::new() });
    }

    /// Damage becomes an entry; any other error (cancelled, no answer) ends the verify.
    fn note(&mut self, object: &str, error: VaultError) -> Result<()> {
        match error {
            VaultError::Damaged { object, reason } => self.add(object, reason),
            VaultError::Missing { .. } => self.add(object, "it is missing"),
            VaultError::NewerFormat { .. } => self.add(object, error.to_string()),
            error => return Err(error),
        }
        Ok(())
    }
}

/// A pack that is not as it should be.
#[derive(Clone, Debug)]
struct BadPack {
    name: PackName,
    reason: String,
}

pub(crate) async fn run(
    vault: &Arc<Inner>,
    request: VerifyRequest,
    control: &Control,
) -> Result<VerifyReport> {
    control.enter(Phase::Checking);
    let mut report = VerifyReport::default();
    let catalog = structure::objects(vault, &mut report).await?;
    let mut state = packs::State::load(vault, &mut report).await?;
    if request.read_data {
        state = packs::read_all(vault, state, &mut report, control).await?;
    }
    walk::points(vault, &catalog, &state, &mut report, control).await?;
    forgive_removed(vault, &mut report).await?;
    remember(vault, &state.bad).await?;
    report.damages.sort_by(|a, b| a.object.cmp(&b.object));
    control.enter(Phase::Finished);
    Ok(report)
}

/// A point that a prune removed while this verify ran is not damaged.
async fn forgive_removed(vault: &Inner, report: &mut VerifyReport) -> Result<()> {
    if report.damages.iter().all(|damage| damage.hits.is_empty()) {
        return Ok(());
    }
    let listed = vault.objects.list(layout::POINTS).await?;
    let there: HashSet<PointId> = listed.iter().filter_map(|object| layout::id_of(&object.path)).collect();
    report.damages.retain_mut(|damage| {
        let before = damage.hits.len();
        damage.hits.retain(|hit| there.contains(&hit.point));
        before == 0 || !damage.hits.is_empty()
    });
    Ok(())
}

/// Leaves a record of each damaged pack. A vault that cannot be written to is verified all the same.
async fn remember(vault: &Inner, bad: &[BadPack]) -> Result<()> {
    for pack in bad {
        match damage::record(&vault.objects, &vault.keys, pack.name, &pack.reason).await {
            Err(VaultError::ReadOnlyVault { .. } | VaultError::VaultFull { .. }) | Ok(()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
