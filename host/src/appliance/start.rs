//! Starting and stopping an appliance.

use super::{
    definitions::DefinitionDesk,
    desk::Desk,
    events, housekeeping,
    plugin_orders::PluginDesk,
    run_orders::{DueStarter, PluginStarter, RunDesk},
    upkeep::UpkeepDesk,
    vault_orders::VaultDesk,
};
use crate::{
    admin::{self, AdminConfig, ports::Ports, server::ServeError},
    capability::site,
    clock::{SharedClock, SystemClock},
    model::{alert::Severity, job::EventKind},
    plugin::{self, OpenPlugins, Plugins},
    run::{RunParts, Runs, Tasks},
    schedule::Ticker,
    store::{DirectoryLock, Healed, NewAlert, Settings, Store, StoreError},
    vaults::Vaults,
};
use chrono_tz::Tz;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long runs under way may take to reach a safe point when the appliance stops.
const FAREWELL: Duration = Duration::from_secs(20);
/// From "cancelled" to the hard end of a plugin, as the contract promises.
const PLUGIN_GRACE: Duration = Duration::from_secs(30);

/// How an appliance is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its data directory.
    pub data: PathBuf,
    /// Where the page listens.
    pub listen: SocketAddr,
    /// HTTPS with the appliance's own certificate; off only on loopback.
    pub tls: bool,
    /// Accept plugins nobody signed; every page says so.
    pub accept_unsigned: bool,
    /// This is `holdfast try`.
    pub demo: bool,
    /// IANA time zone of the site; none keeps what is set, or UTC.
    pub zone: Option<String>,
    /// The binary that compiles plugins in a child process: this one.
    pub program: PathBuf,
}

/// Why an appliance did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The plugins.
    #[error(transparent)]
    Plugins(#[from] OpenPlugins),
    /// The bundled plugins inside this binary.
    #[error(
        "the plugins inside this binary cannot be read: {0}; nothing was started; install the appliance again"
    )]
    Bundled(String),
    /// The page.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// What was under way when it stopped last.
    #[error(
        "the runs of the last start cannot be settled: {0}; nothing was started; see the log, and report it"
    )]
    Recover(String),
    /// The zone.
    #[error("\"{0}\" is not a time zone; nothing was started; use an IANA name such as Europe/Berlin")]
    Zone(String),
}

/// A running appliance.
pub struct Running {
    /// What to type into a browser on this box.
    pub url: String,
    /// Hex SHA-256 of the certificate; none on plain HTTP.
    pub fingerprint: Option<String>,
    /// The one-time code that makes the first owner; none once there is one.
    pub claim: Option<String>,
    bound: admin::server::Bound,
    runs: Runs,
    store: Store,
    clock: SharedClock,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Given back last, when nothing touches the directory any more.
    _lock: DirectoryLock,
}

impl Running {
    /// Stops: no new starts, runs reach a safe point, the state is flushed, the listeners close.
    pub async fn stop(self) {
        self.stop.cancel();
        self.runs.shutdown(FAREWELL).await;
        self.tasks.close();
        self.tasks.wait().await;
        self.bound.finished().await;
        if let Err(error) = self.store.save_export(self.clock.now()).await {
            tracing::warn!(%error, "the state could not be exported on the way out; the last export stays");
        }
    }
}

