//! Errors as the API answers them: RFC 9457 problem details, made in this one file.
//!
//! `type` tells programs what kind of error it is and never changes; `detail` tells a person what happened, what it
//! means and what to do; `errors` points at single fields where several are wrong at once.

use crate::{admin::ports::OrderError, model::name::NameError, store::StoreError};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

/// What `Content-Type` an answer of this kind has.
pub const CONTENT_TYPE: &str = "application/problem+json";

const FAMILY: &str = "urn:holdfast:problem:";

/// An error in the form of RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// What kind of error: `urn:holdfast:problem:` and one word or two.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words; the same for all errors of a kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This error: what happened, what it means for the data, the next step.
    pub detail: String,
    /// What is wrong with single fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// One field that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where in the body: names and positions joined by dots.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub detail: String,
}

/// The kinds there are. Public callers know them by their `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is not what this route takes.
    Malformed,
    /// Nobody is known to be asking.
    Unauthenticated,
    /// The caller's role does not reach.
    Forbidden,
    /// A rule forbids it, whoever asks.
    Refused,
    /// There is no such thing or no such route.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// It collides with what there is.
    Conflict,
    /// More bytes than this route takes.
    TooLarge,
    /// A body that is not of the kind this route takes.
    WrongType,
    /// Well formed, but it cannot be meant.
    Invalid,
    /// The appliance is at fault.
    Internal,
    /// It cannot be done now.
    Unavailable,
}

impl Kind {
    fn facts(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::Malformed => ("malformed", S::BAD_REQUEST, "The request cannot be read"),
            Self::Unauthenticated => ("unauthenticated", S::UNAUTHORIZED, "Sign in first"),
            Self::Forbidden => ("forbidden", S::FORBIDDEN, "Your role may not do this"),
            Self::Refused => ("refused", S::FORBIDDEN, "A rule forbids this"),
            Self::NotFound => ("not-found", S::NOT_FOUND, "There is no such thing"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", S::METHOD_NOT_ALLOWED, "This cannot be done with it")
            }
            Self::Conflict => ("conflict", S::CONFLICT, "It collides with what there is"),
            Self::TooLarge => ("too-large", S::PAYLOAD_TOO_LARGE, "The request is too large"),
            Self::WrongType => {
                ("wrong-type", S::UNSUPPORTED_MEDIA_TYPE, "The request's body is of the wrong type")
            }
            Self::Invalid => ("invalid", S::UNPROCESSABLE_ENTITY, "The order cannot be accepted"),
            Self::Internal => ("internal", S::INTERNAL_SERVER_ERROR, "The appliance is at fault"),
            Self::Unavailable => ("unavailable", S::SERVICE_UNAVAILABLE, "It cannot be done now"),
        }
    }
}

impl Problem {
    /// A problem of a kind, with its words for a person.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (name, status, title) = kind.facts();
        Self {
            kind: format!("{FAMILY}{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// A well-formed body with fields that cannot be accepted.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let first = errors.first().map(|error| format!("{}: {}", error.field, error.detail));
        let more = match errors.len() {
            0 | 1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let detail = format!("{}{more}; nothing was changed", first.unwrap_or_default());
        Self { errors, ..Self::new(Kind::Invalid, detail) }
    }

    /// Whether it is of this kind.
    pub fn is(&self, kind: Kind) -> bool {
        self.kind.strip_prefix(FAMILY) == Some(kind.facts().0)
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        let kind = match &error {
            OrderError::NotFound(_) => Kind::NotFound,
            OrderError::Invalid(_) => Kind::Invalid,
            OrderError::Conflict(_) => Kind::Conflict,
            OrderError::Refused(_) => Kind::Refused,
            OrderError::Unavailable(_) => Kind::Unavailable,
            OrderError::Internal(_) => Kind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(Kind::Internal, error.to_string())
    }
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        Self::new(Kind::Malformed, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"holdfast\""));
        }
        response
    }
}

/// What a handler answers.
pub type Answer<T> = Result<T, Problem>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_order_error_has_its_own_status() {
        let status = |error: OrderError| Problem::from(error).status;
        assert_eq!(status(OrderError::NotFound("x".into())), 404);
        assert_eq!(status(OrderError::Invalid("x".into())), 422);
        assert_eq!(status(OrderError::Conflict("x".into())), 409);
        assert_eq!(status(OrderError::Refused("x".into())), 403);
        assert_eq!(status(OrderError::Unavailable("x".into())), 503);
        assert_eq!(status(OrderError::Internal("x".into())), 500);
    }

    #[test]
    fn a_refusal_by_rule_is_told_from_a_role_that_does_not_reach() {
        let problem = Problem::from(OrderError::Refused("below the minimum".into()));
        assert!(problem.is(Kind::Refused) && !problem.is(Kind::Forbidden));
    }

    #[test]
    fn many_wrong_fields_are_all_listed_and_the_first_is_said() {
        let field = |name: &str| FieldError { field: name.into(), detail: "too long".into() };
        let problem = Problem::fields(vec![field("a"), field("b")]);
        assert_eq!(problem.errors.len(), 2);
        assert_eq!(problem.detail, "a: too long (and 1 more); nothing was changed");
    }
}
