//! Bad input: a clear error that names the thing and the remedy, and nothing else. Existing points stay untouched.

use holdfast_tests::{
    appliance::{Appliance, binary},
    wait,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(120);

struct Site {
    directory: tempfile::TempDir,
    appliance: Appliance,
}

impl Site {
    /// A site with one server, one point and a vault, whose appliance may be started inside `wrapper`.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let disk = directory.path().join("disk.raw");
        write_noise(&disk, 4 << 20, 1);
        let appliance = Appliance::start(&directory.path().join("data"), &[]);
        appliance.with_site("shop", &disk);
        appliance.cli(&["backup", "shop"]);
        Self { directory, appliance }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn disk(&self) -> PathBuf {
        self.path("disk.raw")
    }

    /// A backup that must fail; returns what the run says.
    fn failing_backup(&self) -> String {
        let said = self.appliance.cli_error(&["backup", "shop"]);
        let run = self.newest_run();
        assert_eq!(run["state"], "failed", "{run}");
        format!("{said}\n{}\n{}", run["message"].as_str().unwrap(), self.log_of(&run))
    }

    fn newest_run(&self) -> Value {
        self.appliance.json(&["runs", "--limit", "1"])[0].clone()
    }

    fn log_of(&self, run: &Value) -> String {
        self.appliance.cli(&["runs", &run["id"].to_string(), "--log"])
    }

    /// The point that was there before is there and restores.
    fn first_point_still_restores(&self) {
        assert!(!self.appliance.json(&["points"]).as_array().unwrap().is_empty());
        let target = self.path("still.raw");
        let _ = fs::remove_file(&target);
        self.appliance.cli(&["restore", "shop", "--to", target.to_str().unwrap()]);
        assert_eq!(fs::metadata(&target).unwrap().len(), 4 << 20);
    }
}

/// Bytes that neither compress nor repeat.
fn write_noise(path: &Path, length: usize, seed: u64) {
    let mut state = seed;
    let bytes: Vec<u8> = (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect();
    fs::write(path, bytes).unwrap();
}

fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "the message does not say {part:?}:\n{text}");
    }
}

#[test]
fn a_missing_disk_is_named_and_older_points_stay() {
    let site = Site::new();
    let said = site.appliance.cli_error(&["server", "add", "ghost", "--disk", "/nowhere/ghost.raw"]);
    says(&said, &["/nowhere/ghost.raw"]);
    fs::rename(site.disk(), site.path("away.raw")).unwrap();
    says(&site.failing_backup(), &["disk.raw"]);
    let alerts = site.appliance.json(&["alerts"]);
    assert!(alerts.to_string().contains("backup-failed/shop"), "no alert was raised: {alerts}");
    site.first_point_still_restores();
    fs::rename(site.path("away.raw"), site.disk()).unwrap();
    site.appliance.cli(&["backup", "shop"]);
    let alerts = site.appliance.json(&["alerts"]);
    assert!(
        !alerts.to_string().contains("backup-failed/shop"),
        "the success did not resolve the alert: {alerts}"
    );
}

#[test]
fn an_image_locked_by_a_running_machine_is_refused_in_words() {
    let site = Site::new();
    let image = site.path("live.qcow2");
    assert!(
        Command::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2"])
            .arg(&image)
            .arg("8M")
            .status()
            .unwrap()
            .success()
    );
    let socket = site.path("lock.sock");
    let mut writer = Command::new("qemu-nbd")
        .args(["--persistent", "--format", "qcow2", "--socket"])
        .arg(&socket)
        .arg(&image)
        .spawn()
        .unwrap();
    wait::until("qemu-nbd holds the image", LIMIT, || socket.exists().then_some(()));
    let said = site.appliance.cli_error(&["server", "add", "live", "--disk", image.to_str().unwrap()]);
    writer.kill().unwrap();
    writer.wait().unwrap();
    says(&said, &["live.qcow2", "in use"]);
    site.appliance.cli(&["server", "add", "live", "--disk", image.to_str().unwrap()]);
}

#[test]
fn a_disk_with_another_size_than_before_is_still_backed_up() {
    let site = Site::new();
    for size in [2_u64 << 20, 6 << 20] {
        fs::File::options().write(true).open(site.disk()).unwrap().set_len(size).unwrap();
        site.appliance.cli(&["backup", "shop"]);
        let points = site.appliance.json(&["points"]).to_string();
        assert!(points.contains(&size.to_string()), "no point of {size} bytes: {points}");
    }
}

