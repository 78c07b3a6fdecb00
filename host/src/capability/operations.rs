//! The interface `operations`: follow, await and cancel long work. Handles come only from granted calls.

use super::{
    HostFault,
    bindings::holdfast::operations::operations::{Error, Host, HostOperation},
    operation::{Operation, OperationError},
    session::Session,
};
use futures::{StreamExt, stream::FuturesUnordered};
use std::time::Duration;
use wasmtime::component::Resource;

const HERE: &str = "operations";

impl From<OperationError> for Error {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Failed(words) => Self::Failed(words),
            OperationError::Cancelled => Self::Cancelled,
        }
    }
}

impl Session {
    fn operation(&self, handle: &Resource<Operation>) -> wasmtime::Result<&Operation> {
        self.table.get(handle).map_err(HostFault::of(HERE))
    }
}

impl HostOperation for Session {
    async fn progress(&mut self, handle: Resource<Operation>) -> wasmtime::Result<(u64, u64, String)> {
        let progress = self.operation(&handle)?.progress();
        Ok((progress.done, progress.total, progress.note))
    }

    async fn cancel(&mut self, handle: Resource<Operation>) -> wasmtime::Result<()> {
        self.operation(&handle)?.cancel();
        Ok(())
    }

    async fn wait(
        &mut self,
        handle: Resource<Operation>,
        milliseconds: u32,
    ) -> wasmtime::Result<Option<Result<String, Error>>> {
        let over = self.operation(&handle)?.wait();
        let cancelled = self.gate.context.cancel.clone();
        tokio::select! {
            biased;
            () = over => {}
            () = cancelled.cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(milliseconds.into())) => {}
        }
        Ok(self.operation(&handle)?.ended().map(|end| end.map_err(Error::from)))
    }

    async fn drop(&mut self, handle: Resource<Operation>) -> wasmtime::Result<()> {
        self.table.delete(handle).map_err(HostFault::of(HERE))?;
        Ok(())
    }
}

impl Host for Session {
    async fn wait_any(
        &mut self,
        handles: Vec<Resource<Operation>>,
        milliseconds: u32,
    ) -> wasmtime::Result<Vec<u32>> {
        let mut waits = FuturesUnordered::new();
        for handle in &handles {
            waits.push(self.operation(handle)?.wait());
        }
        let cancelled = self.gate.context.cancel.clone();
        tokio::select! {
            biased;
            Some(()) = waits.next() => {}
            () = cancelled.cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(milliseconds.into())) => {}
        }
        let mut ended = Vec::new();
        for (position, handle) in (0u32..).zip(&handles) {
            if self.operation(handle)?.ended().is_some() {
                ended.push(position);
            }
        }
        Ok(ended)
    }
}
