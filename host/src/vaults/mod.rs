//! Engine: the vaults of this site. Opens each with its key, makes and attaches them, and keeps the store's cache of
//! recovery points true.
//!
//! What flows in: a vault's name. What flows out: an open [`Vault`], or point records read from its manifests. The vault
//! owns recovery points; what the store says of them is a cache that [`Vaults::refresh`] makes anew, so a state that was lost
//! loses no backup.
//!
//! What it refuses to know: plugins, runs, and how a server's disks are read.
//!
//! Keys fail closed: a key file that is missing, readable by others, or of another vault means that nothing is done with
//! the vault until a person puts it right.

mod error;
mod keys;
mod lifecycle;
mod points;
mod retention;

pub use error::VaultsError;
pub use points::{BackupOrigin, damage_in_words, record_of, server_of};

use crate::{
    clock::SharedClock,
    model::{
        name::VaultName,
        vault::{VaultDefinition, VaultLocation},
    },
    store::Store,
};
use holdfast_vault::{Vault, VaultStore};
use keys::Keys;
use std::{collections::HashMap, path::Path, sync::Arc};
use tokio::sync::Mutex;

/// The vaults of this site. Clones are the same.
#[derive(Clone)]
pub struct Vaults {
    keys: Keys,
    store: Store,
    clock: SharedClock,
    /// Opening reads a few objects; once per boot is enough. The vault's id tells a changed definition.
    open: Arc<Mutex<HashMap<VaultName, (VaultDefinition, Vault)>>>,
}

impl Vaults {
    /// Vaults as the store defines them, with keys in `DATA/keys`.
    pub fn new(data: &Path, store: Store, clock: SharedClock) -> Self {
        Self { keys: Keys::below(data), store, clock, open: Arc::default() }
    }

    /// The definition of a vault in use here.
    pub fn definition(&self, name: &VaultName) -> Result<VaultDefinition, VaultsError> {
        self.store.vaults.get(name)?.ok_or_else(|| VaultsError::Unknown(name.clone()))
    }

    /// An open vault.
    pub async fn open(&self, name: &VaultName) -> Result<Vault, VaultsError> {
        let definition = self.definition(name)?;
        let mut open = self.open.lock().await;
        if let Some((as_opened, vault)) = open.get(name)
            && *as_opened == definition
        {
            return Ok(vault.clone());
        }
        let key = self.keys.read(name)?;
        let vault = Vault::open(place(&definition.location)?, &key).await?;
        open.insert(name.clone(), (definition, vault.clone()));
        Ok(vault)
    }
}

/// Where a location's objects are.
fn place(location: &VaultLocation) -> Result<VaultStore, VaultsError> {
    match location {
        VaultLocation::Directory { path } => Ok(VaultStore::directory(path)?),
    }
}

#[cfg(test)]
mod tests;
