//! A plugin that does everything a plugin must not, one job a misdeed. Each job that returns has failed its purpose and
//! says so, except those that show how a refusal arrives and the good neighbour.

#![allow(
    unconditional_recursion,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "misbehaving is what it is for"
)]

use holdfast_plugin_sdk::{
    Failure, InWords, Outcome, Plugin, Problem, alerts, export_plugin, info, metrics, recovery_points,
    retention, run, servers, state, vaults,
};
use std::hint::black_box;

struct Misbehaving;

impl Plugin for Misbehaving {
    fn run(job: &str) -> Result<Outcome, Failure> {
        info(format!("job {job} begins"));
        match job {
            "spin" => loop {
                black_box(0);
            },
            "sleep" => sleep(),
            "allocate" => allocate(),
            "recurse" => Ok(Outcome::Succeeded(recurse(1).to_string())),
            "panic" => panic_on(&[1, 2, 3], black_box(7)),
            "abort" => std::process::abort(),
            "flood-log" => flood_log(),
            "handles" => exhaust_handles(),
            "operations" => exhaust_operations(),
            "state" => exhaust_state(),
            "big-call" => big_call(),
            "reach-out" => reach_out(),
            "denied" => denied(),
            "ignore-cancel" => ignore_cancel(),
            "heed-cancel" => heed_cancel(),
            "good" => good(),
            "calls" => many_calls(),
            "degraded" => Ok(Outcome::Degraded("half of it".to_owned())),
            "fail" => Err(Failure::Failed("it did not work".to_owned())),
            other => Err(Failure::Failed(format!("no misdeed is named {other}"))),
        }
    }

    fn check_settings(job: &str) -> Vec<Problem> {
        match job {
            "bad-settings" => vec![Problem { setting: "depth".to_owned(), message: denied_words() }],
            "spin-in-check" => loop {
                black_box(0);
            },
            _ => Vec::new(),
        }
    }
}

export_plugin!(Misbehaving);

fn sleep() -> Result<Outcome, Failure> {
    std::thread::sleep(std::time::Duration::from_secs(3600));
    Ok(Outcome::Succeeded("slept an hour".to_owned()))
}

fn allocate() -> Result<Outcome, Failure> {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![1; 1 << 20]));
    }
}

fn recurse(depth: u64) -> u64 {
    let here = [black_box(depth); 64];
    recurse(depth + 1) + here[black_box(3)]
}

#[inline(never)]
fn panic_on(list: &[u8], index: usize) -> Result<Outcome, Failure> {
    Ok(Outcome::Succeeded(list[index].to_string()))
}

/// Fifteen times what the manifest's log limit keeps, and little enough that the CPU limit is never what ends it.
fn flood_log() -> Result<Outcome, Failure> {
    for line in 0..5_000 {
        info(format!("line {line} {}", "x".repeat(200)));
    }
    Ok(Outcome::Succeeded("said it all".to_owned()))
}

fn exhaust_handles() -> Result<Outcome, Failure> {
    let mut hoard = Vec::new();
    loop {
        hoard.push(retention::Rule::new());
    }
}

fn exhaust_operations() -> Result<Outcome, Failure> {
    let mut under_way = Vec::new();
    loop {
        match recovery_points::create("slow", "nas") {
            Ok(operation) => under_way.push(operation),
            Err(recovery_points::Error::Quota(words)) => {
                return Ok(Outcome::Succeeded(format!("{} operations, then: {words}", under_way.len())));
            }
            Err(other) => return Err(other.into()),
        }
    }
}

fn exhaust_state() -> Result<Outcome, Failure> {
    let value = vec![7; 512 << 10];
    for key in 0.. {
        match state::set(&format!("key-{key}"), &value) {
            Ok(()) => {}
            Err(state::Error::Quota(words)) => {
                return Ok(Outcome::Succeeded(format!("{key} keys, then: {words}")));
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(Outcome::Succeeded("no end".to_owned()))
}

fn big_call() -> Result<Outcome, Failure> {
    let value = vec![7; 20 << 20];
    state::set("big", &value)?;
    Ok(Outcome::Succeeded("20 MiB went through".to_owned()))
}

/// Tries what a Rust program has to reach the world with.
fn reach_out() -> Result<Outcome, Failure> {
    let tries = [
        ("file", std::fs::read("/etc/passwd").is_err()),
        ("directory", std::fs::read_dir("/").is_err()),
        ("socket", std::net::TcpStream::connect("127.0.0.1:80").is_err()),
        ("name", std::net::ToSocketAddrs::to_socket_addrs("localhost:80").is_err()),
        ("environment", std::env::vars().next().is_none()),
        ("arguments", std::env::args().len() == 0),
    ];
    match tries.iter().find(|(_, refused)| !refused) {
        Some((what, _)) => Err(Failure::Failed(format!("reached a {what}"))),
        None => Ok(Outcome::Succeeded("reached nothing".to_owned())),
    }
}

fn denied_words() -> String {
    servers::list().err().map(|error| error.in_words()).unwrap_or_default()
}

/// Calls one function of every interface and reports what each answered.
fn denied() -> Result<Outcome, Failure> {
    let rule = retention::Rule::new();
    rule.keep("last", 1)?;
    let answers = [
        ("servers", servers::list().err().map(|error| error.in_words())),
        ("recovery-points", recovery_points::create("db1", "nas").err().map(|error| error.in_words())),
        ("retention", retention::apply("db1", "nas", &rule).err().map(|error| error.in_words())),
        ("vaults", vaults::measure("nas").err().map(|error| error.in_words())),
        ("alerts", alerts::resolve("x").err().map(|error| error.in_words())),
        ("metrics", metrics::record("x_count", "db1", 1.0).err().map(|error| error.in_words())),
    ];
    let said: Vec<String> = answers
        .into_iter()
        .map(|(name, answer)| format!("{name}: {}", answer.unwrap_or_else(|| "allowed".to_owned())))
        .collect();
    Ok(Outcome::Succeeded(said.join("\n")))
}

fn ignore_cancel() -> Result<Outcome, Failure> {
    run::progress(1, 2, "waiting to be cancelled");
    loop {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn heed_cancel() -> Result<Outcome, Failure> {
    let operation = recovery_points::create("slow", "nas")?;
    run::progress(1, 2, "waiting to be cancelled");
    while !run::cancelled() {
        let _ = operation.wait(60_000);
    }
    Err(Failure::Cancelled)
}

/// For measuring what one call of the host costs.
fn many_calls() -> Result<Outcome, Failure> {
    let sum: u64 = (0..100_000).map(|_| run::now() & 1).sum();
    black_box(sum);
    Ok(Outcome::Degraded("half of it".to_owned()))
}

/// What a plugin should be: makes a point, keeps state, measures, and says so.
fn good() -> Result<Outcome, Failure> {
    let made = recovery_points::create("db1", "nas")?;
    let id = loop {
        match made.wait(1000) {
            Some(end) => break end?,
            None if run::cancelled() => return Err(Failure::Cancelled),
            None => {}
        }
    };
    state::set("newest", id.as_bytes())?;
    let kept = state::get("newest")?.unwrap_or_default();
    metrics::record("good_count", "db1", 1.0)?;
    Ok(Outcome::Succeeded(format!("made {id}, remembered {}", String::from_utf8_lossy(&kept))))
}
