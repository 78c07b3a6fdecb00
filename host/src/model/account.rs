//! Who may do what on the page and over the API.

use super::name::{TokenName, UserName};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A role holds everything the roles before it hold.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sees everything but secrets.
    Viewer,
    /// Runs and cancels jobs, restores, acknowledges.
    Operator,
    /// Changes settings, servers, vaults, plugins, grants, people.
    Owner,
}

/// A person who signs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Unique name.
    pub name: UserName,
    /// What the person may do.
    pub role: Role,
    /// Argon2id, PHC string form.
    pub password: String,
    /// Sessions made before this moment are void.
    pub sessions_from: DateTime<Utc>,
}

/// An API token; only its digest is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Unique name.
    pub name: TokenName,
    /// What its holder may do.
    pub role: Role,
    /// Hex SHA-256 of the token.
    pub digest: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// From when it is void.
    pub expires: Option<DateTime<Utc>>,
}

/// A browser's session; only the cookie's digest is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Hex SHA-256 of the cookie's value.
    pub digest: String,
    /// Whose.
    pub user: UserName,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last used.
    pub used: DateTime<Utc>,
    /// The token that forms carry.
    pub csrf: String,
}
