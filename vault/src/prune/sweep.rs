//! Carrying out what was surveyed, in the order the argument in `prune` needs.

use std::collections::HashSet;
use std::sync::Arc;

use futures::FutureExt;
use tokio::runtime::Handle;

use super::PruneReport;
use super::intent::{Intent, Intents};
use super::mark::Mark;
use super::repack::{Repacked, repack};
use super::survey::{Roots, Survey, mark_roots};
use crate::control::{Control, Phase, on_blocking_thread};
use crate::damage;
use crate::directory;
use crate::error::{Result, VaultError};
use crate::expire::Records;
use crate::fetch::{Fetch, complete_index};
use crate::id::PointId;
use crate::index::list_packs;
use crate::key::random;
use crate::layout::{self, PackName};
use crate::object::a_few_at_a_time;
use crate::vault::Inner;

pub(super) async fn sweep(vault: &Arc<Inner>, survey: Survey, control: &Control) -> Result<PruneReport> {
    let (objects, keys) = (&vault.objects, &vault.keys);
    let survey = Arc::new(survey);
    survey.clock.save(objects, keys).await?;
    let mut report = PruneReport { plan: survey.plan.clone(), ..PruneReport::default() };
    report.points_removed = remove_points(vault, &survey).await?;
    control.check()?;

    control.enter(Phase::Repacking);
    let repacked = rewrite(vault, &survey, control).await?;
    let named: Vec<PackName> = survey.delete.iter().chain(&repacked.done).copied().collect();
    if !named.is_empty() {
        control.check()?;
        control.enter(Phase::Deleting);
        let packs = named.iter().map(|pack| (*pack).into()).collect();
        let intent = Intent { id: PointId(random()?), points: Vec::new(), packs };
        intent.put(objects, keys).await?;
        let spared = spared(vault, &survey, &intent, control).await?;
        let doomed: Vec<PackName> = named.iter().filter(|pack| !spared.contains(pack)).copied().collect();
        let deletions =
            doomed.iter().map(|pack| async { objects.delete(&pack.path()).await }.boxed()).collect();
        for deleted in a_few_at_a_time(deletions).await {
            deleted?;
        }
        for pack in doomed.iter().filter(|pack| survey.damaged.contains(pack)) {
            damage::forget(objects, *pack).await?;
        }
        count(&mut report, &survey, &repacked, &doomed, spared.len());
        drop_from_index(vault).await?;
        objects.delete(&layout::intent(intent.id)).await?;
    }
    // All their packs were named by this prune's own intent and are gone.
    for foreign in survey.foreign.0.values() {
        if foreign
            .packs
            .iter()
            .all(|pack| !survey.sizes.contains_key(&(*pack).into()) || named.contains(&(*pack).into()))
        {
            objects.delete(&layout::intent(foreign.id)).await?;
        }
    }
    survey.condemned.save(objects, keys).await?;
    remove_leftovers(vault);
    Ok(report)
}

fn count(report: &mut PruneReport, survey: &Survey, repacked: &Repacked, doomed: &[PackName], spared: usize) {
    let rewritten: u64 = repacked.new.iter().map(|pack| pack.size).sum();
    let deleted: u64 = doomed.iter().filter_map(|pack| survey.sizes.get(pack)).sum();
    report.packs_repacked = repacked.done.len() as u64;
    report.packs_deleted = doomed.len() as u64;
    report.packs_spared = spared as u64;
    report.bytes_freed = deleted.saturating_sub(rewritten);
}

/// Removes manifests whose grace is over, and those a dead backup left pending.
async fn remove_points(vault: &Inner, survey: &Survey) -> Result<Vec<PointId>> {
    let (objects, keys) = (&vault.objects, &vault.keys);
    let mut removed = Vec::new();
    if !survey.going.is_empty() {
        let intent = Intent { id: PointId(random()?), points: survey.going.clone(), packs: Vec::new() };
        intent.put(objects, keys).await?;
        // Looked at after the intent is out: who holds a point or calls it back looks for the intent after writing.
        let records = Records::load(vault).await?;
        for point in &survey.going {
            if records.tombstones.contains_key(point) && !records.holds.contains_key(point) {
                objects.delete_durably(&layout::of_point(layout::POINTS, *point)).await?;
                objects.delete_durably(&layout::of_point(layout::TOMBSTONES, *point)).await?;
                removed.push(*point);
            }
        }
        objects.delete(&layout::intent(intent.id)).await?;
    }
    for pending in &survey.stale_pending {
        objects.delete_durably(&layout::of_point(layout::PENDING, *pending)).await?;
    }
    Ok(removed)
}

