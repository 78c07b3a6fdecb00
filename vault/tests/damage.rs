//! A flipped bit or a missing end anywhere: found, named, never returned, and healed where the source still has it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::sync::Arc;

use holdfast_vault::*;
use object_store::path::Path;
use support::faults::Faulty;
use support::*;

async fn verified(vault: &Vault, read_data: bool) -> VerifyReport {
    vault.verify(VerifyRequest { read_data }, &Control::new()).await.unwrap()
}

/// Two servers, three points, a hold, a tombstone, a clock, a record of what waits.
async fn full_vault() -> (Arc<Faulty>, Vec<(PointId, Vec<u8>)>) {
    let store = Faulty::new();
    let vault = Vault::create(store.place(), &key(), settings()).await.unwrap();
    let mut contents = Vec::new();
    for (server, number) in [("web", 1), ("web", 2), ("db", 3)] {
        let mut bytes = words(number as u64, 300_000);
        bytes.extend(noise(7, 100_000));
        bytes.extend(noise(number as u64, 200_000));
        let point = back_up(&vault, server, number, &bytes).await.unwrap();
        contents.push((point.id, bytes));
    }
    vault.expire(&[contents[0].0], day(3)).await.unwrap();
    vault.hold(contents[1].0, "evidence", day(3)).await.unwrap();
    vault.prune(PruneRequest::at(day(3)), &Control::new()).await.unwrap();
    (store, contents)
}

/// Whatever happened to the vault, it returns what was backed up or an error.
async fn assert_nothing_wrong_is_returned(
    store: &Arc<Faulty>,
    contents: &[(PointId, Vec<u8>)],
    context: &str,
) -> bool {
    let Ok(vault) = Vault::open(store.place(), &key()).await else { return false };
    let mut all = true;
    for (point, bytes) in contents {
        match restored(&vault, *point, "root").await {
            Ok(back) => assert!(back == *bytes, "{context}: restored something else"),
            Err(_) => all = false,
        }
        let Ok(reader) = vault.open_disk(*point, "root").await else { continue };
        for offset in (0..bytes.len() - 4096).step_by(90_000) {
            if let Ok(read) = reader.read(offset as u64, 4096).await {
                assert!(read == bytes[offset..offset + 4096], "{context}: read something else");
            }
        }
    }
    all
}

async fn assert_found(store: &Arc<Faulty>, path: &Path, context: &str) {
    match Vault::open(store.place(), &key()).await {
        Err(error) => assert!(error.to_string().contains(path.as_ref()), "{context}: {error}"),
        Ok(vault) => {
            let report = verified(&vault, true).await;
            assert!(
                report.damages.iter().any(|damage| damage.object == path.as_ref()),
                "{context}: not found: {report:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_in_any_object_is_found_named_and_never_returned() {
    let (store, contents) = full_vault().await;
    let mut cases = 0;
    for path in store.paths().await {
        let whole = store.read(&path).await;
        // Every byte of the first hundred would be slow; ends, and places spread over the middle.
        let step = (whole.len() / 9).max(1);
        let places = (0..whole.len()).step_by(step).chain([8, 10, 17, whole.len() - 17, whole.len() - 1]);
        for at in places.filter(|at| *at < whole.len()) {
            let copy = store.snapshot().await;
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            copy.write(&path, bytes).await;
            let context = format!("{path} byte {at} of {}", whole.len());
            assert_nothing_wrong_is_returned(&copy, &contents, &context).await;
            // A higher number where the format is written is a newer format, which is said in other words.
            assert_found(&copy, &path, &context).await;
            cases += 1;
        }
    }
    assert!(cases > 150, "only {cases} cases");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_off_object_is_found_named_and_never_returned() {
    let (store, contents) = full_vault().await;
    for path in store.paths().await {
        let whole = store.read(&path).await;
        for length in [0, 7, 20, whole.len() / 2, whole.len() - 1] {
            let copy = store.snapshot().await;
            copy.write(&path, whole[..length.min(whole.len() - 1)].to_vec()).await;
            let context = format!("{path} cut at {length} of {}", whole.len());
            assert_nothing_wrong_is_returned(&copy, &contents, &context).await;
            assert_found(&copy, &path, &context).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_index_costs_nothing_but_time() {
    let (store, contents) = full_vault().await;
    for path in store.paths().await.iter().filter(|path| path.as_ref().starts_with("index/")) {
        store.remove(path).await;
    }
    assert!(assert_nothing_wrong_is_returned(&store, &contents, "no index").await);
    let vault = Vault::open(store.place(), &key()).await.unwrap();
    let (_, bytes) = &contents[1];
    let next = back_up(&vault, "web", 4, bytes).await.unwrap();
    assert_eq!(next.stats.stored, 0);
    assert!(verified(&vault, true).await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_pack_is_named_with_the_ranges_it_takes() {
    let (store, contents) = full_vault().await;
    let mut hit = 0;
    for path in store.paths().await.iter().filter(|path| path.as_ref().starts_with("data/")) {
        let copy = store.snapshot().await;
        copy.remove(path).await;
        assert_nothing_wrong_is_returned(&copy, &contents, path.as_ref()).await;
        let vault = Vault::open(copy.place(), &key()).await.unwrap();
        let report = verified(&vault, false).await;
        let damage = report.damages.iter().find(|damage| damage.object == path.as_ref()).unwrap();
        assert_eq!(damage.reason, "it is missing");
        for range in &damage.hits {
            let (_, bytes) = contents.iter().find(|(point, _)| *point == range.point).unwrap();
            let reader = vault.open_disk(range.point, &range.disk).await.unwrap();
            let error = reader.read(range.offset, 1).await.unwrap_err();
            assert!(error.is_damage(), "{error}");
            assert!(range.offset + range.length <= bytes.len() as u64);
            // What is not named is whole.
            for offset in (0..bytes.len() as u64).step_by(BLOCK) {
                let named = damage.hits.iter().any(|hit| {
                    hit.point == range.point && (hit.offset..hit.offset + hit.length).contains(&offset)
                });
                assert_eq!(reader.read(offset, 1).await.is_err(), named);
            }
            hit += 1;
        }
    }
    assert!(hit > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_backup_heals_what_the_disk_still_has() {
    let (store, contents) = full_vault().await;
    for path in store.paths().await {
        if !(path.as_ref().starts_with("data/") || path.as_ref().starts_with("map/")) {
            continue;
        }
        let copy = store.snapshot().await;
        let mut bytes = copy.read(&path).await;
        let middle = bytes.len() / 3;
        bytes[middle] ^= 4;
        copy.write(&path, bytes).await;
        let vault = Vault::open(copy.place(), &key()).await.unwrap();
        assert!(!verified(&vault, true).await.is_clean());
        for (server, (_, content)) in [("web", &contents[1]), ("db", &contents[2])] {
            let healed = back_up(&vault, server, 5, content).await.unwrap();
            assert!(restored(&vault, healed.id, "root").await.unwrap() == *content, "{path}");
        }
        // The older points of the same content are whole again, too, and stay so when the damaged pack is given up.
        for number in 5..9 {
            assert!(restored(&vault, contents[1].0, "root").await.unwrap() == contents[1].1, "{path}");
            assert!(restored(&vault, contents[2].0, "root").await.unwrap() == contents[2].1, "{path}");
            vault.prune(PruneRequest::at(day(number)), &Control::new()).await.unwrap();
        }
    }
}
