//! What goes in comes out, and only what is new is stored.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

mod support;

use holdfast_vault::*;
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
