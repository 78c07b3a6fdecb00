//! Damage on disk: a flipped bit in any object of the vault is found, named and never restored; a damaged state heals.

use holdfast_tests::appliance::Appliance;
use std::{
    fs,
    path::{Path, PathBuf},
};

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.metadata().unwrap().len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// A disk with text, zeroes and noise.
fn write_disk(path: &Path) {
    let mut bytes = vec![0_u8; 6 << 20];
    for (i, byte) in bytes.iter_mut().enumerate().take(4 << 20) {
        *byte = (i.wrapping_mul(2_654_435_761) >> 13) as u8;
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_bit_in_any_object_is_found_and_named_and_never_restored() {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk.raw");
    write_disk(&disk);
    let appliance = Appliance::start(&directory.path().join("data"), &[]);
    appliance.with_site("shop", &disk);
    appliance.cli(&["backup", "shop"]);
    let vault = appliance.data().join("vault");
    let objects = files_below(&vault);
    assert!(objects.len() >= 4, "a vault has at least a config, packs, an index and a manifest: {objects:?}");
    let restored = directory.path().join("restored.raw");
    for object in objects {
        let good = fs::read(&object).unwrap();
        for offset in [0, good.len() / 2, good.len() - 1] {
            flip(&object, offset);
            let name = object.strip_prefix(&vault).unwrap().to_str().unwrap();
            let said = appliance.try_cli(&["vault", "verify", "local", "--read-data"]);
            let text =
                format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
            assert!(
                !said.status.success(),
                "byte {offset} of {name} was flipped and verify found nothing:\n{text}"
            );
            assert!(text.contains(name), "verify does not name {name}:\n{text}");
            let _ = fs::remove_file(&restored);
            let restore = appliance.try_cli(&["restore", "shop", "--to", restored.to_str().unwrap()]);
            if restore.status.success() {
                assert!(
                    holdfast_tests::guest::same_bytes(&restored, &disk),
                    "byte {offset} of {name}: a restore gave wrong bytes"
                );
            }
            fs::write(&object, &good).unwrap();
        }
    }
    appliance.cli(&["vault", "verify", "local", "--read-data"]);
}

#[test]
fn a_damaged_state_heals_with_settings_and_history_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk.raw");
    write_disk(&disk);
    let mut appliance = Appliance::start(&directory.path().join("data"), &[]);
    appliance.with_site("shop", &disk);
    appliance.cli(&["backup", "shop"]);
    appliance.cli(&["state", "export", "--now"]);
    appliance.kill();
    let state = appliance.data().join("state");
    let whole = directory.path().join("whole");
    assert!(std::process::Command::new("cp").arg("-a").arg(&state).arg(&whole).status().unwrap().success());
    for file in files_below(&whole) {
        let length = fs::metadata(&file).unwrap().len();
        for (what, at) in
            [("flipped", length / 2), ("flipped", 0), ("truncated", length / 2), ("truncated", 0)]
        {
            fs::remove_dir_all(&state).unwrap();
            assert!(
                std::process::Command::new("cp")
                    .arg("-a")
                    .arg(&whole)
                    .arg(&state)
                    .status()
                    .unwrap()
                    .success()
            );
            let victim = state.join(file.strip_prefix(&whole).unwrap());
            if what == "flipped" {
                flip(&victim, usize::try_from(at).unwrap());
            } else {
                fs::File::options().write(true).open(&victim).unwrap().set_len(at).unwrap();
            }
            appliance.start_again();
            let context = format!("{what} at {at} of {}", victim.display());
            assert!(appliance.cli(&["server", "list"]).contains("shop"), "{context}: the server is gone");
            assert_eq!(
                appliance.json(&["points"]).as_array().unwrap().len(),
                1,
                "{context}: the point is gone"
            );
            let runs = appliance.json(&["runs"]);
            assert!(!runs.as_array().unwrap().is_empty(), "{context}: the history is gone");
            appliance.kill();
        }
    }
}
