//! Sessions: a browser's cookie is 256 random bits, the store keeps its digest, and three clocks end it.
//!
//! A session ends when it was idle for half an hour, when it is twelve hours old, when its user's password changed or the
//! user is gone, and on sign-out. The role is read from the user on every request, so a change of role takes effect at once.

use super::secret::{self, NoEntropy, SharedEntropy};
use crate::{
    clock::SharedClock,
    model::account::{Session, User},
    model::name::UserName,
    store::{Store, StoreError},
};
use chrono::{DateTime, Duration, Utc};

/// A session nobody used for this long is over.
const IDLE: Duration = Duration::minutes(30);
/// A session this old is over.
const OLDEST: Duration = Duration::hours(12);
/// "Last used" is written at most this often: a write reaches the disk.
const TOUCH: Duration = Duration::minutes(1);
/// Most sessions of one user; the oldest go first.
const EACH: usize = 20;

/// A session could not be made, read or ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A session that was just made.
pub struct Opened {
    /// The cookie's value; told once.
    pub cookie: String,
    /// The record.
    pub session: Session,
}

/// Makes, finds and ends sessions.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    clock: SharedClock,
    entropy: SharedEntropy,
}

impl Sessions {
    /// Over the store's table.
    pub fn new(store: Store, clock: SharedClock, entropy: SharedEntropy) -> Self {
        Self { store, clock, entropy }
    }

    /// A new session for a user who has just proved who they are.
    pub async fn open(&self, user: &UserName) -> Result<Opened, SessionError> {
        let now = self.clock.now();
        self.sweep(user, now).await?;
        let cookie = secret::token(&*self.entropy)?;
        let csrf = secret::token(&*self.entropy)?;
        let session =
            Session { digest: secret::digest(&cookie), user: user.clone(), created: now, used: now, csrf };
        self.store.sessions.put(&session.digest, &session).await?;
        Ok(Opened { cookie, session })
    }

    /// The live session behind a cookie and whose it is. `touch` is false for what the page's script asks by itself.
    pub async fn find(&self, cookie: &str, touch: bool) -> Result<Option<(Session, User)>, SessionError> {
        let Some(mut session) = self.store.sessions.get(&secret::digest(cookie))? else { return Ok(None) };
        let now = self.clock.now();
        let user = self.store.users.get(&session.user)?;
        let Some(user) = user.filter(|user| is_live(&session, user, now)) else {
            self.store.sessions.remove(&session.digest).await?;
            return Ok(None);
        };
        if touch && now - session.used >= TOUCH {
            session.used = now;
            self.store.sessions.put(&session.digest, &session).await?;
        }
        Ok(Some((session, user)))
    }

    /// Signs out.
    pub async fn close(&self, session: &Session) -> Result<(), SessionError> {
        self.store.sessions.remove(&session.digest).await?;
        Ok(())
    }

    /// Ends all sessions of a user.
    pub async fn close_all(&self, user: &UserName) -> Result<(), SessionError> {
        for session in self.store.sessions.list()? {
            if session.user == *user {
                self.store.sessions.remove(&session.digest).await?;
            }
        }
        Ok(())
    }

    /// Removes what is over, and the oldest of a user who has too many.
    async fn sweep(&self, user: &UserName, now: DateTime<Utc>) -> Result<(), SessionError> {
        let (mut own, others): (Vec<_>, Vec<_>) =
            self.store.sessions.list()?.into_iter().partition(|session| session.user == *user);
        own.sort_by_key(|session| std::cmp::Reverse(session.created));
        let surplus = own.iter().skip(EACH - 1);
        let over = own.iter().chain(&others).filter(|session| is_over(session, now));
        for session in surplus.chain(over) {
            self.store.sessions.remove(&session.digest).await?;
        }
        Ok(())
    }
}

/// A session made in the future was made by another clock: it is over too.
fn is_over(session: &Session, now: DateTime<Utc>) -> bool {
    now - session.used > IDLE
        || now - session.created > OLDEST
        || session.created - now > Duration::minutes(5)
}

fn is_live(session: &Session, user: &User, now: DateTime<Utc>) -> bool {
    !is_over(session, now) && session.created >= user.sessions_from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::account::Role;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + Duration::minutes(minutes)
    }
    fn session(created: i64, used: i64) -> Session {
        Session {
            digest: String::new(),
            user: UserName::new("anna").unwrap(),
            created: at(created),
            used: at(used),
            csrf: String::new(),
        }
    }
    fn user(sessions_from: i64) -> User {
        User {
            name: UserName::new("anna").unwrap(),
            role: Role::Owner,
            password: String::new(),
            sessions_from: at(sessions_from),
        }
    }

    #[test]
    fn a_session_lives_while_it_is_used() {
        assert!(is_live(&session(0, 100), &user(0), at(130)));
    }
    #[test]
    fn half_an_hour_of_quiet_ends_it() {
        assert!(!is_live(&session(0, 100), &user(0), at(131)));
    }
    #[test]
    fn twelve_hours_end_it_even_in_use() {
        assert!(is_live(&session(0, 719), &user(0), at(720)));
        assert!(!is_live(&session(0, 721), &user(0), at(721)));
    }
    #[test]
    fn a_password_change_ends_what_was_made_before_it() {
        assert!(!is_live(&session(10, 12), &user(11), at(13)));
        assert!(is_live(&session(11, 12), &user(11), at(13)));
    }
    #[test]
    fn a_session_from_the_future_is_over() {
        assert!(!is_live(&session(10, 10), &user(0), at(0)));
    }
}
