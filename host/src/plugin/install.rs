//! Inspecting, installing and removing a package.

use super::{
    FindPackage, Loaded, Plugins,
    compile::CompilePlugin,
    limits::Limits,
    linker,
    package::{Package, PackageError},
    publisher::{self, Known, RefusePackage},
};
use crate::{
    capability::{audit::AuditEntry, engines::EngineError},
    model::{
        audit::Verdict,
        name::PluginId,
        plugin::{InstalledPlugin, Publisher},
    },
    store::StoreError,
};
use bytes::Bytes;
use std::sync::Arc;

/// Why a plugin was not installed, loaded or removed.
#[derive(Debug, thiserror::Error)]
pub enum InstallPlugin {
    /// The file is no good.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// It may not be here.
    #[error(transparent)]
    Refused(#[from] RefusePackage),
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompilePlugin),
    /// It does not fit the contract.
    #[error("plugin {id} does not fit this appliance: {}; it was not installed; ask its author for a build that does", problems.join("; "))]
    Unfit {
        /// Which.
        id: PluginId,
        /// Why.
        problems: Vec<String>,
    },
    /// A bundled plugin cannot be removed.
    #[error(
        "plugin {id} comes with the appliance and cannot be removed; nothing was changed; revoke its grants or disable its jobs"
    )]
    Bundled {
        /// Which.
        id: PluginId,
    },
    /// A job uses it.
    #[error("plugin {id} is used by: {}; it was not removed; remove or change these jobs first", jobs.join(", "))]
    InUse {
        /// Which.
        id: PluginId,
        /// By which jobs.
        jobs: Vec<String>,
    },
    /// Its file could not be written.
    #[error(
        "the package of plugin {id} could not be written: {source}; nothing was installed; check the data disk and try again"
    )]
    Write {
        /// Which.
        id: PluginId,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not there.
    #[error(transparent)]
    Find(#[from] FindPackage),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The audit record could not be written.
    #[error(
        "the audit record could not be written ({0}); nothing was changed; check the data disk and try again"
    )]
    Audit(EngineError),
}

/// What a package says of itself, what it really imports, and why it would not install.
#[derive(Debug, Clone)]
pub struct InspectedPackage {
    /// The package.
    pub package: Package,
    /// Who stands behind it, as far as its signature says.
    pub publisher: Publisher,
    /// Our interfaces that it imports.
    pub imports: Vec<String>,
    /// Why it would not install here; empty is good.
    pub problems: Vec<String>,
}

impl Plugins {
    /// Looks at a package without installing it.
    pub async fn inspect(&self, bytes: Bytes) -> Result<InspectedPackage, InstallPlugin> {
        let package = Package::read(bytes)?;
        let (publisher, mut problems) = match self.judge(&package)? {
            Ok(publisher) => (publisher, Vec::new()),
            Err(refused) => (unjudged(&package), vec![refused.to_string()]),
        };
        let imports = linker::our_interfaces(&linker::imports(&package.bytes));
        match self.load(&package).await {
            Ok(_) => {}
            Err(InstallPlugin::Unfit { problems: more, .. }) => problems.extend(more),
            Err(other) => problems.push(other.to_string()),
        }
        Ok(InspectedPackage { package, publisher, imports, problems })
    }

    /// Verifies, compiles, links and installs a package. Grants nothing.
    pub async fn install(&self, bytes: Bytes, who: &str) -> Result<InstalledPlugin, InstallPlugin> {
        let _turn = self.changing.lock().await;
        let package = Package::read(bytes)?;
        let id = package.manifest.id.clone();
        let judged = self.judge(&package)?;
        self.note(who, "plugin.install", &package, judged.as_ref().err().map(ToString::to_string)).await?;
        let publisher = judged?;
        let loaded = self.load(&package).await?;
        let before = self.store.plugins.get(&id)?;
        self.catalog.keep(&package).map_err(|source| InstallPlugin::Write { id: id.clone(), source })?;
        if let Publisher::Signed { key } = &publisher {
            let name = super::manifest::publisher(&package.manifest).to_owned();
            self.store.publishers.put(&name, key).await?;
        }
        let record = InstalledPlugin {
            manifest: package.manifest.clone(),
            digest: package.digest.clone(),
            publisher,
            installed: self.clock.now(),
            paused: None,
        };
        self.store.plugins.put(&id, &record).await?;
        self.loaded.lock().insert(id, Arc::new(loaded));
        if let Some(before) = before {
            self.catalog.discard(&before.digest)?;
        }
        Ok(record)
    }

