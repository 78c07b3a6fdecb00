//! When it does not work: a page that says what happened, what it means and the next step. For the API, a problem document.

use super::{
    icon::{Icon, icon},
    shell,
};
use crate::{
    admin::{
        auth::{accounts::AccountError, gate::Refusal, session::SessionError},
        ports::OrderError,
    },
    model::name::NameError,
    store::StoreError,
};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use maud::html;

/// Something a person must be told instead of what they asked for.
#[derive(Debug)]
pub struct Trouble {
    status: StatusCode,
    text: String,
}

/// What a page's handler answers.
pub type Answer<T = Response> = Result<T, Trouble>;

impl Trouble {
    /// With a status and a text of three parts: what happened, what it means, the next step; separated by semicolons.
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    /// There is no such thing.
    pub fn missing(kind: &str, name: &dyn std::fmt::Display) -> Self {
        let text = format!(
            "there is no {kind} {name} here (any more); nothing was changed; look at the list it was in"
        );
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// What was typed cannot be meant.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, text)
    }

    /// The words, for a form that is shown again.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    fn heading(&self) -> &'static str {
        match self.status {
            StatusCode::NOT_FOUND => "Not here",
            StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST => "Not allowed",
            StatusCode::CONFLICT => "It collides with what there is",
            StatusCode::TOO_MANY_REQUESTS => "Wait a moment",
            status if status.is_server_error() => "That did not work",
            _ => "That cannot be meant",
        }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mark = if self.status.is_server_error() { Icon::Bad } else { Icon::Look };
        let body = html! {
            section class="card notice" {
                h1 { (icon(mark)) (self.heading()) }
                @for sentence in sentences(&self.text) { p { (sentence) } }
                p { a class="button" href="/" { "To the overview" } }
            }
        };
        (self.status, Html(shell::outside(self.heading(), body).into_string())).into_response()
    }
}

/// The parts of a message as sentences: what happened. What it means. What to do.
pub fn sentences(text: &str) -> Vec<String> {
    text.split("; ").filter(|part| !part.is_empty()).map(sentence).collect()
}

fn sentence(part: &str) -> String {
    let part = part.trim().trim_end_matches('.');
    let mut letters = part.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// The gate's refusal, as the API or the page says it.
pub fn refused(is_api: bool, refusal: Refusal) -> Response {
    let status = refusal.status();
    if !is_api {
        return Trouble::new(status, refusal.to_string()).into_response();
    }
    let problem = serde_json::json!({
        "type": "urn:holdfast:problem:refused",
        "title": "The request was not let in",
        "status": status.as_u16(),
        "detail": refusal.to_string(),
    });
    let kind = HeaderValue::from_static("application/problem+json");
    (status, [(header::CONTENT_TYPE, kind)], problem.to_string()).into_response()
}

impl From<OrderError> for Trouble {
    fn from(error: OrderError) -> Self {
        let status = match &error {
            OrderError::NotFound(_) => StatusCode::NOT_FOUND,
            OrderError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            OrderError::Conflict(_) => StatusCode::CONFLICT,
            OrderError::Refused(_) => StatusCode::FORBIDDEN,
            OrderError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            OrderError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<NameError> for Trouble {
    fn from(error: NameError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<SessionError> for Trouble {
    fn from(error: SessionError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<AccountError> for Trouble {
    fn from(error: AccountError) -> Self {
        use AccountError as E;
        let status = match &error {
            E::Exists { .. } | E::LastOwner(_) => StatusCode::CONFLICT,
            E::Unknown { .. } => StatusCode::NOT_FOUND,
            E::Weak(_) | E::WrongPassword | E::ExpiredToken => StatusCode::UNPROCESSABLE_ENTITY,
            E::Hash(_) | E::Entropy(_) | E::Store(_) | E::Sessions(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_sentences() {
        let parts = sentences("the vault is full; nothing was stored; free some space.");
        assert_eq!(parts, ["The vault is full.", "Nothing was stored.", "Free some space."]);
    }
}
