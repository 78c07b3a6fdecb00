//! Looking before leaping: which points and packs would go. Changes nothing, so it is the plan, too.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::clock::VaultClock;
use super::condemned::Condemned;
use super::intent::Intents;
use super::mark::{Mark, cannot_mark};
use super::{PrunePlan, PruneRequest};
use crate::catalog::{Catalog, Stored};
use crate::control::{Control, Phase};
use crate::damage;
use crate::error::{Result, VaultError};
use crate::expire::{Records, grace_left};
use crate::fetch::{Fetch, complete_index};
use crate::id::{PointId, ShortId};
use crate::index::Index;
use crate::index::run::Location;
use crate::layout::PackName;
use crate::vault::Inner;

const MAP_FRAMES: usize = 64;

/// What is in the vault and what of it would go.
pub(super) struct Survey {
    pub(super) clock: VaultClock,
    /// Of other prunes: crashed ones, mostly.
    pub(super) foreign: Intents,
    /// Points (finished and pending) whose content was marked.
    pub(super) kept: HashSet<PointId>,
    pub(super) going: Vec<PointId>,
    pub(super) stale_pending: Vec<PointId>,
    pub(super) mark: Mark,
    pub(super) damaged: HashSet<PackName>,
    pub(super) delete: Vec<PackName>,
    pub(super) repack: Vec<PackName>,
    pub(super) sizes: HashMap<PackName, u64>,
    pub(super) condemned: Condemned,
    pub(super) plan: PrunePlan,
}

/// What is needed of a pack.
#[derive(Clone, Copy, Debug, Default)]
struct PackUse {
    slots: u64,
    live: u64,
    /// Dead, and needed by a point that goes now.
    dropped: u64,
}

