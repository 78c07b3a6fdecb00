//! Objects by name: the thin layer between the vault and whatever stores its objects.
//!
//! It needs of a store only what every store has: put of a whole object, get of a range, list with strong consistency
//! (what was put is listed), delete. It never needs a conditional write. Errors become the vault's own words here.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use crate::directory::VaultStore;
use crate::error::{Result, Source, VaultError};

/// The objects of one vault.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    pub(crate) place: VaultStore,
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) path: Path,
    pub(crate) size: u64,
}

impl Objects {
    pub(crate) fn new(place: VaultStore) -> Self {
        Self { store: Arc::clone(&place.store), place }
    }

    pub(crate) fn label(&self) -> &str {
        &self.place.label
    }

    /// Durable when it returns.
    pub(crate) async fn put(&self, path: &Path, payload: impl Into<PutPayload>) -> Result<()> {
        self.store
            .put(path, payload.into())
            .await
            .map(|_| ())
            .map_err(|error| translate(self.label(), "writing", path.as_ref(), error))
    }

    pub(crate) async fn get(&self, path: &Path) -> Result<Bytes> {
        let get = async { self.store.get(path).await?.bytes().await };
        get.await.map_err(|error| translate(self.label(), "reading", path.as_ref(), error))
    }

    /// `None` where there is no such object.
    pub(crate) async fn find(&self, path: &Path) -> Result<Option<Bytes>> {
        match self.get(path).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(VaultError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Exactly `length` bytes from `offset`; an object too short for that is damaged.
    pub(crate) async fn get_range(&self, path: &Path, offset: u64, length: u64) -> Result<Bytes> {
        let end = offset.saturating_add(length);
        match self.store.get_range(path, offset..end).await {
            Ok(bytes) if bytes.len() as u64 == length => Ok(bytes),
            Ok(_) => Err(VaultError::damaged(path.as_ref(), "it is cut off")),
            Err(error) => {
                let error = translate(self.label(), "reading", path.as_ref(), error);
                match error {
                    // Stores report a range beyond the end each in their own way; the size tells.
                    VaultError::Storage { .. } => match self.size(path).await {
                        Ok(Some(size)) if size < end => {
                            Err(VaultError::damaged(path.as_ref(), "it is cut off"))
                        }
                        _ => Err(error),
                    },
                    error => Err(error),
                }
            }
        }
    }

    /// The size of an object, `None` where there is none.
    pub(crate) async fn size(&self, path: &Path) -> Result<Option<u64>> {
        match self.store.head(path).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(translate(self.label(), "looking for", path.as_ref(), error)),
        }
    }

    /// All objects below a prefix, in no order.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let path = Path::from(prefix);
        self.store
            .list(Some(&path))
            .map_ok(|meta| Listed { path: meta.location, size: meta.size })
            .try_collect()
            .await
            .map_err(|error| translate(self.label(), "listing", prefix, error))
    }

    /// Gone when it returns, whether or not it was there.
    pub(crate) async fn delete(&self, path: &Path) -> Result<()> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(translate(self.label(), "deleting", path.as_ref(), error)),
        }
    }

    /// The same, and it stays gone after a power cut: what must vanish before something else does.
    pub(crate) async fn delete_durably(&self, path: &Path) -> Result<()> {
        self.delete(path).await?;
        let Some(root) = &self.place.directory else { return Ok(()) };
        let file = root.join(path.as_ref());
        let parent = file.parent().unwrap_or(root);
        std::fs::File::open(parent).and_then(|directory| directory.sync_all()).map_err(|source| {
            let source = object_store::Error::Generic { store: "directory", source: source.into() };
            translate(self.label(), "deleting", path.as_ref(), source)
        })
    }
}

/// Runs some work a few at a time; results in order. Boxed, so that the futures above stay `Send` for the compiler.
pub(crate) async fn a_few_at_a_time<U: Send>(work: Vec<BoxFuture<'_, U>>) -> Vec<U> {
    futures::stream::iter(work).buffered(8).collect().await
}

/// Says in the vault's words what an object store said in its own.
pub(crate) fn translate(
    vault: &str,
    operation: &'static str,
    object: &str,
    error: object_store::Error,
) -> VaultError {
    let vault = vault.to_owned();
    let object = object.to_owned();
    match &error {
        object_store::Error::NotFound { .. } => return VaultError::Missing { object },
        object_store::Error::PermissionDenied { .. } => {
            return VaultError::ReadOnlyVault { vault, source: error.into() };
        }
        _ => {}
    }
    match io_kind(&error) {
        Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) => {
            VaultError::VaultFull { vault, source: error.into() }
        }
        Some(std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied) => {
            VaultError::ReadOnlyVault { vault, source: error.into() }
        }
        _ => VaultError::Storage { vault, operation, object, source: Source::from(error) },
    }
}

/// The kind of the I/O error at the bottom of a chain of causes.
fn io_kind(error: &object_store::Error) -> Option<std::io::ErrorKind> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}
