//! The wasmtime engine: one for all plugins, and the heartbeat that lets it stop them.
//!
//! The heart beats every 10 ms, but only while a guest runs: an idle appliance sleeps.

use parking_lot::{Condvar, Mutex};
use std::{sync::Arc, time::Duration};
use wasmtime::{Config, Engine};

/// How often a running guest is looked at.
const BEAT: Duration = Duration::from_millis(10);

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[error(
    "the plugin engine does not start: {reason}; no plugin runs, recovery points are not affected; {advice}"
)]
pub struct StartEngine {
    reason: String,
    advice: &'static str,
}

/// The engine's settings. The child that compiles uses the same, or the result would not fit.
pub(super) fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.epoch_interruption(true);
    config
}

/// The engine and its heart.
pub(super) struct PluginEngine {
    engine: Engine,
    heart: Arc<Heart>,
}

#[derive(Default)]
struct Heart {
    pulse: Mutex<Pulse>,
    changed: Condvar,
}

#[derive(Default)]
struct Pulse {
    running: usize,
    stop: bool,
}

/// Keeps the heart beating while a guest runs.
pub(super) struct Running(Arc<Heart>);

impl PluginEngine {
    /// Starts the engine.
    pub(super) fn start() -> Result<Self, StartEngine> {
        let engine = Engine::new(&config()).map_err(|source| StartEngine {
            reason: source.to_string(),
            advice: "this processor or system may be too old: see the system requirements",
        })?;
        let heart = Arc::new(Heart::default());
        let (beating, ticked) = (heart.clone(), engine.weak());
        let beat = move || {
            while beating.waits_for_work() {
                std::thread::sleep(BEAT);
                match ticked.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        };
        std::thread::Builder::new().name("plugin-heart".to_owned()).spawn(beat).map_err(|source| {
            StartEngine {
                reason: source.to_string(),
                advice: "raise the limit of threads or restart the box",
            }
        })?;
        Ok(Self { engine, heart })
    }

    /// wasmtime's engine.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Beats until the guard is dropped.
    pub(super) fn running(&self) -> Running {
        self.heart.pulse.lock().running += 1;
        self.heart.changed.notify_one();
        Running(self.heart.clone())
    }
}

impl Heart {
    /// Blocks until a guest runs; false means the engine is gone.
    fn waits_for_work(&self) -> bool {
        let mut pulse = self.pulse.lock();
        while pulse.running == 0 && !pulse.stop {
            self.changed.wait(&mut pulse);
        }
        !pulse.stop
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.pulse.lock().running -= 1;
    }
}

impl Drop for PluginEngine {
    fn drop(&mut self) {
        self.heart.pulse.lock().stop = true;
        self.heart.changed.notify_one();
    }
}
