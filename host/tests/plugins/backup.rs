//! The bundled backup plugin, as it is in the binary, over a site in memory.

use crate::{
    bench::{Bench, context, words},
    site::{Made, Memory},
};
use chrono::{Duration, Utc};
use holdfast::{
    model::{
        alert::Severity,
        metric::{Sample, SeriesKey},
        name::PluginId,
        plugin::Publisher,
        point::PointSizes,
        run::{EndCause, Ended, RunState},
    },
    plugin::in_this_binary,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const GIB: u64 = 1 << 30;
const PLUGIN: &str = "holdfast.backup";

async fn appliance() -> Bench {
    let bench = Bench::empty(|setup| {
        setup.bundled = in_this_binary().unwrap();
        setup.accept_unsigned = false;
    })
    .await;
    // The bundled plugin's grants are in the store; the site in memory has a book of its own.
    *bench.memory.grants.lock() = bench.store.grants.list().unwrap();
    bench
}

async fn back_up(bench: &Bench, settings: Value) -> Ended {
    let id = PluginId::new(PLUGIN).unwrap();
    bench.plugins.execute(&id, "backup", &settings, context(words(), CancellationToken::new())).await
}

/// Ten usual backups in the past.
fn usual_past(memory: &Memory, server: &str) {
    for (name, value) in [("backup_changed_bytes", GIB), ("backup_incompressible_bytes", GIB / 50)] {
        let key = SeriesKey { source: PLUGIN.into(), name: name.into(), subject: server.into() };
        let samples =
            (0..10).map(|hour| Sample { at: Utc::now() - Duration::hours(10 - hour), value: value as f64 });
        memory.samples.lock().insert(key, samples.collect());
    }
}

#[tokio::test]
async fn the_bundled_plugin_is_there_and_granted_what_it_asks() {
    let bench = appliance().await;
    let record = bench.store.plugins.get(&PluginId::new(PLUGIN).unwrap()).unwrap().unwrap();
    assert_eq!(record.publisher, Publisher::Bundled);
    assert_eq!(bench.store.grants.list().unwrap().len(), record.manifest.permissions.len());
}

#[tokio::test]
async fn a_revoked_grant_of_a_bundled_plugin_stays_revoked() {
    let bench = appliance().await;
    bench.store.grants.remove(&format!("{PLUGIN}/alerts")).await.unwrap();
    let mut setup = crate::bench::setup(bench.directory.path(), &bench.store, &bench.memory);
    setup.bundled = in_this_binary().unwrap();
    holdfast::plugin::Plugins::open(setup).await.unwrap();
    assert!(bench.store.grants.get(&format!("{PLUGIN}/alerts")).unwrap().is_none());
}

#[tokio::test]
async fn every_server_gets_a_point_and_a_sentence() {
    let bench = appliance().await;
    bench.memory.make("slow", Made::Sizes(PointSizes::default()));
    let ended = back_up(&bench, json!({"vault": "nas"})).await;
    assert_eq!((ended.state, ended.cause), (RunState::Succeeded, EndCause::Reported), "{}", ended.message);
    assert!(
        ended.message.starts_with("All 2 servers have a new recovery point in vault nas"),
        "{}",
        ended.message
    );
    assert_eq!(bench.memory.points.lock().len(), 2);
}

#[tokio::test]
async fn a_server_that_fails_stops_no_other_and_its_alert_ends_with_the_next_success() {
    let bench = appliance().await;
    bench.memory.make("slow", Made::Fails("its disk is missing"));
    let ended = back_up(&bench, json!({"vault": "nas"})).await;
    assert_eq!(ended.state, RunState::Degraded, "{}", ended.message);
    assert!(
        ended.message.contains("1 of 2 servers") && ended.message.contains("its disk is missing"),
        "{}",
        ended.message
    );
    let raised = bench.memory.alerts.lock().get("backup-failed/slow").cloned().unwrap();
    assert_eq!((raised.severity, raised.server.unwrap().as_str()), (Severity::Critical, "slow"));
    assert!(bench.memory.alerts.lock().contains_key("rpo/slow"));
    bench.memory.make("slow", Made::Sizes(PointSizes::default()));
    assert_eq!(back_up(&bench, json!({"vault": "nas"})).await.state, RunState::Succeeded);
    assert!(bench.memory.alerts.lock().is_empty());
}

#[tokio::test]
async fn a_failure_with_a_young_point_there_is_only_a_warning() {
    let bench = appliance().await;
    let only = json!({"vault": "nas", "servers": ["db1"]});
    back_up(&bench, only.clone()).await;
    bench.memory.make("db1", Made::Fails("its disk is missing"));
    let ended = back_up(&bench, only).await;
    assert_eq!(ended.state, RunState::Failed, "{}", ended.message);
    let alerts = bench.memory.alerts.lock();
    assert_eq!(alerts.get("backup-failed/db1").unwrap().severity, Severity::Warning);
    assert!(!alerts.contains_key("rpo/db1"));
}

#[tokio::test]
async fn an_encrypted_server_raises_an_alert_holds_older_points_and_keeps_all() {
    let bench = appliance().await;
    let only = json!({"vault": "nas", "servers": ["db1"]});
    for _ in 0..4 {
        back_up(&bench, only.clone()).await;
    }
    usual_past(&bench.memory, "db1");
    let expired = bench.memory.applied();
    let attacked =
        PointSizes { disks: 100 * GIB, changed: 60 * GIB, incompressible: 59 * GIB, ..PointSizes::default() };
    bench.memory.make("db1", Made::Sizes(attacked));
    let ended = back_up(&bench, only.clone()).await;
    assert_eq!(ended.state, RunState::Degraded, "{}", ended.message);
    assert!(ended.message.contains("possible ransomware"), "{}", ended.message);
    assert_eq!(
        bench.memory.alerts.lock().get("possible-ransomware/db1").unwrap().severity,
        Severity::Critical
    );
    let held: Vec<String> =
        bench.memory.points.lock().iter().filter(|point| point.held).map(|point| point.id.clone()).collect();
    assert_eq!(held, ["p2", "p3", "p4"]);
    assert_eq!(bench.memory.applied(), expired, "retention was applied");

    bench.memory.make("db1", Made::Sizes(PointSizes { disks: 100 * GIB, ..PointSizes::default() }));
    let next = back_up(&bench, only).await;
    assert!(next.message.contains("still under suspicion"), "{}", next.message);
    assert_eq!(bench.memory.applied(), expired, "retention was applied under suspicion");
}

#[tokio::test]
async fn a_dry_run_names_the_servers_and_makes_nothing() {
    let bench = appliance().await;
    let mut dry = context(words(), CancellationToken::new());
    dry.dry_run = true;
    let id = PluginId::new(PLUGIN).unwrap();
    let ended = bench.plugins.execute(&id, "backup", &json!({"vault": "nas"}), dry).await;
    assert_eq!(ended.message, "Would make a recovery point of db1, slow in vault nas.");
    assert!(bench.memory.points.lock().is_empty());
}

#[tokio::test]
async fn settings_that_name_what_is_not_here_are_refused_with_what_is() {
    let bench = appliance().await;
    let ended = back_up(&bench, json!({"vault": "usb", "servers": ["db9"]})).await;
    assert_eq!((ended.state, ended.cause), (RunState::Refused, EndCause::NotStarted));
    assert!(
        ended.message.contains("there is no vault \"usb\"") && ended.message.contains("there are: nas"),
        "{}",
        ended.message
    );
    assert!(ended.message.contains("there is no server \"db9\""), "{}", ended.message);
}
