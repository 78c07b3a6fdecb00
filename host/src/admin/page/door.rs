//! The door: claiming the appliance, signing in, signing out.

use super::{
    problem::{Answer, Trouble},
    shell::{self, complaint},
};
use crate::{
    admin::{
        Admin,
        auth::{
            accounts::AccountError,
            form::Form,
            gate::{Peer, Visitor},
            lockout::{Key, Wait},
            password,
        },
    },
    model::{
        account::Role,
        name::{NameError, UserName},
    },
};
use axum::{
    Extension,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;

/// Where to go after signing in.
#[derive(Debug, Default, Deserialize)]
pub struct Onwards {
    next: Option<String>,
}

/// The sign-in form.
pub async fn sign_in_form(State(admin): State<Admin>, Query(onwards): Query<Onwards>) -> Answer {
    if admin.claim.is_open() && !admin.accounts.somebody()? {
        return Ok(Redirect::to("/claim").into_response());
    }
    Ok(page(StatusCode::OK, "Sign in", &sign_in_markup("", local(onwards.next.as_deref()), None)))
}

/// Signs in, or says the same words for every reason not to.
pub async fn sign_in(State(admin): State<Admin>, Extension(peer): Extension<Peer>, form: Form) -> Answer {
    let (name, next) = (form.text("name").to_lowercase(), local(Some(form.text("next"))));
    let keys = [Key::Account(name.clone()), Key::address(peer.ip())];
    let subject = UserName::new(name.clone()).map_or_else(|_| "?".to_owned(), String::from);
    let from = peer.ip();
    if let Err(wait) = admin.lockout.attempt(&keys, admin.clock.now()) {
        tracing::info!(%from, user = subject, seconds = wait.0, "a sign-in came while it had to wait");
        return Ok(patience(wait, &sign_in_markup(&name, next, Some(&words(wait)))));
    }
    let Some(user) = admin.accounts.verify(&name, form.raw("password")).await? else {
        let wait = admin.lockout.waiting(&keys, admin.clock.now());
        let locked = wait.map(|wait| format!("; locked for {} s", wait.0)).unwrap_or_default();
        let reason = format!("wrong name or password, from {from}{locked}");
        admin.ports.upkeep.audit(&format!("user:{subject}"), "sign-in", &subject, false, Some(reason)).await;
        let markup = sign_in_markup(&name, next, Some(WRONG));
        return Ok(page(StatusCode::UNAUTHORIZED, "Sign in", &markup));
    };
    admin.lockout.succeeded(&keys);
    let next = next.to_owned();
    enter(&admin, &user.name, peer, &next).await
}

const WRONG: &str = "name or password is wrong; nobody was signed in; try again";

/// Makes the session and sets its cookie.
async fn enter(admin: &Admin, user: &UserName, peer: Peer, next: &str) -> Answer {
    let opened = admin.accounts.sessions().open(user).await?;
    let (who, from) = (format!("user:{user}"), Some(format!("from {}", peer.ip())));
    admin.ports.upkeep.audit(&who, "sign-in", user.as_str(), true, from).await;
    let mut response = Redirect::to(next).into_response();
    set_cookie(response.headers_mut(), admin, &opened.cookie, "")?;
    Ok(response)
}

/// Signs out and forgets the cookie.
pub async fn sign_out(State(admin): State<Admin>, visitor: Visitor) -> Answer {
    admin.accounts.sessions().close(&visitor.session).await?;
    admin.ports.upkeep.audit(&visitor.caller.who, "sign-out", visitor.user.as_str(), true, None).await;
    let mut response = Redirect::to("/sign-in").into_response();
    set_cookie(response.headers_mut(), &admin, "", "; Max-Age=0")?;
    Ok(response)
}

fn set_cookie(headers: &mut HeaderMap, admin: &Admin, value: &str, more: &str) -> Result<(), Trouble> {
    let secure = if admin.tls { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}", admin.cookie_name());
    let value = HeaderValue::try_from(text)
        .map_err(|source| Trouble::new(StatusCode::INTERNAL_SERVER_ERROR, source.to_string()))?;
    headers.append(header::SET_COOKIE, value);
    Ok(())
}

/// The claim form, while the appliance is nobody's.
pub async fn claim_form(State(admin): State<Admin>) -> Answer {
    if !admin.claim.is_open() || admin.accounts.somebody()? {
        return Ok(Redirect::to("/sign-in").into_response());
    }
    Ok(page(StatusCode::OK, "Set up", &claim_markup("", None)))
}

/// Makes the first owner for whoever knows the code on the console.
pub async fn claim(State(admin): State<Admin>, Extension(peer): Extension<Peer>, form: Form) -> Answer {
    let keys = [Key::Claim, Key::address(peer.ip())];
    let typed = form.text("name").to_lowercase();
    if let Err(wait) = admin.lockout.attempt(&keys, admin.clock.now()) {
        return Ok(patience(wait, &claim_markup(&typed, Some(&words(wait)))));
    }
    let refuse =
        |text: &str| page(StatusCode::UNPROCESSABLE_ENTITY, "Set up", &claim_markup(&typed, Some(text)));
    if !admin.claim.fits(form.text("code")) {
        let reason = Some(format!("wrong or used claim code, from {}", peer.ip()));
        admin.ports.upkeep.audit("claim", "claim", "appliance", false, reason).await;
        return Ok(refuse(WRONG_CODE));
    }
    // The code was right: what else is wrong is a slip of the person who may set this up.
    admin.lockout.succeeded(&keys);
    if form.raw("password") != form.raw("again") {
        return Ok(refuse("the two passwords differ; nobody was added; type them again"));
    }
    let user = match first_owner(&admin, &typed, form.raw("password")).await {
        Ok(user) => user,
        Err(trouble) => return Ok(refuse(&trouble.to_string())),
    };
    enter(&admin, &user, peer, "/?did=welcome").await
}

const WRONG_CODE: &str = "the claim code is not the one this appliance shows, or it was used; nobody was added; \
     read it again on the console or in the log: each start makes a new one until somebody has an account";

#[derive(Debug, thiserror::Error)]
enum FirstOwner {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error("{WRONG_CODE}")]
    Claimed,
}

