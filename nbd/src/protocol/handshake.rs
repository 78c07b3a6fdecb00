//! Messages of the negotiation: options, their replies, and what the replies carry.

use super::constants::{OPTION_MAGIC, OPTION_REPLY_MAGIC, info};
use super::fields::{Fields, Malformed};

/// An option as a client sends it; `length` bytes of data follow the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionRequest {
    pub option: u32,
    pub length: u32,
}

impl OptionRequest {
    pub const SIZE: usize = 16;

    /// Header and data in one buffer, so that it leaves in one packet.
    pub fn encode(option: u32, data: &[u8]) -> Result<Vec<u8>, Malformed> {
        let length = u32::try_from(data.len()).map_err(|_| Malformed)?;
        let mut out = Vec::with_capacity(Self::SIZE + data.len());
        out.extend_from_slice(&OPTION_MAGIC.to_be_bytes());
        out.extend_from_slice(&option.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(data);
        Ok(out)
    }

    pub fn decode(header: &[u8; Self::SIZE]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(header);
        if fields.u64()? != OPTION_MAGIC {
            return Err(Malformed);
        }
        Ok(Self { option: fields.u32()?, length: fields.u32()? })
    }
}

/// A server's reply to an option; `length` bytes of data follow the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionReply {
    pub option: u32,
    pub kind: u32,
    pub length: u32,
}

impl OptionReply {
    pub const SIZE: usize = 20;

    pub fn encode(option: u32, kind: u32, data: &[u8]) -> Result<Vec<u8>, Malformed> {
        let length = u32::try_from(data.len()).map_err(|_| Malformed)?;
        let mut out = Vec::with_capacity(Self::SIZE + data.len());
        out.extend_from_slice(&OPTION_REPLY_MAGIC.to_be_bytes());
        out.extend_from_slice(&option.to_be_bytes());
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(data);
        Ok(out)
    }

    pub fn decode(header: &[u8; Self::SIZE]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(header);
        if fields.u64()? != OPTION_REPLY_MAGIC {
            return Err(Malformed);
        }
        Ok(Self { option: fields.u32()?, kind: fields.u32()?, length: fields.u32()? })
    }
}

/// Data of `GO` and `INFO`: the export, and what the client wants to know beyond its size.
pub fn encode_go(export: &str, wanted: &[u16]) -> Result<Vec<u8>, Malformed> {
    let mut out = length_and_text(export)?;
    out.extend_from_slice(&u16::try_from(wanted.len()).map_err(|_| Malformed)?.to_be_bytes());
    for kind in wanted {
        out.extend_from_slice(&kind.to_be_bytes());
    }
    Ok(out)
}

/// Data of `SET_META_CONTEXT` with one query.
pub fn encode_meta_query(export: &str, context: &str) -> Result<Vec<u8>, Malformed> {
    let mut out = length_and_text(export)?;
    out.extend_from_slice(&1_u32.to_be_bytes());
    out.extend(length_and_text(context)?);
    Ok(out)
}

fn length_and_text(text: &str) -> Result<Vec<u8>, Malformed> {
    let mut out = u32::try_from(text.len()).map_err(|_| Malformed)?.to_be_bytes().to_vec();
    out.extend_from_slice(text.as_bytes());
    Ok(out)
}

/// Size and abilities of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportInfo {
    pub size: u64,
    pub flags: u16,
}

/// What requests must be aligned to and how long they may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSizes {
    pub minimum: u32,
    pub preferred: u32,
    pub maximum: u32,
}

/// One `INFO` reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Info {
    Export(ExportInfo),
    BlockSizes(BlockSizes),
    /// A kind this side has no use for; the protocol says to ignore it.
    Other(u16),
}

impl Info {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(14);
        match self {
            Self::Export(export) => {
                out.extend_from_slice(&info::EXPORT.to_be_bytes());
                out.extend_from_slice(&export.size.to_be_bytes());
                out.extend_from_slice(&export.flags.to_be_bytes());
            }
            Self::BlockSizes(sizes) => {
                out.extend_from_slice(&info::BLOCK_SIZE.to_be_bytes());
                out.extend_from_slice(&sizes.minimum.to_be_bytes());
                out.extend_from_slice(&sizes.preferred.to_be_bytes());
                out.extend_from_slice(&sizes.maximum.to_be_bytes());
            }
            Self::Other(kind) => out.extend_from_slice(&kind.to_be_bytes()),
        }
        out
    }

    pub fn decode(data: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(data);
        let kind = fields.u16()?;
        let decoded = match kind {
            info::EXPORT => Self::Export(ExportInfo { size: fields.u64()?, flags: fields.u16()? }),
            info::BLOCK_SIZE => Self::BlockSizes(BlockSizes {
                minimum: fields.u32()?,
                preferred: fields.u32()?,
                maximum: fields.u32()?,
            }),
            other => return Ok(Self::Other(other)),
        };
        fields.end()?;
        Ok(decoded)
    }
}

/// A metadata context the server agreed to, and the number it will use for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaContext {
    pub id: u32,
    pub name: String,
}

impl MetaContext {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.id.to_be_bytes().to_vec();
        out.extend_from_slice(self.name.as_bytes());
        out
    }

    pub fn decode(data: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(data);
        Ok(Self { id: fields.u32()?, name: fields.rest_as_string()? })
    }
}

/// One export in the answer to `LIST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerEntry {
    pub name: String,
    pub description: String,
}

impl ServerEntry {
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = length_and_text(&self.name)?;
        out.extend_from_slice(self.description.as_bytes());
        Ok(out)
    }

    pub fn decode(data: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(data);
        Ok(Self { name: fields.string()?, description: fields.rest_as_string()? })
    }
}
