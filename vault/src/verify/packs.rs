//! The packs: there, of full length, and (when data is read) every byte and block as it was written.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::{BadPack, VerifyReport};
use crate::control::{Control, on_blocking_thread};
use crate::error::{Result, VaultError};
use crate::fetch::content_id;
use crate::frame::Frame;
use crate::id::{ObjectHash, ShortId};
use crate::index::{Index, RunCache, list_packs};
use crate::key::Keys;
use crate::layout::PackName;
use crate::pack::{FrameRecord, footer_of};
use crate::threads;
use crate::vault::Inner;

/// What is known of the packs.
pub(super) struct State {
    /// All entries, also those of packs that are not there.
    pub(super) index: Arc<Index>,
    pub(super) sizes: HashMap<PackName, u64>,
    pub(super) bad: Vec<BadPack>,
    /// Blocks that are damaged, by pack. A pack that is `lost` has none that are good.
    pub(super) spoiled: HashSet<(PackName, ShortId)>,
    pub(super) lost: HashSet<PackName>,
}

impl State {
    pub(super) async fn load(vault: &Inner, report: &mut VerifyReport) -> Result<Self> {
        let (objects, keys) = (&vault.objects, &vault.keys);
        // A cache of its own: runs read before may be damaged by now.
        let mut index = Index::load(objects, keys, &RunCache::default()).await?;
        report.objects += objects.list(crate::layout::INDEX).await?.len() as u64;
        let sizes = list_packs(objects).await?;
        report.objects += sizes.len() as u64;
        for (object, reason) in std::mem::take(&mut index.damaged) {
            report.add(object, reason);
        }
        let mut bad = Vec::new();
        let mut lost = HashSet::new();
        for (object, reason) in index.adopt(objects, keys, &sizes).await? {
            if let Some(name) = PackName::parse(&object.as_str().into()) {
                lost.insert(name);
                bad.push(BadPack { name, reason: reason.clone() });
            }
            report.add(object, reason);
        }
        for pack in index.packs() {
            let reason = match sizes.get(&pack.name) {
                // Merged index runs may speak of packs a prune removed; whether that matters, the walk tells.
                None => continue,
                Some(size) if *size == pack.size => continue,
                Some(size) => format!("it has {size} bytes instead of {}", pack.size),
            };
            if lost.insert(pack.name) {
                bad.push(BadPack { name: pack.name, reason: reason.clone() });
                report.add(pack.name.path().as_ref(), reason);
            }
        }
        Ok(Self { index: Arc::new(index), sizes, bad, spoiled: HashSet::new(), lost })
    }

    /// Whether a good copy of a block is in this pack.
    pub(super) fn is_good(&self, pack: PackName, id: ShortId) -> bool {
        self.sizes.contains_key(&pack) && !self.lost.contains(&pack) && !self.spoiled.contains(&(pack, id))
    }
}

/// What reading one pack showed.
struct PackCheck {
    name: PackName,
    reason: Option<String>,
    spoiled: Vec<ShortId>,
    blocks: u64,
    bytes: u64,
}

/// Reads every pack. What the structure had called lost may turn out to be partly good.
pub(super) async fn read_all(
    vault: &Arc<Inner>,
    state: State,
    report: &mut VerifyReport,
    control: &Control,
) -> Result<State> {
    control.begin(state.sizes.values().sum());
    let names: Vec<PackName> = state.sizes.keys().copied().collect();
    let (checks, mut state) = {
        let (vault, handle, watched) = (Arc::clone(vault), Handle::current(), control.clone());
        let work = move || {
            let checks = Mutex::new(Vec::new());
            threads::for_each(&names, "reading packs", |name| {
                watched.check()?;
                let check = check_pack(&vault, &state.index, *name, &handle)?;
                watched.add_done(state.sizes.get(name).copied().unwrap_or(0));
                watched.add_read(check.bytes);
                checks.lock().push(check);
                Ok(())
            })?;
            Ok((checks.into_inner(), state))
        };
        on_blocking_thread(control, "reading packs", work).await?
    };
    for check in checks {
        report.blocks_checked += check.blocks;
        report.bytes_read += check.bytes;
        let Some(reason) = check.reason else { continue };
        state.lost.remove(&check.name);
        state.spoiled.extend(check.spoiled.iter().map(|id| (check.name, *id)));
        if !state.bad.iter().any(|bad| bad.name == check.name) {
            report.add(check.name.path().as_ref(), reason.clone());
            state.bad.push(BadPack { name: check.name, reason });
        }
    }
    Ok(state)
}

/// The frames of a pack as the index has them, for one whose own list cannot be read.
fn frames_by_index(index: &Index, name: PackName) -> Vec<FrameRecord> {
    let mut frames: BTreeMap<(u32, u32), BTreeMap<u8, ShortId>> = BTreeMap::new();
    for (_, id, at) in index.entries().filter(|(_, _, at)| at.pack == name) {
        frames.entry((at.offset, at.length)).or_default().insert(at.slot, id);
    }
    let record = |((offset, length), ids): (_, BTreeMap<u8, ShortId>)| FrameRecord {
        offset,
        length,
        ids: ids.into_values().collect(),
    };
    frames.into_iter().map(record).collect()
}

fn check_pack(vault: &Inner, index: &Index, name: PackName, handle: &Handle) -> Result<PackCheck> {
    let mut check = PackCheck { name, reason: None, spoiled: Vec::new(), blocks: 0, bytes: 0 };
    let bytes = match handle.block_on(vault.objects.get(&name.path())) {
        Ok(bytes) => bytes,
        // Deleted by a prune since it was listed.
        Err(VaultError::Missing { .. }) => return Ok(check),
        Err(error) => return Err(error),
    };
    check.bytes = bytes.len() as u64;
    if ObjectHash(*blake3::hash(&bytes).as_bytes()) != name.hash {
        check.reason = Some("its content is not what was written".to_owned());
    }
    let frames = match footer_of(&vault.keys.footer, name, &bytes) {
        Some(record) => record.frames,
        None => {
            check.reason.get_or_insert_with(|| "the seal of its footer does not fit".to_owned());
            frames_by_index(index, name)
        }
    };
    for FrameRecord { offset, length, ids } in frames {
        match open(&vault.keys, name, &bytes, offset, length) {
            Ok(frame) => {
                let spoiled = ids.iter().enumerate().filter(|(slot, id)| {
                    let content = frame.slot(*slot);
                    content.is_none_or(|content| content_id(&vault.keys, name.kind, content).short() != **id)
                });
                check.spoiled.extend(spoiled.map(|(_, id)| *id));
                check.blocks += ids.len() as u64;
            }
            Err(reason) => {
                check.reason = Some(format!("{reason}, at byte {offset}"));
                check.spoiled.extend(ids);
            }
        }
    }
    if !check.spoiled.is_empty() && check.reason.is_none() {
        check.reason = Some("it holds other blocks than its own list says".to_owned());
    }
    Ok(check)
}

fn open(keys: &Keys, name: PackName, bytes: &[u8], offset: u32, length: u32) -> Result<Frame, &'static str> {
    let start = usize::try_from(offset).map_err(|_| "a frame is cut off")?;
    let length = usize::try_from(length).map_err(|_| "a frame is cut off")?;
    let bytes =
        start.checked_add(length).and_then(|end| bytes.get(start..end)).ok_or("a frame is cut off")?;
    Frame::open(&keys.frame, name.kind, bytes)
}
