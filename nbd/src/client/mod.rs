//! A blocking, read-only NBD client.
//!
//! [`NbdClient`] may be shared by threads: each request takes a connection of the pool, and a server that says its
//! connections agree (`CAN_MULTI_CONN`) gets as many as [`ClientOptions::max_connections`]; any other gets one.
//!
//! A read is cut into pieces the server accepts. A piece whose connection broke or fell silent is asked for once more on
//! a new connection: reading twice is harmless. If the export has another size then, it is another disk, and the reader
//! is told so.

mod connection;
mod coverage;
pub mod error;
pub mod extent;
pub mod handshake;
mod pool;
mod transport;

use std::time::Duration;

use connection::{Connection, Problem};
use error::{ConnectExport, ReadExport};
use extent::{Extent, ExtentKind, ExtentList};
use handshake::{Export, Failure, ListedExport};
use pool::Pool;
use transport::{Fault, Transport, Unreachable};

use crate::protocol::constants::transmission_flag;
use crate::uri::NbdUri;

/// Ranges one answer of [`NbdClient::block_status`] may be made of; what lies beyond is reported as data.
const MAX_EXTENTS: usize = 1 << 20;

/// Longest status request: a multiple of any smallest block, and not the last one that fits 32 bits, at which nbdkit 1.32
/// ends itself with a failed assertion.
const LONGEST_STATUS: u64 = (1 << 32) - (1 << 16);

/// Limits of a client.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// For connecting and negotiating, together.
    pub connect_timeout: Duration,
    /// For each request, from its first byte out to its last byte in.
    pub request_timeout: Duration,
    /// Longest single request; servers may set a lower limit.
    pub max_request: u32,
    /// Most connections at once, where the server allows several.
    pub max_connections: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            max_request: 4 * 1024 * 1024,
            max_connections: 4,
        }
    }
}

/// An open export.
#[derive(Debug)]
pub struct NbdClient {
    uri: NbdUri,
    options: ClientOptions,
    export: Export,
    pool: Pool,
}

impl NbdClient {
    pub fn connect(uri: &NbdUri, options: ClientOptions) -> Result<Self, ConnectExport> {
        let first = open_connection(uri, &options)?;
        let export = *first.export();
        let slots = if export.can_multi_conn() { options.max_connections } else { 1 };
        tracing::debug!(%uri, ?export, slots, "opened an NBD export");
        Ok(Self { uri: uri.clone(), options, export, pool: Pool::new(first, slots) })
    }

    pub fn uri(&self) -> &NbdUri {
        &self.uri
    }

    /// Bytes in the export.
    pub fn size(&self) -> u64 {
        self.export.info.size
    }

    /// Whether the server refuses writes (from any client of this export).
    pub fn is_read_only(&self) -> bool {
        self.export.info.flags & transmission_flag::READ_ONLY != 0
    }

    /// Whether the server can tell holes from data. If not, [`Self::block_status`] calls everything data.
    pub fn knows_holes(&self) -> bool {
        self.export.allocation.is_some()
    }

    /// What the server offers beside this export.
    pub fn list_exports(&self) -> Result<Vec<ListedExport>, ConnectExport> {
        list_exports(&self.uri, &self.options)
    }

