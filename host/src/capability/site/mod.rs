//! The real site behind the capabilities: the engine traits implemented over the store, the vaults and the machines.
//!
//! By the time anything here is called the grant has been checked and the audit record is written. A simulated site for
//! plugin authors implements the same traits elsewhere.

mod points;
mod records;
mod state;
mod vaults;

use super::engines::{EngineError, Engines};
use crate::{
    clock::SharedClock,
    store::{Store, StoreError},
    vaults::{Vaults, VaultsError},
};
use holdfast_vault::VaultError;
use std::sync::Arc;

/// The site's engines over its state and its vaults.
pub fn engines(store: Store, vaults: Vaults, clock: SharedClock) -> Engines {
    let records = Arc::new(records::Records { store: store.clone(), clock: Arc::clone(&clock) });
    let points = Arc::new(points::Points { store: store.clone(), vaults: vaults.clone(), clock });
    Engines {
        servers: Arc::clone(&records) as _,
        recovery_points: Arc::clone(&points) as _,
        retention: points,
        vaults: Arc::new(self::vaults::SiteVaults { store: store.clone(), vaults }),
        alerts: Arc::clone(&records) as _,
        metrics: Arc::clone(&records) as _,
        grants: Arc::clone(&records) as _,
        audit: records,
        state: Arc::new(state::State { store }),
    }
}

fn store_error(error: StoreError) -> EngineError {
    EngineError::Unavailable(error.to_string())
}

fn vault_error(error: VaultsError) -> EngineError {
    let text = error.to_string();
    match error {
        VaultsError::Unknown(_)
        | VaultsError::NotAPoint(_)
        | VaultsError::Vault(VaultError::NoSuchPoint { .. } | VaultError::NoSuchDisk { .. }) => {
            EngineError::NotFound(text)
        }
        VaultsError::HeldByAnother { .. }
        | VaultsError::Vault(VaultError::PointHeld { .. } | VaultError::MinimumRetention { .. }) => {
            EngineError::Refused(text)
        }
        _ => EngineError::Unavailable(text),
    }
}
