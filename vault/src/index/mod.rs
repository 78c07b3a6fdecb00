//! Which block is where: all index runs of a vault together.
//!
//! The index is a copy of what the packs' footers say, made for speed. So it may lag behind (a crashed backup's packs
//! are not in it), run ahead (a run merged from old ones may speak of packs that are gone) or be lost; each case costs
//! time and is mended here: packs that no readable run covers are read by their footers, packs that are not there are
//! disregarded. Nothing outside this module knows how entries are kept.

mod merge;
pub(crate) mod run;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use parking_lot::Mutex;

use crate::error::{Result, VaultError};
use crate::id::{ObjectHash, ShortId};
use crate::key::Keys;
use crate::layout::{self, PackKind, PackName};
use crate::object::{Objects, a_few_at_a_time};
use crate::pack::{PackRecord, read_footer};
use run::{Location, PackInfo, Parsed, Run};

/// More runs than this are merged when a new one is written.
const MANY_RUNS: usize = 24;
/// A merged run takes packs until it has this many entries, so that each stays an object of some 30 MB.
const RUN_ENTRIES: usize = 1 << 20;

/// Runs that were read before; they never change.
pub(crate) type RunCache = Mutex<HashMap<ObjectHash, Arc<Run>>>;

/// All runs of a vault as of one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    views: Vec<View>,
    /// Runs that are there and cannot be read.
    pub(crate) damaged: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct View {
    /// `None` for what was read from footers.
    name: Option<ObjectHash>,
    run: Arc<Run>,
    /// By pack of the run: whether its entries count.
    usable: Vec<bool>,
}

impl View {
    fn new(name: Option<ObjectHash>, run: Arc<Run>) -> Self {
        let usable = vec![true; run.packs.len()];
        Self { name, run, usable }
    }

    fn is_usable(&self, entry: &Parsed) -> bool {
        usize::try_from(entry.pack).ok().and_then(|pack| self.usable.get(pack)).copied().unwrap_or(false)
    }
}

impl Index {
    /// Reads all runs. Runs that vanish meanwhile were merged into newer ones: the listing is then taken anew.
    pub(crate) async fn load(objects: &Objects, keys: &Keys, cache: &RunCache) -> Result<Self> {
        for _ in 0..8 {
            if let Some(index) = Self::load_once(objects, keys, cache).await? {
                return Ok(index);
            }
        }
        Err(VaultError::Missing { object: layout::INDEX.to_owned() })
    }

    async fn load_once(objects: &Objects, keys: &Keys, cache: &RunCache) -> Result<Option<Self>> {
        let listed = objects.list(layout::INDEX).await?;
        let names: Vec<ObjectHash> = listed.iter().filter_map(|run| layout::id_of(&run.path)).collect();
        cache.lock().retain(|name, _| names.contains(name));
        let mut index = Self::default();
        for name in names {
            let cached = cache.lock().get(&name).cloned();
            let path = layout::index_run(name);
            let run = match cached {
                Some(run) => run,
                None => match objects.find(&path).await? {
                    None => return Ok(None),
                    Some(bytes) => match Run::decode(&keys.index, path.as_ref(), &bytes) {
                        Ok(run) => Arc::new(run),
                        Err(error) => {
                            index.damaged.push((path.to_string(), error.to_string()));
                            continue;
                        }
                    },
                },
            };
            cache.lock().insert(name, Arc::clone(&run));
            index.views.push(View::new(Some(name), run));
        }
        Ok(Some(index))
    }

    /// Reads the footers of packs that no run covers. Hands back the damaged ones among them.
    pub(crate) async fn adopt(
        &mut self,
        objects: &Objects,
        keys: &Keys,
        packs: &HashMap<PackName, u64>,
    ) -> Result<Vec<(String, String)>> {
        let covered: HashSet<PackName> = self.packs().map(|pack| pack.name).collect();
        let missing: Vec<(PackName, u64)> = packs
            .iter()
            .filter(|(name, _)| !covered.contains(name))
            .map(|(name, size)| (*name, *size))
            .collect();
        let reads = missing
            .into_iter()
            .map(|(name, size)| read_footer(objects, &keys.footer, name, size).boxed())
            .collect();
        let footers = a_few_at_a_time(reads).await;
        let (mut records, mut damaged) = (Vec::new(), Vec::new());
        for footer in footers {
            match footer {
                Ok(record) => records.push(record),
                // Deleted by a prune since it was listed.
                Err(VaultError::Missing { .. }) => {}
                Err(VaultError::Damaged { object, reason }) => damaged.push((object, reason)),
                Err(error) => return Err(error),
            }
        }
        if !records.is_empty() {
            self.add(&records);
        }
        Ok(damaged)
    }

