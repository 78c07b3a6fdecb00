//! The main job: a cron rule makes points by itself, the second stores only what changed, a restore is bit for bit.

use holdfast_tests::{appliance::Appliance, guest, wait};
use std::{fs, path::Path, time::Duration};

const LIMIT: Duration = Duration::from_secs(300);

/// Writes `from` over `to` in place, as a running server changes its own disk.
fn overwrite(from: &Path, to: &Path) {
    let mut reader = fs::File::open(from).unwrap();
    let mut writer = fs::File::options().write(true).open(to).unwrap();
    std::io::copy(&mut reader, &mut writer).unwrap();
    writer.sync_all().unwrap();
}

fn points(appliance: &Appliance) -> Vec<serde_json::Value> {
    let mut points = appliance.json(&["points", "--server", "shop"]).as_array().unwrap().clone();
    points.sort_by_key(|p| p["taken"].as_str().unwrap().to_owned());
    points
}

/// Waits until the last `n` settled runs of the job contain a success that began after `disk` was written.
fn wait_for_point_after(appliance: &Appliance, earlier: usize) -> Vec<serde_json::Value> {
    wait::until("another recovery point", LIMIT, || {
        let now = points(appliance);
        (now.len() > earlier).then_some(now)
    })
}

#[test]
fn a_debian_server_is_protected_by_a_cron_rule_and_restored_bit_for_bit() {
    let debian = guest::debian();
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("shop.raw");
    assert!(
        std::process::Command::new("cp")
            .arg("--sparse=always")
            .arg(&debian.day1)
            .arg(&disk)
            .status()
            .unwrap()
            .success()
    );

    let appliance = Appliance::start(&directory.path().join("data"), &[]);
    appliance.with_site("shop", &disk);
    appliance.cli(&[
        "job",
        "add",
        "nightly",
        "--plugin",
        "holdfast.backup",
        "--job",
        "backup",
        "--set",
        "vault=local",
        "--set",
        "servers=shop",
        "--cron",
        "*/5 * * * * *",
    ]);

    let first = wait_for_point_after(&appliance, 0);
    appliance.cli(&["job", "disable", "nightly"]);
    appliance.settled_runs(&["--job", "nightly"], LIMIT);
    let before = points(&appliance);
    overwrite(&debian.day2, &disk);
    appliance.cli(&["job", "enable", "nightly"]);
    let after = wait_for_point_after(&appliance, before.len());

    let full = first[0]["sizes"]["stored"].as_u64().unwrap();
    let second = &after[before.len()];
    let added = second["sizes"]["stored"].as_u64().unwrap();
    assert!(added > 0, "day two changed the disk, yet nothing was stored");
    assert!(
        added * 2 < full,
        "the second point stored {added} bytes, the first {full}: it is not incremental"
    );

    for (point, day, original) in [(&first[0], "day1", &debian.day1), (second, "day2", &debian.day2)] {
        let target = directory.path().join(format!("{day}.restored"));
        appliance.cli(&[
            "restore",
            &format!("shop@{}", point["id"].as_str().unwrap()),
            "--to",
            target.to_str().unwrap(),
        ]);
        assert!(guest::same_bytes(&target, original), "{day} was not restored bit for bit");
        let said = guest::check(&target, day);
        eprintln!("{day}: {said}");
    }
}

#[test]
fn a_restore_needs_no_appliance_only_the_vault_and_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk.raw");
    fs::write(&disk, vec![7_u8; 3 << 20]).unwrap();
    let data = directory.path().join("data");
    let mut appliance = Appliance::start(&data, &[]);
    appliance.with_site("shop", &disk);
    appliance.cli(&["backup", "shop"]);
    let key = directory.path().join("copy.key");
    appliance.cli(&["vault", "key", "local", "--to", key.to_str().unwrap()]);
    appliance.kill();

    let vault = data.join("vault");
    let offline = ["--vault", vault.to_str().unwrap(), "--key-file", key.to_str().unwrap()];
    let nowhere = Appliance::start(&directory.path().join("other"), &[]);
    let points = nowhere.json(&[&["points"][..], &offline].concat());
    assert_eq!(points.as_array().unwrap().len(), 1);
    nowhere.cli(&[&["verify", "--read-data"][..], &offline].concat());
    for format in ["raw", "qcow2"] {
        let target = directory.path().join(format!("back.{format}"));
        nowhere.cli(
            &[&["restore", "shop", "--to", target.to_str().unwrap(), "--format", format][..], &offline]
                .concat(),
        );
        let same = std::process::Command::new("qemu-img")
            .args(["compare", "-s", "-f", format, "-F", "raw"])
            .arg(&target)
            .arg(&disk)
            .output()
            .unwrap();
        assert!(
            same.status.success() || format == "qcow2" && guest_sees_the_same(&target, &disk),
            "{same:?}"
        );
    }
}

/// qemu-img rounds sizes up to a sector; contents must agree.
fn guest_sees_the_same(image: &Path, raw: &Path) -> bool {
    let compared = std::process::Command::new("qemu-img")
        .args(["compare", "-F", "raw"])
        .arg(image)
        .arg(raw)
        .output()
        .unwrap();
    compared.status.success()
}
