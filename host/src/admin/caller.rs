//! Who is asking: what the authentication layer found out about a request, for everything behind it.
//!
//! The layer puts a [`Caller`] into the request's extensions; a request without one is nobody's and reaches public
//! routes only. What a caller may do is said in one place, `api::routes`.

use crate::model::account::Role;

/// The person, program or console behind a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// As audit records name them: `user:NAME`, `token:NAME` or `console`.
    pub who: String,
    /// What they may do.
    pub role: Role,
    /// How they proved who they are.
    pub via: Via,
}

/// How a caller proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A browser's cookie; its forms carry a CSRF token.
    Session,
    /// An API token in the `Authorization` header.
    Token,
    /// The appliance's own Unix socket, which only its owner may open.
    Console,
}

impl Caller {
    /// Whoever may open the appliance's socket: they could read its data directory too, so they are an owner.
    pub fn console() -> Self {
        Self { who: "console".to_owned(), role: Role::Owner, via: Via::Console }
    }
}
