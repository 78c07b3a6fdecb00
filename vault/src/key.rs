//! The vault key, and the keys by purpose derived from it.
//!
//! One 32-byte secret per vault. Nothing is sealed with it directly: each purpose has a key of its own, derived with
//! BLAKE3's `derive_key`, so that no object of one kind can pass for another. The text form is for people: one line,
//! versioned, with a check that catches a typing error before it becomes "wrong key".

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Result, VaultError};
use crate::id::KeyId;

const TEXT_PREFIX: &str = "hfkey1-";

/// The secret that opens a vault. Whoever has it and the objects has the disks.
#[derive(Clone)]
pub struct VaultKey(Secret);

/// Why a text is not a vault key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyText {
    #[error(
        "this is not a vault key: it does not start with {TEXT_PREFIX}; nothing was opened: copy the whole line from the recovery kit"
    )]
    NotAKey,
    #[error(
        "this vault key is incomplete or mistyped: its check digits do not fit; nothing was opened: copy the whole line from the recovery kit"
    )]
    Mistyped,
}

impl VaultKey {
    /// A new key from the operating system's randomness.
    pub fn generate() -> Result<Self> {
        Ok(Self(Secret(random()?)))
    }

    /// Reads what [`to_text`](Self::to_text) wrote; spaces and dashes between the digits do not matter.
    pub fn from_text(text: &str) -> Result<Self, KeyText> {
        let text = text.trim().to_ascii_lowercase();
        let digits = text.strip_prefix(TEXT_PREFIX).ok_or(KeyText::NotAKey)?;
        let digits: String = digits.chars().filter(|c| *c != '-' && !c.is_whitespace()).collect();
        let mut bytes = [0; 36];
        hex::decode_to_slice(&digits, &mut bytes).map_err(|_| KeyText::Mistyped)?;
        let (key, check) = bytes.split_first_chunk::<32>().ok_or(KeyText::Mistyped)?;
        let key = Self(Secret(*key));
        bytes_match(check, &key.check()).then_some(key).ok_or(KeyText::Mistyped)
    }

    /// The key as one line for a recovery kit or a key file. This is the secret itself.
    pub fn to_text(&self) -> String {
        let digits = hex::encode(self.0.0) + &hex::encode(self.check());
        let groups: Vec<&str> =
            digits.as_bytes().chunks(8).filter_map(|group| std::str::from_utf8(group).ok()).collect();
        format!("{TEXT_PREFIX}{}", groups.join("-"))
    }

    /// Which key this is; safe to show and to store in the clear.
    pub fn id(&self) -> KeyId {
        let hash = self.derive("holdfast-vault 1 key id");
        let (id, _) = hash.0.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        KeyId(*id)
    }

    fn check(&self) -> [u8; 4] {
        let hash = self.derive("holdfast-vault 1 key text check");
        let (check, _) = hash.0.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        *check
    }

    pub(crate) fn derive(&self, context: &str) -> Secret {
        Secret(blake3::derive_key(context, &self.0.0))
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultKey(id {})", self.id())
    }
}

/// 32 secret bytes: never printed, overwritten when dropped.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) [u8; 32]);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0 = [0; 32];
        // Keeps the compiler from removing a write nobody reads.
        std::hint::black_box(&self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The keys by purpose of one vault.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Identity of blocks.
    pub(crate) block_id: Secret,
    /// Identity of map pages: other than that of blocks, so that a disk holding a copy of a page confuses nobody.
    pub(crate) page_id: Secret,
    pub(crate) frame: Secret,
    pub(crate) footer: Secret,
    pub(crate) index: Secret,
    pub(crate) config: Secret,
    pub(crate) manifest: Secret,
    /// Tombstones, holds, intents, the clock: the small records of deletion.
    pub(crate) record: Secret,
}

impl Keys {
    pub(crate) fn of(key: &VaultKey) -> Self {
        Self {
            block_id: key.derive("holdfast-vault 1 block id"),
            page_id: key.derive("holdfast-vault 1 page id"),
            frame: key.derive("holdfast-vault 1 frame"),
            footer: key.derive("holdfast-vault 1 pack footer"),
            index: key.derive("holdfast-vault 1 index run"),
            config: key.derive("holdfast-vault 1 config"),
            manifest: key.derive("holdfast-vault 1 manifest"),
            record: key.derive("holdfast-vault 1 record"),
        }
    }
}

/// Bytes from the operating system's random number generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| VaultError::Internal { doing: "asking the operating system for randomness" })?;
    Ok(bytes)
}

fn bytes_match(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text_form_with_stray_spaces() {
        let key = VaultKey::generate().unwrap();
        let text = format!(
            "  {} \n",
            key.to_text().to_uppercase().replace('-', " - ").replace("HFKEY1 - ", "HFKEY1-")
        );
        assert_eq!(VaultKey::from_text(&text).unwrap().0.0, key.0.0);
    }

    #[test]
    fn one_wrong_digit_is_a_typing_error_not_a_wrong_key() {
        let text = VaultKey::generate().unwrap().to_text();
        for at in TEXT_PREFIX.len()..text.len() {
            let mut bytes = text.clone().into_bytes();
            if bytes[at] == b'-' {
                continue;
            }
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let wrong = String::from_utf8(bytes).unwrap();
            assert_eq!(VaultKey::from_text(&wrong).unwrap_err(), KeyText::Mistyped);
        }
        assert_eq!(VaultKey::from_text("ssh-rsa AAAA").unwrap_err(), KeyText::NotAKey);
    }

    #[test]
    fn printing_a_key_for_a_log_shows_no_secret() {
        let key = VaultKey::generate().unwrap();
        let secret = hex::encode(key.0.0);
        assert!(!format!("{key:?} {:?}", Keys::of(&key)).contains(secret.get(..8).unwrap()));
    }
}
