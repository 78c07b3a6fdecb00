//! Who may enter, and how they prove it: the claim code, passwords, sessions, API tokens, and the gate that asks.
//!
//! What flows in: requests with the address they come from. What flows out: the same requests with a
//! [`Caller`](super::caller::Caller) in them, and for people at a browser a [`Visitor`](gate::Visitor).
//!
//! | against | here |
//! |---|---|
//! | a default or guessed password | [`claim`], [`password`], [`lockout`] |
//! | a stolen database | digests and Argon2id only: [`secret`], [`password`] |
//! | a stolen or forgotten browser | [`session`]'s limits; a password change ends all sessions |
//! | another site's page | [`origin`], CSRF tokens in [`gate`] and [`form`], cookies that are `SameSite=Strict` |
//! | a page inside our page, a script inside our page | [`headers`] |
//!
//! Every sign-in, failure, lockout, password and token change leaves an audit record. A second factor (TOTP) fits between
//! [`Accounts::verify`](accounts::Accounts::verify) and [`Sessions::open`](session::Sessions::open): nothing else makes a
//! session for a password.
//!
//! What it refuses to know: which role may do what.

pub mod accounts;
pub mod claim;
pub mod form;
pub mod gate;
pub mod headers;
pub mod lockout;
pub mod origin;
pub mod password;
pub mod secret;
pub mod session;
