//! The last step of a backup: the manifest appears, unless a prune took away something it needs.
//!
//! The writer puts its manifest as *pending*, where prunes see it, and only then looks for what prunes are doing. A prune puts
//! its intent and only then looks for manifests. So at least one of the two sees the other (see `prune`). What the writer
//! looks for: an intent naming a pack it used, a pack it used being gone (a prune may have come and gone since), its
//! parent being gone. In any of these cases no recovery point appears and the backup begins again.

use std::collections::HashSet;

use crate::catalog::seal_record;
use crate::error::Result;
use crate::id::PointId;
use crate::index::list_packs;
use crate::layout::{self, PackName};
use crate::manifest::Manifest;
use crate::prune::intent::Intents;
use crate::seal::Kind;
use crate::vault::Inner;

/// Up to this many packs are asked for one by one; beyond, one listing is cheaper.
const FEW: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Committed {
    Yes,
    /// Something the point needs is gone or about to go; no point was made.
    Disturbed,
}

pub(super) async fn commit(
    vault: &Inner,
    manifest: &Manifest,
    used: &HashSet<PackName>,
    parent: Option<PointId>,
) -> Result<Committed> {
    let bytes = seal_record(&vault.keys.manifest, Kind::Manifest, manifest)?;
    let pending = layout::of_point(layout::PENDING, manifest.point);
    let point = layout::of_point(layout::POINTS, manifest.point);
    vault.objects.put(&pending, bytes.clone()).await?;
    if !undisturbed(vault, used, parent).await? {
        vault.objects.delete(&pending).await?;
        return Ok(Committed::Disturbed);
    }
    vault.objects.put(&point, bytes).await?;
    // A prune that took the pending manifest for a crashed backup's removed it before its intent; ask again then.
    if vault.objects.size(&pending).await?.is_none() && !undisturbed(vault, used, parent).await? {
        vault.objects.delete(&point).await?;
        return Ok(Committed::Disturbed);
    }
    vault.objects.delete(&pending).await?;
    Ok(Committed::Yes)
}

/// Intents first, existence second: an intent that is finished and gone has left its packs missing.
async fn undisturbed(vault: &Inner, used: &HashSet<PackName>, parent: Option<PointId>) -> Result<bool> {
    let condemned = Intents::load(&vault.objects, &vault.keys).await?.packs();
    if used.iter().any(|pack| condemned.contains(pack)) {
        return Ok(false);
    }
    if let Some(parent) = parent
        && vault.objects.size(&layout::of_point(layout::POINTS, parent)).await?.is_none()
    {
        return Ok(false);
    }
    if used.len() > FEW {
        let packs = list_packs(&vault.objects).await?;
        return Ok(used.iter().all(|pack| packs.contains_key(pack)));
    }
    for pack in used {
        if vault.objects.size(&pack.path()).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
