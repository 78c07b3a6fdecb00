//! What can go wrong with an export, told to a person: what happened, what it means, what to do.

use std::io;

use crate::protocol::Malformed;
use crate::protocol::constants::{error, option_reply};

/// Why an export could not be opened, or a server's exports not listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectExport {
    #[error("the host of {uri} was not found; nothing was read. Check the name, or use the address")]
    Resolve { uri: String, source: io::Error },
    #[error(
        "nothing accepts connections at {uri}; nothing was read. Start the NBD server, or correct the address"
    )]
    Connect { uri: String, source: io::Error },
    #[error(
        "the server at {uri} did not finish the NBD greeting within {seconds} s; nothing was read. Check that it is an \
         NBD server, that it is not overloaded, and that no other client holds its only connection"
    )]
    Silent { uri: String, seconds: u64 },
    #[error(
        "the connection to {uri} ended during the NBD greeting; nothing was read. Check the server's own log for why it \
         hung up"
    )]
    Lost { uri: String, source: io::Error },
    #[error(
        "what listens at {uri} is not an NBD server; nothing was read. Correct the port or the socket path"
    )]
    NotNbd { uri: String },
    #[error(
        "the NBD server at {uri} speaks only the oldstyle protocol, which names no exports; nothing was read. Use a \
         server of this decade, for example qemu-nbd or nbdkit"
    )]
    OldStyle { uri: String },
    #[error("the NBD server refused {uri}: {refusal}{}; nothing was read. {}", said(.message), .refusal.remedy())]
    Refused { uri: String, refusal: Refusal, message: String },
    #[error(
        "the NBD server at {uri} broke the protocol, so nothing it says can be trusted; nothing was read. Update the \
         server, or read the disk another way"
    )]
    Broken { uri: String, source: Violation },
}

/// Why a range of an export could not be read or asked about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadExport {
    #[error(
        "{length} bytes at {offset} lie outside {uri}, which has {size} bytes; nothing was read. The disk was asked for \
         with a size it does not have"
    )]
    OutOfBounds { uri: String, offset: u64, length: u64, size: u64 },
    #[error(
        "the NBD server could not read {length} bytes at {offset} of {uri}: {}{}; these bytes are missing. Check the disk \
         behind the server, then try again", error_name(*.code), said(.message)
    )]
    Failed { uri: String, offset: u64, length: u64, code: u32, message: String },
    #[error(
        "the connection to {uri} broke twice while reading; the bytes asked for are missing. Check the server and the \
         network, then try again"
    )]
    Lost { uri: String, source: io::Error },
    #[error(
        "the NBD server at {uri} did not answer a read within {seconds} s, twice; the bytes asked for are missing. Check \
         that the server and its disk still work, then try again"
    )]
    Silent { uri: String, seconds: u64 },
    #[error(
        "the NBD server at {uri} broke the protocol, so the bytes it sent were thrown away. Update the server, or read the \
         disk another way"
    )]
    Broken { uri: String, source: Violation },
    #[error("the connection to {uri} broke and could not be made again; the bytes asked for are missing")]
    Reconnect { uri: String, source: Box<ConnectExport> },
    #[error(
        "{uri} changed while it was read (it had {before} bytes, now {after}), so what was read does not belong together. \
         Read it again from the start"
    )]
    Changed { uri: String, before: u64, after: u64 },
}

impl ReadExport {
    /// Whether the same read may well succeed later, without anybody changing a setting.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Silent { .. } | Self::Reconnect { .. })
    }
}

/// Why a server said no to an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    #[error("it has no export of that name")]
    UnknownExport,
    #[error("it wants TLS")]
    TlsRequired,
    #[error("its policy forbids it")]
    Policy,
    #[error("it does not support what was asked")]
    Unsupported,
    #[error("it found the question invalid")]
    Invalid,
    #[error("it is shutting down")]
    ShuttingDown,
    #[error("it gave reason {0}")]
    Other(u32),
}

impl Refusal {
    pub(crate) fn from_reply(kind: u32) -> Self {
        match kind {
            option_reply::ERR_UNKNOWN => Self::UnknownExport,
            option_reply::ERR_TLS_REQD => Self::TlsRequired,
            option_reply::ERR_POLICY => Self::Policy,
            option_reply::ERR_UNSUP | option_reply::ERR_PLATFORM => Self::Unsupported,
            option_reply::ERR_INVALID => Self::Invalid,
            option_reply::ERR_SHUTDOWN => Self::ShuttingDown,
            other => Self::Other(other & !option_reply::ERROR_BIT),
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::UnknownExport => "Ask the server which exports it has, and correct the name",
            Self::TlsRequired => {
                "This version speaks NBD without TLS only; offer the export on a Unix socket"
            }
            Self::Policy => "Allow this box in the server's settings",
            Self::ShuttingDown => "Try again when the server is up",
            Self::Unsupported | Self::Invalid | Self::Other(_) => "Check the server's own log",
        }
    }
}

/// What a server did that the protocol does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    #[error("it announced {what} of {length} bytes, where {limit} is the most")]
    TooLong { what: &'static str, length: u64, limit: usize },
    #[error("it sent more {what} than {limit}")]
    TooMany { what: &'static str, limit: usize },
    #[error("it sent {what} that cannot be decoded")]
    Undecodable { what: &'static str },
    #[error("it sent {what} where the protocol has no place for it")]
    OutOfPlace { what: &'static str },
    #[error("it left out {what}")]
    Missing { what: &'static str },
    #[error("it answered a request nobody sent")]
    UnknownCookie,
    #[error("it announced an impossible export: {what}")]
    ImpossibleExport { what: &'static str },
    #[error("it sent data outside the range that was asked for")]
    OutsideRequest,
    #[error("it sent the same bytes twice")]
    Overlap,
}

impl From<Malformed> for Violation {
    fn from(_: Malformed) -> Self {
        Self::Undecodable { what: "a message" }
    }
}

/// A server's own words, safe to print: no control characters, so no escape sequences, and not endless.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect();
    clean.trim().to_owned()
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" (\"{message}\")") }
}

fn error_name(code: u32) -> String {
    match code {
        error::EPERM => "not permitted".to_owned(),
        error::EIO => "input/output error".to_owned(),
        error::ENOMEM => "out of memory".to_owned(),
        error::EINVAL => "invalid request".to_owned(),
        error::ENOSPC => "no space left".to_owned(),
        error::EOVERFLOW => "request too long".to_owned(),
        error::ENOTSUP => "not supported".to_owned(),
        error::ESHUTDOWN => "it is shutting down".to_owned(),
        other => format!("error {other}"),
    }
}
