//! The site as one snapshot: what the overview and its list of things to do are made from.

use crate::{
    admin::{Admin, ports::Ports},
    model::{
        alert::{Alert, Severity},
        job::Job,
        plugin::{Capability, Grant, InstalledPlugin},
        point::PointRecord,
        run::Run,
        server::Server,
        vault::VaultDefinition,
    },
    store::StoreError,
};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// Everything the first screen looks at.
pub struct Site {
    /// When it was looked at.
    pub now: DateTime<Utc>,
    /// Protected machines.
    pub servers: Vec<Server>,
    /// Vaults in use.
    pub vaults: Vec<VaultDefinition>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// Recovery points by server, newest first.
    pub points: BTreeMap<String, Vec<PointRecord>>,
    /// Installed plugins.
    pub plugins: Vec<InstalledPlugin>,
    /// What they may do.
    pub grants: Vec<Grant>,
    /// Open alerts, the worst and newest first.
    pub alerts: Vec<Alert>,
    /// Runs that have not ended.
    pub running: Vec<Run>,
}

impl Site {
    /// Reads it all.
    pub fn read(admin: &Admin) -> Result<Self, StoreError> {
        let store = &admin.store;
        let mut points: BTreeMap<String, Vec<PointRecord>> = BTreeMap::new();
        for point in store.points.list()? {
            points.entry(point.server.to_string()).or_default().push(point);
        }
        for of_server in points.values_mut() {
            of_server.sort_by_key(|point| std::cmp::Reverse(point.taken));
        }
        let mut alerts = store.alerts.open()?;
        alerts.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), std::cmp::Reverse(alert.seen)));
        Ok(Self {
            now: admin.clock.now(),
            servers: store.servers.list()?,
            vaults: store.vaults.list()?,
            jobs: store.jobs.list()?,
            points,
            plugins: store.plugins.list()?,
            grants: store.grants.list()?,
            alerts,
            running: store.runs.unsettled()?,
        })
    }

    /// The points of a server, newest first.
    pub fn points_of(&self, server: &Server) -> &[PointRecord] {
        self.points.get(server.name.as_str()).map_or(&[], Vec::as_slice)
    }

    /// What a plugin asks for and has not been granted.
    pub fn missing_grants(&self, plugin: &InstalledPlugin) -> Vec<Capability> {
        let granted: BTreeSet<Capability> = self
            .grants
            .iter()
            .filter(|grant| grant.plugin == plugin.manifest.id)
            .map(|grant| grant.capability)
            .collect();
        let asked = plugin.manifest.permissions.iter().map(|permission| permission.capability);
        asked.filter(|capability| !granted.contains(capability)).collect()
    }
}

/// One thing a person should do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Todo {
    /// How pressing.
    pub severity: Severity,
    /// What is the matter.
    pub what: String,
    /// Why it matters, or what was found.
    pub why: String,
    /// Where it is done.
    pub link: String,
    /// What the link says.
    pub label: &'static str,
}

/// Everything that waits for a person, the most pressing first.
pub fn todos(site: &Site, ports: &Ports) -> Vec<Todo> {
    let mut found: Vec<Todo> = site.alerts.iter().filter_map(of_alert).collect();
    if site.vaults.is_empty() && !site.servers.is_empty() {
        found.push(Todo {
            severity: Severity::Critical,
            what: "There is no vault".to_owned(),
            why: "Recovery points have nowhere to go.".to_owned(),
            link: "/vaults/new".to_owned(),
            label: "Make a vault",
        });
    }
    for server in &site.servers {
        if ports.definitions.backup_job_of(server).is_none() {
            found.push(Todo {
                severity: Severity::Critical,
                what: format!("No job backs up {}", server.name),
                why: "It gets no recovery points by itself.".to_owned(),
                link: format!("/jobs/new?server={}", server.name),
                label: "Add a job",
            });
        }
    }
    found.extend(site.plugins.iter().flat_map(|plugin| of_plugin(site, plugin)));
    found.sort_by_key(|todo| std::cmp::Reverse(todo.severity));
    found
}

fn of_alert(alert: &Alert) -> Option<Todo> {
    if alert.acknowledged.is_some() || alert.severity == Severity::Info {
        return None;
    }
    Some(Todo {
        severity: alert.severity,
        what: alert.title.clone(),
        why: alert.detail.clone(),
        link: format!("/alerts#alert-{}", alert.id),
        label: "Look at it",
    })
}

fn of_plugin(site: &Site, plugin: &InstalledPlugin) -> Vec<Todo> {
    let (id, name) = (&plugin.manifest.id, &plugin.manifest.name);
    let mut found = Vec::new();
    let missing = site.missing_grants(plugin);
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|capability| capability.name()).collect();
        found.push(Todo {
            severity: Severity::Warning,
            what: format!("{name} waits for your permission"),
            why: format!("Not granted yet: {}.", names.join(", ")),
            link: format!("/plugins/{id}"),
            label: "Decide",
        });
    }
    if let Some(reason) = &plugin.paused {
        found.push(Todo {
            severity: Severity::Warning,
            what: format!("{name} is paused"),
            why: reason.clone(),
            link: format!("/plugins/{id}"),
            label: "Look at it",
        });
    }
    found
}

/// The four steps of setting a site up, and which are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// There is a vault.
    pub vault: bool,
    /// There is a server.
    pub server: bool,
    /// A plugin has all it asks for.
    pub grants: bool,
    /// There is a job that runs a plugin.
    pub job: bool,
}

impl Steps {
    /// How far this site is.
    pub fn of(site: &Site) -> Self {
        use crate::model::job::Work;
        Self {
            vault: !site.vaults.is_empty(),
            server: !site.servers.is_empty(),
            grants: site.plugins.iter().any(|plugin| site.missing_grants(plugin).is_empty()),
            job: site.jobs.iter().any(|job| matches!(job.work, Work::Plugin { .. })),
        }
    }

    /// Whether the guide is of no more use.
    pub fn are_done(self) -> bool {
        self.vault && self.server && self.grants && self.job
    }
}
