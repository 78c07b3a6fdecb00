//! Which plugins are here: the packages in the binary, the package files on disk, and the store's record of each.
//!
//! A file on disk is believed only if it hashes to the digest its record has, and is read anew for each load.

use super::package::{Package, PackageError};
use crate::{
    model::{
        name::PluginId,
        plugin::{InstalledPlugin, Publisher},
    },
    store::{Store, StoreError},
};
use bytes::Bytes;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// Why a plugin's package is not there.
#[derive(Debug, thiserror::Error)]
pub enum FindPackage {
    /// No such plugin.
    #[error("there is no plugin {id} on this appliance; nothing was run; install it, or correct the name")]
    NotInstalled {
        /// Which.
        id: PluginId,
    },
    /// The file is gone or cannot be read.
    #[error(
        "the package file of plugin {id} cannot be read: {source}; nothing was run; install the plugin again"
    )]
    Unreadable {
        /// Which.
        id: PluginId,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not the one that was installed.
    #[error(
        "the package file of plugin {id} is not the one that was installed; nothing was run; somebody changed it or the disk \
         is failing: check the disk and install the plugin again"
    )]
    Changed {
        /// Which.
        id: PluginId,
    },
    /// The file is no package any more.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The plugins of this appliance.
pub(super) struct Catalog {
    files: PathBuf,
    store: Store,
    bundled: Vec<Package>,
}

impl Catalog {
    /// A catalog with its files in `directory`.
    pub(super) fn open(directory: &Path, store: Store, bundled: Vec<Package>) -> std::io::Result<Self> {
        let files = directory.join("packages");
        fs::create_dir_all(&files)?;
        Ok(Self { files, store, bundled })
    }

    /// The plugins in the binary.
    pub(super) fn bundled(&self) -> &[Package] {
        &self.bundled
    }

    /// The record of a plugin.
    pub(super) fn record(&self, id: &PluginId) -> Result<InstalledPlugin, FindPackage> {
        self.store.plugins.get(id)?.ok_or_else(|| FindPackage::NotInstalled { id: id.clone() })
    }

    /// The package of a plugin, as it was installed.
    pub(super) fn package(&self, record: &InstalledPlugin) -> Result<Package, FindPackage> {
        let id = &record.manifest.id;
        if record.publisher == Publisher::Bundled {
            let found = self.bundled.iter().find(|package| package.digest == record.digest);
            return found.cloned().ok_or_else(|| FindPackage::Changed { id: id.clone() });
        }
        let bytes = fs::read(self.file(&record.digest))
            .map_err(|source| FindPackage::Unreadable { id: id.clone(), source })?;
        if blake3::hash(&bytes).to_hex().as_str() != record.digest {
            return Err(FindPackage::Changed { id: id.clone() });
        }
        Ok(Package::read(bytes.into())?)
    }

    /// Every package there is; what cannot be read is left out.
    pub(super) fn packages(&self) -> Result<Vec<Package>, StoreError> {
        let records = self.store.plugins.list()?;
        Ok(records.iter().filter_map(|record| self.package(record).ok()).collect())
    }

    /// Writes a package file; durable when it returns.
    pub(super) fn keep(&self, package: &Package) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.files)?;
        file.write_all(&package.bytes)?;
        file.as_file().sync_all()?;
        file.persist(self.file(&package.digest)).map_err(|error| error.error)?;
        fs::File::open(&self.files)?.sync_all()
    }

    /// Removes a package file that no record names any more.
    pub(super) fn discard(&self, digest: &str) -> Result<(), StoreError> {
        let used = self.store.plugins.list()?.iter().any(|record| record.digest == digest);
        if !used {
            // A file that stays costs space and nothing else.
            let _ = fs::remove_file(self.file(digest));
        }
        Ok(())
    }

    fn file(&self, digest: &str) -> PathBuf {
        self.files.join(format!("{digest}.wasm"))
    }
}

/// The packages the build put into the binary.
pub fn in_this_binary() -> Result<Vec<Package>, PackageError> {
    BUNDLED.iter().map(|bytes| Package::read(Bytes::from_static(bytes))).collect()
}

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
