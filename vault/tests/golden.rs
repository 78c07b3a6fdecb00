//! A vault of each format that ever was opens for ever. `golden/v1` was made by the code that first wrote format 1.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use holdfast_vault::*;
use support::*;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// What its two points hold.
fn content(number: u64) -> Vec<u8> {
    let mut bytes = words(1, 200_000);
    bytes.resize(5 << 20, 0);
    bytes.extend(noise(2, 20_000));
    bytes.extend(words(number, 30_001));
    bytes
}

fn golden_key() -> VaultKey {
    VaultKey::from_text(&std::fs::read_to_string(golden().join("key.txt")).unwrap()).unwrap()
}

/// A copy, since opening must not be the first step to changing it.
fn copy_of_golden() -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => copy(&entry.path(), &to),
                false => drop(std::fs::copy(entry.path(), to).unwrap()),
            }
        }
    }
    let directory = tempfile::tempdir().unwrap();
    copy(&golden().join("vault"), directory.path());
    directory
}

#[tokio::test]
async fn a_vault_of_format_1_restores_and_takes_new_points() {
    let directory = copy_of_golden();
    let place = || VaultStore::directory(directory.path()).unwrap();
    let vault = Vault::open(place(), &golden_key()).await.unwrap();
    let list = vault.points().await.unwrap();
    assert!(list.unreadable.is_empty());
    let [first, second] = &list.points[..] else { panic!("two points: {list:?}") };
    assert!(restored(&vault, first.id, "root").await.unwrap() == content(1));
    assert!(restored(&vault, second.id, "root").await.unwrap() == content(2));
    assert_eq!(first.held.as_ref().unwrap().reason, "golden");
    assert_eq!(second.previous.as_ref().unwrap().point, first.id);
    assert!(vault.verify(VerifyRequest { read_data: true }, &Control::new()).await.unwrap().is_clean());
    let third = back_up(&vault, "web", 3, &content(2)).await.unwrap();
    assert_eq!(third.stats.stored, 0);
    vault.prune(PruneRequest::at(day(4)), &Control::new()).await.unwrap();
    assert!(restored(&vault, third.id, "root").await.unwrap() == content(2));
}

/// The reader in Python, which shares no code with the vault. `tests/run` installs the packages it needs.
#[test]
fn a_second_reader_written_from_the_format_page_restores_the_same_disk() {
    let python = std::env::var("HOLDFAST_PYTHON").unwrap_or_else(|_| "python3".into());
    let imports = Command::new(&python).args(["-c", "import blake3, cryptography, zstandard"]).output();
    assert!(
        imports.is_ok_and(|output| output.status.success()),
        "{python} lacks blake3, cryptography or zstandard: run ./tests/run, which installs them, or name a Python that has \
         them in HOLDFAST_PYTHON"
    );
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vault_reader/read_point.py");
    let run = |arguments: &[&std::ffi::OsStr]| {
        let output = Command::new(&python)
            .arg(&reader)
            .arg(golden().join("vault"))
            .arg(golden().join("key.txt"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let listing = run(&[]);
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("disk");
    let mut restored = 0;
    for line in listing.lines() {
        let point = line.split(' ').next().unwrap();
        run(&[point.as_ref(), "root".as_ref(), target.as_os_str()]);
        let bytes = std::fs::read(&target).unwrap();
        assert!(bytes == content(1) || bytes == content(2));
        restored += 1;
    }
    assert_eq!(restored, 2);
}

/// Makes the golden vault of a new format: set the directory above, run with `--ignored`, and never change it again.
#[tokio::test]
#[ignore = "writes into the source tree"]
async fn make_a_golden_vault() {
    assert!(!golden().exists(), "a golden vault is made once");
    std::fs::create_dir_all(golden()).unwrap();
    std::fs::write(golden().join("key.txt"), key().to_text() + "\n").unwrap();
    let settings = Settings { minimum: MinimumRetention { points: 1, age_secs: 0 }, ..Settings::default() };
    let vault = Vault::create(VaultStore::directory(golden().join("vault")).unwrap(), &key(), settings)
        .await
        .unwrap();
    let first = back_up(&vault, "web", 1, &content(1)).await.unwrap();
    back_up(&vault, "web", 2, &content(2)).await.unwrap();
    vault.hold(first.id, "golden", day(2)).await.unwrap();
}
