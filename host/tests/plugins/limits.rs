//! Every limit has a run that trips it.

use crate::bench::{Bench, context, words};
use chrono::{Duration, Utc};
use holdfast::model::run::{EndCause, LogLevel, RunState};
use tokio_util::sync::CancellationToken;

async fn ends(job: &str, cause: EndCause, said: &str) {
    let bench = Bench::with_guest().await;
    let ended = bench.run(job).await;
    assert_eq!((ended.state, ended.cause), (RunState::Failed, cause), "{}", ended.message);
    assert!(ended.message.contains(said), "{}", ended.message);
    assert!(
        ended.message.contains(&format!("plugin acme.misbehaving 1.0.0, job \"{job}\"")),
        "{}",
        ended.message
    );
    let after = bench.run("good").await;
    assert_eq!(after.state, RunState::Succeeded, "{}", after.message);
}

#[tokio::test]
async fn a_guest_that_spins_ends_at_its_cpu_limit() {
    ends("spin", EndCause::CpuLimit, "1 seconds of CPU").await;
}

#[tokio::test]
async fn a_guest_that_allocates_ends_at_its_memory_limit() {
    ends("allocate", EndCause::MemoryLimit, "bytes of memory and may have 134217728").await;
}

#[tokio::test]
async fn a_guest_that_recurses_ends_at_its_call_stack() {
    ends("recurse", EndCause::OtherLimit, "call stack").await;
}

#[tokio::test]
async fn a_guest_that_hoards_handles_ends_at_its_limit_of_them() {
    ends("handles", EndCause::OtherLimit, "4096 handles").await;
}

#[tokio::test]
async fn a_guest_that_passes_too_much_in_one_call_is_stopped() {
    ends("big-call", EndCause::OtherLimit, "16 MiB").await;
}

#[tokio::test]
async fn a_panic_says_its_message_its_place_and_where_it_came_from() {
    ends("panic", EndCause::Trap, "index out of bounds: the len is 3 but the index is 7").await;
    ends("panic", EndCause::Trap, "src/lib.rs").await;
    ends("panic", EndCause::Trap, "panic_on").await;
}

#[tokio::test]
async fn an_abort_is_a_bug_of_the_plugin() {
    ends("abort", EndCause::Trap, "send this message to its author").await;
}

#[tokio::test]
async fn a_guest_that_sleeps_ends_at_its_wall_clock() {
    let bench = Bench::with_guest().await;
    let mut short = context(words(), CancellationToken::new());
    short.deadline = Utc::now() + Duration::milliseconds(600);
    let ended = bench.run_in("sleep", short).await;
    assert_eq!((ended.state, ended.cause), (RunState::Failed, EndCause::TimeLimit), "{}", ended.message);
}

#[tokio::test]
async fn a_flood_of_log_lines_is_counted_and_dropped() {
    let bench = Bench::with_guest().await;
    let said = words();
    let ended = bench.run_in("flood-log", context(said.clone(), CancellationToken::new())).await;
    assert_eq!(ended.state, RunState::Succeeded, "{}", ended.message);
    let lines = said.lines.lock();
    assert!(lines.iter().map(|(_, text)| text.len()).sum::<usize>() < 100 << 10);
    let (level, last) = lines.last().unwrap();
    assert_eq!(*level, LogLevel::Warn);
    assert!(last.contains("log lines were dropped"), "{last}");
}

#[tokio::test]
async fn operations_over_the_limit_are_refused_and_those_under_way_are_cancelled_with_the_run() {
    let bench = Bench::with_guest().await;
    let ended = bench.run("operations").await;
    assert_eq!(ended.state, RunState::Succeeded, "{}", ended.message);
    assert!(ended.message.starts_with("3 operations, then: 3 operations are under way"), "{}", ended.message);
    assert_eq!(bench.memory.waiting.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn state_over_the_quota_is_refused_with_the_numbers() {
    let bench = Bench::with_guest().await;
    let ended = bench.run("state").await;
    assert_eq!(ended.state, RunState::Succeeded, "{}", ended.message);
    assert!(ended.message.starts_with("7 keys, then: "), "{}", ended.message);
    assert!(ended.message.contains("may keep 4194304 bytes"), "{}", ended.message);
}

#[tokio::test]
async fn a_settings_check_that_spins_ends_the_run_before_it_begins() {
    let bench = Bench::with_guest().await;
    let ended = bench.run("spin-in-check").await;
    assert_eq!((ended.state, ended.cause), (RunState::Refused, EndCause::NotStarted), "{}", ended.message);
    assert!(ended.message.contains("settings could not be checked"), "{}", ended.message);
}

#[tokio::test]
async fn what_a_plugin_reports_is_what_the_run_says() {
    let bench = Bench::with_guest().await;
    let degraded = bench.run("degraded").await;
    assert_eq!((degraded.state, degraded.message.as_str()), (RunState::Degraded, "half of it"));
    let failed = bench.run("fail").await;
    assert_eq!((failed.state, failed.cause), (RunState::Failed, EndCause::Reported));
    assert_eq!(failed.message, "it did not work");
}

#[tokio::test]
async fn good_runs_beside_every_misdeed_are_not_disturbed() {
    let bench = Bench::with_guest().await;
    let misdeeds = ["spin", "allocate", "recurse", "panic", "handles", "flood-log", "big-call", "abort"];
    let bad = futures::future::join_all(misdeeds.iter().map(|job| bench.run(job)));
    let good = futures::future::join_all((0..8).map(|_| bench.run("good")));
    let (_, good) = futures::join!(bad, good);
    for ended in good {
        assert_eq!(ended.state, RunState::Succeeded, "{}", ended.message);
    }
    assert_eq!(bench.memory.points.lock().len(), 8);
}
