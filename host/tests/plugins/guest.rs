//! The misbehaving guest, built once for all tests.

use holdfast::plugin::package::attach_manifest;
use std::{path::Path, process::Command, sync::LazyLock};

/// The guest's manifest.
pub(crate) const MANIFEST: &str = include_str!("../../../tests/guests/plugins/misbehaving/plugin.toml");

static COMPONENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let mut cargo = Command::new(env!("CARGO"));
    // What the test's own build was told is not for a guest.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy().into_owned();
        let foreign =
            name_text.starts_with("CARGO_") && name_text != "CARGO_HOME" || name_text.ends_with("RUSTFLAGS");
        if foreign || name_text == "RUSTC_WORKSPACE_WRAPPER" {
            cargo.env_remove(&name);
        }
    }
    let built = cargo
        .current_dir(workspace)
        .args([
            "build",
            "--locked",
            "-p",
            "holdfast-misbehaving",
            "--target",
            "wasm32-wasip2",
            "--profile",
            "plugin",
        ])
        .arg("--target-dir")
        .arg(&target)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    std::fs::read(target.join("wasm32-wasip2/plugin/holdfast_misbehaving.wasm")).unwrap()
});

/// The component without a manifest.
pub(crate) fn component() -> Vec<u8> {
    COMPONENT.clone()
}

/// The package, unsigned.
pub(crate) fn package() -> Vec<u8> {
    attach_manifest(component(), MANIFEST).unwrap()
}
