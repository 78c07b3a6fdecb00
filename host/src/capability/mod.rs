//! Capabilities: what a plugin may ask of the appliance, one file per WIT interface.
//!
//! Each does the same four things in the same order: check the grant, leave one audit record, call the engine,
//! translate the error. There is no other way from a plugin to the world. The first two are one function,
//! `Session::admit`, so that no interface can forget them; `grant` decides, purely.
//!
//! `run`, `state` and `operations` are always there: they reach nothing but the run itself and the plugin's own data,
//! within its limits, so there is nothing to grant and the run's own log is their record.
//!
//! What flows in: calls of the guest and the [`context`] of its run. What flows out: calls of the [`engines`], which are
//! traits, so that a simulated site can stand in for the real one, limits and grants included.
//!
//! **Architecture Invariant:** an engine is called only with an `Admitted` in hand, which only `Session::admit` makes
//! (`host/tests/plugins/denials.rs`).

pub mod audit;
pub mod bindings;
pub mod context;
pub mod engines;
pub mod grant;
pub mod operation;
pub mod run_log;
pub mod session;
pub mod site;

mod alerts;
mod metrics;
mod operations;
mod recovery_points;
mod retention;
mod run;
mod servers;
mod state;
mod vaults;

/// The wall clock as the contract speaks it.
fn seconds(at: chrono::DateTime<chrono::Utc>) -> u64 {
    u64::try_from(at.timestamp()).unwrap_or(0)
}

/// A fault of the appliance that must not look like an answer: it ends the run.
#[derive(Debug, thiserror::Error)]
#[error("the appliance failed in {interface}: {reason}")]
pub struct HostFault {
    /// Where.
    pub interface: &'static str,
    /// What.
    pub reason: String,
}

impl HostFault {
    fn of(
        interface: &'static str,
    ) -> impl FnOnce(wasmtime::component::ResourceTableError) -> wasmtime::Error {
        move |source| Self { interface, reason: source.to_string() }.into()
    }
}

fn too_many_operations(limit: u32) -> String {
    format!(
        "{limit} operations are under way, the most this plugin may have; nothing was begun; wait for one to end"
    )
}
