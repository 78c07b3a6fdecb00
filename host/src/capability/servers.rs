//! The interface `servers`: the servers a plugin was granted. Only reads.

use super::{
    HostFault,
    bindings::holdfast::servers::servers::{Error, Host, HostServer},
    grant::servers_in_scope,
    session::{Gate, Refusal, Request, Session},
};
use crate::model::{plugin::Capability::Servers, server::Server, server::ServerKind};
use wasmtime::component::Resource;

const HERE: &str = "servers";

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(words) => Self::Denied(words),
            Refusal::NotFound(words) => Self::NotFound(words),
            Refusal::Unavailable(words) => Self::Unavailable(words),
        }
    }
}

impl Gate {
    async fn list_servers(&self) -> Result<Vec<Server>, Error> {
        let admitted = self.admit(Request::reads(Servers, "servers.list")).await?;
        let all = self.engines.servers.list().await.map_err(|error| Error::Other(error.to_string()))?;
        Ok(servers_in_scope(&admitted.grant, all))
    }

    async fn get_server(&self, name: &str) -> Result<Server, Error> {
        let admitted = self.admit(Request::reads(Servers, "servers.get").server(name)).await?;
        admitted.server.ok_or_else(|| Error::NotFound(format!("there is no server {name}; nothing was done")))
    }
}

impl Session {
    fn server(&self, handle: &Resource<Server>) -> wasmtime::Result<&Server> {
        self.table.get(handle).map_err(HostFault::of(HERE))
    }
}

impl Host for Session {
    async fn list(&mut self) -> wasmtime::Result<Result<Vec<Resource<Server>>, Error>> {
        let servers = match self.gate.list_servers().await {
            Ok(servers) => servers,
            Err(error) => return Ok(Err(error)),
        };
        let handles: Result<Vec<_>, _> = servers.into_iter().map(|server| self.table.push(server)).collect();
        Ok(Ok(handles.map_err(HostFault::of(HERE))?))
    }

    async fn get(&mut self, name: String) -> wasmtime::Result<Result<Resource<Server>, Error>> {
        match self.gate.get_server(&name).await {
            Ok(server) => Ok(Ok(self.table.push(server).map_err(HostFault::of(HERE))?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl HostServer for Session {
    async fn name(&mut self, handle: Resource<Server>) -> wasmtime::Result<String> {
        Ok(self.server(&handle)?.name.to_string())
    }

    async fn tags(&mut self, handle: Resource<Server>) -> wasmtime::Result<Vec<String>> {
        Ok(self.server(&handle)?.tags.iter().map(ToString::to_string).collect())
    }

    async fn rpo_minutes(&mut self, handle: Resource<Server>) -> wasmtime::Result<u32> {
        Ok(self.server(&handle)?.rpo_minutes)
    }

    async fn disks(&mut self, handle: Resource<Server>) -> wasmtime::Result<Vec<String>> {
        Ok(self.server(&handle)?.disks.iter().map(|disk| disk.name.to_string()).collect())
    }

    async fn kind(&mut self, handle: Resource<Server>) -> wasmtime::Result<String> {
        let word = match self.server(&handle)?.kind {
            ServerKind::Image => "image",
        };
        Ok(word.to_owned())
    }

    async fn drop(&mut self, handle: Resource<Server>) -> wasmtime::Result<()> {
        self.table.delete(handle).map_err(HostFault::of(HERE))?;
        Ok(())
    }
}
