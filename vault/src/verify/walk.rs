//! From damage to those it hurts: walks the maps of all points and looks up every block.
//!
//! A page below which everything is well is walked once, however many points share it.

use std::collections::HashSet;
use std::sync::Arc;

use super::packs::State;
use super::{Damage, DamagedRange, VerifyReport};
use crate::catalog::{Catalog, Stored};
use crate::control::Control;
use crate::error::{Result, VaultError};
use crate::fetch::Fetch;
use crate::id::{ContentId, ShortId};
use crate::layout::PackKind;
use crate::manifest::Disk;
use crate::map::{LEAF_SPAN, Map, Page};
use crate::vault::Inner;

const MAP_FRAMES: usize = 64;

pub(super) async fn points(
    vault: &Inner,
    catalog: &Catalog,
    state: &State,
    report: &mut VerifyReport,
    control: &Control,
) -> Result<()> {
    let fetch = Fetch::new(
        vault.objects.clone(),
        Arc::clone(&vault.keys),
        Arc::clone(&vault.runs),
        (*state.index).clone(),
        MAP_FRAMES,
    );
    let mut walk = Walk { fetch, state, report, control, clean: HashSet::new() };
    for stored in catalog.points.values() {
        for disk in &stored.manifest.disks {
            walk.disk(stored, disk).await?;
        }
    }
    Ok(())
}

struct Walk<'a> {
    fetch: Fetch,
    state: &'a State,
    report: &'a mut VerifyReport,
    control: &'a Control,
    /// Pages with nothing wrong in or below them.
    clean: HashSet<ShortId>,
}

/// A page still to walk.
struct Pending {
    id: ContentId,
    level: u32,
    /// First byte of disk it speaks of.
    offset: u64,
    /// Damages known when its walk began; `None` while it has not begun.
    begun: Option<usize>,
}

impl Walk<'_> {
    async fn disk(&mut self, stored: &Stored, disk: &Disk) -> Result<()> {
        let map = Map::of(disk);
        let mut found: Vec<(Culprit, u64, u64)> = Vec::new();
        let mut pending = vec![Pending { id: map.root, level: map.top(), offset: 0, begun: None }];
        while let Some(page) = pending.pop() {
            if page.id.is_zero() || page.offset >= disk.size || self.clean.contains(&page.id.short()) {
                continue;
            }
            if let Some(begun) = page.begun {
                if begun == found.len() {
                    self.clean.insert(page.id.short());
                }
                continue;
            }
            self.control.check()?;
            let span = LEAF_SPAN.saturating_mul(map.shape.fanout.saturating_pow(page.level));
            match self.fetch.page(page.id).await {
                Ok(content) => {
                    pending.push(Pending { begun: Some(found.len()), ..page });
                    self.page(&map, disk, &content, &page, &mut pending, &mut found);
                }
                Err(error @ (VaultError::Damaged { .. } | VaultError::Missing { .. })) => {
                    let length = span.min(disk.size - page.offset);
                    found.push((self.culprit(PackKind::Map, page.id, Some(error)), page.offset, length));
                }
                Err(error) => return Err(error),
            }
        }
        found.sort_by_key(|(_, offset, _)| *offset);
        for ((object, reason), offset, length) in found {
            self.hit(stored, disk, object, reason, offset, length);
        }
        Ok(())
    }

    /// One page: its blocks are looked up, or the pages below it lined up.
    fn page(
        &self,
        map: &Map,
        disk: &Disk,
        content: &Page,
        page: &Pending,
        pending: &mut Vec<Pending>,
        found: &mut Vec<(Culprit, u64, u64)>,
    ) {
        let step = match page.level {
            0 => map.shape.block_size,
            level => LEAF_SPAN.saturating_mul(map.shape.fanout.saturating_pow(level - 1)),
        };
        for (id, number) in content.ids().zip(0_u64..).filter(|(id, _)| !id.is_zero()) {
            let offset = page.offset.saturating_add(number.saturating_mul(step));
            if offset >= disk.size {
                continue;
            }
            if page.level > 0 {
                pending.push(Pending { id, level: page.level - 1, offset, begun: None });
                continue;
            }
            let index = &self.state.index;
            let mut copies = index.find(id.short()).filter(|at| at.pack.kind == PackKind::Data);
            if !copies.any(|at| self.state.is_good(at.pack, id.short())) {
                found.push((self.culprit(PackKind::Data, id, None), offset, step.min(disk.size - offset)));
            }
        }
    }

    /// The object whose damage makes this block or page unreadable.
    fn culprit(&self, kind: PackKind, id: ContentId, error: Option<VaultError>) -> Culprit {
        let at = self.state.index.find(id.short()).find(|at| at.pack.kind == kind);
        match (at, error) {
            (Some(at), _) if !self.state.sizes.contains_key(&at.pack) => {
                (at.pack.path().to_string(), "it is missing".to_owned())
            }
            (_, Some(VaultError::Damaged { object, reason })) => (object, reason),
            (Some(at), _) => (at.pack.path().to_string(), "it is damaged".to_owned()),
            (None, _) => (format!("{} {id}", kind.content_name()), "no pack in the vault has it".to_owned()),
        }
    }

    /// Adds a range to its object's damage, joined with its neighbour.
    fn hit(
        &mut self,
        stored: &Stored,
        disk: &Disk,
        object: String,
        reason: String,
        offset: u64,
        length: u64,
    ) {
        let damages = &mut self.report.damages;
        let at = damages.iter().position(|damage| damage.object == object).unwrap_or_else(|| {
            damages.push(Damage { object, reason, hits: Vec::new() });
            damages.len() - 1
        });
        let Some(damage) = damages.get_mut(at) else { return };
        let point = stored.manifest.point;
        if let Some(last) = damage.hits.last_mut()
            && last.point == point
            && last.disk == disk.name
            && last.offset + last.length == offset
        {
            last.length += length;
            return;
        }
        let server = stored.manifest.server.name.clone();
        damage.hits.push(DamagedRange { point, server, disk: disk.name.clone(), offset, length });
    }
}

/// An object and what is wrong with it.
type Culprit = (String, String);
