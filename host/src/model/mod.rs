//! The words of the product as types: server, vault, job, schedule, run, alert, grant, …
//!
//! Every room may use this one; it uses no room, does no I/O and reads no clock. The types here are what the
//! store keeps, what the API speaks and what the CLI prints, so one record has one shape everywhere.
//!
//! What flows in: text a person or a file wrote, checked by the constructors in [`name`] and the `check` functions
//! beside each definition. What flows out: values that are known to be well formed.
//!
//! What it refuses to know: where records are kept (`store`), who may change them (`admin`), what they cause
//! (`schedule`, `run`).
//!
//! Records are stored as JSON with a version marker (`store::record`). Fields are only ever added, each with a
//! serde default; a change of meaning is a migration in `store::migrate`.

pub mod account;
pub mod alert;
pub mod audit;
pub mod job;
pub mod metric;
pub mod name;
pub mod plugin;
pub mod point;
pub mod run;
pub mod schedule;
pub mod server;
pub mod vault;
