//! The interface `retention`: letting recovery points expire, never below the vault's minimum.

use super::{
    HostFault,
    bindings::holdfast::retention::retention::{Error, Host, HostRule},
    engines::{EngineError, RetentionRule},
    session::{Gate, Refusal, Request, Session},
};
use crate::model::plugin::Capability::Retention;
use wasmtime::component::Resource;

const HERE: &str = "retention";

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(words) => Self::Denied(words),
            Refusal::NotFound(words) => Self::NotFound(words),
            Refusal::Unavailable(words) => Self::Unavailable(words),
        }
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NotFound(words) => Self::NotFound(words),
            EngineError::Invalid(words) => Self::Invalid(words),
            EngineError::Unavailable(words) => Self::Unavailable(words),
            other => Self::Other(other.to_string()),
        }
    }
}

/// Sets one period's count; the names are the contract's.
fn keep(rule: &mut RetentionRule, period: &str, count: u32) -> Result<(), Error> {
    let place = match period {
        "last" => &mut rule.last,
        "hourly" => &mut rule.hourly,
        "daily" => &mut rule.daily,
        "weekly" => &mut rule.weekly,
        "monthly" => &mut rule.monthly,
        "yearly" => &mut rule.yearly,
        other => {
            return Err(Error::Invalid(format!(
                "there is no period \"{other}\"; nothing was changed; use last, hourly, daily, weekly, monthly or yearly"
            )));
        }
    };
    *place = count;
    Ok(())
}

fn not_empty(rule: RetentionRule) -> Result<RetentionRule, Error> {
    if rule == RetentionRule::default() {
        return Err(Error::Invalid(
            "the retention rule keeps nothing; nothing was expired; say how many points to keep".to_owned(),
        ));
    }
    Ok(rule)
}

impl Gate {
    async fn apply_rule(
        &self,
        server: &str,
        vault: &str,
        rule: RetentionRule,
        really: bool,
    ) -> Result<Vec<String>, Error> {
        let request = if really {
            Request::changes(Retention, "retention.apply")
        } else {
            Request::reads(Retention, "retention.preview")
        };
        let admitted = self.admit(request.server(server).vault(vault)).await?;
        let rule = not_empty(rule)?;
        match (admitted.server, admitted.vault) {
            (Some(server), Some(vault)) if really => {
                Ok(self.engines.retention.apply(&server.name, &vault, rule).await?)
            }
            (Some(server), Some(vault)) => {
                Ok(self.engines.retention.preview(&server.name, &vault, rule).await?)
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn expire_point(&self, vault: &str, id: &str) -> Result<(), Error> {
        let request = Request::changes(Retention, "retention.expire").vault(vault).detail(id);
        let (_, point) = self.admit_point(request, id).await?;
        Ok(self.engines.retention.expire(&point.vault, &point.id).await?)
    }
}

impl Session {
    fn rule(&self, handle: &Resource<RetentionRule>) -> wasmtime::Result<RetentionRule> {
        self.table.get(handle).copied().map_err(HostFault::of(HERE))
    }
}

impl Host for Session {
    async fn preview(
        &mut self,
        server: String,
        vault: String,
        rule: Resource<RetentionRule>,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let rule = self.rule(&rule)?;
        Ok(self.gate.apply_rule(&server, &vault, rule, false).await)
    }

    async fn apply(
        &mut self,
        server: String,
        vault: String,
        rule: Resource<RetentionRule>,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let rule = self.rule(&rule)?;
        Ok(self.gate.apply_rule(&server, &vault, rule, true).await)
    }

    async fn expire(&mut self, vault: String, id: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.gate.expire_point(&vault, &id).await)
    }
}

impl HostRule for Session {
    async fn new(&mut self) -> wasmtime::Result<Resource<RetentionRule>> {
        self.table.push(RetentionRule::default()).map_err(HostFault::of(HERE))
    }

    async fn keep(
        &mut self,
        handle: Resource<RetentionRule>,
        period: String,
        count: u32,
    ) -> wasmtime::Result<Result<(), Error>> {
        let rule = self.table.get_mut(&handle).map_err(HostFault::of(HERE))?;
        Ok(keep(rule, &period, count))
    }

    async fn drop(&mut self, handle: Resource<RetentionRule>) -> wasmtime::Result<()> {
        self.table.delete(handle).map_err(HostFault::of(HERE))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_period_of_the_contract_is_kept_and_no_other() {
        let mut rule = RetentionRule::default();
        for (count, period) in (1..).zip(["last", "hourly", "daily", "weekly", "monthly", "yearly"]) {
            keep(&mut rule, period, count).unwrap();
        }
        let all = RetentionRule { last: 1, hourly: 2, daily: 3, weekly: 4, monthly: 5, yearly: 6 };
        assert_eq!(rule, all);
        assert!(keep(&mut rule, "minutely", 1).is_err());
    }

    #[test]
    fn an_empty_rule_is_refused() {
        assert!(not_empty(RetentionRule::default()).is_err());
    }
}
