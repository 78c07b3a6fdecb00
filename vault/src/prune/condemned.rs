//! What waits for its grace period: packs no point needs and that no removed point explains (a crashed or unfinished
//! backup's), and manifests a backup left pending. Each with the vault clock at which it was first seen so.

use std::collections::HashMap;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::intent::PackRef;
use crate::catalog::{open_record, seal_record};
use crate::error::{Result, VaultError};
use crate::id::PointId;
use crate::key::Keys;
use crate::layout::{self, PackName};
use crate::object::Objects;
use crate::seal::Kind;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    packs: Vec<(PackRef, u64)>,
    pending: Vec<(PointId, u64)>,
}

/// When each was first seen waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condemned {
    pub(crate) packs: HashMap<PackName, u64>,
    pub(crate) pending: HashMap<PointId, u64>,
}

impl Condemned {
    pub(crate) async fn load(objects: &Objects, keys: &Keys) -> Result<Self> {
        let path = Path::from(layout::CONDEMNED);
        let Some(bytes) = objects.find(&path).await? else { return Ok(Self::default()) };
        let record: Record = match open_record(&keys.record, Kind::Condemned, &path, &bytes) {
            // Starting over only makes things wait longer.
            Err(VaultError::Damaged { .. }) => return Ok(Self::default()),
            other => other?,
        };
        let packs = record.packs.into_iter().map(|(pack, since)| (pack.into(), since)).collect();
        Ok(Self { packs, pending: record.pending.into_iter().collect() })
    }

    pub(crate) async fn save(&self, objects: &Objects, keys: &Keys) -> Result<()> {
        let mut packs: Vec<(PackRef, u64)> =
            self.packs.iter().map(|(pack, since)| ((*pack).into(), *since)).collect();
        packs.sort_unstable();
        let mut pending: Vec<(PointId, u64)> = self.pending.iter().map(|(id, since)| (*id, *since)).collect();
        pending.sort_unstable();
        let bytes = seal_record(&keys.record, Kind::Condemned, &Record { packs, pending })?;
        objects.put(&Path::from(layout::CONDEMNED), bytes).await
    }

    /// Whether a pack has waited long enough.
    pub(crate) fn is_ripe(&self, pack: &PackName, clock: u64, grace: u64) -> bool {
        self.packs.get(pack).is_some_and(|since| since.saturating_add(grace) <= clock)
    }

    pub(crate) fn is_stale(&self, pending: &PointId, clock: u64, grace: u64) -> bool {
        self.pending.get(pending).is_some_and(|since| since.saturating_add(grace) <= clock)
    }
}
