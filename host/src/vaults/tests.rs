//! The room on a real vault in a temporary directory.

use super::*;
use crate::{
    clock::{Clock as _, HandClock},
    model::{
        name::{RunId, ServerName},
        vault::VaultChoices,
    },
};
use chrono::{TimeDelta, TimeZone, Utc};
use holdfast_vault::{BackupDisk, BackupRequest, Consistency, Control, FileDisk, Parent, RetentionRule};

struct Site {
    directory: tempfile::TempDir,
    clock: Arc<HandClock>,
    store: Store,
    vaults: Vaults,
}

impl Site {
    async fn new(choices: VaultChoices) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = HandClock::new(Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap());
        let store = Store::open(directory.path()).unwrap();
        let vaults = Vaults::new(directory.path(), store.clone(), clock.clone());
        vaults.create(local(), directory.path().join("vault"), &choices).await.unwrap();
        Self { directory, clock, store, vaults }
    }

    /// A point of a small disk, an hour after the last.
    async fn point(&self, fill: u8) -> String {
        self.clock.set(self.clock.now() + TimeDelta::hours(1));
        let disk = self.directory.path().join("disk.raw");
        std::fs::write(&disk, vec![fill; 64 << 10]).unwrap();
        let vault = self.vaults.open(&local()).await.unwrap();
        let request = BackupRequest {
            server: server_of(&db1()),
            created: self.clock.now(),
            consistency: Consistency::Crash,
            definition: serde_json::Value::Null,
            tags: BackupOrigin(RunId(7)).tags(),
            disks: vec![BackupDisk::new("disk0", Arc::new(FileDisk::open(disk).unwrap()))],
            parent: Parent::Newest,
        };
        let report = vault.backup(request, &Control::new()).await.unwrap();
        self.vaults.remember(&local(), &report.point).await.unwrap().id
    }

    fn cached(&self) -> Vec<crate::model::point::PointRecord> {
        let mut records = self.store.points.list().unwrap();
        records.sort_by_key(|r| r.taken);
        records
    }
}

fn local() -> VaultName {
    VaultName::new("local").unwrap()
}

fn db1() -> ServerName {
    ServerName::new("db1").unwrap()
}

/// Two points at least, no minimum age.
fn choices() -> VaultChoices {
    VaultChoices { minimum_hours: 0, minimum_points: 2, ..VaultChoices::default() }
}

#[tokio::test]
async fn the_cache_can_be_made_anew_from_the_vault_alone() {
    let site = Site::new(choices()).await;
    site.point(1).await;
    site.point(2).await;
    let before = site.cached();
    assert_eq!(before.len(), 2);
    assert_eq!(before[0].run, Some(RunId(7)));
    for record in &before {
        site.store.points.remove(&format!("local/{}", record.id)).await.unwrap();
    }
    site.store.points.put(&"local/ghost".to_owned(), &before[0]).await.unwrap();
    assert!(site.vaults.refresh(&local()).await.unwrap().is_empty());
    assert_eq!(site.cached(), before);
}

#[tokio::test]
async fn retention_lets_go_what_the_rule_does_not_keep_but_never_below_the_minimum() {
    let site = Site::new(choices()).await;
    let mut made = Vec::new();
    for fill in 1..=4 {
        made.push(site.point(fill).await);
    }
    let rule = RetentionRule { last: 1, ..RetentionRule::default() };
    assert_eq!(site.vaults.would_expire(&db1(), &local(), &rule).await.unwrap(), made[..3]);
    let gone = site.vaults.apply_retention(&db1(), &local(), &rule).await.unwrap();
    assert_eq!(gone, made[..2], "the third is protected by the minimum of two");
    let expired = site.cached().iter().filter(|r| r.expired.is_some()).count();
    assert_eq!(expired, 2);
    assert!(site.vaults.apply_retention(&db1(), &local(), &rule).await.unwrap().is_empty());
    site.vaults.unexpire(&local(), &made[0]).await.unwrap();
    assert_eq!(site.cached().iter().filter(|r| r.expired.is_some()).count(), 1);
}

#[tokio::test]
async fn a_hold_survives_retention_and_only_its_holder_or_a_person_ends_it() {
    let site = Site::new(choices()).await;
    let first = site.point(1).await;
    for fill in 2..=4 {
        site.point(fill).await;
    }
    site.vaults.hold(&local(), &first, "before the move", "user:ann").await.unwrap();
    let rule = RetentionRule { last: 1, ..RetentionRule::default() };
    let gone = site.vaults.apply_retention(&db1(), &local(), &rule).await.unwrap();
    assert!(!gone.contains(&first));
    let refused = site.vaults.release(&local(), &first, Some("plugin:acme.x")).await;
    assert!(matches!(refused, Err(VaultsError::HeldByAnother { .. })), "{refused:?}");
    site.vaults.release(&local(), &first, None).await.unwrap();
    site.point(5).await;
    site.vaults.expire(&local(), &first).await.unwrap();
}

#[tokio::test]
async fn without_its_key_a_vault_is_closed_and_with_the_kept_copy_it_opens_again() {
    let site = Site::new(choices()).await;
    let point = site.point(1).await;
    let copy = site.vaults.key_text(&local()).unwrap();
    site.vaults.detach(&local()).await.unwrap();
    assert!(site.cached().is_empty());
    std::fs::remove_file(site.directory.path().join("keys/local.key")).unwrap();
    let place = site.directory.path().join("vault");
    assert!(matches!(
        site.vaults.attach(local(), place.clone(), "rubbish").await,
        Err(VaultsError::NotAKey(_))
    ));
    assert!(matches!(site.vaults.open(&local()).await, Err(VaultsError::Unknown(_))));
    site.vaults.attach(local(), place, &copy).await.unwrap();
    assert_eq!(site.cached()[0].id, point);
}

#[tokio::test]
async fn a_vault_that_cannot_be_made_leaves_no_key_behind() {
    let site = Site::new(choices()).await;
    let name = VaultName::new("second").unwrap();
    let nowhere = site.directory.path().join("no/such/parent/vault");
    assert!(site.vaults.create(name.clone(), nowhere, &choices()).await.is_err());
    assert!(!site.directory.path().join("keys/second.key").exists());
    let taken = site.directory.path().join("vault");
    assert!(site.vaults.create(name, taken, &choices()).await.is_err());
    assert!(!site.directory.path().join("keys/second.key").exists());
}
