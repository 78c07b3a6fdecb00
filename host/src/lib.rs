//! Holdfast: the appliance that keeps the servers of a small business recoverable.
//!
//! ```text
//!  cron · event · click
//!        │
//!        ▼
//!   schedule ─▶ run ─▶ plugin ─▶ capability ─▶ engines ─▶ the site
//!                │     (wasm)        │          vaults · machine
//!                ▼                   ▼
//!              store ◀───────────────┘        store ─▶ admin ─▶ browser, CLI, API
//! ```
//!
//! A room uses only what stands to its right; `store` uses no room; `model` and `clock` are leaves that any room may
//! use; `appliance` alone knows every room. `tests/tidy` holds this.

pub mod admin;
pub mod appliance;
pub mod capability;
pub mod cli;
pub mod clock;
pub mod machine;
pub mod model;
pub mod plugin;
pub mod run;
pub mod schedule;
pub mod store;
pub mod vaults;
