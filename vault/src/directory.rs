//! Where a vault's objects are kept: a directory made durable, or any other object store.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;

use crate::error::Result;
use crate::layout::{self, PackKind};

/// The place of a vault.
#[derive(Clone)]
pub struct VaultStore {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// For messages.
    pub(crate) label: String,
    pub(crate) directory: Option<PathBuf>,
}

impl VaultStore {
    /// A directory: each object is a file, written aside, flushed, renamed into place, and its directory flushed,
    /// before it counts as stored. The directory is created if only its last part is missing.
    pub fn directory(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let label = path.display().to_string();
        let open = || -> std::result::Result<_, object_store::Error> {
            if let Err(source) = std::fs::create_dir(path)
                && source.kind() != std::io::ErrorKind::AlreadyExists
            {
                return Err(object_store::Error::Generic { store: "directory", source: source.into() });
            }
            LocalFileSystem::new_with_prefix(path)
        };
        let store =
            open().map_err(|source| crate::object::translate(&label, "opening", "the directory", source))?;
        Ok(Self { store: Arc::new(store.with_fsync(true)), label, directory: Some(path.to_owned()) })
    }

    /// Any other store, below `prefix` (may be empty). `label` names it in messages.
    pub fn objects(store: Arc<dyn ObjectStore>, prefix: &str, label: impl Into<String>) -> Self {
        let store: Arc<dyn ObjectStore> = match prefix {
            "" => store,
            prefix => Arc::new(PrefixStore::new(store, prefix)),
        };
        Self { store, label: label.into(), directory: None }
    }

    /// Makes a directory's subdirectories beforehand: two writers that need the same new one at once would each rely on the
    /// other to have made it durable.
    pub(crate) fn prepare(&self) -> Result<()> {
        let Some(root) = &self.directory else { return Ok(()) };
        let make = || -> std::io::Result<()> {
            let plain = [layout::POINTS, layout::PENDING, layout::TOMBSTONES, layout::HOLDS];
            for name in plain.into_iter().chain([layout::INDEX, layout::INTENTS, layout::DAMAGED, "prune"]) {
                std::fs::create_dir_all(root.join(name))?;
            }
            for kind in PackKind::BOTH {
                let packs = root.join(kind.prefix());
                for prefix in 0..=255_u8 {
                    std::fs::create_dir_all(packs.join(format!("{prefix:02x}")))?;
                }
                File::open(&packs)?.sync_all()?;
            }
            File::open(root)?.sync_all()
        };
        make().map_err(|source| {
            let source = object_store::Error::Generic { store: "directory", source: source.into() };
            crate::object::translate(&self.label, "preparing", "its directories", source)
        })
    }

    /// How the vault's place is named in messages.
    pub fn label(&self) -> &str {
        &self.label
    }
}

impl fmt::Debug for VaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultStore({})", self.label)
    }
}

/// Files that a crash left half written, which are no objects. They are collected when they are older than a day by
/// the directory's own dates: a living writer finishes its file within seconds.
pub(crate) fn leftovers(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                pending.push(entry.path());
            } else if is_staged(&entry.file_name().to_string_lossy()) {
                found.push(entry.path());
            }
        }
    }
    found
}

/// `object_store` stages `name` as `name#1`.
fn is_staged(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}
