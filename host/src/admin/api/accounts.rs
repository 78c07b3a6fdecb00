//! Who may do what here: people and API tokens.

use super::{
    Api,
    body::{At, Body, Who},
    people::{NewToken, NewUser, PasswordOrder, RoleOrder, TokenMade, TokenView, UserView},
    problem::{Answer, Kind, Problem},
};
use crate::{
    admin::auth::accounts::AccountError,
    model::name::{TokenName, UserName},
};
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let kind = match &error {
            AccountError::Exists { .. } | AccountError::LastOwner(_) => Kind::Conflict,
            AccountError::Unknown { .. } => Kind::NotFound,
            AccountError::Weak(_) | AccountError::ExpiredToken => Kind::Invalid,
            AccountError::WrongPassword => Kind::Refused,
            _ => Kind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

/// Everybody who can sign in, by name.
#[utoipa::path(get, path = "/users", tag = "people", responses((status = 200, body = Vec<UserView>)))]
pub(super) async fn list_users(State(api): State<Api>) -> Answer<Json<Vec<UserView>>> {
    let people = api.accounts.list()?;
    Ok(Json(people.into_iter().map(|person| UserView { name: person.name, role: person.role }).collect()))
}

/// Adds a person.
#[utoipa::path(post, path = "/users", tag = "people", request_body = NewUser, responses((status = 201, body = UserView)))]
pub(super) async fn add_user(
    State(api): State<Api>,
    Who(caller): Who,
    Body(new): Body<NewUser>,
) -> Answer<(StatusCode, Json<UserView>)> {
    let view = UserView { name: new.name.clone(), role: new.role };
    api.accounts.add(new.name, new.role, &new.password, &caller.who).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Changes what a person may do. There is always an owner.
#[utoipa::path(put, path = "/users/{name}", tag = "people", request_body = RoleOrder,
    params(("name" = String, Path, description = "The person's name")), responses((status = 200, body = UserView)))]
pub(super) async fn change_user(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<UserName>,
    Body(order): Body<RoleOrder>,
) -> Answer<Json<UserView>> {
    api.accounts.set_role(&name, order.role, &caller.who).await?;
    Ok(Json(UserView { name, role: order.role }))
}

/// Removes a person and ends their sessions. There is always an owner.
#[utoipa::path(delete, path = "/users/{name}", tag = "people", params(("name" = String, Path, description = "The person's name")),
    responses((status = 204)))]
pub(super) async fn remove_user(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<UserName>,
) -> Answer<StatusCode> {
    api.accounts.remove(&name, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets a person's password and ends all their sessions.
#[utoipa::path(post, path = "/users/{name}/password", tag = "people", request_body = PasswordOrder,
    params(("name" = String, Path, description = "The person's name")), responses((status = 204)))]
pub(super) async fn set_user_password(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<UserName>,
    Body(order): Body<PasswordOrder>,
) -> Answer<StatusCode> {
    api.accounts.set_password(&name, &order.password, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All API tokens, by name.
#[utoipa::path(get, path = "/tokens", tag = "people", responses((status = 200, body = Vec<TokenView>)))]
pub(super) async fn list_tokens(State(api): State<Api>) -> Answer<Json<Vec<TokenView>>> {
    let tokens = api.accounts.tokens()?;
    let view = |token: crate::model::account::Token| TokenView {
        name: token.name,
        role: token.role,
        created: token.created,
        expires: token.expires,
    };
    Ok(Json(tokens.into_iter().map(view).collect()))
}

/// Makes an API token. Its text is told this once.
#[utoipa::path(post, path = "/tokens", tag = "people", request_body = NewToken, responses((status = 201, body = TokenMade)))]
pub(super) async fn make_token(
    State(api): State<Api>,
    Who(caller): Who,
    Body(new): Body<NewToken>,
) -> Answer<impl IntoResponse> {
    let name = new.name.clone();
    let token = api.accounts.create_token(new.name, new.role, new.expires, &caller.who).await?;
    Ok((StatusCode::CREATED, [("cache-control", "no-store")], Json(TokenMade { name, token })))
}

/// Voids an API token at once.
#[utoipa::path(delete, path = "/tokens/{name}", tag = "people", params(("name" = String, Path, description = "The token's name")),
    responses((status = 204)))]
pub(super) async fn revoke_token(
    State(api): State<Api>,
    Who(caller): Who,
    At(name): At<TokenName>,
) -> Answer<StatusCode> {
    api.accounts.revoke_token(&name, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}