#[test]
fn an_unreadable_disk_is_named_with_the_place() {
    let site = Site::new();
    let socket = site.path("sick.sock");
    let mut server = Command::new("nbdkit")
        .args(["--foreground", "--exit-with-parent", "--unix"])
        .arg(&socket)
        .args(["--filter=error", "memory", "8M", "error-pread=EIO", "error-pread-rate=100%"])
        .spawn()
        .unwrap();
    wait::until("nbdkit listens", LIMIT, || socket.exists().then_some(()));
    let uri = format!("nbd+unix:///?socket={}", socket.display());
    site.appliance.cli(&["server", "add", "sick", "--disk", &uri]);
    // Holes are never read, so some data must be there for a read to fail; writes are not touched by the filter.
    assert!(
        Command::new("qemu-io")
            .args(["-f", "raw", "-c", "write -P 5 1M 1M"])
            .arg(&uri)
            .stdout(Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    let said = site.appliance.cli_error(&["backup", "sick"]);
    server.kill().unwrap();
    server.wait().unwrap();
    let run = site.newest_run();
    let text = format!("{said}\n{run}\n{}", site.log_of(&run));
    says(&text, &["sick", "disk0"]);
    site.first_point_still_restores();
    let alerts = site.appliance.json(&["alerts"]).to_string();
    says(&alerts, &["backup-failed/sick"]);
}

/// Starts an appliance whose vault lies on a file system made by `mount` commands in a mount namespace of its own.
fn serve_in_namespace(data: &Path, mounts: &str) -> (std::process::Child, Appliance) {
    let script = format!(
        "{mounts} && exec {} serve --data {} --listen 127.0.0.1:0 --no-tls",
        binary().display(),
        data.display()
    );
    let child = Command::new("unshare")
        .args(["--map-root-user", "--mount", "--kill-child", "sh", "-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::options().create(true).append(true).open(data.join("test-serve.log")).unwrap())
        .spawn()
        .unwrap();
    let appliance = Appliance::attach(data);
    wait::until("the appliance answers", LIMIT, || {
        appliance.try_cli(&["about", "--json"]).status.success().then_some(())
    });
    (child, appliance)
}

#[test]
fn a_full_vault_fails_the_backup_in_words_and_keeps_what_there_is() {
    let directory = tempfile::tempdir().unwrap();
    let (data, small) = (directory.path().join("data"), directory.path().join("small"));
    fs::create_dir_all(&data).unwrap();
    fs::create_dir_all(&small).unwrap();
    let disk = directory.path().join("disk.raw");
    write_noise(&disk, 4 << 20, 1);
    let (mut child, appliance) =
        serve_in_namespace(&data, &format!("mount -t tmpfs -o size=10m tmpfs {}", small.display()));
    appliance.cli(&["vault", "create", "local", small.join("vault").to_str().unwrap()]);
    appliance.cli(&["server", "add", "shop", "--disk", disk.to_str().unwrap()]);
    appliance.grant_backup();
    appliance.cli(&["backup", "shop"]);
    write_noise(&disk, 16 << 20, 2);
    let said = appliance.cli_error(&["backup", "shop"]);
    let run = appliance.json(&["runs", "--limit", "1"])[0].clone();
    let text = format!("{said}\n{run}\n{}", appliance.cli(&["runs", &run["id"].to_string(), "--log"]));
    says(&text, &["full"]);
    assert_eq!(appliance.json(&["points"]).as_array().unwrap().len(), 1);
    let target = directory.path().join("restored.raw");
    appliance.cli(&["restore", "shop", "--to", target.to_str().unwrap()]);
    assert_eq!(fs::metadata(&target).unwrap().len(), 4 << 20);
    appliance.cli(&["vault", "verify", "local", "--read-data"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_read_only_vault_still_restores_and_says_why_it_cannot_take_a_backup() {
    let mut site = Site::new();
    site.appliance.kill();
    let vault = site.appliance.data().join("vault");
    let mounts = format!("mount --bind {0} {0} && mount -o remount,bind,ro {0}", vault.display());
    let (mut child, appliance) = serve_in_namespace(site.appliance.data(), &mounts);
    write_noise(&site.disk(), 4 << 20, 9);
    let said = appliance.cli_error(&["backup", "shop"]);
    let run = appliance.json(&["runs", "--limit", "1"])[0].clone();
    let text = format!("{said}\n{run}\n{}", appliance.cli(&["runs", &run["id"].to_string(), "--log"]));
    says(&text, &["read-only"]);
    let target = site.path("restored.raw");
    appliance.cli(&["restore", "shop", "--to", target.to_str().unwrap()]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_wrong_key_is_told_from_a_damaged_vault() {
    let mut site = Site::new();
    let other = Site::new();
    let wrong = other.path("wrong.key");
    other.appliance.cli(&["vault", "key", "local", "--to", wrong.to_str().unwrap()]);
    let vault = site.appliance.data().join("vault");
    let said = other.appliance.cli_error(&[
        "points",
        "--vault",
        vault.to_str().unwrap(),
        "--key-file",
        wrong.to_str().unwrap(),
    ]);
    says(&said, &["key"]);
    site.appliance.kill();
    fs::copy(&wrong, site.appliance.data().join("keys/local.key")).unwrap();
    site.appliance.start_again();
    says(&site.failing_backup(), &["key"]);
}

#[test]
fn a_rule_that_never_fires_is_refused_with_the_rule_in_the_message() {
    let site = Site::new();
    let job =
        ["job", "add", "never", "--plugin", "holdfast.backup", "--job", "backup", "--set", "vault=local"];
    let said = site.appliance.cli_error(&[&job[..], &["--cron", "0 0 30 2 *"]].concat());
    says(&said, &["0 0 30 2 *", "never"]);
    let said = site.appliance.cli_error(&[&job[..], &["--cron", "61 * * * *"]].concat());
    says(&said, &["61 * * * *"]);
    let said =
        site.appliance.cli_error(&[&job[..], &["--cron", "0 1 * * *", "--zone", "Mars/Olympus"]].concat());
    says(&said, &["Mars/Olympus"]);
    assert!(!site.appliance.cli(&["job", "list"]).contains("never"));
}

#[test]
fn a_second_appliance_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let site = Site::new();
    let second = Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--no-tls", "--data"])
        .arg(site.appliance.data())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    says(&said, &[site.appliance.data().to_str().unwrap(), &site.appliance.pid().to_string()]);
    site.appliance.cli(&["backup", "shop"]);
}
