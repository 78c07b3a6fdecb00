//! Prune: what no recovery point needs any more is removed, while backups, restores and other prunes run.
//!
//! # Why nothing needed is ever deleted
//!
//! There are no locks: a lock that survives a crash blocks, and one that times out protects nothing. Instead, two flags
//! and an order, as in Dekker's algorithm. It needs a store that lists what was put before, nothing more.
//!
//! ```text
//!  backup                                        prune
//!  B1 read intents, then list packs              P1 mark what manifests (pending, then finished) need
//!  B2 store blocks, note packs relied on         P2 delete manifests of points whose grace is over
//!  B3 put manifest as pending                    P3 put intent naming packs
//!  B4 read intents, look for parent and packs    P4 list manifests again; what a new one needs is spared
//!  B5 put manifest as finished, acknowledge      P5 delete packs, then the intent
//! ```
//!
//! Take a pack X that an acknowledged point relies on and a prune that names X. If the intent (P3) came before B4, then
//! either it was still there at B4 and the backup saw it, or the prune had finished (P5) and the backup missed X itself
//! (B4 looks at intents first and at packs second). In both cases the backup does not finish but begins again. If the intent
//! came after B4, it came after B3, so P4 saw the manifest and spared X. The prune lists pending before finished and the
//! backup puts finished before it deletes pending, so a manifest on the move is seen. If a prune took the pending
//! manifest for a dead backup's, the backup finds it missing after B5 and asks again.
//!
//! Blocks taken over from the *parent* are not looked up and their packs not noted. They are safe while the parent's
//! manifest is there: it is there at B4, and P2 precedes P3, so a prune that gives up the parent's blocks lists manifests
//! after B3. If the parent is gone at B4 the backup begins again without it.
//!
//! *Two prunes* may each keep a different copy of a block and delete the other. So after P3 a prune reads all intents again,
//! and deletes a pack only if each needed block in it has a copy in a pack that **no** intent names. Of two prunes at
//! least one sees the other.
//!
//! A *crashed prune* leaves its intent. It blocks nothing: backups just do not rely on its packs. The next prune does not guess
//! whether its author is alive: it first copies what is needed out of the named packs, then deletes them and the
//! intent. If the author still lives, it finds nothing left to do.
//!
//! Grace comes on top, for people: an expired point can be called back until it is over, and what an interrupted backup stored
//! waits as long to be used again. It is measured by the vault clock (see `clock`), never by file dates.
//!
//! *Fail-safe*: whatever cannot be read while marking ends the prune before it deleted anything.

pub(crate) mod clock;
mod condemned;
pub(crate) mod intent;
mod mark;
mod repack;
mod survey;
mod sweep;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use object_store::path::Path;
use serde::Serialize;

use crate::control::{Control, Phase};
use crate::error::{Result, VaultError};
use crate::id::PointId;
use crate::layout;
use crate::vault::Inner;
use survey::Survey;

/// How to prune.
#[derive(Clone, Copy, Debug)]
pub struct PruneRequest {
    /// The time by the caller's clock. The vault's own clock follows it, by at most a day per prune.
    pub now: DateTime<Utc>,
    /// Packs of which at least this share (percent) is no longer needed are rewritten.
    pub repack_percent: u8,
}

/// What a prune would do now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PrunePlan {
    /// Expired points whose grace period is over.
    pub points: Vec<PointId>,
    pub packs_to_delete: u64,
    pub packs_to_repack: u64,
    /// Bytes it would free, after rewriting.
    pub bytes_to_free: u64,
    /// Bytes no point needs that still wait for their grace period.
    pub bytes_waiting: u64,
    /// Bytes of packs in use after it.
    pub bytes_kept: u64,
}

/// What a prune did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PruneReport {
    pub plan: PrunePlan,
    pub points_removed: Vec<PointId>,
    pub packs_deleted: u64,
    pub packs_repacked: u64,
    /// Bytes deleted less bytes rewritten.
    pub bytes_freed: u64,
    /// Packs it spared because a backup or another prune needed them meanwhile.
    pub packs_spared: u64,
}

impl PruneRequest {
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now, repack_percent: 30 }
    }
}

pub(crate) async fn plan(vault: &Arc<Inner>, request: PruneRequest, control: &Control) -> Result<PrunePlan> {
    Ok(survey(vault, request, control).await?.plan)
}

pub(crate) async fn run(vault: &Arc<Inner>, request: PruneRequest, control: &Control) -> Result<PruneReport> {
    let survey = survey(vault, request, control).await?;
    let report = sweep::sweep(vault, survey, control).await?;
    control.enter(Phase::Finished);
    Ok(report)
}

/// How often a look at the vault is taken again because another prune removed points under it.
const LOOKS: u32 = 8;

/// Surveys a vault that may be changing: a point that another prune removes meanwhile is no damage.
async fn survey(vault: &Arc<Inner>, request: PruneRequest, control: &Control) -> Result<Survey> {
    let mut looks = 0;
    loop {
        looks += 1;
        let before = roots(vault).await?;
        match Survey::take(vault, request, control).await {
            Err(VaultError::CannotMark { .. }) if looks < LOOKS && roots(vault).await? != before => {}
            outcome => return outcome,
        }
    }
}

/// The names of all manifests.
async fn roots(vault: &Inner) -> Result<BTreeSet<Path>> {
    let mut names = BTreeSet::new();
    for prefix in [layout::PENDING, layout::POINTS] {
        names.extend(vault.objects.list(prefix).await?.into_iter().map(|object| object.path));
    }
    Ok(names)
}
