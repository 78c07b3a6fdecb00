//! Builds the bundled plugins as components and puts them into the binary, so that `cargo build` alone gives one file
//! that does everything.
//!
//! A second cargo, in a target directory of its own below `OUT_DIR`, because the plugins are for another machine and have
//! another profile. It gets none of what the outer build was told about flags.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

#[allow(dead_code, unreachable_pub, reason = "the build only appends")]
#[path = "src/plugin/section.rs"]
mod section;

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "plugin";
/// Folder in `plugins/` and crate.
const PLUGINS: &[(&str, &str)] = &[("backup", "holdfast-backup")];

fn main() {
    if let Err(reason) = build() {
        // The only way a build script can speak to a person: it ends the build with these words.
        println!("cargo::error={reason}");
    }
}

fn build() -> Result<(), String> {
    let workspace = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("..");
    let out = PathBuf::from(variable("OUT_DIR")?);
    watch(&workspace);
    compile(&workspace, &out.join("plugins"))?;
    let mut list = String::from("/// The packages in this binary.\nstatic BUNDLED: &[&[u8]] = &[\n");
    for (folder, name) in PLUGINS {
        let component = out.join("plugins").join(TARGET).join(PROFILE).join(name.replace('-', "_") + ".wasm");
        let manifest = workspace.join("plugins").join(folder).join("plugin.toml");
        let mut package = read(&component)?;
        section::append(&mut package, "holdfast:manifest", &read(&manifest)?);
        let packed = out.join(format!("{name}.wasm"));
        write_if_new(&packed, &package)?;
        list.push_str(&format!("    include_bytes!({:?}),\n", packed.display().to_string()));
    }
    list.push_str("];\n");
    write_if_new(&out.join("bundled.rs"), list.as_bytes())
}

/// Only what the plugins are made of; the host's own sources must not start this again.
fn watch(workspace: &Path) {
    let mut watched: Vec<PathBuf> =
        ["wit", "Cargo.lock", "plugins/sdk/src", "plugins/sdk/Cargo.toml"].map(PathBuf::from).into();
    for (folder, _) in PLUGINS {
        watched.extend(
            ["src", "Cargo.toml", "plugin.toml"].map(|part| Path::new("plugins").join(folder).join(part)),
        );
    }
    watched.push(PathBuf::from("host/src/plugin/section.rs"));
    for path in watched {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
}

fn compile(workspace: &Path, target: &Path) -> Result<(), String> {
    let mut cargo = Command::new(variable("CARGO")?);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let foreign = text.starts_with("CARGO")
            && text != "CARGO"
            && text != "CARGO_HOME"
            && text != "CARGO_NET_OFFLINE";
        if foreign || text.ends_with("RUSTFLAGS") || text.contains("RUSTC_W") || text == "CLIPPY_ARGS" {
            cargo.env_remove(&name);
        }
    }
    cargo.current_dir(workspace).args(["build", "--locked", "--target", TARGET, "--profile", PROFILE]);
    cargo.arg("--target-dir").arg(target);
    for (_, name) in PLUGINS {
        cargo.args(["-p", name]);
    }
    let built = cargo
        .output()
        .map_err(|error| format!("cargo could not be started to build the bundled plugins: {error}"))?;
    if built.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&built.stderr);
    if said.contains("target may not be installed") {
        return Err(format!(
            "the bundled plugins need the target {TARGET}: run `rustup target add {TARGET}` and build again"
        ));
    }
    for line in said.lines() {
        println!("cargo::warning={line}");
    }
    Err("the bundled plugins did not build; the compiler's words are above".to_owned())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set; build with cargo"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

/// Leaves a file alone that is as it should be: its time tells cargo whether the host must be built again.
fn write_if_new(path: &Path, content: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    fs::write(path, content).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}
