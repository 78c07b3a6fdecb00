//! People and API tokens, for owners; one's own password, for everybody.

use super::{
    AskedQuery, asked, phrases,
    problem::{Answer, Trouble},
    role_in_words, see,
    shell::{Place, Shell, complaint, csrf, press},
    shown, words,
};
use crate::{
    admin::{
        Admin,
        auth::{accounts::Person, form::Form, gate::Visitor, password},
    },
    model::{
        account::{Role, Token},
        name::{TokenName, UserName},
    },
};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use chrono::Duration;
use maud::{Markup, html};

const ROLES: [Role; 3] = [Role::Viewer, Role::Operator, Role::Owner];

/// Who has an account, and which tokens there are.
pub async fn list(State(admin): State<Admin>, visitor: Visitor, query: AskedQuery) -> Answer {
    let asked = asked(query);
    Ok(shown(page(&admin, &visitor, asked.did.as_deref(), None)?))
}

fn page(admin: &Admin, visitor: &Visitor, did: Option<&str>, made: Option<(&str, &str)>) -> Answer<String> {
    let (people, tokens) = (admin.accounts.list()?, admin.accounts.tokens()?);
    let is_owner = visitor.may(Role::Owner);
    let content = html! {
        h1 { "People and tokens" }
        @if let Some((name, text)) = made {
            section class="card" role="status" {
                h2 { "The token " (name) }
                p { "Copy it now: it is shown this once and kept only as a digest." }
                code class="secret" { (text) }
                p class="small" { "Programs send it as " code { "Authorization: Bearer …" } }
            }
        }
        section class="card" {
            h2 { "People" }
            @for person in &people { (person_row(visitor, person)) }
            @if is_owner { details { summary { "Add somebody" } (person_form(visitor)) } }
        }
        section class="card" {
            h2 { "API tokens" }
            p class="calm" { "For programs: the command line on another computer, monitoring, scripts." }
            @for token in &tokens { (token_row(admin, visitor, token)) }
            @if is_owner { details { summary { "Make a token" } (token_form(visitor)) } }
        }
        section class="card" {
            h2 { "What roles may do" }
            dl class="facts" { @for role in ROLES { dt { (role_in_words(role)) } dd { (phrases::role(role)) } } }
        }
    };
    Ok(Shell { admin, visitor, place: Place::People, title: "People", did }.wrap(content))
}

fn role_choice(present: Role) -> Markup {
    html! { select name="role" aria-label="Role" { @for role in ROLES { option value=(role_in_words(role)) selected[role == present] { (role_in_words(role)) } } } }
}

fn person_row(visitor: &Visitor, person: &Person) -> Markup {
    let at = format!("/people/{}", person.name);
    html! {
        div class="heading" {
            p { strong { (person.name) } ", " (role_in_words(person.role)) @if person.name == visitor.user { " (you)" } }
            @if visitor.may(Role::Owner) && person.name != visitor.user {
                details {
                    summary { "Change" }
                    form method="post" action={(at) "/role"} { (csrf(visitor)) label { "Role" (role_choice(person.role)) } button class="quiet" { "Change the role" } }
                    form method="post" action={(at) "/password"} {
                        (csrf(visitor))
                        label { "New password" input type="password" name="password" autocomplete="new-password" minlength=(password::SHORTEST) required; small { "Ends all sessions of " (person.name) } }
                        button class="quiet" { "Set the password" }
                    }
                    (press(visitor, Role::Owner, &format!("{at}/remove"), "danger", html! { "Remove " (person.name) }))
                }
            }
        }
    }
}

fn person_form(visitor: &Visitor) -> Markup {
    html! {
        form method="post" action="/people" autocomplete="off" {
            (csrf(visitor))
            div class="row" {
                label { "Name" input name="name" autocapitalize="none" required; }
                label { "Role" (role_choice(Role::Operator)) }
                label { "First password" input type="password" name="password" autocomplete="new-password" minlength=(password::SHORTEST) required; small { "At least " (password::SHORTEST) " characters" } }
            }
            button { "Add" }
        }
    }
}

fn token_row(admin: &Admin, visitor: &Visitor, token: &Token) -> Markup {
    let now = admin.clock.now();
    html! {
        div class="heading" {
            p {
                strong { (token.name) } ", " (role_in_words(token.role)) ", made " (words::age(now, token.created))
                @match token.expires {
                    Some(end) if end <= now => { ", void since " (words::moment(now, end, admin.zone)) },
                    Some(end) => { ", void " (words::age(now, end)) },
                    None => { ", without end" },
                }
            }
            (press(visitor, Role::Owner, &format!("/tokens/{}/revoke", token.name), "danger", html! { "Revoke" }))
        }
    }
}

