//! A refused call returns words with the remedy, has no effect, traps nothing, and leaves one audit record.

use crate::bench::{Bench, GUEST, context, words};
use holdfast::{
    capability::audit::AuditEntry,
    model::{
        audit::Verdict,
        plugin::{Capability, Scope},
        run::RunState,
    },
};
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn calls_without_a_grant_say_what_to_grant_and_leave_one_record_each() {
    let bench = Bench::with_guest().await;
    bench.memory.grants.lock().clear();
    bench.memory.audit.lock().clear();
    let ended = bench.run("denied").await;
    assert_eq!(ended.state, RunState::Succeeded, "{}", ended.message);
    let mut said = ended.message.lines();
    let servers = said.next().unwrap();
    assert!(servers.contains("does not ask for it"), "{servers}");
    for capability in ["recovery-points", "retention", "vaults", "alerts", "metrics"] {
        let line = said.next().unwrap();
        let fix = format!("holdfast plugin grant {GUEST} {capability}");
        assert!(line.starts_with(capability) && line.contains(&fix), "{line}");
    }
    assert_eq!(
        bench.memory.audited(),
        [
            "servers.list refused",
            "recovery-points.create refused",
            "retention.apply refused",
            "vaults.measure refused",
            "alerts.resolve refused",
            "metrics.record refused"
        ]
    );
    assert!(bench.memory.points.lock().is_empty());
}

#[tokio::test]
async fn allowed_calls_leave_one_record_each_that_names_plugin_run_and_subject() {
    let bench = Bench::with_guest().await;
    bench.memory.audit.lock().clear();
    assert_eq!(bench.run("good").await.state, RunState::Succeeded);
    let audit = bench.memory.audit.lock();
    let made = AuditEntry {
        who: format!("plugin:{GUEST} run:1"),
        action: "recovery-points.create".into(),
        subject: "server db1, vault nas".into(),
        verdict: Verdict::Allowed,
        reason: None,
    };
    assert_eq!(audit[0], made);
    assert_eq!(audit.len(), 2);
}

#[tokio::test]
async fn a_grant_on_other_servers_or_vaults_does_not_help() {
    let bench = Bench::with_guest().await;
    for (servers, vaults, fix) in
        [(vec!["slow"], vec!["nas"], "--server db1"), (vec!["db1"], vec!["usb"], "--vault nas")]
    {
        for grant in bench.memory.grants.lock().iter_mut() {
            grant.servers = Scope::Only(servers.iter().map(|name| name.parse().unwrap()).collect());
            grant.vaults = Scope::Only(vaults.iter().map(|name| name.parse().unwrap()).collect());
        }
        let ended = bench.run("good").await;
        assert_eq!(ended.state, RunState::Failed);
        assert!(ended.message.contains(fix), "{}", ended.message);
    }
    assert!(bench.memory.points.lock().is_empty());
}

#[tokio::test]
async fn a_call_whose_audit_record_cannot_be_written_does_not_happen() {
    let bench = Bench::with_guest().await;
    bench.memory.audit_fails.store(true, Ordering::Relaxed);
    let ended = bench.run("good").await;
    assert_eq!(ended.state, RunState::Failed);
    assert!(ended.message.contains("audit record could not be written"), "{}", ended.message);
    assert!(bench.memory.points.lock().is_empty());
}

#[tokio::test]
async fn a_dry_run_changes_nothing_even_if_the_plugin_forgets_to_look() {
    let bench = Bench::with_guest().await;
    let dry = |job: &'static str| {
        let mut context = context(words(), CancellationToken::new());
        context.dry_run = true;
        bench.run_in(job, context)
    };
    let ended = dry("good").await;
    assert!(ended.message.contains("this is a dry run"), "{}", ended.message);
    let ended = dry("state").await;
    assert!(ended.message.contains("this is a dry run"), "{}", ended.message);
    assert!(bench.memory.points.lock().is_empty());
    assert!(bench.memory.data.lock().is_empty());
}

#[tokio::test]
async fn while_settings_are_checked_capabilities_do_not_answer() {
    let bench = Bench::with_guest().await;
    bench.memory.grant(GUEST, Capability::Servers);
    let ended = bench.run("bad-settings").await;
    assert_eq!(ended.state, RunState::Refused);
    assert!(ended.message.contains("does not answer while settings are checked"), "{}", ended.message);
}

#[tokio::test]
async fn outside_the_granted_interfaces_there_is_no_world() {
    let bench = Bench::with_guest().await;
    let ended = bench.run("reach-out").await;
    assert_eq!((ended.state, ended.message.as_str()), (RunState::Succeeded, "reached nothing"));
}
