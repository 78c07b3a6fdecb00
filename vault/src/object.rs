//! Objects by name.

use crate::error::{Source, VaultError};

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
