//! Capabilities: what a plugin may ask of the appliance, one file per WIT interface.
//!
//! Each does the same four things in the same order: check the grant, leave one audit record, call the engine,
//! translate the error. There is no other way from a plugin to the world.

pub mod context;
