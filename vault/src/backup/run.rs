//! Running one backup: prepare, let the workers loose, commit; begin again if a prune interfered.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::runtime::Handle;

use super::commit::{Committed, commit};
use super::job::{Changed, DiskJob, Job};
use super::worker::Worker;
use super::{BackupReport, BackupRequest, Parent};
use crate::catalog::Stored;
use crate::control::{Control, Phase, on_blocking_thread};
use crate::damage;
use crate::error::{Result, VaultError};
use crate::fetch::{Fetch, complete_index};
use crate::id::{ContentId, PointId, ShortId};
use crate::index::Index;
use crate::key::random;
use crate::layout::PackName;
use crate::manifest::{Disk, Manifest, Previous};
use crate::map::{Map, build};
use crate::pack::PackRecord;
use crate::pack_writer::{PackWriter, upload};
use crate::prune::intent::Intents;
use crate::vault::Inner;

/// How often a backup begins again before it gives up. Each time takes a prune that deletes what this backup uses.
const ATTEMPTS: u32 = 4;
/// Opened frames of the parent's map: each spans half a gigabyte of disk with 16 KiB blocks.
const MAP_FRAMES: usize = 16;

/// Takes a recovery point.
pub(crate) async fn run(
    vault: &Arc<Inner>,
    request: BackupRequest,
    control: &Control,
) -> Result<BackupReport> {
    check(&request)?;
    let request = Arc::new(request);
    for restarts in 0..ATTEMPTS {
        let prepared = prepare(vault, &request, restarts).await?;
        let parent = prepared.parent.clone();
        let job = Arc::new(open_disks(vault, &request, prepared.fetch, parent.as_deref(), control)?);
        let work = {
            let (vault, job) = (Arc::clone(vault), Arc::clone(&job));
            on_blocking_thread(control, "a backup", move || work(&vault, &job)).await?
        };
        control.enter(Phase::Committing);
        prepared.index.saved_with(vault, &work.packs).await?;
        let manifest = manifest(&request, &job, &work, parent.as_deref(), prepared.previous.as_deref())?;
        control.check()?;
        if let Committed::Yes = commit(vault, &manifest, &work.used, manifest.parent).await? {
            control.enter(Phase::Finished);
            return Ok(BackupReport { point: manifest.into_point(None, None), restarts });
        }
        tracing::info!(server = %request.server.name, "a prune removed what a backup relied on; it begins again");
    }
    Err(VaultError::KeptChanging { attempts: ATTEMPTS })
}

fn check(request: &BackupRequest) -> Result<()> {
    if request.disks.is_empty() {
        return Err(VaultError::NoDisks);
    }
    let mut names = HashSet::new();
    match request.disks.iter().find(|disk| !names.insert(&disk.name)) {
        Some(disk) => Err(VaultError::DuplicateDisk { disk: disk.name.clone() }),
        None => Ok(()),
    }
}

/// What a backup builds on.
struct Prepared {
    fetch: Fetch,
    /// As loaded, with adopted packs that no run covers yet.
    index: Index,
    parent: Option<Arc<Stored>>,
    /// The server's newest point, whether it is the parent or not.
    previous: Option<Arc<Stored>>,
}

async fn prepare(vault: &Arc<Inner>, request: &BackupRequest, restarts: u32) -> Result<Prepared> {
    let catalog = vault.catalog().await?;
    let previous = catalog.newest_of(&request.server.id).cloned();
    let parent = match request.parent {
        Parent::None => None,
        Parent::Newest => previous.clone(),
        Parent::Point(point) => {
            Some(catalog.points.get(&point).cloned().ok_or(VaultError::NoSuchPoint { point })?)
        }
    };
    // A second attempt trusts nothing that could have been taken away before.
    let parent = if restarts == 0 { parent } else { None };
    // Intents before packs: a pack that an intent named and that is gone already is then missed in the second listing.
    let condemned = Intents::load(&vault.objects, &vault.keys).await?.packs();
    let (index, _) = complete_index(&vault.objects, &vault.keys, &vault.runs).await?;
    let damaged = damage::load(&vault.objects, &vault.keys).await?;
    let mut usable = index.clone();
    usable.restrict(|pack| !condemned.contains(pack));
    let fetch = Fetch::new(
        vault.objects.clone(),
        Arc::clone(&vault.keys),
        Arc::clone(&vault.runs),
        usable,
        MAP_FRAMES,
    );
    if !damaged.is_empty() {
        // What a damaged pack holds is stored again wherever the disks still have it.
        let only_there = |id: &ShortId| index.find(*id).all(|at| damaged.contains(&at.pack));
        let held = index.entries().filter(|(_, _, at)| damaged.contains(&at.pack)).map(|(_, id, _)| id);
        fetch.distrust(held.filter(only_there));
    }
    Ok(Prepared { fetch, index, parent, previous })
}

