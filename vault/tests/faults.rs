//! Crashes at every change to the vault, backups and prunes at every moment of each other.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use holdfast_vault::*;
use support::faults::{Crash, Faulty};
use support::*;

async fn open(store: &Arc<Faulty>) -> Vault {
    Vault::open(store.place(), &key()).await.unwrap()
}

async fn assert_clean(vault: &Vault, context: &str) {
    let report = vault.verify(VerifyRequest { read_data: true }, &Control::new()).await.unwrap();
    assert!(report.is_clean(), "{context}: {report:?}");
}

/// Every point in the list restores to what was backed up under its server's name and day.
async fn assert_all_restore(vault: &Vault, contents: impl Fn(&RecoveryPoint) -> Vec<u8>, context: &str) {
    let list = vault.points().await.unwrap();
    assert!(list.unreadable.is_empty(), "{context}: {list:?}");
    for point in &list.points {
        let bytes =
            restored(vault, point.id, "root").await.unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(bytes == contents(point), "{context}: point of day {} differs", point.created);
    }
}

fn content(number: i64) -> Vec<u8> {
    // Some shared by all days, most the day's own.
    let mut bytes = noise(99, 200_000);
    bytes.extend(noise(number as u64, 900_000));
    bytes
}

fn content_of(point: &RecoveryPoint) -> Vec<u8> {
    content((point.created - day(0)).num_days())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_crashes_at_any_change_leaves_a_vault_that_works() {
    let store = Faulty::new();
    let vault = Vault::create(store.place(), &key(), settings()).await.unwrap();
    back_up(&vault, "web", 1, &content(1)).await.unwrap();
    for how in [Crash::Before, Crash::After] {
        let mut change = 0;
        loop {
            let copy = store.snapshot().await;
            let dying = copy.handle();
            dying.crash_at(change, how);
            let outcome = match Vault::open(dying.place(), &key()).await {
                Ok(vault) => back_up(&vault, "web", 2, &content(2)).await,
                Err(error) => Err(error),
            };
            let context = format!("crash {how:?} change {change}");
            let vault = open(&copy).await;
            assert_all_restore(&vault, content_of, &context).await;
            let next = back_up(&vault, "web", 3, &content(2)).await.unwrap();
            assert!(restored(&vault, next.id, "root").await.unwrap() == content(2), "{context}");
            // All of the crashed backup's packs that became durable are used again, and what is no use is collected.
            for number in 4..8 {
                vault.prune(PruneRequest::at(day(number)), &Control::new()).await.unwrap();
            }
            assert_clean(&vault, &context).await;
            let left = copy.paths().await;
            assert!(!left.iter().any(|path| path.as_ref().starts_with("pending/")), "{context}: {left:?}");
            if outcome.is_ok() {
                break;
            }
            change += 1;
        }
        assert!(change > 8, "only {change} changes were tried");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_interrupted_backup_stored_is_not_stored_again() {
    let store = Faulty::new();
    Vault::create(store.place(), &key(), settings()).await.unwrap();
    let dying = store.handle();
    // Everything but the index run and the manifest.
    let whole = {
        let copy = store.snapshot().await;
        let before = copy.changes();
        back_up(&open(&copy).await, "web", 1, &noise(5, 1 << 20)).await.unwrap();
        copy.changes() - before
    };
    dying.crash_at(whole - 4, Crash::Before);
    assert!(
        back_up(&Vault::open(dying.place(), &key()).await.unwrap(), "web", 1, &noise(5, 1 << 20))
            .await
            .is_err()
    );
    let again = back_up(&open(&store).await, "web", 2, &noise(5, 1 << 20)).await.unwrap();
    assert!(again.stats.stored < 1 << 18, "{:?}", again.stats);
}

/// A vault with an expired point whose grace is over, and a pack of it that is only partly needed.
async fn vault_to_prune() -> Arc<Faulty> {
    let store = Faulty::new();
    let vault = Vault::create(store.place(), &key(), Settings { grace_secs: 0, ..settings() }).await.unwrap();
    let old = back_up(&vault, "web", 1, &content(1)).await.unwrap();
    back_up(&vault, "web", 2, &content(2)).await.unwrap();
    vault.expire(&[old.id], day(2)).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prune_that_crashes_at_any_change_loses_nothing_and_the_next_one_finishes_it() {
    let store = vault_to_prune().await;
    for how in [Crash::Before, Crash::After] {
        let mut change = 0;
        loop {
            let copy = store.snapshot().await;
            let dying = copy.handle();
            dying.crash_at(change, how);
            let vault = Vault::open(dying.place(), &key()).await.unwrap();
            let outcome = vault.prune(PruneRequest::at(day(3)), &Control::new()).await;
            let context = format!("crash {how:?} change {change}");
            let vault = open(&copy).await;
            assert_all_restore(&vault, content_of, &context).await;
            back_up(&vault, "db", 3, &content(3)).await.unwrap();
            for number in 4..8 {
                vault.prune(PruneRequest::at(day(number)), &Control::new()).await.unwrap();
            }
            assert_all_restore(&vault, content_of, &context).await;
            assert_clean(&vault, &context).await;
            let left = copy.paths().await;
            let leftovers = left.iter().filter(|path| path.as_ref().starts_with("intents/")).count();
            assert_eq!(leftovers, 0, "{context}");
            assert_eq!(vault.points().await.unwrap().points.len(), 2, "{context}");
            if outcome.is_ok() {
                break;
            }
            change += 1;
        }
        assert!(change > 6, "only {change} changes were tried");
    }
}

/// What runs against a prune.
#[derive(Clone, Copy, Debug)]
enum Rival {
    /// A backup that finds its blocks in packs the prune deletes.
    FindsBlocks,
    /// A backup whose parent the prune removes.
    HasParent,
    /// Another prune.
    Prune,
}

async fn run_rival(vault: &Vault, rival: Rival, old: PointId) -> bool {
    match rival {
        Rival::FindsBlocks => back_up(vault, "db", 1, &content(1)).await.is_ok(),
        Rival::HasParent => {
            let disk = BackupDisk::new("root", MemoryDisk::new(content(1)));
            let request = BackupRequest { parent: Parent::Point(old), ..request("web", 1, vec![disk]) };
            vault.backup(request, &Control::new()).await.is_ok()
        }
        Rival::Prune => vault.prune(PruneRequest::at(day(3)), &Control::new()).await.is_ok(),
    }
}

/// Runs a prune up to its n-th operation, a rival up to its m-th, the rest of the prune, the rest of the rival.
async fn interleave(
    store: &Arc<Faulty>,
    rival: Rival,
    prune_steps: usize,
    rival_steps: usize,
) -> (bool, bool) {
    let copy = store.snapshot().await;
    let old =
        open(&copy).await.points().await.unwrap().points.iter().find(|p| p.expired.is_some()).unwrap().id;
    let (pruning, racing) = (copy.gated(), copy.gated());
    let pruned = Arc::new(AtomicBool::new(false));
    let raced = Arc::new(AtomicBool::new(false));
    let prune = {
        let (pruning, done) = (pruning.clone(), pruned.clone());
        tokio::spawn(async move {
            let vault = Vault::open(pruning.place(), &key()).await.unwrap();
            let outcome = vault.prune(PruneRequest::at(day(3)), &Control::new()).await;
            done.store(true, SeqCst);
            outcome.unwrap();
        })
    };
    let race = {
        let (racing, done) = (racing.clone(), raced.clone());
        tokio::spawn(async move {
            let vault = Vault::open(racing.place(), &key()).await.unwrap();
            let succeeded = run_rival(&vault, rival, old).await;
            done.store(true, SeqCst);
            succeeded
        })
    };
    pruning.allow(prune_steps);
    pruning.settled(|| pruned.load(SeqCst)).await;
    let prune_over = pruned.load(SeqCst);
    racing.allow(rival_steps);
    racing.settled(|| raced.load(SeqCst)).await;
    let race_over = raced.load(SeqCst);
    pruning.allow(1_000_000);
    prune.await.unwrap();
    racing.allow(1_000_000);
    let acknowledged = race.await.unwrap();
    let context = format!("{rival:?}, {prune_steps} steps of the prune, {rival_steps} of its rival");
    let vault = open(&copy).await;
    let check = async |context: &str| {
        assert_all_restore(&vault, content_of, context).await;
        assert_clean(&vault, context).await;
        let points = vault.points().await.unwrap().points;
        let expected = 1 + usize::from(acknowledged && !matches!(rival, Rival::Prune));
        assert!(
            points.len() == expected || points.iter().any(|p| p.expired.is_some()),
            "{context}: {points:?}"
        );
    };
    check(&context).await;
    for number in 4..7 {
        vault.prune(PruneRequest::at(day(number)), &Control::new()).await.unwrap();
    }
    check(&format!("{context}, pruned again")).await;
    (prune_over, race_over)
}

async fn all_interleavings(rival: Rival, stride: usize) {
    let store = vault_to_prune().await;
    let mut runs = 0;
    let mut prune_steps = 0;
    loop {
        // Strides of different remainders, so that all pairs of residues occur.
        let mut rival_steps = prune_steps % stride;
        let prune_over = loop {
            let (prune_over, race_over) = interleave(&store, rival, prune_steps, rival_steps).await;
            runs += 1;
            if race_over {
                break prune_over;
            }
            rival_steps += stride;
        };
        if prune_over {
            break;
        }
        prune_steps += 1;
    }
    assert!(runs > 100, "only {runs} interleavings were tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_finds_its_blocks_in_dying_packs_is_whole_at_every_interleaving() {
    all_interleavings(Rival::FindsBlocks, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_whose_parent_dies_is_whole_at_every_interleaving() {
    all_interleavings(Rival::HasParent, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_prunes_lose_nothing_at_every_interleaving() {
    all_interleavings(Rival::Prune, 3).await;
}