/// Rewrites packs; the copies are durable and in the index when it returns.
async fn rewrite(vault: &Arc<Inner>, survey: &Arc<Survey>, control: &Control) -> Result<Repacked> {
    let (objects, keys) = (&vault.objects, &vault.keys);
    if survey.repack.is_empty() {
        return Ok(Repacked::default());
    }
    let work = {
        let (vault, survey, control) = (Arc::clone(vault), Arc::clone(survey), control.clone());
        let handle = Handle::current();
        move || repack(&vault, &survey, &handle, &control)
    };
    let repacked = on_blocking_thread(control, "rewriting packs", work).await?;
    for (pack, reason) in &repacked.damaged {
        damage::record(objects, keys, *pack, reason).await?;
    }
    if !repacked.new.is_empty() {
        let mut index = (*survey.mark.index).clone();
        index.add(&repacked.new);
        index.save(objects, keys).await?;
    }
    Ok(repacked)
}

/// Of the packs an intent names, those that may not go after all. Looks again when another prune removed points meanwhile.
async fn spared(
    vault: &Arc<Inner>,
    survey: &Survey,
    own: &Intent,
    control: &Control,
) -> Result<HashSet<PackName>> {
    let mut looks = 0;
    loop {
        looks += 1;
        let before = super::roots(vault).await?;
        match spared_once(vault, survey, own, control).await {
            Err(VaultError::CannotMark { .. })
                if looks < super::LOOKS && super::roots(vault).await? != before => {}
            outcome => return outcome,
        }
    }
}

/// One look: may go is what has, for each needed block, a copy in a pack that is there and that no intent names. When
/// nothing appeared or vanished since the survey, that is known already.
async fn spared_once(
    vault: &Arc<Inner>,
    survey: &Survey,
    own: &Intent,
    control: &Control,
) -> Result<HashSet<PackName>> {
    let (objects, keys) = (&vault.objects, &vault.keys);
    let intents = Intents::load(objects, keys).await?;
    let roots = Roots::load(vault).await?;
    let known = |id: &PointId| *id == own.id || survey.foreign.0.contains_key(id);
    let packs = list_packs(objects).await?;
    let unchanged = roots.all().all(|(id, _)| survey.kept.contains(id))
        && intents.0.keys().all(known)
        && survey.sizes.keys().all(|pack| packs.contains_key(pack));
    if unchanged {
        return Ok(HashSet::new());
    }
    let (index, _) = complete_index(objects, keys, &vault.runs).await?;
    let fetch = Fetch::new(objects.clone(), Arc::clone(keys), Arc::clone(&vault.runs), index.clone(), 64);
    let mut mark = Mark::new(Arc::new(index));
    mark_roots(&mut mark, &fetch, &roots, |_| false, control).await?;
    let named = intents.packs();
    let own: HashSet<PackName> = own.packs.iter().map(|pack| PackName::from(*pack)).collect();
    let out_of_question = |pack: &PackName| named.contains(pack) || survey.damaged.contains(pack);
    let mut spared = HashSet::new();
    for (place, id, location) in mark.index.entries().filter(|(_, _, at)| own.contains(&at.pack)) {
        let elsewhere =
            || mark.index.find(id).any(|at| at.pack.kind == location.pack.kind && !out_of_question(&at.pack));
        if mark.is_needed(place) && !elsewhere() {
            spared.insert(location.pack);
        }
    }
    Ok(spared)
}

/// Index runs are rewritten without the packs that are gone. A crash before this costs nothing: entries of packs that are
/// not there do not count.
async fn drop_from_index(vault: &Inner) -> Result<()> {
    let (index, _) = complete_index(&vault.objects, &vault.keys, &vault.runs).await?;
    index.save(&vault.objects, &vault.keys).await
}

/// Half-written files of crashed writers, when they are a day old: no living writer takes that long over one file.
fn remove_leftovers(vault: &Inner) {
    let Some(root) = &vault.objects.place.directory else { return };
    for path in directory::leftovers(root) {
        let old = path
            .metadata()
            .and_then(|meta| meta.modified())
            .is_ok_and(|at| at.elapsed().is_ok_and(|age| age.as_secs() > 86_400));
        if old && let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "a leftover file could not be removed");
        }
    }
}
