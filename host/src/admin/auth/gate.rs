//! The gate: every request passes here once, before any handler, and leaves with who is asking, or not at all.
//!
//! ```text
//!  socket ─▶ console
//!  TCP ─▶ Host is ours? ─▶ token, cookie or nobody ─▶ changes something? own page and CSRF token ─▶ handler
//! ```
//!
//! What it refuses to know: which role may do what. The API's route table and the pages' table say that.

use super::{form::Form, origin, secret};
use crate::{
    admin::{
        Admin,
        caller::{Caller, Via},
        page::problem,
    },
    model::{
        account::{Role, Session},
        name::UserName,
    },
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The other end of the connection; the server puts it into each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A browser or program on the network.
    Address(SocketAddr),
    /// The appliance's own Unix socket.
    Console,
}

impl Peer {
    /// What failures from there are counted by.
    pub fn ip(self) -> IpAddr {
        match self {
            Self::Address(address) => address.ip(),
            Self::Console => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }
}

/// A signed-in person at a browser: what pages work with.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// As the API sees them.
    pub caller: Caller,
    /// Their account.
    pub user: UserName,
    /// Their session.
    pub session: Session,
}

impl Visitor {
    /// Whether they have at least this role.
    pub fn may(&self, least: Role) -> bool {
        self.caller.role >= least
    }
}

/// The header in which the page's own script sends the CSRF token.
pub const CSRF_HEADER: &str = "x-holdfast-csrf";
/// The form field with the CSRF token.
pub const CSRF_FIELD: &str = "csrf";
/// The header by which the page's script says that nobody clicked: it does not keep a session alive.
pub const LIVE_HEADER: &str = "x-holdfast-live";

/// Lets a request through with its caller, or answers it.
pub async fn stand(State(admin): State<Admin>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let Some(Peer::Address(_)) = peer else {
        if peer == Some(Peer::Console) {
            request.extensions_mut().insert(Caller::console());
        }
        return next.run(request).await;
    };
    let is_api = request.uri().path().starts_with("/api/");
    let refuse = |refusal: Refusal| problem::refused(is_api, refusal);
    let Some(authority) = origin::authority(request.uri(), request.headers()).map(str::to_owned) else {
        return refuse(Refusal::Host);
    };
    if !admin.names.admit(&authority) {
        return refuse(Refusal::Host);
    }
    if let Err(refusal) = identify(&admin, &mut request).await {
        return refuse(refusal);
    }
    if is_safe(request.method()) {
        return next.run(request).await;
    }
    match check_change(&admin, request, &authority, is_api).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refuse(refusal),
    }
}

/// Why a request went no further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A name that is not ours.
    #[error(
        "the address in the browser is not a name of this appliance; nothing was done; use its IP address or its own host name"
    )]
    Host,
    /// Another site's page sent it.
    #[error(
        "the request did not come from this appliance's own page; nothing was changed; open the page itself and do it there"
    )]
    Foreign,
    /// The form is not of this session.
    #[error(
        "the form is older than your session; nothing was changed; go back, reload the page and send it again"
    )]
    Csrf,
    /// The form cannot be read.
    #[error(transparent)]
    Form(#[from] super::form::ReadForm),
    /// The store does not answer.
    #[error("who you are could not be looked up ({0}); nothing was changed; try again")]
    Unavailable(String),
}

impl Refusal {
    /// Its HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Foreign | Self::Csrf => StatusCode::FORBIDDEN,
            Self::Form(super::form::ReadForm::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Form(super::form::ReadForm::NotAForm) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Form(super::form::ReadForm::Broken) => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Finds out who asks and notes it in the request. A token goes before a cookie: who sends one means it.
async fn identify(admin: &Admin, request: &mut Request) -> Result<(), Refusal> {
    let unavailable = |source: &dyn std::fmt::Display| Refusal::Unavailable(source.to_string());
    if let Some(text) = bearer(request.headers()) {
        let found = admin.accounts.find_token(text).map_err(|source| unavailable(&source))?;
        if let Some(token) = found {
            let caller = Caller { who: format!("token:{}", token.name), role: token.role, via: Via::Token };
            request.extensions_mut().insert(caller);
        }
        return Ok(());
    }
    let Some(cookie) = cookie(request.headers(), admin.cookie_name()) else { return Ok(()) };
    let touch = !request.headers().contains_key(LIVE_HEADER) && request.uri().path() != "/events";
    let found = admin.accounts.sessions().find(cookie, touch).await.map_err(|source| unavailable(&source))?;
    if let Some((session, user)) = found {
        let caller = Caller { who: format!("user:{}", user.name), role: user.role, via: Via::Session };
        let visitor = Visitor { caller: caller.clone(), user: user.name, session };
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(visitor);
    }
    Ok(())
}

/// A request that changes something: from our own page, with the session's CSRF token. Tokens need neither, because no
/// browser adds them by itself.
async fn check_change(
    admin: &Admin,
    request: Request,
    authority: &str,
    is_api: bool,
) -> Result<Request, Refusal> {
    let via = request.extensions().get::<Caller>().map(|caller| caller.via);
    if is_api && via != Some(Via::Session) {
        return Ok(request);
    }
    let scheme = if admin.tls { "https" } else { "http" };
    if let Err(foreign) = origin::own_page(request.headers(), scheme, authority) {
        tracing::warn!(?foreign, path = request.uri().path(), "a request from another page was refused");
        return Err(Refusal::Foreign);
    }
    let visitor = request.extensions().get::<Visitor>().cloned();
    if is_api {
        let given = request.headers().get(CSRF_HEADER).and_then(|value| value.to_str().ok()).unwrap_or("");
        return if visitor.is_some_and(|visitor| secret::same(given, &visitor.session.csrf)) {
            Ok(request)
        } else {
            Err(Refusal::Csrf)
        };
    }
    let may_upload = visitor.as_ref().is_some_and(|visitor| visitor.may(Role::Owner));
    let (parts, form) = Form::read(request, may_upload).await?;
    if let Some(visitor) = visitor
        && !secret::same(form.raw(CSRF_FIELD), &visitor.session.csrf)
    {
        return Err(Refusal::Csrf);
    }
    let mut request = Request::from_parts(parts, axum::body::Body::empty());
    request.extensions_mut().insert(form);
    Ok(request)
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The value of one cookie. Two of a name are none: one of them is not ours.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let value = found.next()?;
    found.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_cookie_is_found_among_others_and_never_guessed_between_two() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; holdfast=xyz; b=2"));
        assert_eq!(cookie(&headers, "holdfast"), Some("xyz"));
        assert_eq!(cookie(&headers, "__Host-holdfast"), None);
        headers.append(header::COOKIE, HeaderValue::from_static("holdfast=evil"));
        assert_eq!(cookie(&headers, "holdfast"), None);
    }

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("bearer abc"));
        assert_eq!(bearer(&headers), Some("abc"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic abc"));
        assert_eq!(bearer(&headers), None);
    }
}
