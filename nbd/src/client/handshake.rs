//! From an open socket to an export ready for requests, or to the list of a server's exports.
//!
//! Order matters: structured replies first, because the metadata context needs them; the context next, because it must be
//! chosen before `GO` enters transmission. A server that does not know an option says so and costs nothing but a round trip.

use super::error::{Refusal, Violation, printable};
use super::transport::{Fault, Transport};
use crate::protocol::constants::{
    BASE_ALLOCATION, DEFAULT_MAX_BLOCK, INIT_MAGIC, MAX_STRING, OLDSTYLE_MAGIC, OPTION_MAGIC, handshake_flag,
    info, option, option_reply, transmission_flag,
};
use crate::protocol::{
    BlockSizes, ExportInfo, Fields, Info, Malformed, MetaContext, OptionReply, OptionRequest, ServerEntry,
    encode_go, encode_meta_query,
};

/// Name and description of an export (two strings), and some room.
const MAX_OPTION_REPLY: usize = 4 * MAX_STRING;
/// Replies to one option, other than a list, before the final one.
const MAX_REPLIES: usize = 64;
/// Exports one server may list.
const MAX_EXPORTS: usize = 4096;

/// What was agreed for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Export {
    pub(crate) info: ExportInfo,
    pub(crate) sizes: BlockSizes,
    pub(crate) structured: bool,
    /// The number of the context `base:allocation`, where the server knows holes.
    pub(crate) allocation: Option<u32>,
}

impl Export {
    pub(crate) fn can_multi_conn(&self) -> bool {
        self.info.flags & transmission_flag::CAN_MULTI_CONN != 0
    }
}

/// One export a server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedExport {
    pub name: String,
    /// In the server's words; often empty.
    pub description: String,
}

/// Why negotiation ended without an export.
#[derive(Debug)]
pub(crate) enum Failure {
    Fault(Fault),
    NotNbd,
    OldStyle,
    Refused { refusal: Refusal, message: String },
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        Self::Fault(violation.into())
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Violation::from(malformed).into()
    }
}

/// Enters transmission for `export`.
pub(crate) fn open(transport: &mut Transport, export: &str) -> Result<Export, Failure> {
    let no_zeroes = greet(transport)?;
    let structured = ask(transport, option::STRUCTURED_REPLY, &[])?.is_some();
    let allocation = if structured { choose_allocation(transport, export)? } else { None };
    let (info, sizes) = match go(transport, export)? {
        Some(agreed) => agreed,
        None => (export_name(transport, export, no_zeroes)?, None),
    };
    let sizes = sizes.unwrap_or(BlockSizes { minimum: 1, preferred: 4096, maximum: DEFAULT_MAX_BLOCK });
    check(&info, &sizes)?;
    Ok(Export { info, sizes, structured, allocation })
}

/// Lists exports and takes leave.
pub(crate) fn list(transport: &mut Transport) -> Result<Vec<ListedExport>, Failure> {
    greet(transport)?;
    transport.write(&OptionRequest::encode(option::LIST, &[])?)?;
    let mut exports = Vec::new();
    loop {
        match reply(transport, option::LIST)? {
            (option_reply::ACK, _) => break,
            (option_reply::SERVER, data) => {
                let entry = ServerEntry::decode(&data)?;
                if exports.len() >= MAX_EXPORTS {
                    return Err(Violation::TooMany { what: "exports in its list", limit: MAX_EXPORTS }.into());
                }
                let description = printable(entry.description.as_bytes());
                exports.push(ListedExport { name: entry.name, description });
            }
            (kind, data) => return Err(refused_or_odd(kind, &data)),
        }
    }
    transport.farewell(&OptionRequest::encode(option::ABORT, &[])?);
    Ok(exports)
}

/// Exchanges greetings; answers whether the zeroes after `EXPORT_NAME` are left out.
fn greet(transport: &mut Transport) -> Result<bool, Failure> {
    if u64::from_be_bytes(transport.read_array()?) != INIT_MAGIC {
        return Err(Failure::NotNbd);
    }
    match u64::from_be_bytes(transport.read_array()?) {
        OPTION_MAGIC => {}
        OLDSTYLE_MAGIC => return Err(Failure::OldStyle),
        _ => return Err(Failure::NotNbd),
    }
    let offered = u16::from_be_bytes(transport.read_array()?);
    if offered & handshake_flag::FIXED_NEWSTYLE == 0 {
        return Err(Failure::OldStyle);
    }
    let no_zeroes = offered & handshake_flag::NO_ZEROES;
    let chosen = handshake_flag::FIXED_NEWSTYLE | no_zeroes;
    transport.write(&u32::from(chosen).to_be_bytes())?;
    Ok(no_zeroes != 0)
}

