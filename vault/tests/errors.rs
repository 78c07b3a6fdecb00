//! Bad input costs a clear error and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::sync::Arc;

use holdfast_vault::*;
use support::faults::Faulty;
use support::*;

async fn vault() -> (Arc<Faulty>, Vault, RecoveryPoint) {
    let store = Faulty::new();
    let vault = Vault::create(store.place(), &key(), settings()).await.unwrap();
    let point = back_up(&vault, "web", 1, &noise(1, 400_000)).await.unwrap();
    (store, vault, point)
}

/// The error says something, and the vault is as good as before.
async fn assert_harmless(vault: &Vault, point: &RecoveryPoint, error: &VaultError) {
    let text = error.to_string();
    assert!(text.contains(';') && text.contains(':'), "what happened; what it means: what to do — {text}");
    assert_eq!(vault.points().await.unwrap().points.len(), 1, "after: {text}");
    assert!(restored(vault, point.id, "root").await.unwrap() == noise(1, 400_000));
    assert!(vault.verify(VerifyRequest { read_data: true }, &Control::new()).await.unwrap().is_clean());
}

async fn backup_of(vault: &Vault, disk: Arc<MemoryDisk>) -> Result<BackupReport> {
    vault.backup(request("web", 2, vec![BackupDisk::new("root", disk)]), &Control::new()).await
}

#[tokio::test]
async fn a_wrong_key_is_told_from_damage() {
    let (store, vault, point) = vault().await;
    let other = VaultKey::generate().unwrap();
    let error = Vault::open(store.place(), &other).await.unwrap_err();
    assert!(matches!(error, VaultError::WrongKey { .. }), "{error}");
    assert!(error.to_string().contains(&key().id().to_string()));
    assert_harmless(&vault, &point, &error).await;
}

#[tokio::test]
async fn no_vault_and_a_second_vault_are_refused() {
    let (store, vault, point) = vault().await;
    let again = Vault::create(store.place(), &key(), settings()).await.unwrap_err();
    assert!(matches!(again, VaultError::AlreadyAVault { .. }), "{again}");
    assert_harmless(&vault, &point, &again).await;
    let nothing = Vault::open(Faulty::new().place(), &key()).await.unwrap_err();
    assert!(matches!(nothing, VaultError::NotAVault { .. }), "{nothing}");
}

#[tokio::test]
async fn a_newer_format_is_refused_in_words() {
    let (store, _, _) = vault().await;
    for path in store.paths().await {
        let first = path.as_ref().split('/').next().unwrap().to_owned();
        if !["config", "points"].contains(&first.as_str()) {
            continue;
        }
        let copy = store.snapshot().await;
        let mut bytes = copy.read(&path).await;
        bytes[10] = 9;
        copy.write(&path, bytes).await;
        let outcome = async {
            let vault = Vault::open(copy.place(), &key()).await?;
            let list = vault.points().await?;
            match list.unreadable.first() {
                Some(point) => assert!(point.reason.contains("update Holdfast"), "{}", point.reason),
                None => drop(restored(&vault, list.points[0].id, "root").await?),
            }
            Ok::<_, VaultError>(())
        };
        match outcome.await {
            Err(error) => {
                assert!(matches!(error, VaultError::NewerFormat { found: 9, .. }), "{path}: {error}")
            }
            Ok(()) => assert_eq!(first, "points"),
        }
    }
}

#[tokio::test]
async fn an_unreadable_sector_names_disk_and_place() {
    let (_, vault, point) = vault().await;
    let disk = MemoryDisk::new(noise(2, 9 << 20));
    *disk.fail_at.lock() = Some(5 << 20);
    let error = backup_of(&vault, disk).await.unwrap_err();
    assert!(
        matches!(&error, VaultError::ReadDisk { disk, offset, .. } if disk == "root" && (4 << 20..=5 << 20).contains(offset)),
        "{error:?}"
    );
    assert_harmless(&vault, &point, &error).await;
}

#[tokio::test]
async fn a_disk_that_shrinks_or_grows_fails_its_backup() {
    let (_, vault, point) = vault().await;
    for now in [1 << 20, 20 << 20] {
        let disk = MemoryDisk::new(noise(2, 9 << 20));
        *disk.resize_at.lock() = Some((6 << 20, now));
        let error = backup_of(&vault, disk).await.unwrap_err();
        assert!(
            matches!(&error, VaultError::DiskResized { before, now: at, .. } if *before == 9 << 20 && *at == now),
            "{error:?}"
        );
        assert_harmless(&vault, &point, &error).await;
    }
}

