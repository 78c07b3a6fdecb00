//! The contract in `wit/`, as Rust. Generated when the crate is compiled.

#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    reason = "generated from wit/"
)]

wit_bindgen::generate!({
    world: "holdfast:plugin/plugin",
    path: [
        "../../wit/run",
        "../../wit/state",
        "../../wit/operations",
        "../../wit/servers",
        "../../wit/recovery-points",
        "../../wit/retention",
        "../../wit/vaults",
        "../../wit/alerts",
        "../../wit/metrics",
        "../../wit/plugin",
    ],
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_bindings",
    default_bindings_module: "holdfast_plugin_sdk::bindings",
});
