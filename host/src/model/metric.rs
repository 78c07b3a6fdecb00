//! A measured value over time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One sample of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Sample {
    /// When it was measured.
    #[schema(value_type = String, format = DateTime)]
    pub at: DateTime<Utc>,
    /// The value, in the unit the series' name ends with (`_bytes`, `_seconds`, `_ratio`).
    pub value: f64,
}

/// What tells one series from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SeriesKey {
    /// Who records it: a plugin's id or `appliance`.
    pub source: String,
    /// Name with unit, for example `backup_changed_bytes`.
    pub name: String,
    /// What it is about, for example a server's name.
    pub subject: String,
}
