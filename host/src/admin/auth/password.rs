//! Passwords: which are good enough, and Argon2id, off the threads that answer requests.
//!
//! Length decides, not composition: people who must add a digit add a `1`. At most two passwords are computed at once,
//! so that a flood of sign-ins cannot take the memory that a backup needs.

use super::secret::{NoEntropy, SharedEntropy};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString},
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::Semaphore;

/// The shortest password, in characters.
pub const SHORTEST: usize = 12;
/// The longest, in bytes: more would only cost time.
const LONGEST: usize = 1024;
/// Fewer different characters than this is a pattern, not a password.
const DIFFERENT: usize = 5;

/// Why a password cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Too few characters.
    #[error(
        "the password has fewer than {SHORTEST} characters; nothing was changed; take a longer one, for example four words that do not belong together"
    )]
    Short,
    /// Too many bytes.
    #[error("the password is longer than {LONGEST} bytes; nothing was changed; take a shorter one")]
    Long,
    /// One character over and over, or the name.
    #[error(
        "the password is too easy to guess (the user's own name, or a few characters repeated); nothing was changed; take another, for example four words that do not belong together"
    )]
    Guessable,
}

/// Whether `password` is good enough for the user `name`.
pub fn check(name: &str, password: &str) -> Result<(), WeakPassword> {
    if password.len() > LONGEST {
        return Err(WeakPassword::Long);
    }
    if password.chars().count() < SHORTEST {
        return Err(WeakPassword::Short);
    }
    let lower = password.to_lowercase();
    let without_name = lower.replace(name, "");
    let different: BTreeSet<char> = lower.chars().collect();
    if different.len() < DIFFERENT || without_name.chars().count() < SHORTEST / 2 {
        return Err(WeakPassword::Guessable);
    }
    Ok(())
}

/// A password could not be hashed or compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashPassword {
    /// No salt.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The computation itself failed.
    #[error(
        "the password could not be computed ({0}); nothing was changed; try again, and if it stays so restart the appliance"
    )]
    Compute(String),
}

/// Computes and compares Argon2id hashes.
#[derive(Clone)]
pub struct Hasher {
    argon: Argon2<'static>,
    entropy: SharedEntropy,
    turns: Arc<Semaphore>,
    /// Compared with when there is no such user, so that both answers take the same time.
    nobody: Arc<str>,
}

impl Hasher {
    /// 32 MiB, three passes: about a tenth of a second on the boxes this runs on, and above what OWASP asks for.
    pub fn new(entropy: SharedEntropy) -> Result<Self, HashPassword> {
        Self::with_cost(entropy, 32 * 1024, 3)
    }

    /// With other costs than the product's; tests want cheap ones.
    pub fn with_cost(entropy: SharedEntropy, memory_kib: u32, passes: u32) -> Result<Self, HashPassword> {
        let params = Params::new(memory_kib, passes, 1, None)
            .map_err(|source| HashPassword::Compute(source.to_string()))?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = compute(&argon, &*entropy, "nobody has this password")?.into();
        Ok(Self { argon, entropy, turns: Arc::new(Semaphore::new(2)), nobody })
    }

    /// The PHC string of a new password.
    pub async fn hash(&self, password: &str) -> Result<String, HashPassword> {
        let (argon, entropy, password) = (self.argon.clone(), Arc::clone(&self.entropy), password.to_owned());
        self.in_turn(move || compute(&argon, &*entropy, &password)).await?
    }

    /// Whether `password` is the one that `kept` was made from. With nothing kept it takes as long and says no.
    pub async fn matches(&self, kept: Option<&str>, password: &str) -> Result<bool, HashPassword> {
        let known = kept.is_some();
        let kept = kept.map_or_else(|| self.nobody.to_string(), str::to_owned);
        let (argon, password) = (self.argon.clone(), password.to_owned());
        let equal = self
            .in_turn(move || {
                PasswordHash::new(&kept)
                    .map_err(|source| HashPassword::Compute(source.to_string()))
                    .map(|kept| argon.verify_password(password.as_bytes(), &kept).is_ok())
            })
            .await??;
        Ok(equal && known)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashPassword> {
        let _turn = self.turns.acquire().await.map_err(|source| HashPassword::Compute(source.to_string()))?;
        tokio::task::spawn_blocking(work).await.map_err(|source| HashPassword::Compute(source.to_string()))
    }
}

fn compute(
    argon: &Argon2<'_>,
    entropy: &dyn super::secret::Entropy,
    password: &str,
) -> Result<String, HashPassword> {
    let mut salt = [0_u8; 16];
    entropy.fill(&mut salt)?;
    let salt = SaltString::encode_b64(&salt).map_err(|source| HashPassword::Compute(source.to_string()))?;
    argon
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|source| HashPassword::Compute(source.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::auth::secret::SystemEntropy;

    #[test]
    fn length_decides_and_patterns_are_refused() {
        assert_eq!(check("anna", "short"), Err(WeakPassword::Short));
        assert_eq!(check("anna", &"x".repeat(2000)), Err(WeakPassword::Long));
        assert_eq!(check("anna", "aaaaaaaaaaaaaaaa"), Err(WeakPassword::Guessable));
        assert_eq!(check("annabella", "annabella1234"), Err(WeakPassword::Guessable));
        assert_eq!(check("anna", "correct horse battery staple"), Ok(()));
        assert_eq!(check("anna", "zwölf zeichen"), Ok(()));
    }

    #[tokio::test]
    async fn a_hash_matches_its_password_only_and_nobody_matches_nothing() {
        let hasher = Hasher::with_cost(SystemEntropy::shared(), 64, 1).unwrap();
        let kept = hasher.hash("correct horse battery").await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{kept}");
        assert!(hasher.matches(Some(&kept), "correct horse battery").await.unwrap());
        assert!(!hasher.matches(Some(&kept), "correct horse batterz").await.unwrap());
        assert!(!hasher.matches(None, "nobody has this password").await.unwrap());
    }
}
