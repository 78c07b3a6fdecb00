//! Reading blocks and map pages by id.
//!
//! Every way a block leaves the vault goes through here, and nothing passes that does not hash to the id asked for. A block
//! that is damaged in one pack is looked for in others; one whose pack is gone (a prune rewrote it) is looked up in a
//! fresh index. Only then is it an error.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::error::{Result, VaultError};
use crate::frame::Frame;
use crate::id::{ContentId, ShortId};
use crate::index::run::Location;
use crate::index::{Index, RunCache, list_packs};
use crate::key::{Keys, Secret};
use crate::layout::{PackKind, PackName};
use crate::map::Page;
use crate::object::Objects;

/// What reading needs: objects, keys and an index that renews itself.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) objects: Objects,
    pub(crate) keys: Arc<Keys>,
    runs: Arc<RunCache>,
    index: RwLock<Arc<Index>>,
    frames: Mutex<FrameCache>,
    /// What could not be read, or is known to be damaged: nothing new may rely on it.
    distrusted: RwLock<HashSet<ShortId>>,
}

/// A verified block or page, within its frame.
pub(crate) type Content = Page;

impl Fetch {
    /// `cached_frames`: how many opened frames (of up to 256 KiB) to keep.
    pub(crate) fn new(
        objects: Objects,
        keys: Arc<Keys>,
        runs: Arc<RunCache>,
        index: Index,
        cached_frames: usize,
    ) -> Self {
        let frames = Mutex::new(FrameCache { capacity: cached_frames.max(1), ..FrameCache::default() });
        let (index, distrusted) = (RwLock::new(Arc::new(index)), RwLock::default());
        Self { objects, keys, runs, index, frames, distrusted }
    }

    pub(crate) fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read())
    }

    pub(crate) async fn page(&self, id: ContentId) -> Result<Page> {
        self.content(PackKind::Map, id).await
    }

    pub(crate) async fn content(&self, kind: PackKind, id: ContentId) -> Result<Content> {
        let mut last = None;
        for attempt in 0..2 {
            let index = self.index();
            for location in index.find(id.short()).filter(|location| location.pack.kind == kind) {
                match self.content_at(kind, id, location).await {
                    Ok(content) => return Ok(content),
                    Err(error) => last = Some(error),
                }
            }
            if attempt == 0 {
                self.renew(&index).await?;
            }
        }
        let error =
            last.unwrap_or_else(|| VaultError::Missing { object: format!("{} {id}", kind.content_name()) });
        if error.is_damage() {
            self.distrust([id.short()]);
        }
        Err(error)
    }

    pub(crate) fn distrust(&self, ids: impl IntoIterator<Item = ShortId>) {
        self.distrusted.write().extend(ids);
    }

    pub(crate) fn distrusts_any(&self) -> bool {
        !self.distrusted.read().is_empty()
    }

    pub(crate) fn is_distrusted(&self, id: ContentId) -> bool {
        self.distrusted.read().contains(&id.short())
    }

    async fn content_at(&self, kind: PackKind, id: ContentId, location: Location) -> Result<Content> {
        let frame = self.frame(location).await?;
        let slot = usize::from(location.slot);
        match frame.slot(slot) {
            Some(content) if content_id(&self.keys, kind, content) == id => Ok(Page { frame, slot }),
            _ => Err(VaultError::damaged(
                location.pack.path().as_ref(),
                format!("{} {id} is not what it holds", kind.content_name()),
            )),
        }
    }

    async fn frame(&self, location: Location) -> Result<Arc<Frame>> {
        let place = (location.pack, location.offset);
        if let Some(frame) = self.frames.lock().get(place) {
            return Ok(frame);
        }
        let path = location.pack.path();
        let bytes =
            self.objects.get_range(&path, u64::from(location.offset), u64::from(location.length)).await?;
        let frame = Frame::open(&self.keys.frame, location.pack.kind, &bytes)
            .map_err(|reason| frame_damage(&location.pack, location.offset, reason))?;
        let frame = Arc::new(frame);
        self.frames.lock().put(place, Arc::clone(&frame));
        Ok(frame)
    }

    /// Looks at the vault anew, unless somebody did since `seen`.
    pub(crate) async fn renew(&self, seen: &Arc<Index>) -> Result<()> {
        if !Arc::ptr_eq(seen, &self.index()) {
            return Ok(());
        }
        let (index, _) = complete_index(&self.objects, &self.keys, &self.runs).await?;
        *self.index.write() = Arc::new(index);
        Ok(())
    }
}

/// The index with the packs no run covers, and without those that are gone.
pub(crate) async fn complete_index(
    objects: &Objects,
    keys: &Keys,
    runs: &RunCache,
) -> Result<(Index, HashMap<PackName, u64>)> {
    // The runs first: a pack that is put, indexed or rewritten meanwhile is then found by its footer.
    let mut index = Index::load(objects, keys, runs).await?;
    let packs = list_packs(objects).await?;
    index.restrict(|pack| packs.contains_key(pack));
    let damaged = index.adopt(objects, keys, &packs).await?;
    index.damaged.extend(damaged);
    Ok((index, packs))
}

pub(crate) fn frame_damage(pack: &PackName, offset: u32, reason: &str) -> VaultError {
    VaultError::damaged(pack.path().as_ref(), format!("{reason}, at byte {offset}"))
}

/// The id of a block or page.
pub(crate) fn content_id(keys: &Keys, kind: PackKind, content: &[u8]) -> ContentId {
    let Secret(key) = match kind {
        PackKind::Data => &keys.block_id,
        PackKind::Map => &keys.page_id,
    };
    ContentId(*blake3::keyed_hash(key, content).as_bytes())
}

/// Opened frames, the least recently used dropped first.
#[derive(Debug, Default)]
struct FrameCache {
    capacity: usize,
    clock: u64,
    frames: HashMap<(PackName, u32), (u64, Arc<Frame>)>,
}

impl FrameCache {
    fn get(&mut self, place: (PackName, u32)) -> Option<Arc<Frame>> {
        self.clock += 1;
        let (used, frame) = self.frames.get_mut(&place)?;
        *used = self.clock;
        Some(Arc::clone(frame))
    }

    fn put(&mut self, place: (PackName, u32), frame: Arc<Frame>) {
        self.clock += 1;
        while self.frames.len() >= self.capacity
            && let Some(oldest) =
                self.frames.iter().min_by_key(|(_, (used, _))| *used).map(|(place, _)| *place)
        {
            self.frames.remove(&oldest);
        }
        self.frames.insert(place, (self.clock, frame));
    }
}
