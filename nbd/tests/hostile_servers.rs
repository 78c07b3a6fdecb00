//! The client against servers that break the protocol: a typed error each time, never a panic, a hang or a large allocation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use holdfast_nbd::protocol::constants::{
    BASE_ALLOCATION, INIT_MAGIC, OLDSTYLE_MAGIC, OPTION_MAGIC, chunk, info, option, option_reply,
};
use holdfast_nbd::protocol::{
    BlockDescriptor, BlockSizes, ChunkHeader, ExportInfo, Info, MetaContext, OptionReply, OptionRequest,
    Request, SimpleReply, encode_block_status,
};
use holdfast_nbd::{
    ClientOptions, ConnectExport, ExtentKind, NbdClient, NbdUri, ReadExport, Violation, list_exports,
};
use proptest::prelude::*;

/// What a scripted server says after an orderly negotiation: given the request and which connection it came on.
type Script = dyn Fn(&Request, usize) -> Vec<u8> + Send + Sync;

struct Fake {
    folder: tempfile::TempDir,
}

impl Fake {
    /// Answers each connection on a thread of its own; threads end when their client hangs up.
    fn serve(talk: impl Fn(&mut UnixStream, usize) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { return };
                let _ = talk(&mut stream, number);
            }
        });
        Self { folder }
    }

    fn saying(bytes: Vec<u8>) -> Self {
        Self::serve(move |stream, _| {
            stream.write_all(&bytes)?;
            stream.shutdown(std::net::Shutdown::Write)?;
            std::io::copy(stream, &mut std::io::sink()).map(drop)
        })
    }

    fn scripted(export: ExportInfo, sizes: BlockSizes, script: Box<Script>) -> Self {
        Self::serve(move |stream, number| {
            negotiate(stream, export, sizes)?;
            loop {
                let mut header = [0; Request::SIZE];
                stream.read_exact(&mut header)?;
                let answer = script(&Request::decode(&header).unwrap(), number);
                if answer.is_empty() {
                    return Ok(());
                }
                stream.write_all(&answer)?;
            }
        })
    }

    fn uri(&self) -> NbdUri {
        NbdUri::unix(self.folder.path().join("s"), "")
    }

    fn client(&self) -> NbdClient {
        NbdClient::connect(&self.uri(), quick()).unwrap()
    }
}

fn quick() -> ClientOptions {
    ClientOptions {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        ..ClientOptions::default()
    }
}

fn negotiate(stream: &mut UnixStream, export: ExportInfo, sizes: BlockSizes) -> std::io::Result<()> {
    stream.write_all(&greeting())?;
    stream.read_exact(&mut [0; 4])?;
    loop {
        let mut header = [0; OptionRequest::SIZE];
        stream.read_exact(&mut header)?;
        let request = OptionRequest::decode(&header).unwrap();
        stream.read_exact(&mut vec![0; request.length as usize])?;
        let say = |kind, data: &[u8]| OptionReply::encode(request.option, kind, data).unwrap();
        match request.option {
            option::SET_META_CONTEXT => {
                let context = MetaContext { id: 7, name: BASE_ALLOCATION.to_owned() };
                stream.write_all(&say(option_reply::META_CONTEXT, &context.encode()))?;
            }
            option::GO => {
                stream.write_all(&say(option_reply::INFO, &Info::Export(export).encode()))?;
                stream.write_all(&say(option_reply::INFO, &Info::BlockSizes(sizes).encode()))?;
                stream.write_all(&say(option_reply::INFO, &Info::Other(info::DESCRIPTION).encode()))?;
            }
            _ => {}
        }
        stream.write_all(&say(option_reply::ACK, &[]))?;
        if request.option == option::GO {
            return Ok(());
        }
    }
}

fn greeting() -> Vec<u8> {
    [&INIT_MAGIC.to_be_bytes()[..], &OPTION_MAGIC.to_be_bytes(), &[0, 3]].concat()
}

const EXPORT: ExportInfo = ExportInfo { size: 1 << 20, flags: 3 };
const SIZES: BlockSizes = BlockSizes { minimum: 1, preferred: 4096, maximum: u32::MAX };