    /// Removes a plugin, its grants and its state; the pinned key of its publisher goes with the publisher's last plugin.
    pub async fn remove(&self, id: &PluginId, who: &str) -> Result<(), InstallPlugin> {
        let _turn = self.changing.lock().await;
        let record = self.catalog.record(id)?;
        if record.publisher == Publisher::Bundled {
            return Err(InstallPlugin::Bundled { id: id.clone() });
        }
        let jobs = self.jobs_of(id)?;
        if !jobs.is_empty() {
            return Err(InstallPlugin::InUse { id: id.clone(), jobs });
        }
        self.audit(who, "plugin.remove", format!("plugin {id}"), None).await?;
        let (store, gone) = (self.store.clone(), id.clone());
        self.store
            .transact(move |transaction| {
                for (key, _) in store.grants.list_in(transaction, &format!("{gone}/"))? {
                    store.grants.remove_in(transaction, &key);
                }
                store.plugin_state.forget_in(transaction, &gone)?;
                store.plugins.remove_in(transaction, &gone);
                Ok::<(), StoreError>(())
            })
            .await?;
        self.loaded.lock().remove(id);
        self.catalog.discard(&record.digest)?;
        let publisher = super::manifest::publisher(&record.manifest).to_owned();
        if self.store.plugins.list_prefix(&format!("{publisher}."))?.is_empty() {
            self.store.publishers.remove(&publisher).await?;
        }
        Ok(())
    }

    fn jobs_of(&self, id: &PluginId) -> Result<Vec<String>, StoreError> {
        use crate::model::job::Work;
        let jobs = self.store.jobs.list()?;
        let uses = |work: &Work| matches!(work, Work::Plugin { plugin, .. } if plugin == id);
        Ok(jobs.iter().filter(|job| uses(&job.work)).map(|job| job.name.to_string()).collect())
    }

    fn judge(&self, package: &Package) -> Result<Result<Publisher, RefusePackage>, StoreError> {
        let pinned = self.store.publishers.get(&super::manifest::publisher(&package.manifest).to_owned())?;
        let installed = self.store.plugins.get(&package.manifest.id)?;
        let known = Known {
            pinned: pinned.as_deref(),
            installed: installed.as_ref(),
            accepts_unsigned: self.accept_unsigned,
        };
        Ok(publisher::judge(package, known))
    }

    /// Compiles and links a package; keeps nothing but the compiled form.
    pub(super) async fn load(&self, package: &Package) -> Result<Loaded, InstallPlugin> {
        let id = &package.manifest.id;
        let unfit = |problems| InstallPlugin::Unfit { id: id.clone(), problems };
        let wrong = linker::version_problems(&linker::imports(&package.bytes), &linker::offered());
        if !wrong.is_empty() {
            return Err(unfit(wrong));
        }
        let component = self.compiler.component(package).await?;
        let plugin = linker::fit(&self.linker, &component).map_err(|problem| unfit(vec![problem]))?;
        let pages = component.resources_required().and_then(|required| required.max_initial_memory_size);
        let limits = Limits::of(&package.manifest.limits, pages.unwrap_or(0).saturating_mul(64 << 10));
        Ok(Loaded { package: package.clone(), plugin, limits })
    }

    /// The compiled and linked plugin of a record; compiled now if it was not yet in this boot.
    pub(super) async fn loaded(&self, record: &InstalledPlugin) -> Result<Arc<Loaded>, InstallPlugin> {
        let id = &record.manifest.id;
        let ready = self.loaded.lock().get(id).cloned();
        if let Some(ready) = ready.filter(|ready| ready.package.digest == record.digest) {
            return Ok(ready);
        }
        let loaded = Arc::new(self.load(&self.catalog.package(record)?).await?);
        self.loaded.lock().insert(id.clone(), loaded.clone());
        Ok(loaded)
    }

    async fn note(
        &self,
        who: &str,
        action: &str,
        package: &Package,
        refused: Option<String>,
    ) -> Result<(), InstallPlugin> {
        let subject =
            format!("plugin {} {}, {}", package.manifest.id, package.manifest.version, package.digest);
        self.audit(who, action, subject, refused).await
    }

    async fn audit(
        &self,
        who: &str,
        action: &str,
        subject: String,
        refused: Option<String>,
    ) -> Result<(), InstallPlugin> {
        let verdict = if refused.is_some() { Verdict::Refused } else { Verdict::Allowed };
        let entry =
            AuditEntry { who: who.to_owned(), action: action.to_owned(), subject, verdict, reason: refused };
        self.engines.audit.record(entry).await.map_err(InstallPlugin::Audit)
    }
}

fn unjudged(package: &Package) -> Publisher {
    match &package.signer {
        Some(key) => Publisher::Signed { key: key.to_string() },
        None => Publisher::Unsigned,
    }
}
