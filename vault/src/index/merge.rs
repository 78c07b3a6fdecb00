//! Merging runs. A run lists all entries of each pack it names, so of each pack one copy is taken, whole.

use std::collections::HashMap;

use super::View;
use super::run::{PackInfo, Parsed, Run};
use crate::layout::PackName;
use crate::wire::len32;

/// Where a pack's entries go: which output run, and its number there.
#[derive(Clone, Copy)]
struct Target {
    run: usize,
    pack: u32,
}

/// All usable entries of some views, as runs of about `limit` entries.
pub(super) fn merged(views: &[&View], limit: usize) -> Vec<Run> {
    let mut outputs: Vec<(Vec<PackInfo>, Vec<Parsed>, usize)> = Vec::new();
    let mut taken: HashMap<PackName, ()> = HashMap::new();
    for view in views {
        let targets = assign(view, limit, &mut taken, &mut outputs);
        for entry in view.run.entries() {
            let target = usize::try_from(entry.pack).ok().and_then(|pack| *targets.get(pack)?);
            if let Some(target) = target
                && let Some((_, entries, _)) = outputs.get_mut(target.run)
            {
                entries.push(Parsed { pack: target.pack, ..entry });
            }
        }
    }
    outputs
        .into_iter()
        .filter(|(_, entries, _)| !entries.is_empty())
        .map(|(packs, entries, _)| Run::of_entries(packs, &entries))
        .collect()
}

/// Decides for each pack of a view where its entries go; `None` for packs taken from another view or not usable.
fn assign(
    view: &View,
    limit: usize,
    taken: &mut HashMap<PackName, ()>,
    outputs: &mut Vec<(Vec<PackInfo>, Vec<Parsed>, usize)>,
) -> Vec<Option<Target>> {
    let mut counts = vec![0_usize; view.run.packs.len()];
    for entry in view.run.entries() {
        if let Some(count) = usize::try_from(entry.pack).ok().and_then(|pack| counts.get_mut(pack)) {
            *count += 1;
        }
    }
    let mut targets = Vec::with_capacity(counts.len());
    for ((pack, usable), count) in view.run.packs.iter().zip(&view.usable).zip(counts) {
        if !usable || taken.insert(pack.name, ()).is_some() {
            targets.push(None);
            continue;
        }
        if outputs.last().is_none_or(|(_, _, filled)| *filled >= limit) {
            outputs.push((Vec::new(), Vec::new(), 0));
        }
        let run = outputs.len() - 1;
        targets.extend(outputs.last_mut().map(|(packs, _, filled)| {
            packs.push(*pack);
            *filled += count;
            Some(Target { run, pack: len32(packs.len() - 1) })
        }));
    }
    targets
}
