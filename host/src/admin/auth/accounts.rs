//! Accounts: people and API tokens, what may be done to them, and an audit record of everything that is.
//!
//! Used by the pages and by the API. There is always an owner: the last one can neither be removed nor made less.

use super::{
    password::{self, HashPassword, Hasher, WeakPassword},
    secret::{self, NoEntropy, SharedEntropy},
    session::{SessionError, Sessions},
};
use crate::{
    admin::ports::Upkeep,
    clock::SharedClock,
    model::{
        account::{Role, Token, User},
        name::{TokenName, UserName},
    },
    store::{Store, StoreError},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use tokio::sync::Mutex;

/// An account could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is one of that name.
    #[error("there is already a {kind} named {name}; nothing was changed; take another name")]
    Exists {
        /// `user` or `token`.
        kind: &'static str,
        /// Which.
        name: String,
    },
    /// There is none of that name.
    #[error("there is no {kind} named {name}; nothing was changed; look at the list under People")]
    Unknown {
        /// `user` or `token`.
        kind: &'static str,
        /// Which.
        name: String,
    },
    /// Nobody could change anything any more.
    #[error("{0} is the last owner; nothing was changed; make somebody else an owner first")]
    LastOwner(UserName),
    /// The password is not good enough.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
    /// The present password that must be given with a new one.
    #[error("the present password is not right; nothing was changed; type it again")]
    WrongPassword,
    /// It ends before it begins.
    #[error("the token would be void from the start; nothing was changed; give a day in the future")]
    ExpiredToken,
    /// Hashing failed.
    #[error(transparent)]
    Hash(#[from] HashPassword),
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sessions could not be ended.
    #[error("the password was changed, but older sessions could not be ended: {0}; restart the appliance")]
    Sessions(#[from] SessionError),
}

/// A person, without the password's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Unique name.
    pub name: UserName,
    /// What the person may do.
    pub role: Role,
}

/// People and tokens.
#[derive(Clone)]
pub struct Accounts {
    store: Store,
    upkeep: Arc<dyn Upkeep>,
    clock: SharedClock,
    entropy: SharedEntropy,
    hasher: Hasher,
    sessions: Sessions,
    /// One change at a time, so that two removals cannot both see another owner.
    turn: Arc<Mutex<()>>,
}

impl Accounts {
    /// Over the store's tables.
    pub fn new(
        store: Store,
        upkeep: Arc<dyn Upkeep>,
        clock: SharedClock,
        entropy: SharedEntropy,
        hasher: Hasher,
    ) -> Self {
        let sessions = Sessions::new(store.clone(), Arc::clone(&clock), Arc::clone(&entropy));
        Self { store, upkeep, clock, entropy, hasher, sessions, turn: Arc::default() }
    }

    /// The sessions these accounts have.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Everybody with an account.
    pub fn list(&self) -> Result<Vec<Person>, AccountError> {
        let users = self.store.users.list()?;
        Ok(users.into_iter().map(|user| Person { name: user.name, role: user.role }).collect())
    }

    /// Whether anybody has an account.
    pub fn somebody(&self) -> Result<bool, AccountError> {
        Ok(!self.store.users.list()?.is_empty())
    }

    /// Adds a person.
    pub async fn add(
        &self,
        name: UserName,
        role: Role,
        password: &str,
        who: &str,
    ) -> Result<(), AccountError> {
        password::check(name.as_str(), password)?;
        let hash = self.hasher.hash(password).await?;
        let _turn = self.turn.lock().await;
        if self.store.users.get(&name)?.is_some() {
            return Err(AccountError::Exists { kind: "user", name: name.to_string() });
        }
        let user = User { name, role, password: hash, sessions_from: self.clock.now() };
        self.store.users.put(&user.name, &user).await?;
        self.audit(who, "users.add", user.name.as_str()).await;
        Ok(())
    }

    /// Removes a person and ends their sessions.
    pub async fn remove(&self, name: &UserName, who: &str) -> Result<(), AccountError> {
        let _turn = self.turn.lock().await;
        let user = self.user(name)?;
        self.spare_last_owner(&user)?;
        self.store.users.remove(name).await?;
        self.sessions.close_all(name).await?;
        self.audit(who, "users.remove", name.as_str()).await;
        Ok(())
    }

    /// Changes what a person may do, from their next request on.
    pub async fn set_role(&self, name: &UserName, role: Role, who: &str) -> Result<(), AccountError> {
        let _turn = self.turn.lock().await;
        let user = self.user(name)?;
        if role != Role::Owner {
            self.spare_last_owner(&user)?;
        }
        self.store.users.put(name, &User { role, ..user }).await?;
        self.audit(who, "users.set-role", &format!("{name} {role:?}").to_lowercase()).await;
        Ok(())
    }

    /// Sets a person's password and ends all their sessions.
    pub async fn set_password(&self, name: &UserName, password: &str, who: &str) -> Result<(), AccountError> {
        password::check(name.as_str(), password)?;
        self.user(name)?;
        let hash = self.hasher.hash(password).await?;
        let _turn = self.turn.lock().await;
        let user = self.user(name)?;
        let user = User { password: hash, sessions_from: self.clock.now(), ..user };
        self.store.users.put(name, &user).await?;
        self.sessions.close_all(name).await?;
        self.audit(who, "users.set-password", name.as_str()).await;
        Ok(())
    }

    /// Sets one's own password; the present one must be given.
    pub async fn change_password(
        &self,
        name: &UserName,
        present: &str,
        password: &str,
    ) -> Result<(), AccountError> {
        let who = format!("user:{name}");
        if self.verify(name.as_str(), present).await?.is_none() {
            let reason = Some("the present password was wrong".to_owned());
            self.upkeep.audit(&who, "users.set-password", name.as_str(), false, reason).await;
            return Err(AccountError::WrongPassword);
        }
        self.set_password(name, password, &who).await
    }

    /// The user of that name, if the password is theirs. Takes as long when there is no such user.
    pub async fn verify(&self, name: &str, password: &str) -> Result<Option<User>, AccountError> {
        let user = match UserName::new(name) {
            Ok(name) => self.store.users.get(&name)?,
            Err(_) => None,
        };
        let kept = user.as_ref().map(|user| user.password.as_str());
        let right = self.hasher.matches(kept, password).await?;
        Ok(user.filter(|_| right))
    }

    /// All tokens; their digests open nothing.
    pub fn tokens(&self) -> Result<Vec<Token>, AccountError> {
        Ok(self.store.tokens.list()?)
    }

    /// Makes a token and returns its text, which is told this once.
    pub async fn create_token(
        &self,
        name: TokenName,
        role: Role,
        expires: Option<DateTime<Utc>>,
        who: &str,
    ) -> Result<String, AccountError> {
        let now = self.clock.now();
        if expires.is_some_and(|end| end <= now) {
            return Err(AccountError::ExpiredToken);
        }
        let _turn = self.turn.lock().await;
        if self.store.tokens.get(&name)?.is_some() {
            return Err(AccountError::Exists { kind: "token", name: name.to_string() });
        }
        let text = format!("holdfast_{}", secret::token(&*self.entropy)?);
        let token = Token { name, role, digest: secret::digest(&text), created: now, expires };
        self.store.tokens.put(&token.name, &token).await?;
        self.audit(who, "tokens.create", token.name.as_str()).await;
        Ok(text)
    }

    /// Voids a token.
    pub async fn revoke_token(&self, name: &TokenName, who: &str) -> Result<(), AccountError> {
        let _turn = self.turn.lock().await;
        if !self.store.tokens.remove(name).await? {
            return Err(AccountError::Unknown { kind: "token", name: name.to_string() });
        }
        self.audit(who, "tokens.revoke", name.as_str()).await;
        Ok(())
    }

    /// The token that `text` is, if it is one and not void. Every token is compared, whichever matches.
    pub fn find_token(&self, text: &str) -> Result<Option<Token>, AccountError> {
        let (given, now) = (secret::digest(text), self.clock.now());
        let mut found = None;
        for token in self.store.tokens.list()? {
            if secret::same(&token.digest, &given) {
                found = Some(token);
            }
        }
        Ok(found.filter(|token| token.expires.is_none_or(|end| now < end)))
    }

    fn user(&self, name: &UserName) -> Result<User, AccountError> {
        let found = self.store.users.get(name)?;
        found.ok_or_else(|| AccountError::Unknown { kind: "user", name: name.to_string() })
    }

    fn spare_last_owner(&self, user: &User) -> Result<(), AccountError> {
        let owners = self.store.users.list()?.iter().filter(|other| other.role == Role::Owner).count();
        if user.role == Role::Owner && owners <= 1 {
            return Err(AccountError::LastOwner(user.name.clone()));
        }
        Ok(())
    }

    async fn audit(&self, who: &str, action: &str, subject: &str) {
        self.upkeep.audit(who, action, subject, true, None).await;
    }
}
