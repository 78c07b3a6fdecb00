//! What every order has in common: who gave it, the audit record it leaves, and errors in the form admin speaks.

use crate::{
    admin::ports::OrderError,
    clock::SharedClock,
    model::audit::Verdict,
    store::{AuditEntry, Store, StoreError},
    vaults::VaultsError,
};
use holdfast_vault::VaultError;

/// The state, the clock and the audit log, as orders use them.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
}

impl Desk {
    /// Leaves one record of an order. An order that cannot be recorded is not carried out.
    pub(super) async fn record(
        &self,
        who: &str,
        action: &str,
        subject: impl Into<String>,
        refused: Option<String>,
    ) -> Result<(), OrderError> {
        let verdict = if refused.is_some() { Verdict::Refused } else { Verdict::Allowed };
        let entry = AuditEntry {
            at: self.clock.now(),
            who: who.to_owned(),
            action: action.to_owned(),
            subject: subject.into(),
            verdict,
            reason: refused,
        };
        self.store.audit.append(entry).await.map(|_| ()).map_err(store_error)
    }
}

/// The state could not be read or written.
pub(super) fn store_error(error: StoreError) -> OrderError {
    OrderError::Internal(error.to_string())
}

/// A vault said no.
pub(super) fn vault_error(error: VaultsError) -> OrderError {
    let text = error.to_string();
    match error {
        VaultsError::Unknown(_) => OrderError::NotFound(text),
        VaultsError::Exists(_) | VaultsError::HeldByAnother { .. } => OrderError::Conflict(text),
        VaultsError::NotAKey(_)
        | VaultsError::RelativePath(_)
        | VaultsError::BlockSize(_)
        | VaultsError::NotAPoint(_) => OrderError::Invalid(text),
        VaultsError::ReadKey { .. } | VaultsError::KeepKey { .. } => OrderError::Unavailable(text),
        VaultsError::Store(_) => OrderError::Internal(text),
        VaultsError::Vault(vault) => match vault {
            VaultError::NoSuchPoint { .. } | VaultError::NoSuchDisk { .. } => OrderError::NotFound(text),
            VaultError::PointHeld { .. } | VaultError::MinimumRetention { .. } => OrderError::Refused(text),
            VaultError::AlreadyAVault { .. } | VaultError::BeingRemoved { .. } => OrderError::Conflict(text),
            VaultError::WrongKey { .. } | VaultError::BadSetting { .. } | VaultError::NotAVault { .. } => {
                OrderError::Invalid(text)
            }
            VaultError::Internal { .. } => OrderError::Internal(text),
            _ => OrderError::Unavailable(text),
        },
    }
}
