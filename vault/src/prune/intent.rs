//! Intents: what a prune is about to delete, written where every writer looks before it finishes.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::catalog::{open_record, seal_record};
use crate::error::Result;
use crate::id::PointId;
use crate::key::Keys;
use crate::layout::{self, PackKind, PackName};
use crate::object::Objects;
use crate::seal::Kind;

/// What one prune is about to delete. `id` is random and has nothing to do with a point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) id: PointId,
    #[serde(default)]
    pub(crate) points: Vec<PointId>,
    #[serde(default)]
    pub(crate) packs: Vec<PackRef>,
}

/// A pack in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PackRef {
    kind: PackRefKind,
    hash: crate::id::ObjectHash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PackRefKind {
    Data,
    Map,
}

impl From<PackName> for PackRef {
    fn from(name: PackName) -> Self {
        let kind = match name.kind {
            PackKind::Data => PackRefKind::Data,
            PackKind::Map => PackRefKind::Map,
        };
        Self { kind, hash: name.hash }
    }
}

impl From<PackRef> for PackName {
    fn from(pack: PackRef) -> Self {
        let kind = match pack.kind {
            PackRefKind::Data => PackKind::Data,
            PackRefKind::Map => PackKind::Map,
        };
        Self { kind, hash: pack.hash }
    }
}

/// All intents there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intents(pub(crate) BTreeMap<PointId, Intent>);

impl Intents {
    pub(crate) async fn load(objects: &Objects, keys: &Keys) -> Result<Self> {
        let mut intents = BTreeMap::new();
        for listed in objects.list(layout::INTENTS).await? {
            let Some(bytes) = objects.find(&listed.path).await? else { continue };
            let intent: Intent = open_record(&keys.record, Kind::Intent, &listed.path, &bytes)?;
            intents.insert(intent.id, intent);
        }
        Ok(Self(intents))
    }

    pub(crate) fn packs(&self) -> HashSet<PackName> {
        self.0.values().flat_map(|intent| &intent.packs).map(|pack| PackName::from(*pack)).collect()
    }

    pub(crate) fn names_point(&self, point: PointId) -> bool {
        self.0.values().any(|intent| intent.points.contains(&point))
    }
}

impl Intent {
    pub(crate) async fn put(&self, objects: &Objects, keys: &Keys) -> Result<()> {
        let bytes = seal_record(&keys.record, Kind::Intent, self)?;
        objects.put(&layout::intent(self.id), bytes).await
    }
}