    /// Fills `buffer` from `offset`, or fails as a whole.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadExport> {
        let length = buffer.len() as u64;
        self.check_bounds(offset, length)?;
        let minimum = u64::from(self.export.sizes.minimum);
        if offset.is_multiple_of(minimum) && length.is_multiple_of(minimum) {
            return self.read_pieces(offset, buffer);
        }
        let mut aligned = Vec::new();
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let start = at - at % minimum;
            let end = (at + rest.len() as u64).next_multiple_of(minimum).min(self.size());
            let window = usize::try_from(end - start).unwrap_or(usize::MAX).min(self.piece_size());
            aligned.resize(window, 0);
            self.read_pieces(start, &mut aligned)?;
            let skip = usize::try_from(at - start).unwrap_or(usize::MAX);
            let useful = aligned.get(skip..).unwrap_or_default();
            let taken = useful.len().min(rest.len());
            let (filled, unfilled) = rest.split_at_mut(taken);
            filled.copy_from_slice(useful.get(..taken).unwrap_or_default());
            rest = unfilled;
            at += taken as u64;
        }
        Ok(())
    }

    /// Which parts of `offset..offset + length` hold data. The answer covers the range exactly, in order; neighbours
    /// differ in kind.
    pub fn block_status(&self, offset: u64, length: u64) -> Result<Vec<Extent>, ReadExport> {
        self.check_bounds(offset, length)?;
        let mut list = ExtentList::new(offset, length);
        let minimum = u64::from(self.export.sizes.minimum);
        let mut ranges_left = MAX_EXTENTS;
        while let Some(context) = self.export.allocation.filter(|_| list.remaining() > 0 && ranges_left > 0) {
            let start = list.next() - list.next() % minimum;
            let end = (list.next() + list.remaining()).next_multiple_of(minimum).min(self.size());
            let asked = u32::try_from((end - start).min(LONGEST_STATUS)).unwrap_or(u32::MAX);
            let ranges = self
                .request(start, asked.into(), |connection| connection.block_status(start, asked, context))?;
            ranges_left = ranges_left.saturating_sub(ranges.len());
            let mut at = start;
            for range in ranges {
                let range_end = at.saturating_add(range.length.into());
                list.push(range_end.saturating_sub(list.next()), ExtentKind::from_status(range.status));
                at = range_end;
            }
        }
        list.push(list.remaining(), ExtentKind::Data);
        Ok(list.into_extents())
    }

    fn read_pieces(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadExport> {
        let mut at = offset;
        for piece in buffer.chunks_mut(self.piece_size()) {
            let length = piece.len() as u64;
            self.request(at, length, |connection| connection.read(at, piece))?;
            at += length;
        }
        Ok(())
    }

    /// Longest request that both sides accept, in whole blocks.
    fn piece_size(&self) -> usize {
        let sizes = &self.export.sizes;
        let most = self.options.max_request.min(sizes.maximum).max(sizes.minimum);
        usize::try_from(most - most % sizes.minimum).unwrap_or(usize::MAX)
    }

    fn check_bounds(&self, offset: u64, length: u64) -> Result<(), ReadExport> {
        let size = self.size();
        if offset.checked_add(length).is_some_and(|end| end <= size) {
            return Ok(());
        }
        Err(ReadExport::OutOfBounds { uri: self.uri.to_string(), offset, length, size })
    }

    /// Runs one request, and once more on a new connection if the first one broke under it.
    fn request<T>(
        &self,
        offset: u64,
        length: u64,
        mut run: impl FnMut(&mut Connection) -> Result<T, Problem>,
    ) -> Result<T, ReadExport> {
        let mut slot = self.pool.take();
        let mut retried = false;
        loop {
            let mut connection = match slot.connection.take() {
                Some(connection) => connection,
                None => self.open_another()?,
            };
            let fault = match run(&mut connection) {
                Ok(answer) => {
                    slot.connection = Some(connection);
                    return Ok(answer);
                }
                Err(Problem::Server { code, message }) => {
                    slot.connection = Some(connection);
                    let uri = self.uri.to_string();
                    return Err(ReadExport::Failed { uri, offset, length, code, message });
                }
                Err(Problem::Fault(fault)) => fault,
            };
            drop(connection);
            self.pool.drop_idle();
            if retried || matches!(fault, Fault::Violation(_)) {
                return Err(self.read_failed(fault));
            }
            tracing::debug!(uri = %self.uri, ?fault, "reconnecting to an NBD server");
            retried = true;
        }
    }

    /// One more connection, to what must be the same disk.
    fn open_another(&self) -> Result<Connection, ReadExport> {
        let connection = open_connection(&self.uri, &self.options).map_err(|source| {
            ReadExport::Reconnect { uri: self.uri.to_string(), source: Box::new(source) }
        })?;
        if *connection.export() == self.export {
            return Ok(connection);
        }
        let (before, after) = (self.size(), connection.export().info.size);
        Err(ReadExport::Changed { uri: self.uri.to_string(), before, after })
    }

    fn read_failed(&self, fault: Fault) -> ReadExport {
        let uri = self.uri.to_string();
        match fault {
            Fault::Lost(source) => ReadExport::Lost { uri, source },
            Fault::TimedOut => ReadExport::Silent { uri, seconds: self.options.request_timeout.as_secs() },
            Fault::Violation(source) => ReadExport::Broken { uri, source },
        }
    }
}

/// What a server offers. The export of `uri` plays no part.
pub fn list_exports(uri: &NbdUri, options: &ClientOptions) -> Result<Vec<ListedExport>, ConnectExport> {
    let mut transport = open_transport(uri, options)?;
    handshake::list(&mut transport).map_err(|failure| negotiation_failed(uri, options, failure))
}

fn open_connection(uri: &NbdUri, options: &ClientOptions) -> Result<Connection, ConnectExport> {
    let mut transport = open_transport(uri, options)?;
    let export = handshake::open(&mut transport, uri.export())
        .map_err(|failure| negotiation_failed(uri, options, failure))?;
    Ok(Connection::new(transport, export, options.request_timeout))
}

fn open_transport(uri: &NbdUri, options: &ClientOptions) -> Result<Transport, ConnectExport> {
    Transport::connect(uri.endpoint(), options.connect_timeout).map_err(|unreachable| {
        let uri = uri.to_string();
        match unreachable {
            Unreachable::Resolve(source) => ConnectExport::Resolve { uri, source },
            Unreachable::Connect(source) => ConnectExport::Connect { uri, source },
        }
    })
}

fn negotiation_failed(uri: &NbdUri, options: &ClientOptions, failure: Failure) -> ConnectExport {
    let uri = uri.to_string();
    match failure {
        Failure::Fault(Fault::Lost(source)) => ConnectExport::Lost { uri, source },
        Failure::Fault(Fault::TimedOut) => {
            ConnectExport::Silent { uri, seconds: options.connect_timeout.as_secs() }
        }
        Failure::Fault(Fault::Violation(source)) => ConnectExport::Broken { uri, source },
        Failure::NotNbd => ConnectExport::NotNbd { uri },
        Failure::OldStyle => ConnectExport::OldStyle { uri },
        Failure::Refused { refusal, message } => ConnectExport::Refused { uri, refusal, message },
    }
}
