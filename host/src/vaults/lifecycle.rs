//! Making, attaching, detaching and measuring vaults.

use super::{Vaults, VaultsError, place};
use crate::model::{
    name::VaultName,
    vault::{VaultChoices, VaultDefinition, VaultLocation},
};
use holdfast_vault::{BlockSize, MinimumRetention, Settings, Usage, Vault, VaultKey};
use std::path::PathBuf;

impl Vaults {
    /// Makes a vault with a new key. The key is kept on disk before the vault exists, so that no vault is ever without one.
    pub async fn create(
        &self,
        name: VaultName,
        path: PathBuf,
        choices: &VaultChoices,
    ) -> Result<VaultDefinition, VaultsError> {
        let settings = settings_from(choices)?;
        let location = self.free_place(&name, path)?;
        let key = VaultKey::generate()?;
        self.keys.keep(&name, &key)?;
        let made = async { Ok(Vault::create(place(&location)?, &key, settings).await?) }.await;
        match made {
            Ok(vault) => self.take_into_use(name, location, vault).await,
            Err(error) => {
                self.keys.forget(&name);
                Err(error)
            }
        }
    }

    /// Takes an existing vault into use and lists its recovery points.
    pub async fn attach(
        &self,
        name: VaultName,
        path: PathBuf,
        key: &str,
    ) -> Result<VaultDefinition, VaultsError> {
        let location = self.free_place(&name, path)?;
        let key = VaultKey::from_text(key.trim()).map_err(|e| VaultsError::NotAKey(e.to_string()))?;
        let vault = Vault::open(place(&location)?, &key).await?;
        self.keys.keep(&name, &key)?;
        let definition = self.take_into_use(name, location, vault).await?;
        self.refresh(&definition.name).await?;
        Ok(definition)
    }

    /// Stops using a vault. Nothing in it is touched, and its key file stays: it may be the only copy.
    pub async fn detach(&self, name: &VaultName) -> Result<(), VaultsError> {
        self.definition(name)?;
        for record in self.store.points.list_prefix(&format!("{name}/"))? {
            self.store.points.remove(&super::points::cache_key(name, &record.id)).await?;
        }
        self.store.vaults.remove(name).await?;
        self.open.lock().await.remove(name);
        Ok(())
    }

    /// What a vault holds.
    pub async fn usage(&self, name: &VaultName) -> Result<Usage, VaultsError> {
        Ok(self.open(name).await?.usage().await?)
    }

    /// Bytes free where a vault lives, where that can be known.
    pub fn free_bytes(&self, name: &VaultName) -> Option<u64> {
        let VaultLocation::Directory { path } = self.definition(name).ok()?.location;
        let facts = rustix::fs::statvfs(&path).ok()?;
        Some(facts.f_bavail.saturating_mul(facts.f_frsize))
    }

    /// A vault's key as text, for the copy that a person keeps.
    pub fn key_text(&self, name: &VaultName) -> Result<String, VaultsError> {
        self.definition(name)?;
        Ok(self.keys.read(name)?.to_text().to_string())
    }

    fn free_place(&self, name: &VaultName, path: PathBuf) -> Result<VaultLocation, VaultsError> {
        if self.store.vaults.get(name)?.is_some() {
            return Err(VaultsError::Exists(name.clone()));
        }
        if !path.is_absolute() {
            return Err(VaultsError::RelativePath(path));
        }
        Ok(VaultLocation::Directory { path })
    }

    async fn take_into_use(
        &self,
        name: VaultName,
        location: VaultLocation,
        vault: Vault,
    ) -> Result<VaultDefinition, VaultsError> {
        let definition = VaultDefinition {
            name: name.clone(),
            location,
            id: vault.id().to_string(),
            added: self.clock.now(),
        };
        if !self.store.vaults.insert(&name, &definition).await? {
            return Err(VaultsError::Exists(name));
        }
        self.open.lock().await.insert(name, (definition.clone(), vault));
        Ok(definition)
    }
}

fn settings_from(choices: &VaultChoices) -> Result<Settings, VaultsError> {
    let block_size = match choices.block_kib {
        4 => BlockSize::FourKiB,
        16 => BlockSize::SixteenKiB,
        64 => BlockSize::SixtyFourKiB,
        other => return Err(VaultsError::BlockSize(other)),
    };
    Ok(Settings {
        block_size,
        grace_secs: u64::from(choices.grace_hours) * 3600,
        minimum: MinimumRetention {
            points: choices.minimum_points,
            age_secs: u64::from(choices.minimum_hours) * 3600,
        },
        ..Settings::default()
    })
}
