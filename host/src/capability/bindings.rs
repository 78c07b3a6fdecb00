//! The contract in `wit/`, as the host sees it. Generated when the crate is compiled.

#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "generated from wit/"
)]

wasmtime::component::bindgen!({
    world: "holdfast:plugin/plugin",
    path: [
        "../wit/run",
        "../wit/state",
        "../wit/operations",
        "../wit/servers",
        "../wit/recovery-points",
        "../wit/retention",
        "../wit/vaults",
        "../wit/alerts",
        "../wit/metrics",
        "../wit/plugin",
    ],
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "holdfast:operations/operations.operation": super::operation::Operation,
        "holdfast:servers/servers.server": crate::model::server::Server,
        "holdfast:recovery-points/recovery-points.recovery-point": crate::model::point::PointRecord,
        "holdfast:retention/retention.rule": super::engines::RetentionRule,
        "holdfast:vaults/vaults.usage": super::engines::Usage,
    },
    require_store_data_send: true,
});
