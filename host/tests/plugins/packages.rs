//! Packages that lie: forged, stripped, moved, damaged, too new, too costly. Each is refused in words and leaves nothing.

use crate::{
    bench::{Bench, GUEST},
    guest,
};
use holdfast::{
    model::{
        name::PluginId,
        plugin::{Capability, Publisher},
        run::RunState,
    },
    plugin::{
        Plugins,
        compile::Bounds,
        keys::{self, SigningKey},
        package::{attach_manifest, sign},
    },
};
use std::time::Duration;

fn signed(manifest: &str, key: &SigningKey) -> Vec<u8> {
    sign(attach_manifest(guest::component(), manifest).unwrap(), key).unwrap()
}

async fn strict() -> Bench {
    Bench::empty(|setup| setup.accept_unsigned = false).await
}

async fn refused(bench: &Bench, package: Vec<u8>, said: &str) {
    let before = bench.store.plugins.list().unwrap();
    let error = bench.plugins.install(package.into(), "user:test").await.unwrap_err();
    assert!(error.to_string().contains(said), "{error}");
    assert_eq!(bench.store.plugins.list().unwrap(), before, "something was installed");
}

#[tokio::test]
async fn a_signed_package_installs_and_pins_its_publishers_key() {
    let bench = strict().await;
    let (key, other) = (keys::generate().unwrap(), keys::generate().unwrap());
    let record = bench.plugins.install(signed(guest::MANIFEST, &key).into(), "user:test").await.unwrap();
    assert_eq!(record.publisher, Publisher::Signed { key: key.public().to_string() });
    let newer = guest::MANIFEST.replace("version = \"1.0.0\"", "version = \"1.0.1\"");
    refused(&bench, signed(&newer, &other), "is known here with key").await;
    bench.plugins.install(signed(&newer, &key).into(), "user:test").await.unwrap();
    refused(&bench, signed(guest::MANIFEST, &key), "is older than 1.0.1").await;
}

#[tokio::test]
async fn an_unsigned_or_stripped_package_is_refused() {
    refused(&strict().await, guest::package(), "is not signed").await;
}

#[tokio::test]
async fn a_package_changed_after_signing_is_refused() {
    let bench = strict().await;
    let mut package = signed(guest::MANIFEST, &keys::generate().unwrap());
    let middle = package.len() / 2;
    package[middle] ^= 1;
    refused(&bench, package, "does not fit its contents").await;
}

#[tokio::test]
async fn a_core_module_and_a_text_file_are_refused_by_name() {
    let bench = strict().await;
    refused(&bench, b"\0asm\x01\0\0\0".to_vec(), "core module").await;
    refused(&bench, b"#!/bin/sh".to_vec(), "not a WebAssembly component").await;
}

#[tokio::test]
async fn a_component_with_corrupted_code_does_not_compile_and_says_so() {
    let bench = Bench::empty(|_| {}).await;
    let mut component = guest::component();
    let code = component.len() / 3;
    component[code..code + 64].fill(0xff);
    let package = attach_manifest(component, guest::MANIFEST).unwrap();
    refused(&bench, package, "does not compile").await;
}

#[tokio::test]
async fn a_component_that_is_no_plugin_does_not_fit_and_says_so() {
    let bench = Bench::empty(|_| {}).await;
    let package = attach_manifest(b"\0asm\x0d\0\x01\0".to_vec(), guest::MANIFEST).unwrap();
    refused(&bench, package, "does not export what a plugin must").await;
}

#[tokio::test]
async fn compiling_is_bounded_in_time() {
    let bench = Bench::empty(|setup| {
        setup.compile_bounds = Bounds { time: Duration::from_millis(1), ..Bounds::default() };
    })
    .await;
    refused(&bench, guest::package(), "to compile").await;
}

#[tokio::test]
async fn compiling_is_bounded_in_memory() {
    let bench =
        Bench::empty(|setup| setup.compile_bounds = Bounds { memory: 24 << 20, ..Bounds::default() }).await;
    refused(&bench, guest::package(), "to compile").await;
}

#[tokio::test]
async fn inspecting_shows_what_is_really_imported_and_installs_nothing() {
    let bench = Bench::empty(|_| {}).await;
    let shown = bench.plugins.inspect(guest::package().into()).await.unwrap();
    assert_eq!(shown.problems, Vec::<String>::new());
    assert!(shown.imports.contains(&"holdfast:servers/servers@0.1.0".to_owned()), "{:?}", shown.imports);
    assert!(bench.store.plugins.list().unwrap().is_empty());
}

#[tokio::test]
async fn a_changed_compiled_file_is_compiled_again_and_never_loaded() {
    let bench = Bench::with_guest().await;
    let compiled = bench.directory.path().join("plugins/compiled");
    let files = || std::fs::read_dir(&compiled).unwrap().map(|entry| entry.unwrap().path());
    let code = files().find(|path| path.extension().is_none()).unwrap();
    let good = std::fs::read(&code).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 0xff;
    std::fs::write(&code, &bad).unwrap();
    let again = reopen(&bench).await;
    let id = PluginId::new(GUEST).unwrap();
    let context = crate::bench::context(crate::bench::words(), Default::default());
    let ended = again.execute(&id, "degraded", &serde_json::Value::Null, context).await;
    assert_eq!(ended.state, RunState::Degraded, "{}", ended.message);
    assert_ne!(std::fs::read(&code).unwrap(), bad, "the changed file is still there");
}

#[tokio::test]
async fn a_changed_package_file_is_not_run() {
    let bench = Bench::with_guest().await;
    let packages = bench.directory.path().join("plugins/packages");
    let file = std::fs::read_dir(&packages).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.push(0);
    std::fs::write(&file, bytes).unwrap();
    let again = reopen(&bench).await;
    let id = PluginId::new(GUEST).unwrap();
    let context = crate::bench::context(crate::bench::words(), Default::default());
    let ended = again.execute(&id, "good", &serde_json::Value::Null, context).await;
    assert_eq!(ended.state, RunState::Refused);
    assert!(ended.message.contains("is not the one that was installed"), "{}", ended.message);
}

#[tokio::test]
async fn a_plugin_that_is_gone_leaves_no_grant_no_state_and_no_file() {
    let bench = Bench::with_guest().await;
    let id = PluginId::new(GUEST).unwrap();
    bench.memory.grant(GUEST, Capability::Alerts);
    let grant = bench.memory.grants.lock().last().cloned().unwrap();
    bench.store.grants.put(&format!("{GUEST}/alerts"), &grant).await.unwrap();
    bench.store.plugin_state.put(&id, "key", b"value", 1000).await.unwrap();
    bench.plugins.remove(&id, "user:test").await.unwrap();
    assert!(bench.store.plugins.list().unwrap().is_empty());
    assert!(bench.store.grants.list().unwrap().is_empty());
    assert_eq!(bench.store.plugin_state.get(&id, "key").unwrap(), None);
    let packages = bench.directory.path().join("plugins/packages");
    assert_eq!(std::fs::read_dir(packages).unwrap().count(), 0);
}

async fn reopen(bench: &Bench) -> std::sync::Arc<Plugins> {
    Plugins::open(crate::bench::setup(bench.directory.path(), &bench.store, &bench.memory)).await.unwrap()
}
