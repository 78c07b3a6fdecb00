//! The state under attack: killed processes, flipped bits, files cut short. Whatever happens to its files, the state
//! comes up by itself with everything that was acknowledged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod damage;
mod kill;
mod site;
