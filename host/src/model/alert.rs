//! Something a person should know until it is over.

use super::name::{AlertId, ServerName};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// An alert. One key has at most one open alert; raising it again counts up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Alert {
    /// Counts up, never used again.
    pub id: AlertId,
    /// What makes it the same alert, for example `backup-failed/db1`; unique among the open ones of its source.
    pub key: String,
    /// Who raised it: a plugin's id or `appliance`.
    pub source: String,
    /// How bad.
    pub severity: Severity,
    /// One line: what is wrong.
    pub title: String,
    /// What it means and what to do.
    pub detail: String,
    /// The server it is about, where it is about one.
    pub server: Option<ServerName>,
    /// First raised.
    #[schema(value_type = String, format = DateTime)]
    pub raised: DateTime<Utc>,
    /// Raised again last.
    #[schema(value_type = String, format = DateTime)]
    pub seen: DateTime<Utc>,
    /// How often.
    pub count: u64,
    /// Seen and taken by a person.
    pub acknowledged: Option<String>,
    /// Over since.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved: Option<DateTime<Utc>>,
}

/// How bad an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it this week.
    Warning,
    /// A server may not be recoverable: look at it now.
    Critical,
}
