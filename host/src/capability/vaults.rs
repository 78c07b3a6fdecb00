//! The interface `vaults`: see usage, verify.

use super::{
    HostFault,
    bindings::holdfast::vaults::vaults::{Error, Host, HostUsage},
    engines::{EngineError, Usage},
    grant::covers,
    operation::Operation,
    session::{Gate, Refusal, Request, Session},
};
use crate::model::{name::VaultName, plugin::Capability::Vaults};
use wasmtime::component::Resource;

const HERE: &str = "vaults";

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(words) => Self::Denied(words),
            Refusal::NotFound(words) => Self::NotFound(words),
            Refusal::Unavailable(words) => Self::Unavailable(words),
        }
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NotFound(words) => Self::NotFound(words),
            EngineError::Unavailable(words) => Self::Unavailable(words),
            EngineError::Quota(words) => Self::Quota(words),
            other => Self::Other(other.to_string()),
        }
    }
}

fn no_vault(name: &str) -> Error {
    Error::NotFound(format!("there is no vault {name}; nothing was done"))
}

impl Gate {
    async fn list_vaults(&self) -> Result<Vec<String>, Error> {
        let admitted = self.admit(Request::reads(Vaults, "vaults.list")).await?;
        let all: Vec<VaultName> = self.engines.vaults.list().await?;
        Ok(all.into_iter().filter(|name| covers(&admitted.grant.vaults, name)).map(String::from).collect())
    }

    async fn measure_vault(&self, vault: &str) -> Result<Usage, Error> {
        let admitted = self.admit(Request::reads(Vaults, "vaults.measure").vault(vault)).await?;
        let name = admitted.vault.ok_or_else(|| no_vault(vault))?;
        Ok(self.engines.vaults.measure(&name).await?)
    }

    async fn verify_vault(&self, vault: &str, read_data: bool) -> Result<Operation, Error> {
        let admitted = self.admit(Request::reads(Vaults, "vaults.verify").vault(vault)).await?;
        let name = admitted.vault.ok_or_else(|| no_vault(vault))?;
        self.operations.has_room().map_err(|limit| Error::Quota(super::too_many_operations(limit)))?;
        let engine = self.engines.vaults.clone();
        Ok(self.operations.begin(|work| async move {
            engine.verify(&name, read_data, &work).await.map(|()| "intact".to_owned())
        }))
    }
}

impl Session {
    fn usage(&self, handle: &Resource<Usage>) -> wasmtime::Result<Usage> {
        self.table.get(handle).copied().map_err(HostFault::of(HERE))
    }
}

impl Host for Session {
    async fn list(&mut self) -> wasmtime::Result<Result<Vec<String>, Error>> {
        Ok(self.gate.list_vaults().await)
    }

    async fn measure(&mut self, vault: String) -> wasmtime::Result<Result<Resource<Usage>, Error>> {
        match self.gate.measure_vault(&vault).await {
            Ok(usage) => Ok(Ok(self.table.push(usage).map_err(HostFault::of(HERE))?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn verify(
        &mut self,
        vault: String,
        read_data: bool,
    ) -> wasmtime::Result<Result<Resource<Operation>, Error>> {
        match self.gate.verify_vault(&vault, read_data).await {
            Ok(operation) => Ok(Ok(self.table.push(operation).map_err(HostFault::of(HERE))?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl HostUsage for Session {
    async fn stored_bytes(&mut self, handle: Resource<Usage>) -> wasmtime::Result<u64> {
        Ok(self.usage(&handle)?.stored_bytes)
    }

    async fn objects(&mut self, handle: Resource<Usage>) -> wasmtime::Result<u64> {
        Ok(self.usage(&handle)?.objects)
    }

    async fn points(&mut self, handle: Resource<Usage>) -> wasmtime::Result<u64> {
        Ok(self.usage(&handle)?.points)
    }

    async fn free_bytes(&mut self, handle: Resource<Usage>) -> wasmtime::Result<Option<u64>> {
        Ok(self.usage(&handle)?.free_bytes)
    }

    async fn drop(&mut self, handle: Resource<Usage>) -> wasmtime::Result<()> {
        self.table.delete(handle).map_err(HostFault::of(HERE))?;
        Ok(())
    }
}
