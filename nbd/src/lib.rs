//! The network block device protocol, as far as Holdfast speaks it.
//!
//! What flows in: the URI of an export and limits on time and size. What flows out: the bytes of that export, and which
//! of its ranges need not be read because they are holes or zeroes.
//!
//! Two halves share one description of the wire:
//!
//! - [`protocol`] holds constants and the encoding and decoding of every message, for either end. It does no I/O.
//! - [`client`] connects, negotiates and reads. It blocks its caller, who is a worker thread, but never for longer than
//!   the timeouts in [`ClientOptions`].
//!
//! Whatever the other end sends is treated as hostile: each length is bounded before anything is allocated for it, each
//! offset is checked against what was asked, text is stripped of control characters, and a server that drips one byte a
//! minute meets a deadline that covers the whole request.
//!
//! This crate knows nothing of recovery points, servers or plugins; the appliance adapts a client to what its vault
//! wants to read from.
//!
//! Current limitations: no TLS (`nbds://` is refused by name), no writing from the client.

pub mod client;
pub mod protocol;
mod uri;

pub use client::error::{ConnectExport, ReadExport, Refusal, Violation};
pub use client::extent::{Extent, ExtentKind};
pub use client::handshake::ListedExport;
pub use client::{ClientOptions, NbdClient, list_exports};
pub use uri::{Endpoint, NbdUri, ParseUri};
