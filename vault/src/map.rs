//! The map of a disk: a Merkle tree from block numbers to block ids.
//!
//! A leaf page lists the ids of the blocks of 4 MiB of disk; a page above lists the ids of as many pages. All pages of a
//! vault have one length, the last ones padded with zero ids, and are identified by their content like blocks, so that
//! two points share every page below which nothing changed. A zero id stands for zeroes all the way down.

use std::sync::Arc;

use crate::error::Result;
use crate::fetch::Fetch;
use crate::frame::Frame;
use crate::id::ContentId;
use crate::layout::PackKind;
use crate::manifest::Disk;

/// What a leaf page covers.
pub(crate) const LEAF_SPAN: u64 = 4 << 20;
const ID_LEN: usize = 32;

/// The dimensions of a disk's map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) block_size: u64,
    /// Ids per page.
    pub(crate) fanout: u64,
    pub(crate) leaves: u64,
    /// Levels of pages; at least 1.
    height: u32,
}

impl Shape {
    pub(crate) fn of(size: u64, block_size: u32) -> Self {
        let fanout = fanout(block_size);
        let leaves = size.div_ceil(LEAF_SPAN);
        let (mut height, mut pages) = (1, leaves);
        while pages > 1 {
            pages = pages.div_ceil(fanout);
            height += 1;
        }
        Self { block_size: u64::from(block_size), fanout, leaves, height }
    }
}

/// Ids per page for a block size. A manifest's block size is checked against the vault's before it comes here.
fn fanout(block_size: u32) -> u64 {
    LEAF_SPAN / u64::from(block_size.max(1))
}

pub(crate) fn page_len(block_size: u32) -> usize {
    usize::try_from(fanout(block_size)).unwrap_or(0) * ID_LEN
}

/// A page whose content fits its id.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) frame: Arc<Frame>,
    pub(crate) slot: usize,
}

impl Page {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.frame.slot(self.slot).unwrap_or_default()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ContentId> {
        self.bytes().as_chunks::<ID_LEN>().0.iter().map(|id| ContentId(*id))
    }

    fn id(&self, number: u64) -> ContentId {
        usize::try_from(number).ok().and_then(|number| self.ids().nth(number)).unwrap_or(ContentId::ZERO)
    }
}

/// A page's bytes from up to a page of ids.
pub(crate) fn page_bytes(ids: &[ContentId], page_len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(page_len);
    ids.iter().for_each(|id| bytes.extend_from_slice(&id.0));
    bytes.resize(page_len, 0);
    bytes
}

/// A disk's map, read page by page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Map {
    pub(crate) root: ContentId,
    pub(crate) shape: Shape,
}

impl Map {
    pub(crate) fn of(disk: &Disk) -> Self {
        Self { root: disk.root, shape: Shape::of(disk.size, disk.block_size) }
    }

    /// The id of a leaf page. Zero beyond the end.
    pub(crate) async fn leaf_id(&self, fetch: &Fetch, leaf: u64) -> Result<ContentId> {
        let mut id = self.root;
        if leaf >= self.shape.leaves {
            return Ok(ContentId::ZERO);
        }
        for level in (1..self.shape.height).rev() {
            if id.is_zero() {
                break;
            }
            let below = self.shape.fanout.saturating_pow(level - 1);
            let page = fetch.page(id).await?;
            id = page.id((leaf / below) % self.shape.fanout);
        }
        Ok(id)
    }

    /// A leaf page, `None` where all of it is zero.
    pub(crate) async fn leaf(&self, fetch: &Fetch, leaf: u64) -> Result<Option<Page>> {
        match self.leaf_id(fetch, leaf).await? {
            id if id.is_zero() => Ok(None),
            id => fetch.page(id).await.map(Some),
        }
    }

    /// The root page's level; leaves are level 0.
    pub(crate) fn top(&self) -> u32 {
        self.shape.height - 1
    }
}

/// Builds the upper levels from the leaves' ids, storing each page that is not all zero.
pub(crate) fn build(
    mut ids: Vec<ContentId>,
    block_size: u32,
    mut store: impl FnMut(Vec<u8>) -> Result<ContentId>,
) -> Result<ContentId> {
    let fanout = usize::try_from(fanout(block_size)).unwrap_or(1);
    while ids.len() > 1 {
        let mut above = Vec::with_capacity(ids.len() / fanout + 1);
        for page in ids.chunks(fanout) {
            above.push(match page.iter().all(ContentId::is_zero) {
                true => ContentId::ZERO,
                false => store(page_bytes(page, page_len(block_size)))?,
            });
        }
        ids = above;
    }
    Ok(ids.first().copied().unwrap_or(ContentId::ZERO))
}

impl PackKind {
    /// How its contents are called in messages.
    pub(crate) fn content_name(self) -> &'static str {
        match self {
            Self::Data => "block",
            Self::Map => "map page",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_height_grows_with_the_disk() {
        let height = |size| Shape::of(size, 16 << 10).height;
        assert_eq!(height(0), 1);
        assert_eq!(height(1), 1);
        assert_eq!(height(LEAF_SPAN), 1);
        assert_eq!(height(LEAF_SPAN + 1), 2);
        assert_eq!(height(1 << 30), 2);
        assert_eq!(height((1 << 30) + 1), 3);
        assert_eq!(Shape::of(u64::MAX, 64 << 10).height, 8);
    }
}
