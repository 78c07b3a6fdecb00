//! What goes, what stays, and when.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod support;

use holdfast_vault::*;
use support::faults::Faulty;
use support::*;

async fn prune(vault: &Vault, number: i64) -> PruneReport {
    vault.prune(PruneRequest::at(day(number)), &Control::new()).await.unwrap()
}

async fn verified(vault: &Vault) -> VerifyReport {
    vault.verify(VerifyRequest { read_data: true }, &Control::new()).await.unwrap()
}

async fn new_vault(settings: Settings) -> (std::sync::Arc<Faulty>, Vault) {
    let store = Faulty::new();
    let vault = Vault::create(store.place(), &key(), settings).await.unwrap();
    (store, vault)
}

#[tokio::test]
async fn an_expired_point_restores_until_its_grace_is_over_and_then_frees_its_space() {
    let (_, vault) = new_vault(settings()).await;
    let old = back_up(&vault, "web", 1, &noise(1, 1 << 20)).await.unwrap();
    let new = back_up(&vault, "web", 2, &noise(2, 1 << 20)).await.unwrap();
    prune(&vault, 2).await;
    vault.expire(&[old.id], day(2)).await.unwrap();
    let waiting = prune(&vault, 2).await;
    assert!(waiting.points_removed.is_empty());
    assert!(restored(&vault, old.id, "root").await.unwrap() == noise(1, 1 << 20));
    let plan = vault.plan_prune(PruneRequest::at(day(4)), &Control::new()).await.unwrap();
    let done = prune(&vault, 4).await;
    assert_eq!(plan, done.plan);
    assert_eq!(done.points_removed, [old.id]);
    assert!(done.bytes_freed > 1 << 20, "{done:?}");
    assert!(matches!(vault.point(old.id).await, Err(VaultError::NoSuchPoint { .. })));
    assert!(restored(&vault, new.id, "root").await.unwrap() == noise(2, 1 << 20));
    let report = verified(&vault).await;
    assert!(report.is_clean(), "{report:?}");
    assert!(vault.usage().await.unwrap().bytes < (1 << 20) + 200_000);
}

#[tokio::test]
async fn a_point_called_back_within_its_grace_stays() {
    let (_, vault) = new_vault(settings()).await;
    let old = back_up(&vault, "web", 1, &noise(1, 300_000)).await.unwrap();
    back_up(&vault, "web", 2, &noise(2, 300_000)).await.unwrap();
    vault.expire(&[old.id], day(2)).await.unwrap();
    assert!(vault.point(old.id).await.unwrap().expired.is_some());
    vault.unexpire(old.id).await.unwrap();
    for number in 2..6 {
        assert!(prune(&vault, number).await.points_removed.is_empty());
    }
    assert!(restored(&vault, old.id, "root").await.unwrap() == noise(1, 300_000));
}

#[tokio::test]
async fn a_clock_a_year_ahead_does_not_end_a_grace_of_a_week() {
    let (_, vault) = new_vault(Settings { grace_secs: 7 * 86_400, ..settings() }).await;
    let old = back_up(&vault, "web", 1, &noise(1, 300_000)).await.unwrap();
    back_up(&vault, "web", 2, &noise(2, 300_000)).await.unwrap();
    prune(&vault, 2).await;
    vault.expire(&[old.id], day(2)).await.unwrap();
    assert!(prune(&vault, 400).await.points_removed.is_empty());
    assert!(prune(&vault, 2).await.points_removed.is_empty());
    assert!(prune(&vault, 400).await.points_removed.is_empty());
    assert!(restored(&vault, old.id, "root").await.is_ok());
}

#[tokio::test]
async fn held_points_and_the_last_ones_are_not_expired() {
    let minimum = MinimumRetention { points: 2, age_secs: 0 };
    let (_, vault) = new_vault(Settings { minimum, ..settings() }).await;
    let mut points = Vec::new();
    for number in 1..=4 {
        points.push(back_up(&vault, "web", number, &noise(number as u64, 50_000)).await.unwrap().id);
    }
    vault.hold(points[0], "evidence", day(4)).await.unwrap();
    let held = vault.expire(&points[..1], day(4)).await.unwrap_err();
    assert!(matches!(held, VaultError::PointHeld { .. }), "{held}");
    let few = vault.expire(&points[1..], day(4)).await.unwrap_err();
    assert!(matches!(few, VaultError::MinimumRetention { .. }), "{few}");
    assert!(vault.points().await.unwrap().points.iter().all(|point| point.expired.is_none()));
    vault.release(points[0]).await.unwrap();
    vault.expire(&points[..2], day(4)).await.unwrap();
    vault.hold(points[1], "found something", day(4)).await.unwrap();
    prune(&vault, 4).await;
    assert_eq!(prune(&vault, 6).await.points_removed, [points[0]]);
}