fn open_disks(
    vault: &Inner,
    request: &BackupRequest,
    fetch: Fetch,
    parent: Option<&Stored>,
    control: &Control,
) -> Result<Job> {
    let block_size = vault.settings.block_size.bytes();
    let mut disks = Vec::with_capacity(request.disks.len());
    // With damage in the vault all is read, since what did not change may be what must be stored again.
    let trusted = !fetch.distrusts_any();
    for disk in &request.disks {
        let size = disk.reader.size().map_err(|source| VaultError::ReadDisk {
            disk: disk.name.clone(),
            offset: 0,
            source,
        })?;
        let old = parent.and_then(|parent| parent.manifest.disks.iter().find(|old| old.name == disk.name));
        let map = old.filter(|old| old.block_size == block_size).map(Map::of);
        let known = parent.map(|parent| parent.manifest.point);
        let changed = disk.changed.as_ref().filter(|changed| {
            trusted && Some(changed.since) == known && old.is_some_and(|old| old.size == size)
        });
        let changed = changed.map(|changed| Changed::new(&changed.ranges));
        disks.push(DiskJob::new(disk.name.clone(), Arc::clone(&disk.reader), size, map, changed));
    }
    let job = Job::new(disks, block_size, fetch, control.clone(), Handle::current());
    control.begin(job.size());
    control.enter(Phase::Reading);
    Ok(job)
}

/// What the workers made.
struct Work {
    roots: Vec<ContentId>,
    packs: Vec<PackRecord>,
    /// Packs the point needs and its parent does not vouch for.
    used: HashSet<PackName>,
    stored: u64,
    incompressible: u64,
}

/// Blocking: reads the disks with one thread per core and stores what is new.
fn work(vault: &Inner, job: &Job) -> Result<Work> {
    let (writer, outgoing) =
        PackWriter::new(&vault.keys, vault.settings.compression, vault.settings.pack_size)?;
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    std::thread::scope(|scope| {
        let uploader = scope.spawn(|| {
            // Owned here, so that a failed upload hangs up and the workers stop.
            let outgoing = outgoing;
            upload(&vault.objects, &job.handle, &outgoing)
        });
        let made = read_disks(job, &writer, threads);
        let (stored, incompressible) = (writer.stored.load(Relaxed), writer.incompressible.load(Relaxed));
        let closed = match &made {
            Ok(_) => writer.close(),
            Err(_) => {
                drop(writer);
                Ok(())
            }
        };
        let packs = uploader.join().map_err(|_| VaultError::Internal { doing: "storing packs" })??;
        let (mut used, roots) = made?;
        closed?;
        used.extend(packs.iter().map(|pack| pack.name));
        Ok(Work { roots, packs, used, stored, incompressible })
    })
}

fn read_disks(job: &Job, writer: &PackWriter, threads: usize) -> Result<(HashSet<PackName>, Vec<ContentId>)> {
    let mut used = HashSet::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| stop_others(job, Worker::new(job, writer)?.run()))).collect();
        let mut failed = Ok(());
        for worker in workers {
            match worker.join().map_err(|_| VaultError::Internal { doing: "reading disks" }).flatten() {
                Ok(packs) => used.extend(packs),
                // The first cause is the one to report, not what the others say when told to stop.
                Err(VaultError::Cancelled) if failed.is_err() => {}
                Err(error) => failed = Err(error),
            }
        }
        failed
    })?;
    job.check_sizes()?;
    let mut last = Worker::new(job, writer)?;
    let mut roots = Vec::with_capacity(job.disks.len());
    for disk in &job.disks {
        roots.push(build(disk.take_leaves(), job.block_size, |page| last.store_page_bytes(&page))?);
    }
    used.extend(last.finish()?);
    Ok((used, roots))
}

/// Makes the other workers stop when one fails.
fn stop_others<T>(job: &Job, outcome: Result<T>) -> Result<T> {
    if outcome.is_err() {
        job.stop();
    }
    outcome
}

fn manifest(
    request: &BackupRequest,
    job: &Job,
    work: &Work,
    parent: Option<&Stored>,
    previous: Option<&Stored>,
) -> Result<Manifest> {
    let disks = job.disks.iter().zip(&work.roots).map(|(disk, root)| Disk {
        name: disk.name.clone(),
        size: disk.size,
        block_size: job.block_size,
        root: *root,
    });
    Ok(Manifest {
        point: PointId(random()?),
        server: request.server.clone(),
        created: request.created,
        consistency: request.consistency,
        parent: parent.map(|parent| parent.manifest.point),
        previous: previous.map(|previous| Previous { point: previous.manifest.point, hash: previous.hash }),
        disks: disks.collect(),
        stats: job.stats.stats(job.size(), work.incompressible, work.stored),
        definition: request.definition.clone(),
        tags: request.tags.clone(),
    })
}

impl Index {
    /// Makes an index run of the packs just stored and of those adopted from a crashed backup.
    async fn saved_with(mut self, vault: &Inner, packs: &[PackRecord]) -> Result<()> {
        if !packs.is_empty() {
            self.add(packs);
        }
        self.save(&vault.objects, &vault.keys).await
    }
}
