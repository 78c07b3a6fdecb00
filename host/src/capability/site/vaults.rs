//! The site's vaults as plugins see them.

use super::{points::followed, store_error, vault_error};
use crate::{
    capability::{
        engines::{EngineError, Usage, Vaults as VaultEngine},
        operation::{OperationError, Work},
    },
    model::name::VaultName,
    store::Store,
    vaults::Vaults,
};
use async_trait::async_trait;
use holdfast_vault::{Control, VaultError, VerifyRequest};

/// The vaults the store defines.
pub(super) struct SiteVaults {
    pub(super) store: Store,
    pub(super) vaults: Vaults,
}

#[async_trait]
impl VaultEngine for SiteVaults {
    async fn list(&self) -> Result<Vec<VaultName>, EngineError> {
        Ok(self.store.vaults.list().map_err(store_error)?.into_iter().map(|vault| vault.name).collect())
    }

    async fn measure(&self, vault: &VaultName) -> Result<Usage, EngineError> {
        let usage = self.vaults.usage(vault).await.map_err(vault_error)?;
        Ok(Usage {
            stored_bytes: usage.bytes,
            objects: usage.objects,
            points: usage.points,
            free_bytes: self.vaults.free_bytes(vault),
        })
    }

    async fn verify(&self, vault: &VaultName, read_data: bool, work: &Work) -> Result<(), OperationError> {
        let failed = |error: String| OperationError::Failed(error);
        let open = self.vaults.open(vault).await.map_err(|error| failed(error.to_string()))?;
        let control = Control::new();
        let checking = open.verify(VerifyRequest { read_data }, &control);
        match followed(&control, work, vault.as_str(), checking).await {
            Ok(report) => {
                let damage = crate::vaults::damage_in_words(vault, &report);
                if damage.is_empty() { Ok(()) } else { Err(failed(damage.join("; "))) }
            }
            Err(VaultError::Cancelled) => Err(OperationError::Cancelled),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}