#[tokio::test]
async fn young_points_are_not_expired() {
    let minimum = MinimumRetention { points: 1, age_secs: 2 * 86_400 };
    let (_, vault) = new_vault(Settings { minimum, ..settings() }).await;
    let old = back_up(&vault, "web", 1, &noise(1, 50_000)).await.unwrap();
    let young = back_up(&vault, "web", 4, &noise(2, 50_000)).await.unwrap();
    back_up(&vault, "web", 5, &noise(3, 50_000)).await.unwrap();
    assert!(matches!(
        vault.expire(&[old.id, young.id], day(5)).await,
        Err(VaultError::MinimumRetention { point, .. }) if point == young.id
    ));
    vault.expire(&[old.id], day(5)).await.unwrap();
}

#[tokio::test]
async fn a_pack_of_which_little_is_needed_is_rewritten_and_the_rest_is_not_touched() {
    let (store, vault) = new_vault(Settings { pack_size: 1 << 20, ..settings() }).await;
    let mut bytes = noise(1, 3 << 20);
    let old = back_up(&vault, "web", 1, &bytes).await.unwrap();
    // One block in four of the first megabyte stays.
    for block in (0..64).filter(|block| block % 4 != 0) {
        bytes[block * BLOCK..(block + 1) * BLOCK].fill(0);
    }
    let new = back_up(&vault, "web", 2, &bytes).await.unwrap();
    vault.expire(&[old.id], day(2)).await.unwrap();
    prune(&vault, 2).await;
    let before = store.paths().await;
    let report = prune(&vault, 4).await;
    assert!(report.packs_repacked >= 1, "{report:?}");
    assert!(report.bytes_freed > 700_000, "{report:?}");
    let after = store.paths().await;
    let kept =
        before.iter().filter(|path| path.as_ref().starts_with("data/") && after.contains(path)).count();
    assert!(kept >= 2, "dense packs stay as they are: {before:?} {after:?}");
    assert!(restored(&vault, new.id, "root").await.unwrap() == bytes);
    assert!(verified(&vault).await.is_clean());
    let again = prune(&vault, 5).await;
    assert_eq!((again.packs_deleted, again.packs_repacked), (0, 0), "a rewritten pack is dense: {again:?}");
}

#[tokio::test]
async fn a_reader_that_began_before_a_rewrite_reads_on() {
    let (_, vault) = new_vault(settings()).await;
    let mut bytes = noise(1, 1 << 20);
    let old = back_up(&vault, "web", 1, &bytes).await.unwrap();
    for block in (0..64).filter(|block| block % 2 != 0) {
        bytes[block * BLOCK..(block + 1) * BLOCK].fill(0);
    }
    let new = back_up(&vault, "web", 2, &bytes).await.unwrap();
    let reader = vault.open_disk(new.id, "root").await.unwrap();
    assert_eq!(&reader.read(0, 100).await.unwrap()[..], &bytes[..100]);
    vault.expire(&[old.id], day(2)).await.unwrap();
    prune(&vault, 2).await;
    assert!(prune(&vault, 4).await.packs_repacked > 0);
    assert!(reader.read(0, bytes.len()).await.unwrap() == bytes);
}

#[tokio::test]
async fn what_cannot_be_read_stops_a_prune_before_it_deletes() {
    let (store, vault) = new_vault(settings()).await;
    let old = back_up(&vault, "web", 1, &noise(1, 300_000)).await.unwrap();
    back_up(&vault, "web", 2, &noise(2, 300_000)).await.unwrap();
    back_up(&vault, "db", 2, &noise(3, 300_000)).await.unwrap();
    prune(&vault, 2).await;
    vault.expire(&[old.id], day(2)).await.unwrap();
    let paths = store.paths().await;
    for path in
        paths.iter().filter(|path| path.as_ref().starts_with("points/") || path.as_ref().starts_with("map/"))
    {
        if path.as_ref().ends_with(&old.id.to_string()) {
            continue;
        }
        let copy = store.snapshot().await;
        let mut bytes = copy.read(path).await;
        bytes[100] ^= 1;
        copy.write(path, bytes).await;
        let before = copy.paths().await;
        let damaged = Vault::open(copy.place(), &key()).await.unwrap();
        let outcome = damaged.prune(PruneRequest::at(day(4)), &Control::new()).await;
        if outcome.is_err() {
            assert!(matches!(outcome, Err(VaultError::CannotMark { .. })), "{outcome:?}");
            assert_eq!(before, copy.paths().await);
        } else {
            // The map page was of the point that goes.
            assert!(path.as_ref().starts_with("map/"));
        }
    }
}