/// Adds the first owner and voids the code, one at a time, so that one code never makes two.
async fn first_owner(admin: &Admin, name: &str, password: &str) -> Result<UserName, FirstOwner> {
    let _turn = admin.claiming.lock().await;
    if !admin.claim.is_open() || admin.accounts.somebody()? {
        return Err(FirstOwner::Claimed);
    }
    let name = UserName::new(name)?;
    admin.accounts.add(name.clone(), Role::Owner, password, "claim").await?;
    admin.claim.close();
    Ok(name)
}

fn page(status: StatusCode, title: &str, content: &Markup) -> Response {
    let content = html! { (content) };
    (status, Html(shell::outside(title, content).into_string())).into_response()
}

fn patience(wait: Wait, content: &Markup) -> Response {
    let mut response = page(StatusCode::TOO_MANY_REQUESTS, "Wait a moment", content);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.0.unsigned_abs()));
    response
}

fn words(wait: Wait) -> String {
    format!("too many attempts; nobody was signed in; wait {} seconds and try again", wait.0)
}

/// Only a path of this appliance; anything else leads to the overview.
fn local(next: Option<&str>) -> &str {
    let good = |next: &&str| {
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t'])
    };
    next.filter(good).unwrap_or("/")
}

fn sign_in_markup(name: &str, next: &str, wrong: Option<&str>) -> Markup {
    html! {
        section class="card" {
            h1 { "Sign in" }
            (complaint(wrong))
            form method="post" action="/sign-in" {
                input type="hidden" name="next" value=(next);
                label { "Name" input name="name" value=(name) autocomplete="username" autocapitalize="none" required autofocus[name.is_empty()]; }
                label { "Password" input type="password" name="password" autocomplete="current-password" required autofocus[!name.is_empty()]; }
                button { "Sign in" }
            }
            p class="hint" { "Password lost? Another owner can set a new one, or the command line on the appliance itself." }
        }
    }
}

fn claim_markup(name: &str, wrong: Option<&str>) -> Markup {
    html! {
        section class="card" {
            h1 { "Make this appliance yours" }
            p { "It shows a one-time code on its console and in its log. With that code you choose the first owner's name and password." }
            (complaint(wrong))
            form method="post" action="/claim" {
                label { "Claim code" input class="code" name="code" placeholder="XXXX-XXXX-XXXX-XXXX" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus; }
                label { "Your name" input name="name" value=(name) autocomplete="username" autocapitalize="none" required; small { "Lower-case letters and digits, for example anna" } }
                label { "Password" input type="password" name="password" autocomplete="new-password" minlength=(password::SHORTEST) required; small { "At least " (password::SHORTEST) " characters. Four words that do not belong together are good." } }
                label { "Password again" input type="password" name="again" autocomplete="new-password" required; }
                button { "Begin" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_nowhere_but_here() {
        assert_eq!(local(Some("/servers/db1?all=1")), "/servers/db1?all=1");
        for elsewhere in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "javascript:x",
            "",
            "/a\r\nb",
            "/\t/evil",
        ] {
            assert_eq!(local(Some(elsewhere)), "/");
        }
    }
}
