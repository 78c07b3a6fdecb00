//! The wire format, for either end: constants, and each message as a type with `encode` and `decode`.
//!
//! Nothing here does I/O or allocates by a number it was told: a decoder gets a slice whose length its caller has
//! already bounded, and answers [`Malformed`] when the slice does not hold what it should.
//!
//! The reference is `doc/proto.md` of the NBD project: fixed newstyle negotiation, simple and structured replies, and
//! the metadata context `base:allocation`. Extended headers (64 bit lengths) are not negotiated.

pub mod constants;
mod fields;
mod handshake;
mod transmission;

pub use fields::{Fields, Malformed};
pub use handshake::{
    BlockSizes, ExportInfo, Info, MetaContext, OptionReply, OptionRequest, ServerEntry, encode_go,
    encode_meta_query,
};
pub use transmission::{
    BlockDescriptor, ChunkHeader, ErrorChunk, Reply, Request, SimpleReply, decode_block_status,
    encode_block_status,
};
