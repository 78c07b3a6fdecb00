//! What plugins cost on this machine: compile, load, one run, one call of the host.
//!
//! `cargo run --release -p holdfast --example plugin_costs -- PACKAGE`, where PACKAGE is the misbehaving test guest with
//! its manifest attached (its jobs `degraded` and `calls` are measured). Figures are the least of several: the machine's
//! other work only ever adds.

#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use chrono::TimeDelta;
use holdfast::{
    capability::{
        context::{RunContext, RunSink},
        site,
    },
    clock::{Clock, SharedClock, SystemClock},
    model::{
        job::Trigger,
        name::{JobName, PluginId, RunId},
        run::{LogLevel, Progress},
    },
    plugin::{Plugins, Setup, compile},
    store::Store,
    vaults::Vaults,
};
use std::{
    error::Error,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Calls of the host that the guest's job `calls` makes.
const CALLS: u32 = 100_000;
const ROUNDS: usize = 50;

struct Silent;

impl RunSink for Silent {
    fn log(&self, _: LogLevel, _: String) {}
    fn progress(&self, _: Progress) {}
}

fn main() -> ExitCode {
    if let Some(code) = compile::run_as_child(std::env::args_os()) {
        return code;
    }
    let Some(package) = std::env::args_os().nth(1) else {
        println!("give the path of the test guest's package");
        return ExitCode::FAILURE;
    };
    let measured = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(measure(Path::new(&package))));
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(package: &Path) -> Result<(), Box<dyn Error>> {
    let bytes = std::fs::read(package)?;
    let data = tempfile::tempdir()?;
    let store = Store::open(data.path())?;
    let plugins = open(data.path(), &store).await?;
    let began = Instant::now();
    let id = plugins.install(bytes.into(), "console").await?.manifest.id;
    say("compile and install", began.elapsed());
    let plugins = open(data.path(), &store).await?;
    let began = Instant::now();
    run(&plugins, &id, "degraded").await;
    say("first run after a start (load from the cache, and run)", began.elapsed());
    let (one, calls) = (least(&plugins, &id, "degraded").await, least(&plugins, &id, "calls").await);
    say("one run (two instances: settings checked, job run)", one);
    say("one call of the host and back", calls.saturating_sub(one) / CALLS);
    Ok(())
}

async fn open(data: &Path, store: &Store) -> Result<Arc<Plugins>, Box<dyn Error>> {
    let clock: SharedClock = Arc::new(SystemClock);
    let vaults = Vaults::new(data, store.clone(), Arc::clone(&clock));
    let setup = Setup {
        data: data.to_owned(),
        store: store.clone(),
        engines: site::engines(store.clone(), vaults, Arc::clone(&clock)),
        clock,
        program: std::env::current_exe()?,
        compile_bounds: compile::Bounds::default(),
        accept_unsigned: true,
        bundled: Vec::new(),
        grace: Duration::from_secs(1),
    };
    Ok(Plugins::open(setup).await?)
}

async fn least(plugins: &Plugins, id: &PluginId, job: &str) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        run(plugins, id, job).await;
        least = least.min(began.elapsed());
    }
    least
}

async fn run(plugins: &Plugins, id: &PluginId, job: &str) {
    let Ok(name) = JobName::new("costs") else { return };
    let context = RunContext {
        run: RunId(1),
        job: name,
        trigger: Trigger::Person { who: "console".to_owned() },
        dry_run: false,
        cancel: CancellationToken::new(),
        deadline: SystemClock.now() + TimeDelta::minutes(5),
        sink: Arc::new(Silent),
    };
    let ended = plugins.execute(id, job, &serde_json::Value::Null, context).await;
    if ended.message != "half of it" {
        println!("{job}: {}", ended.message);
    }
}

fn say(what: &str, took: Duration) {
    println!("{:>12.2} µs  {what}", took.as_secs_f64() * 1e6);
}
