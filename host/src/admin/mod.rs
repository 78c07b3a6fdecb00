//! The admin page and the API: read the store, give orders through [`ports`], decide nothing.

pub mod caller;
pub mod ports;
