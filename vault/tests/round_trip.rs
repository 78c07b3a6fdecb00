//! What goes in comes out, and only what is new is stored.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::sync::Arc;

use holdfast_vault::*;
use proptest::prelude::*;
use support::faults::Faulty;
use support::*;

async fn vault_in(directory: &tempfile::TempDir) -> (Vault, VaultKey) {
    let key = VaultKey::generate().unwrap();
    let place = VaultStore::directory(directory.path().join("vault")).unwrap();
    (Vault::create(place, &key, settings()).await.unwrap(), key)
}

#[tokio::test]
async fn a_disk_comes_back_bit_for_bit() {
    let directory = tempfile::tempdir().unwrap();
    let (vault, key) = vault_in(&directory).await;
    let mut bytes = words(1, 9 << 20);
    bytes.extend(noise(2, 300_001));
    bytes[5 << 20..6 << 20].fill(0);
    let point = back_up(&vault, "web", 1, &bytes).await.unwrap();
    let again =
        Vault::open(VaultStore::directory(directory.path().join("vault")).unwrap(), &key).await.unwrap();
    assert!(restored(&again, point.id, "root").await.unwrap() == bytes);
    assert_eq!(point.stats.zero, 1 << 20);
    assert!(point.stats.stored < bytes.len() as u64);
}

#[tokio::test]
async fn the_second_point_stores_only_what_changed() {
    let directory = tempfile::tempdir().unwrap();
    let (vault, _) = vault_in(&directory).await;
    let mut bytes = noise(3, 12 << 20);
    let first = back_up(&vault, "web", 1, &bytes).await.unwrap();
    bytes[7 << 20..(7 << 20) + 100].fill(9);
    let second = back_up(&vault, "web", 2, &bytes).await.unwrap();
    assert_eq!(second.parent, Some(first.id));
    assert_eq!(second.stats.new, BLOCK as u64);
    assert_eq!(second.stats.changed, BLOCK as u64);
    assert!(second.stats.stored < 3 * BLOCK as u64 + 10_000, "{:?}", second.stats);
    assert!(restored(&vault, second.id, "root").await.unwrap() == bytes);
    let same = back_up(&vault, "web", 3, &bytes).await.unwrap();
    assert_eq!((same.stats.new, same.stats.stored), (0, 0));
}

#[tokio::test]
async fn a_moved_copy_of_known_data_is_not_stored_again() {
    let directory = tempfile::tempdir().unwrap();
    let (vault, _) = vault_in(&directory).await;
    let bytes = noise(3, 2 << 20);
    back_up(&vault, "web", 1, &bytes).await.unwrap();
    let mut moved = vec![0; 1 << 20];
    moved.extend(&bytes);
    let other = back_up(&vault, "db", 2, &moved).await.unwrap();
    assert_eq!((other.stats.new, other.stats.changed), (0, 2 << 20));
    assert!(restored(&vault, other.id, "root").await.unwrap() == moved);
}

#[tokio::test]
async fn holes_and_blocks_known_to_be_unchanged_are_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let (vault, _) = vault_in(&directory).await;
    let mut bytes = noise(4, 20 << 20);
    bytes[8 << 20..16 << 20].fill(0);
    let disk = MemoryDisk::new(bytes.clone());
    disk.holes.lock().push((8 << 20, 16 << 20));
    let first = vault
        .backup(request("web", 1, vec![BackupDisk::new("root", disk.clone())]), &Control::new())
        .await
        .unwrap()
        .point;
    assert_eq!(first.stats.read, 12 << 20);
    assert!(disk.reads.lock().iter().all(|(at, length)| *at + *length as u64 <= 8 << 20 || *at >= 16 << 20));
    disk.reads.lock().clear();
    bytes[5 << 20] ^= 1;
    *disk.bytes.lock() = bytes.clone();
    let change = (5_u64 << 20)..(5 << 20) + 1;
    let changed = ChangedBlocks { since: first.id, ranges: vec![change] };
    let known = BackupDisk { changed: Some(changed), ..BackupDisk::new("root", disk.clone()) };
    let second = vault.backup(request("web", 2, vec![known]), &Control::new()).await.unwrap().point;
    assert_eq!(second.stats.read, BLOCK as u64);
    assert!(restored(&vault, second.id, "root").await.unwrap() == bytes);
    // A list made against another point than the parent says nothing.
    let changed = ChangedBlocks { since: first.id, ranges: vec![] };
    let stale = BackupDisk { changed: Some(changed), ..BackupDisk::new("root", disk) };
    let third = vault.backup(request("web", 3, vec![stale]), &Control::new()).await.unwrap().point;
    assert_eq!(third.stats.read, 12 << 20);
}

#[tokio::test]
async fn a_raw_file_is_read_without_its_holes_and_restored_sparse() {
    use std::os::unix::fs::{FileExt, MetadataExt};
    let directory = tempfile::tempdir().unwrap();
    let (vault, _) = vault_in(&directory).await;
    let path = directory.path().join("disk.raw");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(64 << 20).unwrap();
    file.write_all_at(&noise(1, 3_000_000), 10 << 20).unwrap();
    let disk = BackupDisk::new("root", Arc::new(FileDisk::open(&path).unwrap()));
    let point = vault.backup(request("web", 1, vec![disk]), &Control::new()).await.unwrap().point;
    assert!(point.stats.read < 4 << 20, "{:?}", point.stats);
    let target = directory.path().join("restored.raw");
    let request = |target: FileTarget, only_what_differs| RestoreRequest {
        point: point.id,
        disk: "root".into(),
        target: Arc::new(target),
        only_what_differs,
    };
    let new = FileTarget::create(&target).unwrap();
    let report = vault.restore_disk(request(new, false), &Control::new()).await.unwrap();
    assert_eq!(report.size, 64 << 20);
    assert!(std::fs::read(&target).unwrap() == std::fs::read(&path).unwrap());
    assert!(std::fs::metadata(&target).unwrap().blocks() * 512 < 4 << 20);
    assert!(FileTarget::create(&target).is_err(), "what exists is not overwritten by a typing error");
    // Over an older state only what differs is written, and what must be zero becomes so.
    let file = std::fs::OpenOptions::new().write(true).open(&target).unwrap();
    file.write_all_at(b"changed", 11 << 20).unwrap();
    file.write_all_at(b"must go", 50 << 20).unwrap();
    let existing = FileTarget::existing(&target).unwrap();
    let report = vault.restore_disk(request(existing, true), &Control::new()).await.unwrap();
    assert_eq!(report.written, BLOCK as u64);
    assert!(std::fs::read(&target).unwrap() == std::fs::read(&path).unwrap());
}

