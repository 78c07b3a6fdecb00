//! One instance's view of the appliance: who it is, which run it serves, what it holds, and the one gate that every
//! capability call goes through.
//!
//! Order of a call: parse the names → both gates of the grant → dry run → one audit record → the engine. Nothing has
//! happened when a call is refused, and a call whose audit record cannot be written is refused.

use super::{
    audit::AuditEntry,
    context::RunContext,
    engines::{EngineError, Engines, Origin},
    grant::{self, Denied, Target},
    operation::OperationSpace,
    run_log::LogAllowance,
};
use crate::{
    clock::SharedClock,
    model::{
        audit::Verdict,
        name::{ServerName, Tag, VaultName},
        plugin::{Capability, Grant, Manifest},
        point::PointRecord,
        server::Server,
    },
};
use std::{sync::Arc, time::Instant};
use wasmtime::component::ResourceTable;

/// What the instance was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To run a job.
    Job,
    /// To check settings: only `run` and `state` answer.
    CheckSettings,
}

/// How much a plugin may keep in `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateQuota {
    /// Bytes of keys and values together.
    pub bytes: u64,
    /// Number of keys.
    pub keys: u64,
}

/// What an instance is made with.
pub struct SessionParts {
    /// The plugin's manifest.
    pub manifest: Arc<Manifest>,
    /// The run.
    pub context: RunContext,
    /// What it is for.
    pub purpose: Purpose,
    /// The job's settings as a JSON object.
    pub settings: String,
    /// What it may keep in `state`.
    pub state_quota: StateQuota,
    /// Operations under way at once.
    pub operations: u32,
    /// Its log limit.
    pub log: LogAllowance,
    /// The time.
    pub clock: SharedClock,
    /// The site.
    pub engines: Engines,
}

/// One instance's view of the appliance.
pub struct Session {
    pub(super) gate: Gate,
    pub(super) log: LogAllowance,
    pub(super) last_error: Option<String>,
    pub(super) started: Instant,
    /// Handles the guest holds, WASI's included.
    pub table: ResourceTable,
}

/// The way to the engines: holds who asks and for which run, and is shared with nothing the guest can grow.
pub(super) struct Gate {
    pub(super) manifest: Arc<Manifest>,
    pub(super) context: RunContext,
    pub(super) purpose: Purpose,
    pub(super) settings: String,
    pub(super) state_quota: StateQuota,
    pub(super) operations: Arc<OperationSpace>,
    pub(super) clock: SharedClock,
    pub(super) engines: Engines,
}

/// What a call asks.
pub(super) struct Request<'a> {
    pub(super) capability: Capability,
    pub(super) action: &'static str,
    pub(super) changes: bool,
    pub(super) server: Option<&'a str>,
    pub(super) vault: Option<&'a str>,
    pub(super) detail: Option<&'a str>,
}

impl<'a> Request<'a> {
    pub(super) fn reads(capability: Capability, action: &'static str) -> Self {
        Self { capability, action, changes: false, server: None, vault: None, detail: None }
    }
    pub(super) fn changes(capability: Capability, action: &'static str) -> Self {
        Self { changes: true, ..Self::reads(capability, action) }
    }
    pub(super) fn server(self, name: &'a str) -> Self {
        Self { server: Some(name), ..self }
    }
    pub(super) fn vault(self, name: &'a str) -> Self {
        Self { vault: Some(name), ..self }
    }
    pub(super) fn detail(self, text: &'a str) -> Self {
        Self { detail: Some(text), ..self }
    }

    fn subject(&self) -> String {
        let parts = [
            self.server.map(|name| format!("server {name}")),
            self.vault.map(|name| format!("vault {name}")),
            self.detail.map(str::to_owned),
        ];
        let said: Vec<String> = parts.into_iter().flatten().collect();
        if said.is_empty() { "the site".to_owned() } else { said.join(", ") }
    }
}

/// What a call that was let may touch.
pub(super) struct Admitted {
    pub(super) grant: Grant,
    pub(super) server: Option<Server>,
    pub(super) vault: Option<VaultName>,
}

/// Why a call does not happen.
#[derive(Debug)]
pub(super) enum Refusal {
    Denied(String),
    NotFound(String),
    Unavailable(String),
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied.to_string())
    }
}

impl Refusal {
    fn words(&self) -> &str {
        let (Self::Denied(words) | Self::NotFound(words) | Self::Unavailable(words)) = self;
        words
    }
}

impl Session {
    /// A session for one instance.
    pub fn new(parts: SessionParts) -> Self {
        let gate = Gate {
            operations: Arc::new(OperationSpace::new(parts.operations, &parts.context.cancel)),
            manifest: parts.manifest,
            context: parts.context,
            purpose: parts.purpose,
            settings: parts.settings,
            state_quota: parts.state_quota,
            clock: parts.clock,
            engines: parts.engines,
        };
        let (log, started) = (parts.log, Instant::now());
        Self { gate, log, last_error: None, started, table: ResourceTable::new() }
    }

    /// The operations it began; they must be finished before the run is settled.
    pub fn operations(&self) -> Arc<OperationSpace> {
        self.gate.operations.clone()
    }

