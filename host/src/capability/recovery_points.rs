//! The interface `recovery-points`: list, make, hold them and test their integrity. The host moves the bytes.

use super::{
    HostFault,
    bindings::holdfast::recovery_points::recovery_points::{Consistency, Error, Host, HostRecoveryPoint},
    engines::EngineError,
    operation::Operation,
    seconds,
    session::{Gate, Refusal, Request, Session},
};
use crate::model::{
    plugin::Capability::RecoveryPoints,
    point::{self, PointRecord},
};
use wasmtime::component::Resource;

const HERE: &str = "recovery-points";
/// Points in an answer, unless asked otherwise.
const USUAL: u32 = 100;
/// Points in an answer, at most.
const MOST: u32 = 1000;

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

impl Gate {
    async fn list_points(&self, server: &str, vault: &str, limit: u32) -> Result<Vec<PointRecord>, Error> {
        let request = Request::reads(RecoveryPoints, "recovery-points.list").server(server).vault(vault);
        let admitted = self.admit(request).await?;
        let limit = if limit == 0 { USUAL } else { limit.min(MOST) };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        match (admitted.server, admitted.vault) {
            (Some(server), Some(vault)) => {
                Ok(self.engines.recovery_points.list(&server.name, &vault, limit).await?)
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn create_point(&self, server: &str, vault: &str) -> Result<Operation, Error> {
        let request = Request::changes(RecoveryPoints, "recovery-points.create").server(server).vault(vault);
        let admitted = self.admit(request).await?;
        let (Some(server), Some(vault)) = (admitted.server, admitted.vault) else {
            return Err(Error::NotFound(format!("there is no server {server}; nothing was done")));
        };
        self.has_room()?;
        let (engine, origin) = (self.engines.recovery_points.clone(), self.origin());
        Ok(self.operations.begin(|work| async move { engine.create(&server, &vault, &origin, &work).await }))
    }

    async fn test_point(&self, vault: &str, id: &str) -> Result<Operation, Error> {
        let request = Request::reads(RecoveryPoints, "recovery-points.test").vault(vault).detail(id);
        let (admitted, point) = self.admit_point(request, id).await?;
        self.has_room()?;
        let (engine, vault) = (self.engines.recovery_points.clone(), admitted.vault.unwrap_or(point.vault));
        Ok(self.operations.begin(|work| async move {
            engine.test(&vault, &point.id, &work).await.map(|()| "intact".to_owned())
        }))
    }

    async fn hold_point(&self, vault: &str, id: &str, reason: &str) -> Result<(), Error> {
        let request = Request::changes(RecoveryPoints, "recovery-points.hold").vault(vault).detail(id);
        let (_, point) = self.admit_point(request, id).await?;
        let by = &self.manifest.id;
        Ok(self.engines.recovery_points.hold(&point.vault, &point.id, reason, by).await?)
    }

    async fn release_point(&self, vault: &str, id: &str) -> Result<(), Error> {
        let request = Request::changes(RecoveryPoints, "recovery-points.release").vault(vault).detail(id);
        let (_, point) = self.admit_point(request, id).await?;
        Ok(self.engines.recovery_points.release(&point.vault, &point.id, &self.manifest.id).await?)
    }

    fn has_room(&self) -> Result<(), Error> {
        self.operations.has_room().map_err(|limit| Error::Quota(super::too_many_operations(limit)))
    }
}

impl Session {
    fn point(&self, handle: &Resource<PointRecord>) -> wasmtime::Result<&PointRecord> {
        self.table.get(handle).map_err(HostFault::of(HERE))
    }
}

impl Host for Session {
    async fn list(
        &mut self,
        server: String,
        vault: String,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<Resource<PointRecord>>, Error>> {
        let points = match self.gate.list_points(&server, &vault, limit).await {
            Ok(points) => points,
            Err(error) => return Ok(Err(error)),
        };
        let handles: Result<Vec<_>, _> = points.into_iter().map(|point| self.table.push(point)).collect();
        Ok(Ok(handles.map_err(HostFault::of(HERE))?))
    }

    async fn get(
        &mut self,
        vault: String,
        id: String,
    ) -> wasmtime::Result<Result<Resource<PointRecord>, Error>> {
        let request = Request::reads(RecoveryPoints, "recovery-points.get").vault(&vault).detail(&id);
        match self.gate.admit_point(request, &id).await {
            Ok((_, point)) => Ok(Ok(self.table.push(point).map_err(HostFault::of(HERE))?)),
            Err(refusal) => Ok(Err(refusal.into())),
        }
    }

    async fn create(
        &mut self,
        server: String,
        vault: String,
    ) -> wasmtime::Result<Result<Resource<Operation>, Error>> {
        match self.gate.create_point(&server, &vault).await {
            Ok(operation) => Ok(Ok(self.table.push(operation).map_err(HostFault::of(HERE))?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn hold(
        &mut self,
        vault: String,
        id: String,
        reason: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.gate.hold_point(&vault, &id, &reason).await)
    }

    async fn release(&mut self, vault: String, id: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.gate.release_point(&vault, &id).await)
    }

    async fn test(
        &mut self,
        vault: String,
        id: String,
    ) -> wasmtime::Result<Result<Resource<Operation>, Error>> {
        match self.gate.test_point(&vault, &id).await {
            Ok(operation) => Ok(Ok(self.table.push(operation).map_err(HostFault::of(HERE))?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl HostRecoveryPoint for Session {
    async fn id(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<String> {
        Ok(self.point(&handle)?.id.clone())
    }

    async fn server(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<String> {
        Ok(self.point(&handle)?.server.to_string())
    }

    async fn vault(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<String> {
        Ok(self.point(&handle)?.vault.to_string())
    }

    async fn taken(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<u64> {
        Ok(seconds(self.point(&handle)?.taken))
    }

    async fn consistency(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<Consistency> {
        Ok(match self.point(&handle)?.consistency {
            point::Consistency::Crash => Consistency::Crash,
            point::Consistency::Application => Consistency::Application,
        })
    }

    async fn held(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<bool> {
        Ok(self.point(&handle)?.held)
    }

    async fn expired(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<Option<u64>> {
        Ok(self.point(&handle)?.expired.map(seconds))
    }

    async fn disk_bytes(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<u64> {
        Ok(self.point(&handle)?.sizes.disks)
    }

    async fn read_bytes(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<u64> {
        Ok(self.point(&handle)?.sizes.read)
    }

    async fn changed_bytes(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<u64> {
        Ok(self.point(&handle)?.sizes.changed)
    }

    async fn incompressible_bytes(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<u64> {
        Ok(self.point(&handle)?.sizes.incompressible)
    }

    async fn stored_bytes(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<u64> {
        Ok(self.point(&handle)?.sizes.stored)
    }

    async fn drop(&mut self, handle: Resource<PointRecord>) -> wasmtime::Result<()> {
        self.table.delete(handle).map_err(HostFault::of(HERE))?;
        Ok(())
    }
}
