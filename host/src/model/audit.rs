//! The audit log: who asked for what, and whether it was allowed. A hash chain, so that a removed or changed
//! record shows.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One record. `hash` covers `previous` and every other field, so the chain breaks where a record was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditRecord {
    /// Counts up from 1 without gaps.
    pub sequence: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: DateTime<Utc>,
    /// Who: `plugin:ID run:N`, `user:NAME`, `token:NAME`, `console`, `appliance`.
    pub who: String,
    /// What was asked, for example `recovery-points.create`.
    pub action: String,
    /// On what.
    pub subject: String,
    /// Allowed, refused, or allowed and failed.
    pub verdict: Verdict,
    /// Why it was refused or how it failed.
    pub reason: Option<String>,
    /// Hex BLAKE3 of the record before this one.
    pub previous: String,
    /// Hex BLAKE3 of this record.
    pub hash: String,
}

/// What became of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Permitted.
    Allowed,
    /// Not permitted; nothing was done.
    Refused,
}
