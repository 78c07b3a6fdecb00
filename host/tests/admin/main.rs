//! The admin page from outside: requests in, answers out, on a real store and ports without engines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::missing_docs_in_private_items,
    unreachable_pub,
    reason = "tests stop at the first surprise"
)]

mod browser;
mod entering;
mod gate;
mod pages;
#[path = "../../examples/pages/ports.rs"]
mod ports;
mod roles;
#[path = "../../examples/pages/seed.rs"]
mod seed;
mod serving;
