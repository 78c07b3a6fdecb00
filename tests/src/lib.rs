//! A whole appliance for tests: the real binary in a directory of its own, driven by its own command line.
//!
//! Nothing here is simulated: `holdfast serve` is started as a child process on a free port, orders go through the
//! command line over its socket, and `kill` is SIGKILL. Tests wait for conditions with a deadline and never sleep for
//! luck.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support"
)]

pub mod appliance;
pub mod guest;
pub mod wait;