#[tokio::test]
async fn a_recovery_point_holds_all_disks_and_what_the_caller_said() {
    let directory = tempfile::tempdir().unwrap();
    let (vault, _) = vault_in(&directory).await;
    let disks = vec![
        BackupDisk::new("root", MemoryDisk::new(noise(1, 100_000))),
        BackupDisk::new("data", MemoryDisk::new(noise(2, 5 << 20))),
        BackupDisk::new("empty", MemoryDisk::new(Vec::new())),
        BackupDisk::new("zero", MemoryDisk::new(vec![0; 9 << 20])),
    ];
    let made = vault.backup(request("web", 1, disks), &Control::new()).await.unwrap().point;
    let point = vault.point(made.id).await.unwrap();
    assert_eq!(point, made);
    assert_eq!(point.definition["cpus"], 2);
    assert_eq!(point.tags, ["nightly"]);
    assert!(restored(&vault, point.id, "root").await.unwrap() == noise(1, 100_000));
    assert!(restored(&vault, point.id, "data").await.unwrap() == noise(2, 5 << 20));
    assert!(restored(&vault, point.id, "empty").await.unwrap().is_empty());
    assert!(restored(&vault, point.id, "zero").await.unwrap() == vec![0; 9 << 20]);
    let usage = vault.usage().await.unwrap();
    assert_eq!(usage.points, 1);
    assert!(usage.data_bytes > 5 << 20 && usage.bytes > usage.data_bytes);
}

/// A piece of a disk.
#[derive(Clone, Debug)]
enum Piece {
    Noise(u64, usize),
    Words(u64, usize),
    Zeroes(usize),
    Hole(usize),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    // Few seeds, so that pieces repeat; lengths around block and leaf borders and odd ones.
    let length =
        prop_oneof![1..100_usize, Just(BLOCK), BLOCK - 3..BLOCK + 3, 1..700_000_usize, Just(4 << 20)];
    let piece = prop_oneof![
        (0..4_u64, length.clone()).prop_map(|(seed, length)| Piece::Noise(seed, length)),
        (0..4_u64, length.clone()).prop_map(|(seed, length)| Piece::Words(seed, length)),
        length.clone().prop_map(Piece::Zeroes),
        length.prop_map(Piece::Hole),
    ];
    prop::collection::vec(piece, 0..8)
}

fn disk_of(pieces: &[Piece]) -> Arc<MemoryDisk> {
    let mut bytes = Vec::new();
    let mut holes = Vec::new();
    for piece in pieces {
        let start = bytes.len() as u64;
        match piece {
            Piece::Noise(seed, length) => bytes.extend(noise(*seed, *length)),
            Piece::Words(seed, length) => bytes.extend(words(*seed, *length)),
            Piece::Zeroes(length) => bytes.resize(bytes.len() + length, 0),
            Piece::Hole(length) => {
                bytes.resize(bytes.len() + length, 0);
                holes.push((start, bytes.len() as u64));
            }
        }
    }
    let disk = MemoryDisk::new(bytes);
    *disk.holes.lock() = holes;
    disk
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_disk_comes_back_after_any_other(
        days in prop::collection::vec(pieces(), 1..4),
        block_size in prop_oneof![Just(BlockSize::FourKiB), Just(BlockSize::SixteenKiB), Just(BlockSize::SixtyFourKiB)],
        reads in prop::collection::vec((any::<u64>(), 1..100_000_usize), 5),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Faulty::new();
            let vault = Vault::create(store.place(), &key(), Settings { block_size, ..settings() }).await.unwrap();
            for (disk, number) in days.iter().map(|pieces| disk_of(pieces)).zip(1..) {
                let backed_up = BackupDisk::new("root", disk.clone());
                let point = vault.backup(request("web", number, vec![backed_up]), &Control::new()).await.unwrap().point;
                let bytes = disk.bytes.lock().clone();
                assert!(restored(&vault, point.id, "root").await.unwrap() == bytes);
                let reader = vault.open_disk(point.id, "root").await.unwrap();
                for (at, length) in &reads {
                    let at = (at % (bytes.len() as u64 + 1)) as usize;
                    let length = (*length).min(bytes.len() - at);
                    assert!(reader.read(at as u64, length).await.unwrap() == bytes[at..at + length]);
                    let extents = reader.extents(at as u64, length as u64).await.unwrap();
                    assert_eq!(extents.iter().map(|extent| extent.length).sum::<u64>(), length as u64);
                    for extent in extents.iter().filter(|extent| extent.hole) {
                        assert!(bytes[extent.offset as usize..][..extent.length as usize].iter().all(|byte| *byte == 0));
                    }
                }
            }
            let report = vault.verify(VerifyRequest { read_data: true }, &Control::new()).await.unwrap();
            assert!(report.is_clean(), "{report:?}");
        });
    }
}
