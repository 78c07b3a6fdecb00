//! The interface `alerts`: telling people. An alert belongs to the plugin that raised it.

use super::{
    bindings::holdfast::alerts::alerts::{Error, Host, Severity},
    engines::{EngineError, NewAlert},
    session::{Gate, Refusal, Request, Session},
};
use crate::model::{alert, plugin::Capability::Alerts};

/// Open alerts of one plugin.
const OPEN: usize = 100;
/// The longest text, in bytes.
const TEXT: usize = 4 << 10;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(words) => Self::Denied(words),
            Refusal::NotFound(words) => Self::Other(words),
            Refusal::Unavailable(words) => Self::Unavailable(words),
        }
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Unavailable(words) => Self::Unavailable(words),
            EngineError::Quota(words) => Self::Quota(words),
            other => Self::Other(other.to_string()),
        }
    }
}

fn severity(asked: Severity) -> alert::Severity {
    match asked {
        Severity::Info => alert::Severity::Info,
        Severity::Warning => alert::Severity::Warning,
        Severity::Critical => alert::Severity::Critical,
    }
}

/// Refuses texts nobody would read to the end.
fn readable(key: &str, title: &str, detail: &str) -> Result<(), Error> {
    if key.is_empty() || title.is_empty() {
        return Err(Error::Other("an alert needs a key and a title; nothing was raised".to_owned()));
    }
    match [("key", key), ("title", title), ("detail", detail)].iter().find(|(_, text)| text.len() > TEXT) {
        Some((part, text)) => Err(Error::Quota(format!(
            "the alert's {part} has {} bytes; nothing was raised; the most is {TEXT}",
            text.len()
        ))),
        None => Ok(()),
    }
}

impl Gate {
    async fn raise_alert(&self, request: Request<'_>, alert: NewAlert) -> Result<(), Error> {
        readable(&alert.key, &alert.title, &alert.detail)?;
        let admitted = self.admit(request).await?;
        let open = self.engines.alerts.open(&self.manifest.id).await?;
        if open.len() >= OPEN && !open.contains(&alert.key) {
            return Err(Error::Quota(format!(
                "plugin {} has {} open alerts; this one was not raised; resolve some first",
                self.manifest.id,
                open.len()
            )));
        }
        let server = admitted.server.map(|server| server.name);
        Ok(self.engines.alerts.raise(&self.manifest.id, NewAlert { server, ..alert }).await?)
    }

    async fn resolve_alert(&self, key: &str) -> Result<(), Error> {
        self.admit(Request::changes(Alerts, "alerts.resolve").detail(key)).await?;
        Ok(self.engines.alerts.resolve(&self.manifest.id, key).await?)
    }

    async fn open_alerts(&self) -> Result<Vec<String>, Error> {
        self.admit(Request::reads(Alerts, "alerts.open")).await?;
        Ok(self.engines.alerts.open(&self.manifest.id).await?)
    }
}

impl Host for Session {
    async fn raise(
        &mut self,
        key: String,
        how_bad: Severity,
        title: String,
        detail: String,
        server: Option<String>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let alert = NewAlert { key: key.clone(), severity: severity(how_bad), title, detail, server: None };
        let request = Request::changes(Alerts, "alerts.raise").detail(&key);
        let request = Request { server: server.as_deref(), ..request };
        Ok(self.gate.raise_alert(request, alert).await)
    }

    async fn resolve(&mut self, key: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.gate.resolve_alert(&key).await)
    }

    async fn open(&mut self) -> wasmtime::Result<Result<Vec<String>, Error>> {
        Ok(self.gate.open_alerts().await)
    }
}
