//! Plugins: package files, what is installed, and running one job of one plugin within its limits.
//!
//! ```text
//! bytes ─▶ package (structure, signature, manifest) ─▶ publisher (may it be here?) ─▶ compile (child, cache)
//!       ─▶ linker (does it fit?) ─▶ catalog           job ─▶ settings ─▶ instance (fresh store, limits) ─▶ fault ─▶ Ended
//! ```
//!
//! What flows in: package files, and orders of the room `run`. What flows out: how a run ended, in words for a person;
//! what a plugin does on the way goes through `capability`.
//!
//! What it refuses to know: when and why a job runs, what a capability does, what a page shows.
//!
//! Promise: whatever a guest does, its run ends within its limits with a message, and no other run is disturbed. Kept
//! by: a fresh store per run (`instance`), limits set before the first instruction (`limits`, `cpu`), compiling in a
//! bounded child (`compile`), yielding to others every 10 ms (`engine`).

pub mod compile;
pub mod keys;
pub mod limits;
pub mod manifest;
pub mod package;
pub mod settings;

mod bundled;
mod catalog;
mod cpu;
mod engine;
mod execute;
mod fault;
mod install;
mod instance;
mod linker;
mod publisher;
mod section;
mod stderr;

pub use catalog::{FindPackage, in_this_binary};
pub use execute::SettingsOutcome;
pub use install::{InspectedPackage, InstallPlugin};

use crate::{
    capability::{bindings::PluginPre, engines::Engines},
    clock::SharedClock,
    model::name::PluginId,
    store::Store,
};
use catalog::Catalog;
use compile::{Bounds, Compiler};
use engine::PluginEngine;
use instance::InstanceData;
use limits::Limits;
use package::Package;
use parking_lot::Mutex;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use wasmtime::component::Linker;

/// Why plugins cannot be run on this appliance at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenPlugins {
    /// No engine.
    #[error(transparent)]
    Engine(#[from] engine::StartEngine),
    /// The directory cannot be used.
    #[error(
        "the plugin directory {} cannot be used: {source}; no plugin runs, recovery points are not affected; check the data \
         disk and its permissions", path.display()
    )]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The binary itself is wrong.
    #[error(
        "the plugins inside this binary are damaged: {reason}; no plugin runs; install the appliance again"
    )]
    Bundled {
        /// How.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// What plugins stand on.
pub struct Setup {
    /// The appliance's data directory.
    pub data: PathBuf,
    /// Its state.
    pub store: Store,
    /// The site.
    pub engines: Engines,
    /// The time.
    pub clock: SharedClock,
    /// The binary that compiles packages: this one's own path.
    pub program: PathBuf,
    /// What compiling one package may use.
    pub compile_bounds: Bounds,
    /// The developer flag.
    pub accept_unsigned: bool,
    /// Packages that come with the appliance.
    pub bundled: Vec<Package>,
    /// From "cancelled" to the hard end of a run.
    pub grace: Duration,
}

/// The plugins of this appliance.
pub struct Plugins {
    engine: PluginEngine,
    linker: Linker<InstanceData>,
    compiler: Compiler,
    catalog: Catalog,
    store: Store,
    engines: Engines,
    clock: SharedClock,
    accept_unsigned: bool,
    grace: Duration,
    loaded: Mutex<BTreeMap<PluginId, Arc<Loaded>>>,
    /// Installing and removing are one at a time.
    changing: tokio::sync::Mutex<()>,
}

/// A plugin that is compiled and linked.
pub(crate) struct Loaded {
    package: Package,
    plugin: PluginPre<InstanceData>,
    limits: Limits,
}

impl Plugins {
    /// Opens the plugins of an appliance and enters those that come with the binary.
    pub async fn open(setup: Setup) -> Result<Arc<Self>, OpenPlugins> {
        let path = setup.data.join("plugins");
        let directory = |source| OpenPlugins::Directory { path: path.clone(), source };
        let engine = PluginEngine::start()?;
        let linker = linker::linker(engine.engine())
            .map_err(|source| OpenPlugins::Bundled { reason: source.to_string() })?;
        std::fs::create_dir_all(&path).map_err(directory)?;
        let compiler =
            Compiler::open(engine.engine(), setup.program, &path, setup.compile_bounds).map_err(directory)?;
        let catalog = Catalog::open(&path, setup.store.clone(), setup.bundled).map_err(directory)?;
        let plugins = Self {
            engine,
            linker,
            compiler,
            catalog,
            store: setup.store,
            engines: setup.engines,
            clock: setup.clock,
            accept_unsigned: setup.accept_unsigned,
            grace: setup.grace,
            loaded: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
        };
        plugins.enter_bundled().await?;
        plugins.compiler.sweep(&plugins.catalog.packages()?);
        Ok(Arc::new(plugins))
    }

    /// Whether unsigned plugins are accepted here.
    pub fn accepts_unsigned(&self) -> bool {
        self.accept_unsigned
    }
}
