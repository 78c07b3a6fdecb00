//! Secrets: where they come from, how they are kept (digests only) and how they are compared (constant time).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest as ring_digest},
    rand::{SecureRandom, SystemRandom},
};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes; no secret was made and nothing was changed; try again")]
pub struct NoEntropy;

/// A source of unpredictable bytes. The appliance has the system's; tests have one that repeats itself.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy>;
}

/// A source that many may hold.
pub type SharedEntropy = Arc<dyn Entropy>;

/// The system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl SystemEntropy {
    /// The system's generator, ready to share.
    pub fn shared() -> SharedEntropy {
        Arc::new(Self)
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        SystemRandom::new().fill(bytes).map_err(|_| NoEntropy)
    }
}

/// 256 random bits as text that fits a cookie, a form and a header.
pub fn token(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    let mut bytes = [0_u8; 32];
    entropy.fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Hex SHA-256 of a secret. Enough for 256 random bits; passwords go through Argon2id instead.
pub fn digest(secret: &str) -> String {
    hex::encode(ring_digest(&SHA256, secret.as_bytes()))
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tokens_differ_and_carry_256_bits() {
        let source = SystemEntropy;
        let (one, other) = (token(&source).unwrap(), token(&source).unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 43);
    }

    #[test]
    fn comparison_sees_length_and_content() {
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abd"));
        assert!(!same("abc", "abcd"));
    }
}
