//! Marking: which entries of the index some recovery point needs.
//!
//! Walks the maps of points and raises a flag for every page and block. A page whose flag is up was walked before, for
//! another point, so the cost is that of the pages that differ. Memory is one bit per block. Only maps are read; a page
//! that cannot be read means that what is needed is not known, and the prune ends before it deletes anything.

use std::sync::Arc;

use crate::control::Control;
use crate::error::{Result, VaultError};
use crate::fetch::Fetch;
use crate::id::{ContentId, ShortId};
use crate::index::{Flags, Index};
use crate::layout::PackKind;
use crate::manifest::Manifest;
use crate::map::Map;

/// Flags on everything that the marked points need.
pub(crate) struct Mark {
    pub(crate) index: Arc<Index>,
    flags: Flags,
}

impl Mark {
    pub(crate) fn new(index: Arc<Index>) -> Self {
        let flags = index.flags();
        Self { index, flags }
    }

    /// Marks all that a point needs.
    pub(crate) async fn point(
        &mut self,
        fetch: &Fetch,
        manifest: &Manifest,
        control: &Control,
    ) -> Result<()> {
        for disk in &manifest.disks {
            let map = Map::of(disk);
            let mut pages = vec![(map.root, map.top())];
            while let Some((id, level)) = pages.pop() {
                if id.is_zero() || !self.raise(PackKind::Map, id.short()) {
                    continue;
                }
                control.check()?;
                let page = fetch.page(id).await.map_err(cannot_mark)?;
                control.add_read(page.bytes().len() as u64);
                match level {
                    0 => page.ids().filter(|id| !id.is_zero()).for_each(|id: ContentId| {
                        self.raise(PackKind::Data, id.short());
                    }),
                    level => pages.extend(page.ids().map(|id| (id, level - 1))),
                }
            }
        }
        Ok(())
    }

    /// Raises the flags of all copies; says whether one was down, or there is none.
    fn raise(&mut self, kind: PackKind, id: ShortId) -> bool {
        let mut found = false;
        let mut new = false;
        for (place, location) in self.index.places(id) {
            if location.pack.kind == kind {
                found = true;
                new |= self.flags.raise(place);
            }
        }
        new || !found
    }

    pub(crate) fn is_needed(&self, place: crate::index::EntryPlace) -> bool {
        self.flags.is_up(place)
    }
}

/// Damage turns into "cannot know what is needed"; other errors (cancelled, storage) stay what they are.
pub(crate) fn cannot_mark(error: VaultError) -> VaultError {
    match error {
        VaultError::Damaged { object, reason } => VaultError::CannotMark { object, reason },
        VaultError::Missing { object } => {
            VaultError::CannotMark { object, reason: "it is missing".to_owned() }
        }
        error => error,
    }
}