/// Starts an appliance.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let clock: SharedClock = Arc::new(SystemClock);
    let started = clock.now();
    let lock = DirectoryLock::take(&options.data)?;
    let opened = Store::open_healing(&options.data, started)?;
    let store = opened.store;
    let zone = zone_of_site(&store, options.zone.as_deref()).await?;
    let boot = format!("{}-{}", store.settings.count_boot().await?, started.timestamp());
    housekeeping::ensure_own_jobs(&store).await?;

    let vaults = Vaults::new(&options.data, store.clone(), Arc::clone(&clock));
    let plugins = open_plugins(&options, &store, &vaults, &clock).await?;
    let tasks = Tasks::new(store.clone(), Arc::clone(&clock), vaults.clone());
    let runs = Runs::new(RunParts {
        store: store.clone(),
        clock: Arc::clone(&clock),
        boot,
        plugins: Arc::new(PluginStarter(Arc::clone(&plugins))),
        tasks,
    });
    if let Some(healed) = &opened.healed {
        tell_of_healing(&store, healed, &clock).await?;
    }
    if opened.healed.is_some() {
        refresh_points(&store, &vaults).await;
    }
    runs.recover().await.map_err(|error| StartError::Recover(error.to_string()))?;

    let stop = CancellationToken::new();
    let desk = Desk { store: store.clone(), clock: Arc::clone(&clock) };
    let ports = Ports {
        runs: Arc::new(RunDesk { desk: desk.clone(), runs: runs.clone() }),
        definitions: Arc::new(DefinitionDesk {
            desk: desk.clone(),
            plugins: Arc::clone(&plugins),
            runs: runs.clone(),
        }),
        vaults: Arc::new(VaultDesk { desk: desk.clone(), vaults: vaults.clone() }),
        plugins: Arc::new(PluginDesk { desk: desk.clone(), plugins }),
        upkeep: Arc::new(UpkeepDesk { desk, data: options.data.clone(), started, demo: options.demo }),
    };
    let config = AdminConfig {
        data: options.data.clone(),
        listen: options.listen,
        plain_http: !options.tls,
        further_names: Vec::new(),
        zone,
    };
    let bound = admin::server::serve(config, store.clone(), ports, Arc::clone(&clock), stop.clone()).await?;

    let background = TaskTracker::new();
    let ticker = Ticker::new(store.clone(), Arc::new(DueStarter(runs.clone())), Arc::clone(&clock));
    let ticking = stop.clone();
    background.spawn(async move { ticker.run(ticking).await });
    background.spawn(events::watch(store.clone(), runs.clone(), stop.clone()));
    let (exporting, export_clock, export_stop) = (store.clone(), Arc::clone(&clock), stop.clone());
    background.spawn(async move { exporting.keep_exported(export_clock, export_stop).await });
    let (listing, all_vaults) = (store.clone(), vaults);
    background.spawn(async move { refresh_points(&listing, &all_vaults).await });
    runs.event(EventKind::ApplianceStarted, None).await;

    Ok(Running {
        url: bound.url.clone(),
        fingerprint: bound.fingerprint.clone(),
        claim: bound.claim.clone(),
        bound,
        runs,
        store,
        clock,
        stop,
        tasks: background,
        _lock: lock,
    })
}

async fn zone_of_site(store: &Store, wanted: Option<&str>) -> Result<Tz, StartError> {
    if let Some(wanted) = wanted {
        let zone: Tz = wanted.parse().map_err(|_| StartError::Zone(wanted.to_owned()))?;
        store.settings.put(Settings::TIME_ZONE, &zone.name()).await?;
        return Ok(zone);
    }
    let kept: Option<String> = store.settings.get(Settings::TIME_ZONE)?;
    Ok(kept.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC))
}

async fn open_plugins(
    options: &Options,
    store: &Store,
    vaults: &Vaults,
    clock: &SharedClock,
) -> Result<Arc<Plugins>, StartError> {
    let bundled = plugin::in_this_binary().map_err(|error| StartError::Bundled(error.to_string()))?;
    let setup = plugin::Setup {
        data: options.data.clone(),
        store: store.clone(),
        engines: site::engines(store.clone(), vaults.clone(), Arc::clone(clock)),
        clock: Arc::clone(clock),
        program: options.program.clone(),
        compile_bounds: plugin::compile::Bounds::default(),
        accept_unsigned: options.accept_unsigned,
        bundled,
        grace: PLUGIN_GRACE,
    };
    Ok(Plugins::open(setup).await?)
}

async fn tell_of_healing(store: &Store, healed: &Healed, clock: &SharedClock) -> Result<(), StoreError> {
    let from = healed
        .export_of
        .map_or("no export was found".to_owned(), |at| format!("the export of {at} was used"));
    let kept = healed
        .moved_to
        .as_ref()
        .map_or(String::new(), |path| format!("; the damaged files are in {}", path.display()));
    let whole = if healed.complete {
        "everything that was acknowledged is there"
    } else {
        "the newest changes of settings may be missing: look through servers, jobs and grants"
    };
    let alert = NewAlert {
        source: "appliance".to_owned(),
        key: "state-healed".to_owned(),
        severity: Severity::Warning,
        title: "The appliance's state was damaged and has been restored".to_owned(),
        detail: format!(
            "{}; {from}, and {} later changes were added; {whole}; no recovery point is affected{kept}",
            healed.reason, healed.replayed
        ),
        server: None,
    };
    store.alerts.raise(alert, clock.now()).await.map(|_| ())
}

/// Completes the list of points from the vaults themselves: before anything else after healing, else beside the work, for a
/// point whose entry a crash cut off.
async fn refresh_points(store: &Store, vaults: &Vaults) {
    let known = match store.vaults.list() {
        Ok(known) => known,
        Err(error) => {
            tracing::warn!(%error, "the vaults' points cannot be listed now");
            return;
        }
    };
    for vault in known {
        match vaults.refresh(&vault.name).await {
            Ok(unreadable) if unreadable.is_empty() => {}
            Ok(unreadable) => {
                tracing::warn!(vault = %vault.name, ?unreadable, "some points of the vault cannot be read")
            }
            Err(error) => {
                tracing::warn!(vault = %vault.name, %error, "the vault's points cannot be listed now")
            }
        }
    }
}
