//! People and API tokens as the API speaks of them. No password and no digest ever leaves.

use super::{body::Bounded, bounds, problem::FieldError};
use crate::model::{
    account::Role,
    name::{TokenName, UserName},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The longest password that is hashed; more is no safer.
const PASSWORD: usize = 1024;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UserView {
    /// Unique name.
    pub name: UserName,
    /// What they may do.
    pub role: Role,
}

/// A person to add.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Unique name.
    pub name: UserName,
    /// What they may do.
    pub role: Role,
    /// Their first password.
    pub password: String,
}

/// What a person may do from now on.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleOrder {
    /// The role.
    pub role: Role,
}

/// A new password.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordOrder {
    /// It replaces the present one and ends all of the person's sessions.
    pub password: String,
}

/// An API token, without what opens anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenView {
    /// Unique name.
    pub name: TokenName,
    /// What its holder may do.
    pub role: Role,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: DateTime<Utc>,
    /// From when it is void.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<DateTime<Utc>>,
}

/// A token to make.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Unique name.
    pub name: TokenName,
    /// What its holder may do.
    pub role: Role,
    /// From when it is void.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<DateTime<Utc>>,
}

/// A token that was made.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenMade {
    /// Its name.
    pub name: TokenName,
    /// The token itself. It is told this once and kept nowhere.
    pub token: String,
}

impl Bounded for NewUser {
    fn check(&self, errors: &mut Vec<FieldError>) {
        bounds::text(errors, "password", &self.password, PASSWORD);
    }
}

impl Bounded for PasswordOrder {
    fn check(&self, errors: &mut Vec<FieldError>) {
        bounds::text(errors, "password", &self.password, PASSWORD);
    }
}

impl Bounded for RoleOrder {
    fn check(&self, _: &mut Vec<FieldError>) {}
}

impl Bounded for NewToken {
    fn check(&self, _: &mut Vec<FieldError>) {}
}