    /// Adds packs that no run covers yet.
    pub(crate) fn add(&mut self, packs: &[PackRecord]) {
        self.views.push(View::new(None, Arc::new(Run::of_packs(packs))));
    }

    /// From now on only packs for which `keep` says yes count.
    pub(crate) fn restrict(&mut self, keep: impl Fn(&PackName) -> bool) {
        for view in &mut self.views {
            for (usable, pack) in view.usable.iter_mut().zip(&view.run.packs) {
                *usable = *usable && keep(&pack.name);
            }
        }
    }

    /// All packs that count.
    pub(crate) fn packs(&self) -> impl Iterator<Item = PackInfo> {
        self.views.iter().flat_map(|view| {
            view.run.packs.iter().zip(&view.usable).filter(|(_, usable)| **usable).map(|(pack, _)| *pack)
        })
    }

    /// Everywhere an id is stored.
    pub(crate) fn find(&self, id: ShortId) -> impl Iterator<Item = Location> {
        self.views.iter().flat_map(move |view| {
            view.run
                .find(id)
                .filter(|(_, entry)| view.is_usable(entry))
                .filter_map(|(_, entry)| view.run.location(&entry))
        })
    }

    /// Every entry that counts, by id and place.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (EntryPlace, ShortId, Location)> {
        self.views.iter().enumerate().flat_map(|(number, view)| {
            view.run.entries().enumerate().filter(|(_, entry)| view.is_usable(entry)).filter_map(
                move |(at, entry)| {
                    Some((EntryPlace { view: number, at }, entry.id, view.run.location(&entry)?))
                },
            )
        })
    }

    /// The places of all entries of an id.
    pub(crate) fn places(&self, id: ShortId) -> impl Iterator<Item = (EntryPlace, Location)> {
        self.views.iter().enumerate().flat_map(move |(number, view)| {
            view.run.find(id).filter(|(_, entry)| view.is_usable(entry)).filter_map(move |(at, entry)| {
                Some((EntryPlace { view: number, at }, view.run.location(&entry)?))
            })
        })
    }

    /// One flag per entry, all down.
    pub(crate) fn flags(&self) -> Flags {
        Flags(self.views.iter().map(|view| vec![0; view.run.len().div_ceil(64)]).collect())
    }

    /// Writes what was read from footers or added as a run, drops packs that no longer count, and merges small runs when
    /// there are many. The packs must be durable before. Runs that were replaced are deleted only after those that
    /// replace them are durable.
    pub(crate) async fn save(&self, objects: &Objects, keys: &Keys) -> Result<()> {
        let small = |view: &View| view.run.len() < RUN_ENTRIES / 2;
        let merge_small = self.views.iter().filter(|view| small(view)).count() > MANY_RUNS;
        let stale = |view: &View| view.name.is_none() || view.usable.contains(&false);
        let chosen: Vec<&View> =
            self.views.iter().filter(|view| stale(view) || (merge_small && small(view))).collect();
        let mut written = HashSet::new();
        for run in merge::merged(&chosen, RUN_ENTRIES) {
            let (name, bytes) = run.encode(&keys.index)?;
            objects.put(&layout::index_run(name), Bytes::from(bytes)).await?;
            written.insert(name);
        }
        for name in chosen.iter().filter_map(|view| view.name).filter(|name| !written.contains(name)) {
            objects.delete(&layout::index_run(name)).await?;
        }
        Ok(())
    }
}

/// An entry of the index as it was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EntryPlace {
    view: usize,
    at: usize,
}

/// One bit for every entry of an index: the memory of a mark is an eighth of a byte per block.
#[derive(Clone, Debug)]
pub(crate) struct Flags(Vec<Vec<u64>>);

impl Flags {
    /// Raises a flag; says whether it was down.
    pub(crate) fn raise(&mut self, place: EntryPlace) -> bool {
        let Some(word) = self.0.get_mut(place.view).and_then(|view| view.get_mut(place.at / 64)) else {
            return false;
        };
        let bit = 1 << (place.at % 64);
        let was_down = *word & bit == 0;
        *word |= bit;
        was_down
    }

    pub(crate) fn is_up(&self, place: EntryPlace) -> bool {
        let word = self.0.get(place.view).and_then(|view| view.get(place.at / 64));
        word.is_some_and(|word| word & (1 << (place.at % 64)) != 0)
    }
}

/// All packs of a vault and their sizes.
pub(crate) async fn list_packs(objects: &Objects) -> Result<HashMap<PackName, u64>> {
    let mut packs = HashMap::new();
    for kind in PackKind::BOTH {
        let listed = objects.list(kind.prefix()).await?;
        packs.extend(listed.iter().filter_map(|pack| Some((PackName::parse(&pack.path)?, pack.size))));
    }
    Ok(packs)
}
