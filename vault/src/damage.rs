//! Records of packs that were found damaged.
//!
//! Whoever finds one leaves a record beside it. From then on backups store again what they find on their disks of its
//! content, which heals the vault, and prunes prefer every other copy. Records vanish with their packs.

use std::collections::HashSet;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::catalog::{open_record, seal_record};
use crate::error::{Result, VaultError};
use crate::key::Keys;
use crate::layout::{self, PackName};
use crate::object::Objects;
use crate::prune::intent::PackRef;
use crate::seal::Kind;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct DamageRecord {
    pack: PackRef,
    reason: String,
}

/// All packs known to be damaged. A record that cannot be read says nothing.
pub(crate) async fn load(objects: &Objects, keys: &Keys) -> Result<HashSet<PackName>> {
    let mut packs = HashSet::new();
    for listed in objects.list(layout::DAMAGED).await? {
        let Some(bytes) = objects.find(&listed.path).await? else { continue };
        match open_record::<DamageRecord>(&keys.record, Kind::Damage, &listed.path, &bytes) {
            Ok(record) => {
                packs.insert(record.pack.into());
            }
            Err(VaultError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(packs)
}

fn path(pack: PackName) -> Path {
    Path::from(format!("{}/{}", layout::DAMAGED, pack.hash))
}

pub(crate) async fn record(objects: &Objects, keys: &Keys, pack: PackName, reason: &str) -> Result<()> {
    let record = DamageRecord { pack: pack.into(), reason: reason.to_owned() };
    objects.put(&path(pack), seal_record(&keys.record, Kind::Damage, &record)?).await
}

pub(crate) async fn forget(objects: &Objects, pack: PackName) -> Result<()> {
    objects.delete(&path(pack)).await
}
