//! Plugins that misbehave, packages that lie, and a good neighbour beside them: each ends as the right outcome, with
//! words for a person, and disturbs nobody.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

#[path = "plugins/backup.rs"]
mod backup;
#[path = "plugins/bench.rs"]
mod bench;
#[path = "plugins/cancelling.rs"]
mod cancelling;
#[path = "plugins/denials.rs"]
mod denials;
#[path = "plugins/guest.rs"]
mod guest;
#[path = "plugins/limits.rs"]
mod limits;
#[path = "plugins/packages.rs"]
mod packages;
#[path = "plugins/site.rs"]
mod site;
