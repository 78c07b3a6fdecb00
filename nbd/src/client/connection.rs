//! One connection in transmission: a request goes out, its reply comes back, nothing else is under way.
//!
//! After a [`Problem::Fault`] the two sides no longer agree on where a message starts; the connection must be dropped.

use std::time::Duration;

use super::coverage::Coverage;
use super::error::{Violation, printable};
use super::handshake::Export;
use super::transport::{Fault, Transport};
use crate::protocol::constants::{MAX_STRING, chunk, command};
use crate::protocol::{BlockDescriptor, ChunkHeader, ErrorChunk, Reply, Request, decode_block_status};

/// Ranges in one status reply: what nbdkit sends at most.
const MAX_DESCRIPTORS: usize = 1 << 20;
/// Chunks in the reply to a status request: one per context and one per error.
const MAX_STATUS_CHUNKS: usize = 16;

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Problem {
    Fault(Fault),
    /// The server answered, and the answer is an error. The connection stays good.
    Server {
        code: u32,
        message: String,
    },
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Violation> for Problem {
    fn from(violation: Violation) -> Self {
        Self::Fault(violation.into())
    }
}

#[derive(Debug)]
pub(crate) struct Connection {
    transport: Transport,
    export: Export,
    next_cookie: u64,
    request_timeout: Duration,
}

impl Connection {
    pub(crate) fn new(transport: Transport, export: Export, request_timeout: Duration) -> Self {
        Self { transport, export, next_cookie: 1, request_timeout }
    }

    pub(crate) fn export(&self) -> &Export {
        &self.export
    }

    /// Fills `buffer`. The caller keeps to the export's size and block sizes.
    pub(crate) fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Problem> {
        let length = u32::try_from(buffer.len()).map_err(|_| Violation::OutsideRequest)?;
        let cookie = self.send(command::READ, offset, length)?;
        match self.reply(cookie)? {
            Reply::Simple(reply) if reply.error != 0 => Err(refused(reply.error, &[])),
            Reply::Simple(_) if self.export.structured => {
                Err(Violation::OutOfPlace { what: "a simple reply to a read" }.into())
            }
            Reply::Simple(_) => Ok(self.transport.read_into(buffer)?),
            Reply::Chunk(first) => self.read_chunks(cookie, first, offset, buffer),
        }
    }

    /// What the server says of the blocks from `offset` on: at least one range, none of them empty. The ranges may
    /// end before or after the request does.
    pub(crate) fn block_status(
        &mut self,
        offset: u64,
        length: u32,
        context: u32,
    ) -> Result<Vec<BlockDescriptor>, Problem> {
        let cookie = self.send(command::BLOCK_STATUS, offset, length)?;
        let (mut found, mut failure) = (None, None);
        for _ in 0..MAX_STATUS_CHUNKS {
            let header = match self.reply(cookie)? {
                Reply::Simple(reply) if reply.error != 0 => return Err(refused(reply.error, &[])),
                Reply::Simple(_) => return Err(Violation::OutOfPlace { what: "a simple reply" }.into()),
                Reply::Chunk(header) => header,
            };
            match header.kind {
                chunk::BLOCK_STATUS => {
                    let payload = self.transport.read_payload(
                        "a status chunk",
                        header.length,
                        4 + 8 * MAX_DESCRIPTORS,
                    )?;
                    let (id, ranges) = decode_block_status(&payload).map_err(Violation::from)?;
                    if id != context || found.is_some() {
                        return Err(Violation::OutOfPlace { what: "the status of another context" }.into());
                    }
                    found = Some(ranges);
                }
                _ => self.other_chunk(&header, &mut failure)?,
            }
            if header.is_done() {
                return finish_status(found, failure);
            }
        }
        Err(Violation::TooMany { what: "chunks in one reply", limit: MAX_STATUS_CHUNKS }.into())
    }

    fn read_chunks(
        &mut self,
        cookie: u64,
        first: ChunkHeader,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), Problem> {
        let mut coverage = Coverage::new(buffer.len());
        let mut failure = None;
        let mut header = first;
        loop {
            coverage.count_chunk()?;
            match header.kind {
                chunk::OFFSET_DATA => self.take_data(&header, offset, buffer, &mut coverage)?,
                chunk::OFFSET_HOLE => self.take_hole(&header, offset, buffer, &mut coverage)?,
                _ => self.other_chunk(&header, &mut failure)?,
            }
            if header.is_done() {
                break;
            }
            header = match self.reply(cookie)? {
                Reply::Chunk(header) => header,
                Reply::Simple(_) => return Err(Violation::OutOfPlace { what: "a simple reply" }.into()),
            };
        }
        match failure {
            Some(problem) => Err(problem),
            None if coverage.is_complete() => Ok(()),
            None => Err(Violation::Missing { what: "part of the data" }.into()),
        }
    }

    fn take_data(
        &mut self,
        header: &ChunkHeader,
        offset: u64,
        buffer: &mut [u8],
        coverage: &mut Coverage,
    ) -> Result<(), Problem> {
        let Some(length) = header.length.checked_sub(8) else {
            return Err(Violation::Undecodable { what: "a data chunk" }.into());
        };
        let at = u64::from_be_bytes(self.transport.read_array()?);
        let target = claim(offset, at, length, buffer, coverage)?;
        Ok(self.transport.read_into(target)?)
    }

    fn take_hole(
        &mut self,
        header: &ChunkHeader,
        offset: u64,
        buffer: &mut [u8],
        coverage: &mut Coverage,
    ) -> Result<(), Problem> {
        if header.length != 12 {
            return Err(Violation::Undecodable { what: "a hole chunk" }.into());
        }
        let at = u64::from_be_bytes(self.transport.read_array()?);
        let length = u32::from_be_bytes(self.transport.read_array()?);
        claim(offset, at, length, buffer, coverage)?.fill(0);
        Ok(())
    }

    /// A chunk that holds nothing, or an error. The first error is the one to report.
    fn other_chunk(&mut self, header: &ChunkHeader, failure: &mut Option<Problem>) -> Result<(), Problem> {
        if header.is_error() {
            let payload = self.transport.read_payload("an error chunk", header.length, MAX_STRING + 64)?;
            let error = ErrorChunk::decode(&payload).map_err(Violation::from)?;
            if error.error == 0 {
                return Err(Violation::Undecodable { what: "an error without a number" }.into());
            }
            failure.get_or_insert(refused(error.error, &error.message));
            return Ok(());
        }
        // An empty chunk that is not the last one would let a reply go on for ever.
        if header.kind == chunk::NONE && header.length == 0 && header.is_done() {
            return Ok(());
        }
        Err(Violation::OutOfPlace { what: "a chunk of another kind" }.into())
    }

    fn send(&mut self, command: u16, offset: u64, length: u32) -> Result<u64, Fault> {
        let cookie = self.next_cookie;
        self.next_cookie = cookie.wrapping_add(1);
        self.transport.set_deadline(self.request_timeout);
        self.transport.write(&Request { flags: 0, command, cookie, offset, length }.encode())?;
        Ok(cookie)
    }

    fn reply(&mut self, cookie: u64) -> Result<Reply, Fault> {
        let magic = u32::from_be_bytes(self.transport.read_array()?);
        let undecodable = Violation::Undecodable { what: "the start of a reply" };
        let Some(size) = Reply::size_after_magic(magic) else {
            return Err(undecodable.into());
        };
        let mut rest = [0; 16];
        let rest = rest.get_mut(..size).ok_or(undecodable)?;
        self.transport.read_into(rest)?;
        let reply = Reply::decode(magic, rest).map_err(Violation::from)?;
        let answered = match reply {
            Reply::Simple(reply) => reply.cookie,
            Reply::Chunk(_) if !self.export.structured => {
                return Err(Violation::OutOfPlace { what: "a structured reply" }.into());
            }
            Reply::Chunk(header) => header.cookie,
        };
        if answered == cookie { Ok(reply) } else { Err(Violation::UnknownCookie.into()) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let leave = Request { flags: 0, command: command::DISCONNECT, cookie: 0, offset: 0, length: 0 };
        self.transport.farewell(&leave.encode());
    }
}

/// The part of `buffer` that a chunk at `at` fills, if it may.
fn claim<'a>(
    offset: u64,
    at: u64,
    length: u32,
    buffer: &'a mut [u8],
    coverage: &mut Coverage,
) -> Result<&'a mut [u8], Violation> {
    let start = at.checked_sub(offset).and_then(|start| usize::try_from(start).ok());
    let start = start.ok_or(Violation::OutsideRequest)?;
    let length = usize::try_from(length).map_err(|_| Violation::OutsideRequest)?;
    coverage.claim(start, length)?;
    buffer.get_mut(start..start + length).ok_or(Violation::OutsideRequest)
}

fn refused(code: u32, message: &[u8]) -> Problem {
    Problem::Server { code, message: printable(message) }
}

fn finish_status(
    found: Option<Vec<BlockDescriptor>>,
    failure: Option<Problem>,
) -> Result<Vec<BlockDescriptor>, Problem> {
    if let Some(problem) = failure {
        return Err(problem);
    }
    let ranges = found.unwrap_or_default();
    if ranges.is_empty() || ranges.iter().any(|range| range.length == 0) {
        return Err(Violation::Missing { what: "the status of the blocks" }.into());
    }
    Ok(ranges)
}
