//! Extractors that answer bad input with a problem that says where it is bad, and nothing else happens.

use super::problem::{FieldError, Kind, Problem};
use crate::admin::caller::Caller;
use axum::{
    extract::{
        FromRequest, FromRequestParts, Path, Query, Request,
        rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// Text from a person that has its bounds.
pub(super) trait Bounded {
    /// Adds what cannot be accepted to `errors`.
    fn check(&self, errors: &mut Vec<FieldError>);
}

/// A JSON body, parsed and within its bounds.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Bounded> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let axum::Json(value) = axum::Json::<T>::from_request(request, state).await.map_err(json_problem)?;
        let mut errors = Vec::new();
        value.check(&mut errors);
        if errors.is_empty() { Ok(Self(value)) } else { Err(Problem::fields(errors)) }
    }
}

/// A body of bytes, up to the route's limit.
pub(super) struct Package(pub(super) Vec<u8>);

impl<S: Send + Sync> FromRequest<S> for Package {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await.map_err(bytes_problem)?;
        Ok(Self(bytes.into()))
    }
}

/// Parts of the path.
pub(super) struct At<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(value) = Path::<T>::from_request_parts(parts, state).await.map_err(path_problem)?;
        Ok(Self(value))
    }
}

/// The query.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) = Query::<T>::from_request_parts(parts, state).await.map_err(query_problem)?;
        Ok(Self(value))
    }
}

/// Who asks. The guard in front of the route has made sure there is someone.
pub(super) struct Who(pub(super) Caller);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Caller>().cloned().map(Self).ok_or_else(super::guard::nobody)
    }
}

fn json_problem(rejection: JsonRejection) -> Problem {
    let words = plain(&rejection.body_text());
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(Kind::WrongType, "nothing was changed: send `Content-Type: application/json`")
        }
        StatusCode::UNPROCESSABLE_ENTITY => {
            Problem::new(Kind::Invalid, format!("{words}; nothing was changed"))
        }
        _ => Problem::new(Kind::Malformed, format!("the body is not JSON ({words}); nothing was changed")),
    }
}

fn bytes_problem(rejection: BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => Problem::new(Kind::Malformed, "the body broke off; nothing was changed: send it again"),
    }
}

fn path_problem(rejection: PathRejection) -> Problem {
    Problem::new(Kind::Malformed, plain(&rejection.body_text()))
}

fn query_problem(rejection: QueryRejection) -> Problem {
    Problem::new(Kind::Malformed, format!("{}; nothing was changed", plain(&rejection.body_text())))
}

fn too_large() -> Problem {
    Problem::new(Kind::TooLarge, "the body is larger than this route takes; nothing was changed")
}

/// Without the words that only a programmer of this API needs.
fn plain(text: &str) -> String {
    const NOISE: [&str; 4] = [
        "Failed to deserialize the JSON body into the target type: ",
        "Failed to parse the request body as JSON: ",
        "Failed to deserialize query string: ",
        "Invalid URL: ",
    ];
    NOISE.iter().find_map(|noise| text.strip_prefix(noise)).unwrap_or(text).to_owned()
}