impl Survey {
    pub(super) async fn take(vault: &Arc<Inner>, request: PruneRequest, control: &Control) -> Result<Self> {
        control.enter(Phase::Marking);
        let (objects, keys) = (&vault.objects, &vault.keys);
        let clock = VaultClock::load(objects, keys).await?.advanced(request.now);
        let old = Condemned::load(objects, keys).await?;
        let foreign = Intents::load(objects, keys).await.map_err(cannot_mark)?;
        let roots = Roots::load(vault).await?;
        let records = Records::load(vault).await?;
        let going = going(vault, &roots.finished, &records, clock);
        let grace = vault.settings.grace_secs;
        let is_stale = |id: &&PointId| old.is_stale(id, clock.seconds, grace);
        let stale_pending: Vec<PointId> = roots.pending.points.keys().filter(is_stale).copied().collect();
        let (index, sizes) = complete_index(objects, keys, &vault.runs).await?;
        let damaged = damage::load(objects, keys).await?;
        let fetch =
            Fetch::new(objects.clone(), Arc::clone(keys), Arc::clone(&vault.runs), index.clone(), MAP_FRAMES);
        let mut mark = Mark::new(Arc::new(index.clone()));
        let gone = |id: &PointId| going.contains(id) || stale_pending.contains(id);
        let kept = mark_roots(&mut mark, &fetch, &roots, gone, control).await?;
        let mut dropped = Mark::new(Arc::new(index));
        for point in going.iter().filter_map(|id| roots.finished.points.get(id)) {
            match dropped.point(&fetch, &point.manifest, control).await {
                // Of what goes, damage does not matter; its packs then wait like those of a crashed backup.
                Err(VaultError::CannotMark { .. }) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        let mut survey = Self {
            clock,
            foreign,
            kept,
            going,
            stale_pending,
            mark,
            damaged,
            delete: Vec::new(),
            repack: Vec::new(),
            sizes,
            condemned: Condemned::default(),
            plan: PrunePlan::default(),
        };
        survey.classify(&old, &dropped, grace, request.repack_percent);
        let waiting = roots.pending.points.keys().filter(|id| !survey.stale_pending.contains(id));
        survey.condemned.pending =
            waiting.map(|id| (*id, old.pending.get(id).copied().unwrap_or(clock.seconds))).collect();
        Ok(survey)
    }

    /// Decides for each pack: keep, delete, rewrite or wait.
    fn classify(&mut self, old: &Condemned, dropped: &Mark, grace: u64, repack_percent: u8) {
        let intended = self.foreign.packs();
        let uses = self.uses(&intended, dropped);
        let mut plan = PrunePlan { points: self.going.clone(), ..PrunePlan::default() };
        for (pack, size) in &self.sizes {
            // A pack whose footer cannot be read: nothing is known of it, so it stays.
            let Some(used) = uses.get(pack) else { continue };
            let dead = used.slots - used.live;
            let wasted = size * dead / used.slots.max(1);
            let worthwhile = dead * 100 >= used.slots * u64::from(repack_percent.clamp(1, 100));
            let unfinished = intended.contains(pack);
            let ripe = unfinished || used.dropped > 0 || old.is_ripe(pack, self.clock.seconds, grace);
            match (used.live, dead) {
                (_, 0) if !unfinished => {}
                (0, _) if ripe => {
                    self.delete.push(*pack);
                    plan.packs_to_delete += 1;
                    plan.bytes_to_free += size;
                }
                (live, _)
                    if ripe && live > 0 && (worthwhile || unfinished) && !self.damaged.contains(pack) =>
                {
                    self.repack.push(*pack);
                    plan.packs_to_repack += 1;
                    plan.bytes_to_free += wasted;
                }
                (live, _) if live == 0 || worthwhile => {
                    let since = old.packs.get(pack).copied().unwrap_or(self.clock.seconds);
                    self.condemned.packs.insert(*pack, since);
                    plan.bytes_waiting += wasted;
                }
                _ => {}
            }
        }
        self.delete.sort_unstable();
        self.repack.sort_unstable();
        plan.bytes_kept = self.sizes.values().sum::<u64>().saturating_sub(plan.bytes_to_free);
        self.plan = plan;
    }

    fn uses(&self, intended: &HashSet<PackName>, dropped: &Mark) -> HashMap<PackName, PackUse> {
        let index = &self.mark.index;
        let mut uses: HashMap<PackName, PackUse> = HashMap::new();
        for (place, id, location) in index.entries() {
            let used = uses.entry(location.pack).or_default();
            used.slots += 1;
            let best = || best_copy(index, id, location, intended, &self.damaged);
            if self.mark.is_needed(place) && best() == location {
                used.live += 1;
            } else if dropped.is_needed(place) {
                used.dropped += 1;
            }
        }
        uses
    }

    /// Every entry of the index, and whether this very copy is needed and is the one that stays.
    pub(super) fn entries(&self) -> impl Iterator<Item = (ShortId, Location, bool)> {
        let intended = self.foreign.packs();
        self.mark.index.entries().map(move |(place, id, location)| {
            let best = || best_copy(&self.mark.index, id, location, &intended, &self.damaged);
            (id, location, self.mark.is_needed(place) && best() == location)
        })
    }
}

/// Of all copies of a block the one to keep: not in a pack some prune means to delete, not in a damaged one if there is a
/// choice, and among equals the same for everyone who looks.
fn best_copy(
    index: &Index,
    id: ShortId,
    this: Location,
    intended: &HashSet<PackName>,
    damaged: &HashSet<PackName>,
) -> Location {
    let rank = |at: &Location| (intended.contains(&at.pack), damaged.contains(&at.pack), *at);
    index.find(id).filter(|at| at.pack.kind == this.pack.kind).min_by_key(rank).unwrap_or(this)
}

/// Everything that keeps blocks alive.
pub(super) struct Roots {
    pub(super) pending: Catalog,
    pub(super) finished: Catalog,
}

impl Roots {
    /// Pending first: a manifest that moves from pending to finished meanwhile is then seen at least once.
    pub(super) async fn load(vault: &Inner) -> Result<Self> {
        let pending = Catalog::load_pending(&vault.objects, &vault.keys).await?;
        let finished = vault.catalog().await?;
        let unreadable = pending.unreadable.into_iter().chain(finished.unreadable).next();
        match unreadable {
            Some((path, VaultError::Damaged { reason, .. })) => {
                Err(VaultError::CannotMark { object: path.to_string(), reason })
            }
            Some((_, error)) => Err(error),
            None => Ok(Self {
                pending: Catalog { points: pending.points, unreadable: Vec::new() },
                finished: Catalog { points: finished.points, unreadable: Vec::new() },
            }),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&PointId, &Arc<Stored>)> {
        self.pending.points.iter().chain(&self.finished.points)
    }
}

/// Marks all roots but those that go; hands back which.
pub(super) async fn mark_roots(
    mark: &mut Mark,
    fetch: &Fetch,
    roots: &Roots,
    gone: impl Fn(&PointId) -> bool,
    control: &Control,
) -> Result<HashSet<PointId>> {
    let mut kept = HashSet::new();
    for (id, stored) in roots.all().filter(|(id, _)| !gone(id)) {
        mark.point(fetch, &stored.manifest, control).await?;
        kept.insert(*id);
    }
    Ok(kept)
}

/// Expired points whose grace is over, never more than the minimum retention allows: it is checked here again, since
/// two sessions may have expired points at the same time.
fn going(vault: &Inner, finished: &Catalog, records: &Records, clock: VaultClock) -> Vec<PointId> {
    let mut servers: BTreeMap<&str, Vec<(&Arc<Stored>, bool)>> = BTreeMap::new();
    for stored in finished.points.values() {
        let id = stored.manifest.point;
        let over = |tombstone| grace_left(tombstone, clock, vault.settings.grace_secs) == 0;
        let goes = records.tombstones.get(&id).is_some_and(over) && !records.holds.contains_key(&id);
        servers.entry(&stored.manifest.server.id).or_default().push((stored, goes));
    }
    let minimum = usize::try_from(vault.settings.minimum.points).unwrap_or(usize::MAX);
    let mut going = Vec::new();
    for points in servers.values_mut() {
        points.sort_by_key(|(stored, _)| stored.manifest.created);
        let can_go = points.len().saturating_sub(minimum);
        going.extend(
            points.iter().filter(|(_, goes)| *goes).take(can_go).map(|(stored, _)| stored.manifest.point),
        );
    }
    going
}
