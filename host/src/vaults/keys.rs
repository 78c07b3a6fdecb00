//! Vault keys on this box: one file each, readable by the appliance alone. What cannot be read fails closed.

use super::VaultsError;
use crate::model::name::VaultName;
use holdfast_vault::VaultKey;
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The key files of an appliance.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    directory: PathBuf,
}

impl Keys {
    /// Key files in `DATA/keys`.
    pub(super) fn below(data: &Path) -> Self {
        Self { directory: data.join("keys") }
    }

    /// Where a vault's key is.
    pub(super) fn path(&self, vault: &VaultName) -> PathBuf {
        self.directory.join(format!("{vault}.key"))
    }

    /// Reads a vault's key. A file that others can read is refused: its secret may be out.
    pub(super) fn read(&self, vault: &VaultName) -> Result<VaultKey, VaultsError> {
        let path = self.path(vault);
        let fail = |reason: String| VaultsError::ReadKey { vault: vault.clone(), path: path.clone(), reason };
        let mode = fs::metadata(&path).map_err(|e| fail(e.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(fail(format!("others can read the file (mode {:o})", mode & 0o777)));
        }
        let text = fs::read_to_string(&path).map_err(|e| fail(e.to_string()))?;
        VaultKey::from_text(text.trim()).map_err(|e| fail(e.to_string()))
    }

    /// Keeps a key, durably, before the vault that needs it is used. An existing file is never written over: it may be the
    /// only copy of another vault's key.
    pub(super) fn keep(&self, vault: &VaultName, key: &VaultKey) -> Result<(), VaultsError> {
        let path = self.path(vault);
        let text = key.to_text();
        if self.read(vault).is_ok_and(|present| present.to_text() == text) {
            return Ok(());
        }
        self.write(&path, &text).map_err(|e| {
            let reason = match e.kind() {
                io::ErrorKind::AlreadyExists => {
                    "another key is kept there, perhaps of a vault that was detached; move it away if it is no longer needed"
                        .to_owned()
                }
                _ => e.to_string(),
            };
            VaultsError::KeepKey { vault: vault.clone(), path, reason }
        })
    }

    /// Takes back a key that was kept for a vault that then was not made.
    pub(super) fn forget(&self, vault: &VaultName) {
        if let Err(error) = fs::remove_file(self.path(vault)) {
            tracing::warn!(%vault, %error, "the key of a vault that was not made is left behind");
        }
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        File::open(&self.directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> VaultName {
        VaultName::new("local").unwrap()
    }

    #[test]
    fn a_kept_key_reads_back_and_only_its_owner_can_read_it() {
        let data = tempfile::tempdir().unwrap();
        let keys = Keys::below(data.path());
        let key = VaultKey::generate().unwrap();
        keys.keep(&name(), &key).unwrap();
        assert_eq!(keys.read(&name()).unwrap().to_text(), key.to_text());
        assert_eq!(fs::metadata(keys.path(&name())).unwrap().permissions().mode() & 0o777, 0o600);
        keys.keep(&name(), &key).unwrap();
    }

    #[test]
    fn another_key_is_never_written_over() {
        let data = tempfile::tempdir().unwrap();
        let keys = Keys::below(data.path());
        let first = VaultKey::generate().unwrap();
        keys.keep(&name(), &first).unwrap();
        let refused = keys.keep(&name(), &VaultKey::generate().unwrap());
        assert!(matches!(refused, Err(VaultsError::KeepKey { .. })));
        assert_eq!(keys.read(&name()).unwrap().to_text(), first.to_text());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let keys = Keys::below(data.path());
        keys.keep(&name(), &VaultKey::generate().unwrap()).unwrap();
        fs::set_permissions(keys.path(&name()), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(keys.read(&name()), Err(VaultsError::ReadKey { .. })));
    }
}
