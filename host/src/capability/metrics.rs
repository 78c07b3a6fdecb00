//! The interface `metrics`: measurements over time. A plugin sees only its own series.

use super::{
    bindings::holdfast::metrics::metrics::{Error, Host},
    engines::EngineError,
    seconds,
    session::{Gate, Refusal, Request, Session},
};
use crate::model::{
    metric::{Sample, SeriesKey},
    plugin::Capability::Metrics,
};
use chrono::DateTime;

/// Series of one plugin.
const SERIES: usize = 1000;
/// Samples in one answer.
const SAMPLES: u32 = 1000;
/// The longest name or subject, in bytes.
const NAME: usize = 128;

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
            EngineError::Invalid(words) => Self::Invalid(words),
            EngineError::Unavailable(words) => Self::Unavailable(words),
            other => Self::Other(other.to_string()),
        }
    }
}

/// A name says its unit, so that whoever reads the series knows what the number is.
fn well_named(name: &str, subject: &str) -> Result<(), Error> {
    let letters = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let unit = ["_bytes", "_seconds", "_ratio", "_count"].iter().any(|unit| name.ends_with(unit));
    let short = name.len() <= NAME && subject.len() <= NAME && !subject.is_empty();
    let clean = !subject.chars().any(char::is_control);
    if letters && unit && short && clean {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "\"{name}\" about \"{subject}\" cannot be a series; nothing was recorded; use a name of lower-case letters, digits and _ \
         that ends in _bytes, _seconds, _ratio or _count, and a subject of 1 to {NAME} bytes"
    )))
}

impl Gate {
    fn series(&self, name: String, subject: String) -> SeriesKey {
        SeriesKey { source: self.manifest.id.to_string(), name, subject }
    }

    async fn record_sample(&self, series: SeriesKey, value: f64) -> Result<(), Error> {
        well_named(&series.name, &series.subject)?;
        if !value.is_finite() {
            return Err(Error::Invalid(format!(
                "{value} of \"{}\" is not a finite number; it was not recorded",
                series.name
            )));
        }
        self.admit(Request::changes(Metrics, "metrics.record").detail(&series.name)).await?;
        let count = self.engines.metrics.series(&series).await?;
        if !count.known && count.total >= SERIES {
            return Err(Error::Invalid(format!(
                "plugin {} has {} series, the most there may be; \"{}\" was not recorded; use fewer names or subjects",
                self.manifest.id, count.total, series.name
            )));
        }
        let sample = Sample { at: self.clock.now(), value };
        Ok(self.engines.metrics.record(&series, sample).await?)
    }

    async fn query_samples(
        &self,
        series: SeriesKey,
        since: u64,
        limit: u32,
    ) -> Result<Vec<(u64, f64)>, Error> {
        well_named(&series.name, &series.subject)?;
        self.admit(Request::reads(Metrics, "metrics.query").detail(&series.name)).await?;
        let since = i64::try_from(since)
            .ok()
            .and_then(|since| DateTime::from_timestamp(since, 0))
            .unwrap_or(DateTime::<chrono::Utc>::MAX_UTC);
        let limit = usize::try_from(limit.min(SAMPLES)).unwrap_or(0);
        let samples = self.engines.metrics.query(&series, since, limit).await?;
        Ok(samples.into_iter().map(|sample| (seconds(sample.at), sample.value)).collect())
    }
}

impl Host for Session {
    async fn record(
        &mut self,
        name: String,
        subject: String,
        value: f64,
    ) -> wasmtime::Result<Result<(), Error>> {
        let series = self.gate.series(name, subject);
        Ok(self.gate.record_sample(series, value).await)
    }

    async fn query(
        &mut self,
        name: String,
        subject: String,
        since: u64,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<(u64, f64)>, Error>> {
        let series = self.gate.series(name, subject);
        Ok(self.gate.query_samples(series, since, limit).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_name_says_its_unit() {
        assert!(well_named("backup_changed_bytes", "db1").is_ok());
        for (name, subject) in
            [("changed", "db1"), ("Changed_bytes", "db1"), ("a_bytes", ""), ("1_bytes", "x")]
        {
            assert!(well_named(name, subject).is_err(), "{name} {subject}");
        }
    }
}
