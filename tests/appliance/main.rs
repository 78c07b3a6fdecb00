//! The whole appliance on real input: a Debian server's disk, the real binary, real crashes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bad_input;
mod damage;
mod kill;
mod misbehaving;
mod protect;
