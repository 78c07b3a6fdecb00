//! The composition root: the only place that knows every room.
//!
//! ```text
//!  lock ─▶ store (healed?) ─▶ vaults ─▶ plugins ─▶ runs ─▶ recover ─▶ admin ─▶ ticker
//! ```
//!
//! That is also the order of a start: what was interrupted is known before anybody can ask for more, the page answers before
//! the first due time fires. Stopping goes the other way: no new starts, runs reach a safe point, the state is flushed, the
//! listeners close.
//!
//! The other files here implement `admin::ports`: each order is checked, leaves an audit record, is settled, and only then
//! acknowledged.

mod definitions;
mod desk;
mod events;
mod housekeeping;
mod plugin_orders;
mod run_orders;
mod start;
mod upkeep;
mod vault_orders;

pub use start::{Options, Running, StartError, start};
