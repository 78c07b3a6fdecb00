//! Publishers' keys: ed25519, made and kept by the author; the appliance only ever sees the public half.

use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};

/// What a key file begins with.
const FILE: &str = "holdfast-signing-key-1 ";
/// Bytes of a signature.
pub(super) const SIGNATURE: usize = 64;
/// Bytes of a public key.
pub(super) const PUBLIC: usize = 32;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system gave no randomness.
    #[error(
        "no key was made: the system gave no random bytes; nothing was written; try again on a machine that is fully booted"
    )]
    Generate,
    /// Not a key file of ours.
    #[error(
        "this is not a signing key made by `holdfast plugin keygen`; nothing was signed; give the file that command wrote"
    )]
    Malformed,
}

/// The secret half; stays with the author.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    document: Vec<u8>,
}

/// The public half, as hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublisherKey(String);

/// Makes a new key.
pub fn generate() -> Result<SigningKey, KeyError> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Generate)?;
    SigningKey::from_document(document.as_ref().to_vec())
}

impl SigningKey {
    fn from_document(document: Vec<u8>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|_| KeyError::Malformed)?;
        Ok(Self { pair, document })
    }

    /// Reads the text of a key file.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let hex = text.trim().strip_prefix(FILE).ok_or(KeyError::Malformed)?;
        Self::from_document(hex::decode(hex.trim()).map_err(|_| KeyError::Malformed)?)
    }

    /// The text of a key file. Write it readable to its owner alone.
    pub fn to_text(&self) -> String {
        format!("{FILE}{}\n", hex::encode(&self.document))
    }

    /// The public half.
    pub fn public(&self) -> PublisherKey {
        PublisherKey(hex::encode(self.pair.public_key()))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    pub(super) fn public_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
}

impl PublisherKey {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self(hex::encode(bytes))
    }

    /// As hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PublisherKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn is_signed_by(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file() {
        let key = generate().unwrap();
        let again = SigningKey::from_text(&key.to_text()).unwrap();
        assert_eq!(key.public(), again.public());
        assert!(is_signed_by(again.public_bytes(), b"x", &key.sign(b"x")));
        assert!(!is_signed_by(again.public_bytes(), b"y", &key.sign(b"x")));
    }

    #[test]
    fn a_text_that_is_no_key_is_refused() {
        for text in ["", "holdfast-signing-key-1 zz", "holdfast-signing-key-1 00", "-----BEGIN"] {
            assert!(SigningKey::from_text(text).is_err(), "{text}");
        }
    }
}
