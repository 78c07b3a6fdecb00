//! One run of a guest: a fresh store, every limit set before the first instruction, thrown away afterwards.

use super::{
    cpu::CpuMeter,
    engine::PluginEngine,
    limits::{GRACE, HANDLES, HOSTCALL_BYTES, LimitReached, Limiter, Limits},
    stderr::Tail,
};
use crate::capability::{
    bindings::{
        Plugin, PluginPre,
        exports::holdfast::plugin::jobs::{Failure, Outcome, Problem},
    },
    operation::OperationSpace,
    session::Session,
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// What a store carries.
pub(super) struct InstanceData {
    pub(super) session: Session,
    wasi: WasiCtx,
    limiter: Limiter,
}

impl WasiView for InstanceData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.session.table }
    }
}

/// How a call of the guest ended.
pub(super) enum End<T> {
    /// It returned.
    Returned(T),
    /// It trapped, ran into a limit, or the appliance failed inside it.
    Trapped(Remains),
    /// Its wall-clock time was up.
    OutOfTime,
    /// It was cancelled and did not stop by itself within the grace.
    Abandoned,
}

/// What is left of an instance that trapped.
pub(super) struct Remains {
    /// wasmtime's error, with the backtrace.
    pub error: wasmtime::Error,
    /// The limit it ran into, if one.
    pub limit: Option<LimitReached>,
    /// The last error line it logged.
    pub last_error: Option<String>,
    /// The end of its standard error.
    pub stderr: String,
}

/// What one call costs and what can end it.
pub(super) struct Bounds {
    /// Limits of memory and CPU.
    pub limits: Limits,
    /// Wall clock.
    pub wall: Duration,
    /// Cancelled from outside.
    pub cancel: CancellationToken,
    /// From "cancelled" to the hard end.
    pub grace: Duration,
}

impl Bounds {
    /// With the usual grace.
    pub(super) fn new(limits: Limits, wall: Duration, cancel: CancellationToken) -> Self {
        Self { limits, wall, cancel, grace: GRACE }
    }
}

/// Runs a job in a fresh instance. Whatever it began is over when this returns.
pub(super) async fn run_job(
    engine: &PluginEngine,
    plugin: &PluginPre<InstanceData>,
    session: Session,
    job: &str,
    bounds: Bounds,
) -> End<Result<Outcome, Failure>> {
    let call = async |store: &mut Store<InstanceData>, plugin: Plugin| {
        plugin.holdfast_plugin_jobs().call_run(store, job).await
    };
    in_instance(engine, plugin, session, bounds, call).await
}

/// Asks a fresh instance what is wrong with the job's settings.
pub(super) async fn check_settings(
    engine: &PluginEngine,
    plugin: &PluginPre<InstanceData>,
    session: Session,
    job: &str,
    bounds: Bounds,
) -> End<Vec<Problem>> {
    let call = async |store: &mut Store<InstanceData>, plugin: Plugin| {
        plugin.holdfast_plugin_jobs().call_check_settings(store, job).await
    };
    in_instance(engine, plugin, session, bounds, call).await
}

async fn in_instance<T>(
    engine: &PluginEngine,
    plugin: &PluginPre<InstanceData>,
    session: Session,
    bounds: Bounds,
    call: impl AsyncFnOnce(&mut Store<InstanceData>, Plugin) -> wasmtime::Result<T>,
) -> End<T> {
    let operations = session.operations();
    let (tail, meter) = (Tail::default(), CpuMeter::new(bounds.limits.cpu));
    let mut store = fresh_store(engine, session, &bounds.limits, tail.clone(), meter.clone());
    let running = engine.running();
    let called = meter.measure(async {
        let instance = plugin.instantiate_async(&mut store).await?;
        call(&mut store, instance).await
    });
    let ended = bounded(called, &bounds).await;
    drop(running);
    let end = match ended {
        Ok(Ok(returned)) => End::Returned(returned),
        Ok(Err(error)) => End::Trapped(remains(&store, error, &tail)),
        Err(hard) => match hard {
            HardEnd::OutOfTime => End::OutOfTime,
            HardEnd::Abandoned => End::Abandoned,
        },
    };
    store.data().session.close_log();
    drop(store);
    settle(&operations).await;
    end
}

/// Operations stop within a fraction of a second of being told; one that does not is a bug that must not hang the run.
async fn settle(operations: &Arc<OperationSpace>) {
    if tokio::time::timeout(GRACE, operations.finish()).await.is_err() {
        tracing::error!("an operation did not stop {} s after its run was over", GRACE.as_secs());
    }
}

enum HardEnd {
    OutOfTime,
    Abandoned,
}

/// Lets the call run until it ends, its time is up, or the grace after a cancellation is over.
async fn bounded<T>(call: impl Future<Output = T>, bounds: &Bounds) -> Result<T, HardEnd> {
    let grace_is_over = async {
        bounds.cancel.cancelled().await;
        tokio::time::sleep(bounds.grace).await;
    };
    tokio::select! {
        biased;
        ended = call => Ok(ended),
        () = grace_is_over => Err(HardEnd::Abandoned),
        () = tokio::time::sleep(bounds.wall) => Err(HardEnd::OutOfTime),
    }
}

fn fresh_store(
    engine: &PluginEngine,
    session: Session,
    limits: &Limits,
    tail: Tail,
    meter: CpuMeter,
) -> Store<InstanceData> {
    let wasi = WasiCtx::builder().stdout(tail.clone()).stderr(tail).build();
    let data = InstanceData { session, wasi, limiter: Limiter::new(limits) };
    let mut store = Store::new(engine.engine(), data);
    store.limiter(|data| &mut data.limiter);
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    store.set_max_component_handles(HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        meter.check()?;
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    store
}

fn remains(store: &Store<InstanceData>, error: wasmtime::Error, tail: &Tail) -> Remains {
    let limit = store.data().limiter.reached().or_else(|| error.downcast_ref::<LimitReached>().copied());
    Remains {
        limit,
        error,
        last_error: store.data().session.last_error().map(str::to_owned),
        stderr: tail.text(),
    }
}
