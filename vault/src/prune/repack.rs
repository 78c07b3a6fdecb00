//! Rewriting packs of which little is needed: the needed blocks move to new packs, the old ones can go.
//!
//! A frame that is needed whole is copied as it is, sealed. Of others the needed blocks are taken out and framed anew, so
//! that a pack that was rewritten once is dense. Everything copied is opened and checked first: damage must not spread, and
//! a damaged pack must not be deleted while someone might still get something out of it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tokio::runtime::Handle;

use super::survey::Survey;
use crate::control::Control;
use crate::error::{Result, VaultError};
use crate::fetch::content_id;
use crate::frame::Frame;
use crate::id::ShortId;
use crate::key::Keys;
use crate::layout::{PackKind, PackName};
use crate::map::page_len;
use crate::pack::PackRecord;
use crate::pack_writer::{FrameFiller, PackWriter, upload};
use crate::vault::Inner;

/// What was rewritten.
#[derive(Debug, Default)]
pub(super) struct Repacked {
    pub(super) new: Vec<PackRecord>,
    pub(super) done: HashSet<PackName>,
    pub(super) damaged: Vec<(PackName, String)>,
}

/// A frame of a pack, its ids by slot, and which of them are needed.
struct Source {
    pack: PackName,
    offset: u32,
    length: u32,
    ids: BTreeMap<u8, (ShortId, bool)>,
}

/// Blocking. Everything new is durable when it returns.
pub(super) fn repack(
    vault: &Arc<Inner>,
    survey: &Survey,
    handle: &Handle,
    control: &Control,
) -> Result<Repacked> {
    let sources = sources(survey);
    let settings = &vault.settings;
    let (writer, outgoing) = PackWriter::new(&vault.keys, settings.compression, settings.pack_size)?;
    std::thread::scope(|scope| {
        let uploader = scope.spawn(|| {
            let outgoing = outgoing;
            upload(&vault.objects, handle, &outgoing)
        });
        let copied = copy_all(vault, &sources, &writer, handle, control);
        let closed = match &copied {
            Ok(_) => writer.close(),
            Err(_) => {
                drop(writer);
                Ok(())
            }
        };
        let new = uploader.join().map_err(|_| VaultError::Internal { doing: "storing packs" })??;
        let damaged = copied?;
        closed?;
        let spoiled: HashSet<PackName> = damaged.iter().map(|(pack, _)| *pack).collect();
        let done = survey.repack.iter().filter(|pack| !spoiled.contains(pack)).copied().collect();
        Ok(Repacked { new, done, damaged })
    })
}

/// The frames of the packs to rewrite that hold something needed, in their order.
fn sources(survey: &Survey) -> Vec<Source> {
    let chosen: HashSet<&PackName> = survey.repack.iter().collect();
    let mut frames: BTreeMap<(PackName, u32), Source> = BTreeMap::new();
    for (id, location, live) in survey.entries().filter(|(_, location, _)| chosen.contains(&location.pack)) {
        let source = frames.entry((location.pack, location.offset)).or_insert_with(|| Source {
            pack: location.pack,
            offset: location.offset,
            length: location.length,
            ids: BTreeMap::new(),
        });
        source.ids.insert(location.slot, (id, live));
    }
    frames.into_values().filter(|source| source.ids.values().any(|(_, live)| *live)).collect()
}

fn copy_all(
    vault: &Inner,
    sources: &[Source],
    writer: &PackWriter,
    handle: &Handle,
    control: &Control,
) -> Result<Vec<(PackName, String)>> {
    let block_size = vault.settings.block_size.bytes();
    let block_len = usize::try_from(block_size).unwrap_or(0);
    let mut data = writer.filler(PackKind::Data, block_len)?;
    let mut map = writer.filler(PackKind::Map, page_len(block_size))?;
    let mut damaged = Vec::new();
    for source in sources {
        control.check()?;
        let path = source.pack.path();
        let range = vault.objects.get_range(&path, source.offset.into(), source.length.into());
        let bytes = match handle.block_on(range) {
            Ok(bytes) => bytes,
            Err(error) if error.is_damage() => {
                damaged.push((source.pack, error.to_string()));
                continue;
            }
            Err(error) => return Err(error),
        };
        control.add_read(bytes.len() as u64);
        match check(&vault.keys, source, &bytes) {
            Ok(frame) => {
                let filler = if source.pack.kind == PackKind::Data { &mut data } else { &mut map };
                copy(source, &frame, &bytes, filler, writer, control)?;
            }
            Err(reason) => damaged.push((source.pack, reason)),
        }
    }
    data.flush(writer, control)?;
    map.flush(writer, control)?;
    Ok(damaged)
}

fn check(keys: &Keys, source: &Source, bytes: &[u8]) -> Result<Frame, String> {
    let frame = Frame::open(&keys.frame, source.pack.kind, bytes)?;
    let whole = source.ids.iter().all(|(slot, (id, _))| {
        let content = frame.slot(usize::from(*slot));
        content.is_some_and(|content| content_id(keys, source.pack.kind, content).short() == *id)
    });
    if whole { Ok(frame) } else { Err("a frame does not hold what it says".to_owned()) }
}

fn copy(
    source: &Source,
    frame: &Frame,
    bytes: &[u8],
    filler: &mut FrameFiller,
    writer: &PackWriter,
    control: &Control,
) -> Result<()> {
    if source.ids.values().all(|(_, live)| *live) && source.ids.len() == frame.slot_count() {
        let ids = source.ids.values().map(|(id, _)| *id).collect();
        return writer.push(source.pack.kind, bytes.to_vec(), ids, control);
    }
    for (slot, (id, live)) in &source.ids {
        if *live && let Some(content) = frame.slot(usize::from(*slot)) {
            filler.add(writer, *id, content, control)?;
        }
    }
    Ok(())
}
