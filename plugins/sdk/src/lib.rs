//! What a Holdfast plugin is written with.
//!
//! ```no_run
//! use holdfast_plugin_sdk::{Failure, Outcome, Plugin, export_plugin, servers};
//!
//! struct Count;
//!
//! impl Plugin for Count {
//!     fn run(_job: &str) -> Result<Outcome, Failure> {
//!         let servers = servers::list()?;
//!         Ok(Outcome::Succeeded(format!("{} servers are protected here.", servers.len())))
//!     }
//! }
//!
//! export_plugin!(Count);
//! ```
//!
//! What flows in: the settings a person gave the job ([`settings`]) and what the site granted (one module an
//! interface: [`servers`], [`recovery_points`], …). What flows out: an [`Outcome`] or a [`Failure`] with a sentence for
//! the person who reads the history, and whatever the plugin did through the granted interfaces.
//!
//! The crate also compiles for the machine it is built on, where calling an interface panics: keep decisions in plain
//! functions that take values, and test those natively.

#[doc(hidden)]
pub mod bindings;
mod failure;
mod log;
mod plugin;
mod settings;

pub use bindings::exports::holdfast::plugin::jobs::{Failure, Outcome, Problem};
pub use bindings::holdfast::{
    alerts::alerts, metrics::metrics, operations::operations, recovery_points::recovery_points,
    retention::retention, run::run, servers::servers, state::state, vaults::vaults,
};
pub use failure::InWords;
pub use log::{debug, error, info, warn};
pub use plugin::Plugin;
pub use settings::{SettingsError, settings};

/// What [`export_plugin!`] expands to; not for use by hand.
#[doc(hidden)]
pub mod exported {
    pub use crate::bindings::export_bindings;
    pub use crate::bindings::exports::holdfast::plugin::jobs::Guest;
    pub use crate::log::log_panics;
}
