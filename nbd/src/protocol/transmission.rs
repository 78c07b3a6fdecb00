//! Messages of transmission: requests, simple replies, and the chunks of structured replies.

use super::constants::{REQUEST_MAGIC, SIMPLE_REPLY_MAGIC, STRUCTURED_REPLY_MAGIC, chunk};
use super::fields::{Fields, Malformed};

/// A request; the data of a write follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub flags: u16,
    pub command: u16,
    /// Chosen by the client, repeated in the reply.
    pub cookie: u64,
    pub offset: u64,
    pub length: u32,
}

impl Request {
    pub const SIZE: usize = 28;

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::SIZE);
        out.extend_from_slice(&REQUEST_MAGIC.to_be_bytes());
        out.extend_from_slice(&self.flags.to_be_bytes());
        out.extend_from_slice(&self.command.to_be_bytes());
        out.extend_from_slice(&self.cookie.to_be_bytes());
        out.extend_from_slice(&self.offset.to_be_bytes());
        out.extend_from_slice(&self.length.to_be_bytes());
        out
    }

    pub fn decode(header: &[u8; Self::SIZE]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(header);
        if fields.u32()? != REQUEST_MAGIC {
            return Err(Malformed);
        }
        Ok(Self {
            flags: fields.u16()?,
            command: fields.u16()?,
            cookie: fields.u64()?,
            offset: fields.u64()?,
            length: fields.u32()?,
        })
    }
}

/// A reply in one piece; the data of a successful read follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimpleReply {
    pub error: u32,
    pub cookie: u64,
}

impl SimpleReply {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = SIMPLE_REPLY_MAGIC.to_be_bytes().to_vec();
        out.extend_from_slice(&self.error.to_be_bytes());
        out.extend_from_slice(&self.cookie.to_be_bytes());
        out
    }
}

/// One chunk of a structured reply; `length` bytes of data follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    pub flags: u16,
    pub kind: u16,
    pub cookie: u64,
    pub length: u32,
}

impl ChunkHeader {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = STRUCTURED_REPLY_MAGIC.to_be_bytes().to_vec();
        out.extend_from_slice(&self.flags.to_be_bytes());
        out.extend_from_slice(&self.kind.to_be_bytes());
        out.extend_from_slice(&self.cookie.to_be_bytes());
        out.extend_from_slice(&self.length.to_be_bytes());
        out
    }

    /// Whether this is the last chunk of its reply.
    pub fn is_done(&self) -> bool {
        self.flags & chunk::FLAG_DONE != 0
    }

    /// Whether this chunk reports a failure.
    pub fn is_error(&self) -> bool {
        self.kind & chunk::ERROR_BIT != 0
    }
}

/// The start of any reply. Which kind it is shows in the first four bytes, its size in those alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Simple(SimpleReply),
    Chunk(ChunkHeader),
}

impl Reply {
    /// How many bytes follow the magic number of a reply; nothing for a number that starts no reply.
    pub fn size_after_magic(magic: u32) -> Option<usize> {
        match magic {
            SIMPLE_REPLY_MAGIC => Some(12),
            STRUCTURED_REPLY_MAGIC => Some(16),
            _ => None,
        }
    }

    /// Decodes what follows the magic number.
    pub fn decode(magic: u32, rest: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(rest);
        let reply = match magic {
            SIMPLE_REPLY_MAGIC => Self::Simple(SimpleReply { error: fields.u32()?, cookie: fields.u64()? }),
            STRUCTURED_REPLY_MAGIC => Self::Chunk(ChunkHeader {
                flags: fields.u16()?,
                kind: fields.u16()?,
                cookie: fields.u64()?,
                length: fields.u32()?,
            }),
            _ => return Err(Malformed),
        };
        fields.end()?;
        Ok(reply)
    }
}

/// The data of an error chunk. A chunk with an offset has eight bytes after the message; they tell a reader nothing that
/// the request did not, and are skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorChunk {
    pub error: u32,
    pub message: Vec<u8>,
}

impl ErrorChunk {
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = self.error.to_be_bytes().to_vec();
        out.extend_from_slice(&u16::try_from(self.message.len()).map_err(|_| Malformed)?.to_be_bytes());
        out.extend_from_slice(&self.message);
        Ok(out)
    }

    pub fn decode(data: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(data);
        let error = fields.u32()?;
        let length = usize::from(fields.u16()?);
        Ok(Self { error, message: fields.bytes(length)?.to_vec() })
    }
}

/// Length and status bits of one range, in the order of the ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockDescriptor {
    pub length: u32,
    pub status: u32,
}

/// The data of a block status chunk: the context it speaks of, and its ranges.
pub fn decode_block_status(data: &[u8]) -> Result<(u32, Vec<BlockDescriptor>), Malformed> {
    let mut fields = Fields::new(data);
    let context = fields.u32()?;
    let mut ranges = Vec::with_capacity(data.len() / 8);
    while !fields.is_empty() {
        ranges.push(BlockDescriptor { length: fields.u32()?, status: fields.u32()? });
    }
    Ok((context, ranges))
}

pub fn encode_block_status(context: u32, ranges: &[BlockDescriptor]) -> Vec<u8> {
    let mut out = context.to_be_bytes().to_vec();
    for range in ranges {
        out.extend_from_slice(&range.length.to_be_bytes());
        out.extend_from_slice(&range.status.to_be_bytes());
    }
    out
}
