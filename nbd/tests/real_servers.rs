//! The client against qemu-nbd and nbdkit, as Debian ships them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod parts;

use std::time::Duration;

use holdfast_nbd::{ClientOptions, ConnectExport, Extent, ExtentKind, NbdClient, ReadExport, Refusal};
use parts::{nbdkit, qemu_nbd, qemu_nbd_tcp, sparse_qcow2};

const MIB: u64 = 1024 * 1024;

fn pattern(length: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) | 0x9e37_0100;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_be_bytes()[0]
        })
        .collect()
}

fn connect(uri: &holdfast_nbd::NbdUri) -> NbdClient {
    NbdClient::connect(uri, ClientOptions::default()).unwrap()
}

fn read(client: &NbdClient, offset: u64, length: usize) -> Vec<u8> {
    let mut buffer = vec![0xaa; length];
    client.read_at(offset, &mut buffer).unwrap();
    buffer
}

#[test]
fn a_sparse_qcow2_reads_like_its_raw_twin_and_its_holes_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let (image, raw) = sparse_qcow2(
        folder.path(),
        64 * MIB,
        &[(0, &pattern(100_000, 1)), (40 * MIB, &pattern(3_000_000, 2))],
    );
    let server = qemu_nbd(folder.path(), &image, "qcow2", &["--shared", "8"]);
    let client = connect(&server.uri(""));

    assert_eq!(client.size(), 64 * MIB);
    assert!(client.is_read_only() && client.knows_holes());
    assert!(read(&client, 0, raw.len()) == raw, "the whole disk");
    assert!(read(&client, 41_943_039, 70_001) == raw[41_943_039..42_013_040], "an odd range");

    let extents = client.block_status(0, client.size()).unwrap();
    let mut next = 0;
    for extent in &extents {
        assert_eq!(extent.offset, next);
        next += extent.length;
        if extent.kind.reads_as_zeroes() {
            let range = extent.offset as usize..(extent.offset + extent.length) as usize;
            assert!(raw[range].iter().all(|byte| *byte == 0), "{extent:?} holds data");
        }
    }
    assert_eq!(next, client.size());
    let data: u64 = extents.iter().filter(|e| e.kind == ExtentKind::Data).map(|e| e.length).sum();
    assert!(data < 4 * MIB, "most of the disk is a hole, but {data} bytes count as data");

    let within = client.block_status(10 * MIB + 17, 1000).unwrap();
    assert_eq!(within, [Extent { offset: 10 * MIB + 17, length: 1000, kind: ExtentKind::Hole }]);
}

#[test]
fn tcp_works_like_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let (image, raw) = sparse_qcow2(folder.path(), 8 * MIB, &[(MIB, &pattern(500_000, 3))]);
    let (_server, uri) = qemu_nbd_tcp(&image);
    let client = connect(&uri);
    assert!(read(&client, 0, raw.len()) == raw);
}

#[test]
fn many_threads_share_one_client() {
    let folder = tempfile::tempdir().unwrap();
    let (image, raw) = sparse_qcow2(folder.path(), 16 * MIB, &[(0, &pattern(16 * MIB as usize, 4))]);
    for shared in ["1", "8"] {
        let server = qemu_nbd(folder.path(), &image, "qcow2", &["--shared", shared]);
        let client = connect(&server.uri(""));
        std::thread::scope(|scope| {
            for thread in 0..8_usize {
                let (client, raw) = (&client, &raw);
                scope.spawn(move || {
                    for step in 0..8 {
                        let at = (thread * 2 + step * 13) % 15 * MIB as usize;
                        assert!(read(client, at as u64, 900_000) == raw[at..at + 900_000]);
                    }
                });
            }
        });
    }
}

#[test]
fn reads_keep_to_the_block_sizes_a_server_insists_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = nbdkit(
        folder.path(),
        &[
            "--filter=blocksize-policy",
            "pattern",
            "size=1M",
            "blocksize-error-policy=error",
            "blocksize-minimum=4096",
            "blocksize-maximum=64k",
        ],
    );
    let client = connect(&server.uri(""));
    // The pattern plugin writes each eight-byte word's own offset.
    let whole: Vec<u8> = (0..MIB / 8).flat_map(|word| (word * 8).to_be_bytes()).collect();
    assert!(read(&client, 0, MIB as usize) == whole);
    assert!(read(&client, 4097, 300_001) == whole[4097..304_098]);
    assert!(read(&client, MIB - 1, 1) == whole[MIB as usize - 1..]);
}

#[test]
fn a_server_without_structured_replies_or_extents_is_read_in_full() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&["--no-sr", "pattern", "size=100000"][..], &["--filter=noextents", "pattern", "size=100000"][..]]
    {
        let server = nbdkit(folder.path(), arguments);
        let client = connect(&server.uri(""));
        let extents = client.block_status(100, 5000).unwrap();
        assert_eq!(extents, [Extent { offset: 100, length: 5000, kind: ExtentKind::Data }]);
        assert_eq!(read(&client, 8, 16), [[0, 0, 0, 0, 0, 0, 0, 8], [0, 0, 0, 0, 0, 0, 0, 16]].concat());
    }
}