    /// The last error line of its log: after a trap, what a panic said.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}

impl Gate {
    pub(super) fn origin(&self) -> Origin {
        Origin { plugin: self.manifest.id.clone(), job: self.context.job.clone(), run: self.context.run }
    }

    /// The gate: lets the call through or not, and leaves one audit record.
    pub(super) async fn admit(&self, request: Request<'_>) -> Result<Admitted, Refusal> {
        let outcome = self.weigh(&request).await;
        self.audited(&request, outcome).await
    }

    /// The gate for calls on one recovery point: its server is known only after a look into the vault, which is not
    /// taken before the vault itself is granted.
    pub(super) async fn admit_point(
        &self,
        request: Request<'_>,
        id: &str,
    ) -> Result<(Admitted, PointRecord), Refusal> {
        let point = match self.weigh(&request).await {
            Ok(Admitted { vault: Some(vault), .. }) => {
                self.engines.recovery_points.get(&vault, id).await.map_err(Refusal::from)
            }
            Ok(_) => Err(Refusal::NotFound("the call names no vault; nothing was done".to_owned())),
            Err(refusal) => Err(refusal),
        };
        let outcome = match point {
            Ok(point) => {
                let name = point.server.as_str().to_owned();
                let whole = Request { server: Some(&name), ..request };
                let weighed = self.weigh_known(&whole, &point.server).await;
                return self.audited(&whole, weighed.map(|admitted| (admitted, point))).await;
            }
            Err(refusal) => Err(refusal),
        };
        self.audited(&request, outcome).await
    }

    async fn weigh(&self, request: &Request<'_>) -> Result<Admitted, Refusal> {
        let server = match request.server {
            Some(name) => {
                let name = ServerName::new(name).map_err(|bad| Refusal::NotFound(bad.to_string()))?;
                let known = self.engines.servers.get(&name).await.map_err(Refusal::from)?;
                Some((name, known))
            }
            None => None,
        };
        let tags = server.as_ref().and_then(|(_, known)| known.as_ref()).map_or(&[][..], |s| &s.tags);
        let admitted = self.pass(request, server.as_ref().map(|(name, _)| name), tags).await?;
        match server {
            Some((name, None)) => Err(Refusal::NotFound(format!(
                "there is no server {name} on this appliance; nothing was done; add it, or change the job's settings"
            ))),
            Some((_, known)) => Ok(Admitted { server: known, ..admitted }),
            None => Ok(admitted),
        }
    }

    /// Like [`Self::weigh`] for a server that may be forgotten by now while its points are still there.
    async fn weigh_known(&self, request: &Request<'_>, name: &ServerName) -> Result<Admitted, Refusal> {
        let known = self.engines.servers.get(name).await.map_err(Refusal::from)?;
        let tags = known.as_ref().map_or(&[][..], |server| &server.tags);
        let admitted = self.pass(request, Some(name), tags).await?;
        Ok(Admitted { server: known, ..admitted })
    }

    async fn pass(
        &self,
        request: &Request<'_>,
        server: Option<&ServerName>,
        tags: &[Tag],
    ) -> Result<Admitted, Refusal> {
        if self.purpose == Purpose::CheckSettings {
            return Err(Denied::CheckingSettings { action: request.action.to_owned() }.into());
        }
        let vault = match request.vault {
            Some(name) => Some(VaultName::new(name).map_err(|bad| Refusal::NotFound(bad.to_string()))?),
            None => None,
        };
        // An alert is no server's, but it may name one only if the plugin may see that server.
        let about = request.capability == Capability::Alerts && server.is_some();
        let target = Target { server: server.filter(|_| !about), tags, vault: vault.as_ref() };
        let grant = self.granted(request.capability).await?;
        grant::check(&self.manifest, request.capability, grant.as_ref(), target)?;
        if about {
            let seeing = self.granted(Capability::Servers).await?;
            let target = Target { server, tags, vault: None };
            grant::check(&self.manifest, Capability::Servers, seeing.as_ref(), target)?;
        }
        if request.changes && self.context.dry_run {
            let (action, subject) = (request.action.to_owned(), request.subject());
            return Err(Denied::DryRun { action, subject }.into());
        }
        let Some(grant) = grant else {
            return Err(Refusal::Denied("denied: not granted; nothing was done".to_owned()));
        };
        Ok(Admitted { grant, server: None, vault })
    }

    async fn granted(&self, capability: Capability) -> Result<Option<Grant>, Refusal> {
        self.engines.grants.granted(&self.manifest.id, capability).await.map_err(Refusal::from)
    }

    async fn audited<T>(&self, request: &Request<'_>, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
        let refused = outcome.as_ref().err().map(|refusal| refusal.words().to_owned());
        let entry = AuditEntry {
            who: format!("plugin:{} run:{}", self.manifest.id, self.context.run),
            action: request.action.to_owned(),
            subject: request.subject(),
            verdict: if refused.is_some() { Verdict::Refused } else { Verdict::Allowed },
            reason: refused,
        };
        match self.engines.audit.record(entry).await {
            Ok(()) => outcome,
            Err(error) => Err(Refusal::Unavailable(format!(
                "{} was not done: its audit record could not be written ({error}); nothing was changed; check the \
                 appliance's disk",
                request.action
            ))),
        }
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NotFound(words) => Self::NotFound(words),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
