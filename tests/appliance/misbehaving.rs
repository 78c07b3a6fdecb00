//! Plugins that misbehave in the real appliance: each ends as the right outcome with words for a person, and a backup that
//! runs beside them is not disturbed.

use holdfast_tests::{appliance::Appliance, guest};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(180);

/// Builds the misbehaving guest and packs it, unsigned.
fn package(directory: &Path) -> PathBuf {
    let source = guest::repository().join("tests/guests/plugins/misbehaving");
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("guest-plugins");
    let mut cargo = Command::new("cargo");
    // What the tests' own build was told is not for a guest.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().into_owned();
        if text.starts_with("CARGO_") && text != "CARGO_HOME" || text.ends_with("RUSTFLAGS") {
            cargo.env_remove(&name);
        }
    }
    let built = cargo
        .current_dir(guest::repository())
        .args(["build", "--locked", "-p", "holdfast-misbehaving", "--profile", "plugin"])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let package = directory.join("misbehaving.plugin");
    let packed = Command::new(holdfast_tests::appliance::binary())
        .args(["plugin", "pack"])
        .arg(target.join("wasm32-wasip2/plugin/holdfast_misbehaving.wasm"))
        .arg("--manifest")
        .arg(source.join("plugin.toml"))
        .arg("--out")
        .arg(&package)
        .output()
        .unwrap();
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    package
}

/// Signs a copy of the package with a new key.
fn signed(package: &Path, directory: &Path, name: &str) -> PathBuf {
    let (key, out) = (directory.join(format!("{name}.key")), directory.join(format!("{name}.plugin")));
    for arguments in [
        vec!["plugin".into(), "keygen".into(), "--out".into(), key.clone().into_os_string()],
        vec![
            "plugin".into(),
            "sign".into(),
            package.as_os_str().to_owned(),
            "--key".into(),
            key.into_os_string(),
            "--out".into(),
            out.clone().into_os_string(),
        ],
    ] {
        let done = Command::new(holdfast_tests::appliance::binary()).args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    out
}

/// The newest run of a job that was asked for, once it has ended.
fn settled(appliance: &Appliance, job: &str) -> Value {
    appliance.settled_runs(&["--job", job], LIMIT).first().cloned().expect("the job was asked to run")
}

/// Each misdeed and how it must end.
const MISDEEDS: [(&str, &str, &str); 9] = [
    ("spin", "failed", "cpu-limit"),
    ("sleep", "failed", "time-limit"),
    ("allocate", "failed", "memory-limit"),
    ("recurse", "failed", "other-limit"),
    ("panic", "failed", "trap"),
    ("abort", "failed", "trap"),
    ("flood-log", "succeeded", "reported"),
    ("reach-out", "succeeded", "reported"),
    ("denied", "succeeded", "reported"),
];

#[test]
fn every_misdeed_ends_in_words_and_a_backup_beside_them_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk.raw");
    fs::write(&disk, vec![3_u8; 8 << 20]).unwrap();
    let appliance = Appliance::start(&directory.path().join("data"), &["--accept-unsigned-plugins"]);
    appliance.with_site("shop", &disk);
    let package = package(directory.path());
    let said = appliance.cli(&["plugin", "inspect", package.to_str().unwrap()]);
    assert!(said.contains("servers"), "inspect hides an import that the manifest does not name:\n{said}");
    appliance.cli(&["plugin", "install", package.to_str().unwrap()]);
    appliance.cli(&[
        "job",
        "add",
        "backup",
        "--plugin",
        "holdfast.backup",
        "--job",
        "backup",
        "--set",
        "vault=local",
        "--cron",
        "*/2 * * * * *",
    ]);
    for (job, _, _) in MISDEEDS {
        appliance.cli(&["job", "add", job, "--plugin", "acme.misbehaving", "--job", job, "--timeout", "5s"]);
        appliance.cli(&["job", "run", job, "--no-wait"]);
    }
    for (job, state, cause) in MISDEEDS {
        let run = settled(&appliance, job);
        assert_eq!(
            (run["state"].as_str(), run["cause"].as_str()),
            (Some(state), Some(cause)),
            "{job}: {run}"
        );
        let message = run["message"].as_str().unwrap();
        assert!(message.len() > 10, "{job} ended without words: {run}");
        eprintln!("{job}: {message}");
    }
    let before = appliance.json(&["points"]).as_array().unwrap().len();
    assert!(before > 0, "no backup was made beside the misbehaving plugins");
    let runs = appliance.json(&["runs", "--job", "backup"]);
    for run in runs.as_array().unwrap() {
        let state = run["state"].as_str().unwrap();
        assert!(!matches!(state, "failed" | "degraded" | "interrupted"), "a backup was disturbed: {run}");
    }
}

#[test]
fn a_package_that_is_not_what_its_publisher_signed_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let appliance = Appliance::start(&directory.path().join("data"), &[]);
    let unsigned = package(directory.path());
    let install = |path: &Path| appliance.cli_error(&["plugin", "install", path.to_str().unwrap()]);
    assert!(install(&unsigned).contains("sign"), "an unsigned package was not refused for that");

    let good = signed(&unsigned, directory.path(), "acme");
    let bytes = fs::read(&good).unwrap();
    let forged = directory.path().join("forged.plugin");
    let mut changed = bytes.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(&forged, changed).unwrap();
    install(&forged);
    let mut longer = bytes.clone();
    longer.extend_from_slice(&[0, 5, 4, b'l', b'a', b't', b'e']);
    fs::write(&forged, longer).unwrap();
    install(&forged);
    fs::write(&forged, &bytes[..bytes.len() - 40]).unwrap();
    install(&forged);
    assert!(!appliance.cli(&["plugin", "list"]).contains("acme.misbehaving"));

    appliance.cli(&["plugin", "install", good.to_str().unwrap()]);
    let thief = signed(&unsigned, directory.path(), "thief");
    let said = install(&thief);
    assert!(said.contains("key"), "another publisher's key was not the reason:\n{said}");
}
