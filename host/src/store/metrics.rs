//! Measurements over time, bounded per series: when a series is full, its oldest sample goes.

use super::{
    Engine, StoreError, Table, Transaction,
    key::{number, part},
};
use crate::model::metric::{Sample, SeriesKey};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Samples kept of one series.
pub(super) const SAMPLES: u64 = 2_000;

/// Series one source may have: names and subjects come from plugins.
pub(super) const SERIES: usize = 1_000;

/// What is known of a series: its samples have the numbers `first..next`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Series {
    key: SeriesKey,
    first: u64,
    next: u64,
}

/// Why a sample was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendSample {
    /// The source has as many series as it may.
    #[error(
        "{source_name} already records {SERIES} different series; this sample was not kept; use fewer names and subjects"
    )]
    TooManySeries {
        /// The source.
        source_name: String,
    },
    /// JSON and graphs have no such number.
    #[error("a measurement cannot be {value}; it was not kept; record a finite number")]
    NotANumber {
        /// What was given.
        value: f64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Measurements.
#[derive(Clone)]
pub struct Metrics {
    series: Table<String, Series>,
    samples: Table<String, Sample>,
}

impl Metrics {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        Self { series: Table::new("series", engine), samples: Table::new("samples", engine) }
    }

    /// Adds a sample to a series, making the series where there is none.
    pub async fn append(&self, key: SeriesKey, sample: Sample) -> Result<(), AppendSample> {
        if !sample.value.is_finite() {
            return Err(AppendSample::NotANumber { value: sample.value });
        }
        let this = self.clone();
        self.series.engine.commit(move |transaction| this.append_in(transaction, key, &sample)).await
    }

    fn append_in(
        &self,
        transaction: &mut Transaction<'_>,
        key: SeriesKey,
        sample: &Sample,
    ) -> Result<(), AppendSample> {
        let place = place_of(&key);
        let mut series = match self.series.get_in(transaction, &place)? {
            Some(series) => series,
            None => {
                let source = format!("{}/", part(&key.source));
                if self.series.list_in(transaction, &source)?.len() >= SERIES {
                    return Err(AppendSample::TooManySeries { source_name: key.source });
                }
                Series { key, first: 0, next: 0 }
            }
        };
        self.samples.put_in(transaction, &format!("{place}/{}", number(series.next)), sample)?;
        series.next += 1;
        while series.next - series.first > SAMPLES {
            self.samples.remove_in(transaction, &format!("{place}/{}", number(series.first)));
            series.first += 1;
        }
        self.series.put_in(transaction, &place, &series)?;
        Ok(())
    }

    /// The newest samples of a series not older than `since`, oldest first, at most `limit`.
    pub fn query(
        &self,
        key: &SeriesKey,
        since: Option<DateTime<Utc>>,
        limit: usize,
    ) -> Result<Vec<Sample>, StoreError> {
        let prefix = format!("{}/", place_of(key));
        let mut found = self
            .samples
            .newest(&prefix, None, limit, |sample| since.is_none_or(|since| sample.at >= since))?;
        found.reverse();
        Ok(found)
    }

    /// The series of a source.
    pub fn series_of(&self, source: &str) -> Result<Vec<SeriesKey>, StoreError> {
        let found = self.series.list_prefix(&format!("{}/", part(source)))?;
        Ok(found.into_iter().map(|series| series.key).collect())
    }
}

fn place_of(key: &SeriesKey) -> String {
    format!("{}/{}/{}", part(&key.source), part(&key.name), part(&key.subject))
}
