//! The whole way: an image into a vault, and out of it as an image again.

use std::sync::Arc;

use chrono::DateTime;
use holdfast_vault::{
    BackupDisk, BackupReport, BackupRequest, Consistency, Control, Parent, RestoreRequest, Server, Settings,
    Vault, VaultError, VaultKey, VaultStore,
};

use super::super::export::ImageExport;
use super::*;

async fn vault(folder: &Path) -> Vault {
    let store = VaultStore::directory(folder.join("vault")).unwrap();
    Vault::create(store, &VaultKey::generate().unwrap(), Settings::default()).await.unwrap()
}

async fn back_up(vault: &Vault, disk: Box<dyn DiskReader>) -> Result<BackupReport, VaultError> {
    let request = BackupRequest {
        server: Server { id: "web".to_owned(), name: "web".to_owned() },
        created: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        consistency: Consistency::Crash,
        definition: serde_json::Value::Null,
        tags: vec![],
        disks: vec![BackupDisk::new("disk0", Arc::from(disk))],
        parent: Parent::Newest,
    };
    vault.backup(request, &Control::new()).await
}

#[tokio::test]
async fn an_image_backed_up_comes_back_as_the_same_disk_in_another_format() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let image = folder.path().join("a.qcow2");
    convert(&raw, "qcow2", &[], &image);
    let vault = vault(folder.path()).await;
    let report = back_up(&vault, open(&image, DiskFormat::Auto).unwrap()).await.unwrap();

    for (format, name) in [(DiskFormat::Qcow2, "qcow2"), (DiskFormat::Vhdx, "vhdx"), (DiskFormat::Raw, "raw")]
    {
        let target = folder.path().join(name);
        let export = ImageExport::begin(&target, format, false).unwrap();
        let request = RestoreRequest {
            point: report.point.id,
            disk: "disk0".to_owned(),
            target: export.writer(),
            only_what_differs: false,
        };
        vault.restore_disk(request, &Control::new()).await.unwrap();
        export.finish(&|| false).unwrap();
        qemu_img(&[
            "compare",
            "-q",
            "-f",
            "raw",
            "-F",
            name,
            raw.to_str().unwrap(),
            target.to_str().unwrap(),
        ]);
    }
}

#[tokio::test]
async fn a_disk_that_comes_into_use_or_breaks_makes_no_recovery_point() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let vault = vault(folder.path()).await;

    let disk = open(&raw, DiskFormat::Auto).unwrap();
    let machine = Writer::start(&raw, "raw");
    let failed = back_up(&vault, disk).await.unwrap_err();
    let chain = chain_of(&failed);
    assert!(chain.contains("came into use by a running virtual machine"), "{chain}");
    drop(machine);

    let image = folder.path().join("a.qcow2");
    convert(&raw, "qcow2", &[], &image);
    let disk = open(&image, DiskFormat::Auto).unwrap();
    let pid = readers(&image)[0];
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    wait_until(|| readers(&image).is_empty());
    let failed = back_up(&vault, disk).await.unwrap_err();
    let chain = chain_of(&failed);
    assert!(chain.contains("qemu-nbd ended"), "{chain}");
    assert_eq!(vault.points().await.unwrap().points.len(), 0);
}

fn chain_of(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