#[tokio::test]
async fn a_full_vault_says_so_and_works_again_when_there_is_room() {
    let (store, vault, point) = vault().await;
    *store.full.lock() = true;
    let error = back_up(&vault, "web", 2, &noise(2, 400_000)).await.unwrap_err();
    assert!(matches!(error, VaultError::VaultFull { .. }), "{error}");
    *store.full.lock() = false;
    assert_harmless(&vault, &point, &error).await;
    back_up(&vault, "web", 2, &noise(2, 400_000)).await.unwrap();
}

#[tokio::test]
async fn a_full_file_system_is_a_full_vault() {
    // Needs the right to mount; where it is missing, the store that pretends above has to do.
    let directory = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
        .arg(directory.path())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        return;
    }
    let place = VaultStore::directory(directory.path().join("vault")).unwrap();
    let vault = Vault::create(place, &key(), settings()).await.unwrap();
    let point = back_up(&vault, "web", 1, &noise(1, 400_000)).await.unwrap();
    let error = back_up(&vault, "web", 2, &noise(2, 6 << 20)).await.unwrap_err();
    let harmless = async {
        assert!(matches!(error, VaultError::VaultFull { .. }), "{error:?}");
        assert_eq!(vault.points().await.unwrap().points.len(), 1);
        assert!(restored(&vault, point.id, "root").await.unwrap() == noise(1, 400_000));
    };
    harmless.await;
    drop(vault);
    std::process::Command::new("umount").arg("-l").arg(directory.path()).status().unwrap();
}

#[tokio::test]
async fn a_cancelled_backup_leaves_no_point_and_can_be_run_again() {
    let (_, vault, point) = vault().await;
    let control = Control::new();
    control.cancel();
    let disk = BackupDisk::new("root", MemoryDisk::new(noise(2, 9 << 20)));
    let error = vault.backup(request("web", 2, vec![disk]), &control).await.unwrap_err();
    assert!(matches!(error, VaultError::Cancelled), "{error}");
    assert_harmless(&vault, &point, &error).await;
    back_up(&vault, "web", 2, &noise(2, 9 << 20)).await.unwrap();
}

#[tokio::test]
async fn disks_need_names_of_their_own() {
    let (_, vault, point) = vault().await;
    let disk = || BackupDisk::new("root", MemoryDisk::new(noise(2, 1000)));
    let error = vault.backup(request("web", 2, vec![disk(), disk()]), &Control::new()).await.unwrap_err();
    assert!(matches!(error, VaultError::DuplicateDisk { .. }), "{error}");
    let none = vault.backup(request("web", 2, vec![]), &Control::new()).await.unwrap_err();
    assert!(matches!(none, VaultError::NoDisks), "{none}");
    assert_harmless(&vault, &point, &error).await;
}

#[tokio::test]
async fn a_target_that_is_too_small_is_not_touched() {
    let (_, vault, point) = vault().await;
    let target =
        Arc::new(MemoryTarget { bytes: vec![7; 1000].into(), fixed: true, ..MemoryTarget::default() });
    let request = RestoreRequest {
        point: point.id,
        disk: "root".into(),
        target: target.clone(),
        only_what_differs: false,
    };
    let error = vault.restore_disk(request, &Control::new()).await.unwrap_err();
    assert!(matches!(error, VaultError::TargetTooSmall { .. }), "{error}");
    assert!(target.bytes.lock().iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let (_, vault, point) = vault().await;
    let target: Arc<MemoryTarget> = Arc::default();
    let request = |point, disk: &str| RestoreRequest {
        point,
        disk: disk.into(),
        target: target.clone(),
        only_what_differs: false,
    };
    let disk = vault.restore_disk(request(point.id, "data"), &Control::new()).await.unwrap_err();
    assert!(matches!(&disk, VaultError::NoSuchDisk { available, .. } if available == "root"), "{disk}");
    let nobody: PointId = "00112233445566778899aabbccddeeff".parse().unwrap();
    let missing = vault.restore_disk(request(nobody, "root"), &Control::new()).await.unwrap_err();
    assert!(matches!(missing, VaultError::NoSuchPoint { .. }), "{missing}");
    assert!("xyz".parse::<PointId>().unwrap_err().to_string().contains("copy the id"));
}

#[tokio::test]
async fn a_directory_that_is_not_there_or_a_share_that_cannot_be_written_is_said_in_words() {
    let missing = VaultStore::directory("/nonexistent/deep/vault").unwrap_err();
    assert!(missing.to_string().contains("/nonexistent/deep/vault"), "{missing}");
    let read_only = VaultStore::directory("/proc/vault");
    if let Err(error) = read_only {
        assert!(!error.to_string().is_empty());
    }
}