fn piece(request: &Request, kind: u16, flags: u16, data: &[u8]) -> Vec<u8> {
    let mut out = ChunkHeader { flags, kind, cookie: request.cookie, length: data.len() as u32 }.encode();
    out.extend_from_slice(data);
    out
}

fn data(request: &Request, flags: u16, at: u64, bytes: &[u8]) -> Vec<u8> {
    piece(request, chunk::OFFSET_DATA, flags, &[&at.to_be_bytes()[..], bytes].concat())
}

fn read_failure(script: impl Fn(&Request, usize) -> Vec<u8> + Send + Sync + 'static) -> ReadExport {
    let fake = Fake::scripted(EXPORT, SIZES, Box::new(script));
    fake.client().read_at(4096, &mut [0; 1024]).unwrap_err()
}

fn violation(script: impl Fn(&Request, usize) -> Vec<u8> + Send + Sync + 'static) -> Violation {
    match read_failure(script) {
        ReadExport::Broken { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn chunks_may_come_in_any_order() {
    let fake = Fake::scripted(
        EXPORT,
        SIZES,
        Box::new(|request, _| {
            let hole = [&4608_u64.to_be_bytes()[..], &512_u32.to_be_bytes()].concat();
            [
                piece(request, chunk::OFFSET_HOLE, 0, &hole),
                data(request, 0, 4096, &[5; 512]),
                piece(request, chunk::NONE, chunk::FLAG_DONE, &[]),
            ]
            .concat()
        }),
    );
    let mut buffer = [9; 1024];
    fake.client().read_at(4096, &mut buffer).unwrap();
    assert_eq!(buffer, [[5; 512], [0; 512]].concat()[..]);
}

#[test]
fn data_that_was_not_asked_for_is_refused() {
    assert_eq!(violation(|r, _| data(r, 1, 4095, &[1; 1024])), Violation::OutsideRequest);
    assert_eq!(violation(|r, _| data(r, 1, 4096, &[1; 1025])), Violation::OutsideRequest);
    assert_eq!(violation(|r, _| data(r, 1, u64::MAX, &[1; 10])), Violation::OutsideRequest);
    let twice = |r: &Request, _| [data(r, 0, 4096, &[1; 1024]), data(r, 1, 4100, &[1; 8])].concat();
    assert_eq!(violation(twice), Violation::Overlap);
    assert!(matches!(violation(|r, _| data(r, 1, 4096, &[1; 1023])), Violation::Missing { .. }));
    assert!(matches!(violation(|r, _| data(r, 1, 4096, &[])), Violation::OutOfPlace { .. }));
    let other = |r: &Request, _| data(&Request { cookie: r.cookie + 1, ..*r }, 1, 4096, &[1; 1024]);
    assert_eq!(violation(other), Violation::UnknownCookie);
    assert!(matches!(violation(|_, _| vec![0x55; 64]), Violation::Undecodable { .. }));
    let simple = |r: &Request, _| SimpleReply { error: 0, cookie: r.cookie }.encode();
    assert!(matches!(violation(simple), Violation::OutOfPlace { .. }));
}

#[test]
fn replies_without_end_are_ended() {
    let crumbs = |r: &Request, _| (0..100).flat_map(|i| data(r, 0, 4096 + 2 * i, &[1])).collect();
    assert!(matches!(violation(crumbs), Violation::TooMany { .. }));
    let nothings = |r: &Request, _| piece(r, chunk::NONE, 0, &[]);
    assert!(matches!(violation(nothings), Violation::OutOfPlace { .. }));
    let errors = |r: &Request, _| piece(r, chunk::ERROR, 0, &[0, 0, 0, 5, 0, 0]).repeat(1000);
    assert!(matches!(violation(errors), Violation::TooMany { .. }));
}

#[test]
fn announced_gigabytes_are_not_allocated() {
    let lie = |kind, flags| {
        violation(move |r, _| ChunkHeader { flags, kind, cookie: r.cookie, length: u32::MAX }.encode())
    };
    assert!(matches!(lie(chunk::ERROR, 1), Violation::TooLong { .. }));
    assert!(matches!(lie(chunk::OFFSET_HOLE, 1), Violation::Undecodable { .. }));
    assert!(matches!(lie(99, 1), Violation::OutOfPlace { .. }));

    let reply = OptionReply { option: option::STRUCTURED_REPLY, kind: option_reply::ACK, length: u32::MAX };
    let mut header = OptionReply::encode(reply.option, reply.kind, &[]).unwrap();
    header[16..20].copy_from_slice(&reply.length.to_be_bytes());
    let fake = Fake::saying([greeting(), header].concat());
    let failed = NbdClient::connect(&fake.uri(), quick()).unwrap_err();
    assert!(matches!(failed, ConnectExport::Broken { source: Violation::TooLong { .. }, .. }), "{failed:?}");
}

#[test]
fn a_servers_message_cannot_write_to_the_terminal() {
    let text = b"\x1b[2J\x07gone\r\n";
    let failed = read_failure(move |r, _| {
        let data = [&[0, 0, 0, 5, 0, text.len() as u8][..], &text[..]].concat();
        piece(r, chunk::ERROR, chunk::FLAG_DONE, &data)
    });
    let ReadExport::Failed { code: 5, ref message, .. } = failed else { panic!("{failed:?}") };
    assert_eq!(message, "[2J gone");
    assert!(!failed.to_string().contains('\x1b'));
}

#[test]
fn status_that_makes_no_sense_is_refused_and_crumbs_become_data() {
    let status = |context: u32, ranges: Vec<BlockDescriptor>| {
        let fake = Fake::scripted(
            EXPORT,
            SIZES,
            Box::new(move |r, _| piece(r, chunk::BLOCK_STATUS, 1, &encode_block_status(context, &ranges))),
        );
        fake.client().block_status(0, 1 << 20)
    };
    assert!(matches!(status(7, vec![]), Err(ReadExport::Broken { .. })));
    assert!(matches!(
        status(7, vec![BlockDescriptor { length: 0, status: 3 }]),
        Err(ReadExport::Broken { .. })
    ));
    assert!(matches!(
        status(8, vec![BlockDescriptor { length: 9, status: 3 }]),
        Err(ReadExport::Broken { .. })
    ));

    let much = status(7, vec![BlockDescriptor { length: u32::MAX, status: 3 }]).unwrap();
    assert_eq!((much.len(), much[0].length, much[0].kind), (1, 1 << 20, ExtentKind::Hole));
    let odd = status(7, vec![BlockDescriptor { length: 1 << 20, status: 1 }]).unwrap();
    assert_eq!(odd[0].kind, ExtentKind::Data, "a hole that promises no zeroes must be read");
}

#[test]
fn a_disk_described_in_crumbs_ends_as_data() {
    let huge = ExportInfo { size: 1 << 62, flags: 3 };
    let crumbs: Vec<_> = (0..1 << 17).map(|i| BlockDescriptor { length: 1, status: 3 * (i % 2) }).collect();
    let fake = Fake::scripted(
        huge,
        SIZES,
        Box::new(move |r, _| piece(r, chunk::BLOCK_STATUS, 1, &encode_block_status(7, &crumbs))),
    );
    let extents = fake.client().block_status(0, 1 << 62).unwrap();
    assert_eq!(extents.len(), (1 << 20) + 1);
    let last = extents.last().unwrap();
    assert_eq!((last.kind, last.offset + last.length), (ExtentKind::Data, 1 << 62));
}

#[test]
fn impossible_exports_are_refused() {
    let refused = |export, sizes| {
        let fake = Fake::scripted(export, sizes, Box::new(|_, _| vec![]));
        match NbdClient::connect(&fake.uri(), quick()) {
            Err(ConnectExport::Broken { source: Violation::ImpossibleExport { .. }, .. }) => {}
            other => panic!("{other:?}"),
        }
    };
    refused(ExportInfo { size: u64::MAX, flags: 3 }, SIZES);
    for (minimum, maximum) in [(0, 4096), (3, 4096), (1 << 20, u32::MAX), (4096, 512)] {
        refused(EXPORT, BlockSizes { minimum, preferred: 4096, maximum });
    }
}

#[test]
fn a_broken_connection_is_made_once_more() {
    let first_hangs_up = |r: &Request, connection| {
        if connection == 0 { vec![] } else { data(r, 1, 4096, &[3; 1024]) }
    };
    let fake = Fake::scripted(EXPORT, SIZES, Box::new(first_hangs_up));
    let mut buffer = [0; 1024];
    fake.client().read_at(4096, &mut buffer).unwrap();
    assert_eq!(buffer, [3; 1024]);
    let failed = read_failure(|_, _| vec![]);
    assert!(matches!(failed, ReadExport::Lost { .. }), "{failed:?}");
}

#[test]
fn what_is_not_a_newstyle_server_is_told_apart() {
    let failure = |bytes: Vec<u8>| NbdClient::connect(&Fake::saying(bytes).uri(), quick()).unwrap_err();
    assert!(matches!(failure(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), ConnectExport::NotNbd { .. }));
    let old = [INIT_MAGIC.to_be_bytes(), OLDSTYLE_MAGIC.to_be_bytes(), [0; 8]].concat();
    assert!(matches!(failure(old), ConnectExport::OldStyle { .. }));
    assert!(matches!(failure(vec![]), ConnectExport::Lost { .. }));
    assert!(matches!(failure(greeting()), ConnectExport::Lost { .. }));
}

#[test]
fn a_server_that_drips_meets_the_deadline() {
    let fake = Fake::serve(|stream, _| {
        for byte in greeting().iter().chain(std::iter::repeat(&0)) {
            // Waits for the client as long as the client would wait for each byte, were it to count by the byte.
            stream.set_read_timeout(Some(Duration::from_millis(20)))?;
            let _ = stream.read(&mut [0; 64]);
            stream.write_all(&[*byte])?;
        }
        Ok(())
    });
    let options = ClientOptions { connect_timeout: Duration::from_millis(200), ..quick() };
    let failed = NbdClient::connect(&fake.uri(), options).unwrap_err();
    assert!(matches!(failed, ConnectExport::Silent { .. }), "{failed:?}");
}

/// Bytes that look enough like NBD to get past the first checks.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let kind =
        prop_oneof![0..6_u32, (0..10_u32).prop_map(|code| option_reply::ERROR_BIT | code), any::<u32>()];
    let body = proptest::collection::vec(any::<u8>(), 0..40);
    let reply = (prop_oneof![Just(3), Just(7), Just(8), Just(10)], kind, body)
        .prop_map(|(option, kind, body)| OptionReply::encode(option, kind, &body).unwrap());
    let structured = Just(OptionReply::encode(option::STRUCTURED_REPLY, option_reply::ACK, &[]).unwrap());
    let noise = proptest::collection::vec(any::<u8>(), 0..60);
    proptest::collection::vec(prop_oneof![3 => reply, 1 => structured, 1 => noise], 0..8)
        .prop_map(|parts| [greeting(), parts.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_greeting_ends_in_an_export_or_an_error(
        bytes in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), plausible()],
    ) {
        let fake = Fake::saying(bytes);
        let _ = NbdClient::connect(&fake.uri(), quick());
        let _ = list_exports(&fake.uri(), &quick());
    }

    #[test]
    fn any_answer_to_a_request_ends_in_data_or_an_error(
        chunks in proptest::collection::vec(
            (any::<bool>(), 0..7_u16, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40)), 1..12),
        noise in proptest::collection::vec(any::<u8>(), 0..30),
    ) {
        let script = move |request: &Request, _| {
            let mut out: Vec<u8> = chunks.iter().flat_map(|(error, kind, done, body)| {
                let kind = kind | if *error { chunk::ERROR_BIT } else { 0 };
                piece(request, kind, u16::from(*done), body)
            }).collect();
            out.extend_from_slice(&noise);
            out
        };
        let fake = Fake::scripted(EXPORT, SIZES, Box::new(script));
        let options = ClientOptions { request_timeout: Duration::from_millis(30), ..quick() };
        let client = NbdClient::connect(&fake.uri(), options).unwrap();
        let _ = client.read_at(0, &mut [0; 64]);
        let _ = client.block_status(0, 4096);
    }
}
