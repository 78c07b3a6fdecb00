//! An appliance's plugin room over a site in memory.

use crate::{
    guest,
    site::{Memory, engines},
};
use chrono::{Duration, Utc};
use holdfast::{
    capability::context::{RunContext, RunSink},
    clock::SystemClock,
    model::{
        job::Trigger,
        name::{JobName, PluginId, RunId},
        plugin::Capability,
        run::{Ended, LogLevel, Progress},
    },
    plugin::{Plugins, Setup, compile::Bounds, package::Package},
    store::Store,
};
use parking_lot::Mutex;
use serde_json::json;
use std::{path::Path, sync::Arc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) const GUEST: &str = "acme.misbehaving";

/// The plugin room, its site, and the directory both live in.
pub(crate) struct Bench {
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) store: Store,
    pub(crate) directory: tempfile::TempDir,
}

/// What a run said.
pub(crate) struct Words {
    pub(crate) lines: Mutex<Vec<(LogLevel, String)>>,
    pub(crate) progress: watch::Sender<Progress>,
}

impl RunSink for Words {
    fn log(&self, level: LogLevel, text: String) {
        self.lines.lock().push((level, text));
    }
    fn progress(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }
}

pub(crate) fn words() -> Arc<Words> {
    Arc::new(Words { lines: Mutex::default(), progress: watch::channel(Progress::default()).0 })
}

pub(crate) fn setup(directory: &Path, store: &Store, memory: &Arc<Memory>) -> Setup {
    Setup {
        data: directory.to_owned(),
        store: store.clone(),
        engines: engines(memory),
        clock: Arc::new(SystemClock),
        program: env!("CARGO_BIN_EXE_holdfast").into(),
        compile_bounds: Bounds::default(),
        accept_unsigned: true,
        bundled: Vec::<Package>::new(),
        grace: std::time::Duration::from_millis(300),
    }
}

impl Bench {
    /// An appliance with nothing installed, set up differently where `change` says so.
    pub(crate) async fn empty(change: impl FnOnce(&mut Setup)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let memory = Arc::new(Memory::default());
        let mut setup = setup(directory.path(), &store, &memory);
        change(&mut setup);
        let plugins = Plugins::open(setup).await.unwrap();
        Self { plugins, memory, store, directory }
    }

    /// An appliance with the misbehaving plugin, granted what the good neighbour needs.
    pub(crate) async fn with_guest() -> Self {
        let bench = Self::empty(|_| {}).await;
        bench.plugins.install(guest::package().into(), "user:test").await.unwrap();
        bench.memory.grant(GUEST, Capability::RecoveryPoints);
        bench.memory.grant(GUEST, Capability::Metrics);
        bench
    }

    pub(crate) async fn run(&self, job: &str) -> Ended {
        self.run_in(job, context(words(), CancellationToken::new())).await
    }

    pub(crate) async fn run_in(&self, job: &str, context: RunContext) -> Ended {
        let id = PluginId::new(GUEST).unwrap();
        self.plugins.execute(&id, job, &json!({}), context).await
    }
}

pub(crate) fn context(sink: Arc<Words>, cancel: CancellationToken) -> RunContext {
    RunContext {
        run: RunId(1),
        job: JobName::new("test").unwrap(),
        trigger: Trigger::Person { who: "test".into() },
        dry_run: false,
        cancel,
        deadline: Utc::now() + Duration::minutes(5),
        sink,
    }
}