#[test]
fn an_empty_disk_of_a_terabyte_is_one_hole() {
    let folder = tempfile::tempdir().unwrap();
    let server = nbdkit(folder.path(), &["memory", "size=1T"]);
    let client = connect(&server.uri(""));
    let extents = client.block_status(0, client.size()).unwrap();
    assert_eq!(extents, [Extent { offset: 0, length: 1 << 40, kind: ExtentKind::Hole }]);
    let odd = client.block_status(12_345, (5 << 30) + 1).unwrap();
    assert_eq!(odd, [Extent { offset: 12_345, length: (5 << 30) + 1, kind: ExtentKind::Hole }]);
}

#[test]
fn a_read_error_names_the_place_and_leaves_the_client_usable() {
    let folder = tempfile::tempdir().unwrap();
    let flag = folder.path().join("fail-now");
    let error_file = format!("error-file={}", flag.display());
    let server = nbdkit(
        folder.path(),
        &["--filter=error", "pattern", "size=1M", "error-pread=EIO", "error-pread-rate=100%", &error_file],
    );
    let client = connect(&server.uri(""));
    read(&client, 0, 512);
    std::fs::write(&flag, b"").unwrap();
    let failed = client.read_at(4096, &mut [0; 512]).unwrap_err();
    assert!(matches!(failed, ReadExport::Failed { offset: 4096, length: 512, code: 5, .. }), "{failed:?}");
    assert!(failed.to_string().contains("input/output error"), "{failed}");
    std::fs::remove_file(&flag).unwrap();
    read(&client, 4096, 512);
}

#[test]
fn a_restarted_server_is_found_again_but_another_disk_is_not_taken_for_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = nbdkit(folder.path(), &["pattern", "size=1M"]);
    let client = connect(&server.uri(""));
    let before = read(&client, 4096, 4096);

    server.kill();
    let mut server = nbdkit(folder.path(), &["pattern", "size=1M"]);
    assert_eq!(read(&client, 4096, 4096), before);

    server.kill();
    let mut server = nbdkit(folder.path(), &["pattern", "size=2M"]);
    let changed = client.read_at(0, &mut [0; 512]).unwrap_err();
    assert!(
        matches!(changed, ReadExport::Changed { before: 1_048_576, after: 2_097_152, .. }),
        "{changed:?}"
    );

    server.kill();
    let gone = client.read_at(0, &mut [0; 512]).unwrap_err();
    assert!(matches!(gone, ReadExport::Reconnect { .. }) && gone.is_temporary(), "{gone:?}");
}

#[test]
fn a_server_that_falls_silent_costs_two_timeouts_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let server = nbdkit(folder.path(), &["--filter=delay", "pattern", "size=1M", "delay-read=3600"]);
    let options = ClientOptions { request_timeout: Duration::from_millis(150), ..ClientOptions::default() };
    let client = NbdClient::connect(&server.uri(""), options).unwrap();
    let silent = client.read_at(0, &mut [0; 512]).unwrap_err();
    assert!(matches!(silent, ReadExport::Silent { .. }), "{silent:?}");
}

#[test]
fn exports_are_listed_and_a_wrong_name_is_refused_by_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.img"), vec![1; 4096]).unwrap();
    std::fs::write(folder.path().join("b.img"), vec![2; 8192]).unwrap();
    let exports = tempfile::tempdir().unwrap();
    for name in ["a.img", "b.img"] {
        std::fs::rename(folder.path().join(name), exports.path().join(name)).unwrap();
    }
    let dir = format!("dir={}", exports.path().display());
    let server = nbdkit(folder.path(), &["--readonly", "file", &dir]);
    let client = connect(&server.uri("b.img"));
    assert_eq!(read(&client, 0, 8192), vec![2; 8192]);
    let mut names: Vec<_> = client.list_exports().unwrap().into_iter().map(|export| export.name).collect();
    names.sort();
    assert_eq!(names, ["a.img", "b.img"]);

    let (image, _) = sparse_qcow2(folder.path(), MIB, &[]);
    let server = qemu_nbd(folder.path(), &image, "qcow2", &["--export-name", "vda"]);
    let refused = NbdClient::connect(&server.uri("vdb"), ClientOptions::default()).unwrap_err();
    assert!(matches!(refused, ConnectExport::Refused { refusal: Refusal::UnknownExport, .. }), "{refused:?}");
    assert_eq!(connect(&server.uri("vda")).size(), MIB);
}

#[test]
fn a_server_that_insists_on_tls_is_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.psk"), "alice:00112233445566778899aabbccddeeff\n").unwrap();
    let psk = format!("--tls-psk={}", folder.path().join("keys.psk").display());
    let server = nbdkit(folder.path(), &["--tls=require", &psk, "pattern", "size=1M"]);
    let refused = NbdClient::connect(&server.uri(""), ClientOptions::default()).unwrap_err();
    assert!(matches!(refused, ConnectExport::Refused { refusal: Refusal::TlsRequired, .. }), "{refused:?}");
}

#[test]
fn nobody_listening_is_said_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let uri = holdfast_nbd::NbdUri::unix(folder.path().join("none"), "");
    let failed = NbdClient::connect(&uri, ClientOptions::default()).unwrap_err();
    assert!(matches!(failed, ConnectExport::Connect { .. }), "{failed:?}");
    let uri = holdfast_nbd::NbdUri::tcp("name.invalid", 10809, "");
    let failed = NbdClient::connect(&uri, ClientOptions::default()).unwrap_err();
    assert!(matches!(failed, ConnectExport::Resolve { .. }), "{failed:?}");
}