fn token_form(visitor: &Visitor) -> Markup {
    html! {
        form method="post" action="/tokens" {
            (csrf(visitor))
            div class="row" {
                label { "Name" input name="name" autocapitalize="none" required; small { "What it is for" } }
                label { "Role" (role_choice(Role::Viewer)) }
                label {
                    "Good for"
                    select name="days" {
                        @for (days, words) in [("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("0", "ever")] { option value=(days) { (words) } }
                    }
                }
            }
            button { "Make the token" }
        }
    }
}

fn role_of(form: &Form) -> Answer<Role> {
    let text = form.text("role");
    let found = ROLES.into_iter().find(|role| role_in_words(*role) == text);
    found.ok_or_else(|| {
        Trouble::invalid(format!("\"{text}\" is not a role; nothing was changed; choose one of the list"))
    })
}

fn name_of(text: &str) -> Answer<UserName> {
    UserName::new(text).map_err(|_| Trouble::missing("user", &text))
}

/// Adds a person.
pub async fn add(State(admin): State<Admin>, visitor: Visitor, form: Form) -> Answer {
    let name = UserName::new(form.text("name").to_lowercase())?;
    admin.accounts.add(name, role_of(&form)?, form.raw("password"), &visitor.caller.who).await?;
    Ok(see("/people", "added"))
}

/// Changes a person's role.
pub async fn set_role(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Answer {
    admin.accounts.set_role(&name_of(&name)?, role_of(&form)?, &visitor.caller.who).await?;
    Ok(see("/people", "role"))
}

/// Sets another person's password.
pub async fn set_password(
    State(admin): State<Admin>,
    visitor: Visitor,
    Path(name): Path<String>,
    form: Form,
) -> Answer {
    admin.accounts.set_password(&name_of(&name)?, form.raw("password"), &visitor.caller.who).await?;
    Ok(see("/people", "password"))
}

/// Removes a person.
pub async fn remove(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    admin.accounts.remove(&name_of(&name)?, &visitor.caller.who).await?;
    Ok(see("/people", "removed"))
}

/// Makes a token and shows it this once.
pub async fn add_token(State(admin): State<Admin>, visitor: Visitor, form: Form) -> Answer {
    let name = TokenName::new(form.text("name").to_lowercase())?;
    let days: i64 = form.text("days").parse().ok().filter(|days| (0..=3650).contains(days)).ok_or_else(|| {
        Trouble::invalid("how long the token is good for is not a number of days; no token was made; choose one of the list")
    })?;
    let expires = (days > 0).then(|| admin.clock.now() + Duration::days(days));
    let text =
        admin.accounts.create_token(name.clone(), role_of(&form)?, expires, &visitor.caller.who).await?;
    Ok(shown(page(&admin, &visitor, None, Some((name.as_str(), &text)))?))
}

/// Voids a token.
pub async fn revoke_token(State(admin): State<Admin>, visitor: Visitor, Path(name): Path<String>) -> Answer {
    let name = TokenName::new(name.clone()).map_err(|_| Trouble::missing("token", &name))?;
    admin.accounts.revoke_token(&name, &visitor.caller.who).await?;
    Ok(see("/people", "revoked-token"))
}

/// One's own account.
pub async fn account(State(admin): State<Admin>, visitor: Visitor, query: AskedQuery) -> Answer {
    let asked = asked(query);
    Ok(shown(account_page(&admin, &visitor, asked.did.as_deref(), None)))
}

fn account_page(admin: &Admin, visitor: &Visitor, did: Option<&str>, wrong: Option<&str>) -> String {
    let content = html! {
        h1 { (visitor.user) }
        p { "Your role is " strong { (role_in_words(visitor.caller.role)) } ": " (phrases::role(visitor.caller.role)) "." }
        section class="card" {
            h2 { "Change your password" }
            (complaint(wrong))
            form method="post" action="/account" {
                (csrf(visitor))
                label { "Present password" input type="password" name="present" autocomplete="current-password" required; }
                label { "New password" input type="password" name="password" autocomplete="new-password" minlength=(password::SHORTEST) required; small { "At least " (password::SHORTEST) " characters" } }
                label { "New password again" input type="password" name="again" autocomplete="new-password" required; }
                p class="hint" { "Every session of yours ends, also this one. Sign in again afterwards." }
                button { "Change the password" }
            }
        }
    };
    Shell { admin, visitor, place: Place::People, title: "Account", did }.wrap(content)
}

/// Changes one's own password. All sessions end, so the next page is the door.
pub async fn change_password(State(admin): State<Admin>, visitor: Visitor, form: Form) -> Answer {
    let refuse = |trouble: &Trouble| {
        super::again(trouble.status(), account_page(&admin, &visitor, None, Some(trouble.text())))
    };
    if form.raw("password") != form.raw("again") {
        let text = "the two new passwords differ; nothing was changed; type them again";
        return Ok(refuse(&Trouble::invalid(text)));
    }
    match admin.accounts.change_password(&visitor.user, form.raw("present"), form.raw("password")).await {
        Ok(()) => Ok(Redirect::to("/sign-in").into_response()),
        Err(error) => Ok(refuse(&Trouble::from(error))),
    }
}
