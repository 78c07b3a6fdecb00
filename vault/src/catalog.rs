//! Which recovery points there are: manifests, and the small records beside them that hold or expire one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use object_store::path::Path;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Result, VaultError};
use crate::id::{ObjectHash, PointId};
use crate::key::{Keys, Secret};
use crate::layout;
use crate::manifest::Manifest;
use crate::object::{Objects, a_few_at_a_time};
use crate::seal::{Kind, open_object, seal_object};

/// Manifests read before, with the hashes of their objects; they never change.
pub(crate) type ManifestCache = Mutex<HashMap<PointId, Arc<Stored>>>;

/// A manifest as it is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) manifest: Manifest,
    pub(crate) hash: ObjectHash,
}

/// Says that a point was expired, and when on the vault clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    pub(crate) point: PointId,
    pub(crate) vault_clock: u64,
    pub(crate) at: DateTime<Utc>,
}

/// Says that a point must stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HoldRecord {
    pub(crate) point: PointId,
    pub(crate) reason: String,
    pub(crate) at: DateTime<Utc>,
}

/// All manifests below a prefix.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) points: BTreeMap<PointId, Arc<Stored>>,
    pub(crate) unreadable: Vec<(Path, VaultError)>,
}

impl Catalog {
    /// Reads all manifests that are finished (`points/`).
    pub(crate) async fn load(objects: &Objects, keys: &Keys, cache: &ManifestCache) -> Result<Self> {
        let catalog = Self::load_from(objects, keys, layout::POINTS, Some(cache)).await?;
        cache.lock().retain(|point, _| catalog.points.contains_key(point));
        Ok(catalog)
    }

    /// Reads all manifests of backups that were about to be finished (`pending/`).
    pub(crate) async fn load_pending(objects: &Objects, keys: &Keys) -> Result<Self> {
        Self::load_from(objects, keys, layout::PENDING, None).await
    }

    async fn load_from(
        objects: &Objects,
        keys: &Keys,
        prefix: &str,
        cache: Option<&ManifestCache>,
    ) -> Result<Self> {
        let listed = objects.list(prefix).await?;
        let ids: Vec<PointId> = listed.iter().filter_map(|object| layout::id_of(&object.path)).collect();
        let reads = ids
            .into_iter()
            .map(|id| async move { (id, find(objects, keys, prefix, cache, id).await) }.boxed())
            .collect();
        let read = a_few_at_a_time(reads).await;
        let mut catalog = Self::default();
        for (id, stored) in read {
            match stored {
                Ok(Some(stored)) => {
                    catalog.points.insert(id, stored);
                }
                Ok(None) => {}
                Err(error @ (VaultError::Damaged { .. } | VaultError::NewerFormat { .. })) => {
                    catalog.unreadable.push((layout::of_point(prefix, id), error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(catalog)
    }

    /// A server's newest point.
    pub(crate) fn newest_of(&self, server: &str) -> Option<&Arc<Stored>> {
        self.points
            .values()
            .filter(|stored| stored.manifest.server.id == server)
            .max_by_key(|stored| (stored.manifest.created, stored.manifest.point))
    }
}

/// One manifest, `None` where there is none.
pub(crate) async fn find(
    objects: &Objects,
    keys: &Keys,
    prefix: &str,
    cache: Option<&ManifestCache>,
    id: PointId,
) -> Result<Option<Arc<Stored>>> {
    if let Some(stored) = cache.and_then(|cache| cache.lock().get(&id).cloned()) {
        return Ok(Some(stored));
    }
    let path = layout::of_point(prefix, id);
    let Some(bytes) = objects.find(&path).await? else { return Ok(None) };
    let manifest: Manifest = open_record(&keys.manifest, Kind::Manifest, &path, &bytes)?;
    if manifest.point != id {
        return Err(VaultError::damaged(path.as_ref(), "it holds the manifest of another point"));
    }
    let stored = Arc::new(Stored { manifest, hash: ObjectHash(*blake3::hash(&bytes).as_bytes()) });
    if let Some(cache) = cache {
        cache.lock().insert(id, Arc::clone(&stored));
    }
    Ok(Some(stored))
}

/// A small record as a sealed object.
pub(crate) fn seal_record(key: &Secret, kind: Kind, record: &impl Serialize) -> Result<Bytes> {
    let json =
        serde_json::to_vec(record).map_err(|_| VaultError::Internal { doing: "writing a record as JSON" })?;
    seal_object(key, kind, b"", &json).map(Bytes::from)
}

pub(crate) fn open_record<T: DeserializeOwned>(
    key: &Secret,
    kind: Kind,
    path: &Path,
    bytes: &[u8],
) -> Result<T> {
    let json = open_object(key, kind, 0, path.as_ref(), bytes)?;
    serde_json::from_slice(&json)
        .map_err(|error| VaultError::damaged(path.as_ref(), format!("its content makes no sense: {error}")))
}

/// All records of one kind that are named by points.
pub(crate) async fn load_records<T: DeserializeOwned>(
    objects: &Objects,
    keys: &Keys,
    prefix: &str,
    kind: Kind,
    point_of: impl Fn(&T) -> PointId,
) -> Result<(BTreeMap<PointId, T>, Vec<(Path, VaultError)>)> {
    let listed = objects.list(prefix).await?;
    let paths: Vec<Path> = listed.into_iter().map(|object| object.path).collect();
    let read = a_few_at_a_time(paths.iter().map(|path| objects.find(path).boxed()).collect()).await;
    let (mut records, mut unreadable) = (BTreeMap::new(), Vec::new());
    for (path, bytes) in paths.iter().zip(read) {
        let Some(bytes) = bytes? else { continue };
        let Some(id) = layout::id_of::<PointId>(path) else { continue };
        match open_record::<T>(&keys.record, kind, path, &bytes) {
            Ok(record) if point_of(&record) == id => {
                records.insert(id, record);
            }
            Ok(_) => unreadable
                .push((path.clone(), VaultError::damaged(path.as_ref(), "it is about another point"))),
            Err(error) => unreadable.push((path.clone(), error)),
        }
    }
    Ok((records, unreadable))
}
