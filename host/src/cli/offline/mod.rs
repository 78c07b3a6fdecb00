//! A vault's directory and its key, and nothing else: the day when there is no appliance any more.
//!
//! What flows in: a directory and a key file. What flows out: the same tables, JSON and exit codes as with an appliance.
//! Everything here only reads the vault, so it is safe beside an appliance that uses the same vault.

mod points;
mod restore;
mod verify;
mod watch;

use super::{failure::Failure, vault::read_key};
use holdfast_vault::{Vault, VaultError, VaultKey, VaultStore};
pub(super) use points::points;
pub(super) use restore::restore;
use std::path::Path;
pub(super) use verify::verify;

async fn open(directory: &Path, key_file: &Path) -> Result<Vault, Failure> {
    if !directory.is_dir() {
        return Err(Failure::failed(format!(
            "there is no directory {}; nothing was opened: with --key-file, --vault is the vault's directory",
            directory.display()
        )));
    }
    let key = VaultKey::from_text(&read_key(key_file)?).map_err(|error| {
        Failure::failed(format!("{} does not hold a vault's key: {error}", key_file.display()))
    })?;
    let store = VaultStore::directory(directory).map_err(failed)?;
    Vault::open(store, &key).await.map_err(failed)
}

fn failed(error: VaultError) -> Failure {
    Failure::failed(error.to_string())
}
