//! The check of a caller's role, put in front of each route by the table in `routes`.

use super::problem::{Kind, Problem};
use crate::{admin::caller::Caller, model::account::Role};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody who reaches the address.
    Public,
    /// A known caller with at least this role.
    Least(Role),
}

/// Whether a caller passes. Pure, so that the whole table can be walked.
pub(super) fn admit(access: Access, caller: Option<&Caller>) -> Result<(), Problem> {
    match (access, caller) {
        (Access::Public, _) => Ok(()),
        (Access::Least(_), None) => Err(nobody()),
        (Access::Least(least), Some(caller)) if caller.role >= least => Ok(()),
        (Access::Least(least), Some(caller)) => Err(Problem::new(
            Kind::Forbidden,
            format!(
                "{} has the role {} and this needs {}; nothing was changed: ask an owner to do it or to change the role",
                caller.who,
                name(caller.role),
                name(least)
            ),
        )),
    }
}

pub(super) async fn stand(State(access): State<Access>, request: Request, next: Next) -> Response {
    match admit(access, request.extensions().get::<Caller>()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

pub(super) fn nobody() -> Problem {
    Problem::new(
        Kind::Unauthenticated,
        "nobody is signed in; nothing was changed: sign in on the page, or send an API token as `Authorization: Bearer TOKEN`",
    )
}

/// A role as people write it.
pub(super) fn name(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Owner => "owner",
    }
}