/// An option with a yes (`Some`) or a no that costs nothing (`None`).
fn ask(transport: &mut Transport, option: u32, data: &[u8]) -> Result<Option<()>, Failure> {
    transport.write(&OptionRequest::encode(option, data)?)?;
    match reply(transport, option)? {
        (option_reply::ACK, _) => Ok(Some(())),
        (option_reply::ERR_TLS_REQD, data) => Err(refused_or_odd(option_reply::ERR_TLS_REQD, &data)),
        (kind, _) if kind & option_reply::ERROR_BIT != 0 => Ok(None),
        _ => Err(Violation::OutOfPlace { what: "an option reply" }.into()),
    }
}

/// Asks for holes. A server that refuses, for whatever reason, is read in full instead.
fn choose_allocation(transport: &mut Transport, export: &str) -> Result<Option<u32>, Failure> {
    let query = encode_meta_query(export, BASE_ALLOCATION)?;
    transport.write(&OptionRequest::encode(option::SET_META_CONTEXT, &query)?)?;
    let mut chosen = None;
    for _ in 0..MAX_REPLIES {
        match reply(transport, option::SET_META_CONTEXT)? {
            (option_reply::ACK, _) => return Ok(chosen),
            (option_reply::META_CONTEXT, data) => {
                let context = MetaContext::decode(&data)?;
                if context.name == BASE_ALLOCATION {
                    chosen = Some(context.id);
                }
            }
            (kind, _) if kind & option_reply::ERROR_BIT != 0 => return Ok(None),
            _ => return Err(Violation::OutOfPlace { what: "an option reply" }.into()),
        }
    }
    Err(Violation::TooMany { what: "replies to one option", limit: MAX_REPLIES }.into())
}

type Agreed = (ExportInfo, Option<BlockSizes>);

/// `GO`; nothing if the server does not know the option.
fn go(transport: &mut Transport, export: &str) -> Result<Option<Agreed>, Failure> {
    transport.write(&OptionRequest::encode(option::GO, &encode_go(export, &[info::BLOCK_SIZE])?)?)?;
    let (mut agreed, mut sizes) = (None, None);
    for _ in 0..MAX_REPLIES {
        match reply(transport, option::GO)? {
            (option_reply::ACK, _) => {
                let info = agreed.ok_or(Violation::Missing { what: "the size of the export" })?;
                return Ok(Some((info, sizes)));
            }
            (option_reply::INFO, data) => match Info::decode(&data)? {
                Info::Export(info) => agreed = Some(info),
                Info::BlockSizes(found) => sizes = Some(found),
                Info::Other(_) => {}
            },
            (option_reply::ERR_UNSUP, _) => return Ok(None),
            (kind, data) => return Err(refused_or_odd(kind, &data)),
        }
    }
    Err(Violation::TooMany { what: "replies to one option", limit: MAX_REPLIES }.into())
}

/// The option of older servers. It has no way to say no but to hang up.
fn export_name(transport: &mut Transport, export: &str, no_zeroes: bool) -> Result<ExportInfo, Failure> {
    transport.write(&OptionRequest::encode(option::EXPORT_NAME, export.as_bytes())?)?;
    let answer = transport.read_array::<10>().map_err(|fault| match fault {
        Fault::Lost(_) => Failure::Refused { refusal: Refusal::UnknownExport, message: String::new() },
        other => other.into(),
    })?;
    if !no_zeroes {
        transport.read_array::<124>()?;
    }
    let mut fields = Fields::new(&answer);
    Ok(ExportInfo { size: fields.u64()?, flags: fields.u16()? })
}

/// One reply to `option`: its kind and its data.
fn reply(transport: &mut Transport, option: u32) -> Result<(u32, Vec<u8>), Failure> {
    let header = OptionReply::decode(&transport.read_array()?)?;
    if header.option != option {
        return Err(Violation::OutOfPlace { what: "a reply to another option" }.into());
    }
    let data = transport.read_payload("an option reply", header.length, MAX_OPTION_REPLY)?;
    Ok((header.kind, data))
}

fn refused_or_odd(kind: u32, data: &[u8]) -> Failure {
    if kind & option_reply::ERROR_BIT == 0 {
        return Violation::OutOfPlace { what: "an option reply" }.into();
    }
    Failure::Refused { refusal: Refusal::from_reply(kind), message: printable(data) }
}

fn check(info: &ExportInfo, sizes: &BlockSizes) -> Result<(), Violation> {
    let impossible = |what| Err(Violation::ImpossibleExport { what });
    if i64::try_from(info.size).is_err() {
        return impossible("its size is more than a disk can have");
    }
    if !sizes.minimum.is_power_of_two() || sizes.minimum > 64 * 1024 {
        return impossible("its smallest block is not a power of two up to 64 KiB");
    }
    if sizes.maximum < sizes.minimum {
        return impossible("its largest block is smaller than its smallest");
    }
    Ok(())
}
