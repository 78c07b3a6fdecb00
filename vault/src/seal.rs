//! Sealing whole objects: a clear header that says what it is, then authenticated ciphertext.
//!
//! Every object starts with the same 16 bytes, so that a newer format is refused in words before anything is decrypted.
//! Each sealing draws a random 32-byte salt and derives a key of its own from it, so that the nonce can be a plain
//! counter and can never repeat under one key. The header, the salt and any clear fields are authenticated with it.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

use crate::error::{Result, VaultError};
use crate::key::{Secret, random};
use crate::wire::Cursor;

pub(crate) const MAGIC: &[u8; 8] = b"HOLDFAST";
pub(crate) const FORMAT: u16 = 1;
pub(crate) const HEADER_LEN: usize = 16;
pub(crate) const SALT_LEN: usize = 32;
pub(crate) const TAG_LEN: usize = 16;

/// What an object is. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Kind {
    Config = 1,
    Manifest = 2,
    DataPack = 3,
    MapPack = 4,
    IndexRun = 5,
    Tombstone = 6,
    Hold = 7,
    Intent = 8,
    Clock = 9,
    Condemned = 10,
    Damage = 11,
}

/// The 16 bytes every object starts with.
pub(crate) fn header(kind: Kind) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    let fields = MAGIC.iter().copied().chain((kind as u16).to_le_bytes()).chain(FORMAT.to_le_bytes());
    header.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    header
}

/// Checks the first bytes of an object; the error names it.
pub(crate) fn check_header(object: &str, kind: Kind, bytes: &[u8]) -> Result<()> {
    let mut cursor = Cursor::new(bytes);
    let damaged = |reason: &str| VaultError::damaged(object, reason);
    if cursor.take(MAGIC.len()) != Some(MAGIC) {
        return Err(damaged("it does not start as an object of a vault"));
    }
    let (found, format, reserved) = (cursor.u16(), cursor.u16(), cursor.u32());
    let format = format.ok_or_else(|| damaged("it is cut off"))?;
    if format > FORMAT {
        return Err(VaultError::NewerFormat { object: object.to_owned(), found: format, supported: FORMAT });
    }
    if found != Some(kind as u16) || format != FORMAT || reserved != Some(0) {
        return Err(damaged("it is not the kind of object its name says"));
    }
    Ok(())
}

/// A key for one message or one numbered series of messages.
pub(crate) struct Sealer(LessSafeKey);

impl Sealer {
    pub(crate) fn new(purpose: &Secret, salt: &[u8]) -> Result<Self> {
        let key = Secret(*blake3::keyed_hash(&purpose.0, salt).as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, &key.0)
            .map_err(|_| VaultError::Internal { doing: "making a key" })?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals in place and appends the tag. A number is used once per salt.
    pub(crate) fn seal(&self, number: u64, aad: &[u8], data: &mut Vec<u8>) -> Result<()> {
        self.0
            .seal_in_place_append_tag(nonce(number), Aad::from(aad), data)
            .map_err(|_| VaultError::Internal { doing: "sealing" })
    }

    /// Seals in place and hands back the tag.
    pub(crate) fn seal_detached(&self, number: u64, aad: &[u8], data: &mut [u8]) -> Result<Tag> {
        self.0
            .seal_in_place_separate_tag(nonce(number), Aad::from(aad), data)
            .map_err(|_| VaultError::Internal { doing: "sealing" })
    }

    /// Opens in place; `None` if a single bit differs from what was sealed.
    pub(crate) fn open<'a>(&self, number: u64, aad: &[u8], data: &'a mut [u8]) -> Option<&'a mut [u8]> {
        self.0.open_in_place(nonce(number), Aad::from(aad), data).ok()
    }
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce.iter_mut().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
    Nonce::assume_unique_for_key(nonce)
}

/// A whole object: header, clear fields, salt, ciphertext with tag.
pub(crate) fn seal_object(purpose: &Secret, kind: Kind, clear: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let salt: [u8; SALT_LEN] = random()?;
    let mut object = Vec::with_capacity(HEADER_LEN + clear.len() + SALT_LEN + plain.len() + TAG_LEN);
    object.extend_from_slice(&header(kind));
    object.extend_from_slice(clear);
    object.extend_from_slice(&salt);
    let mut sealed = plain.to_vec();
    Sealer::new(purpose, &salt)?.seal(0, &object, &mut sealed)?;
    object.extend_from_slice(&sealed);
    Ok(object)
}

/// Opens what [`seal_object`] made.
pub(crate) fn open_object(
    purpose: &Secret,
    kind: Kind,
    clear_len: usize,
    name: &str,
    bytes: &[u8],
) -> Result<Vec<u8>> {
    check_header(name, kind, bytes)?;
    let (aad, sealed) = bytes
        .split_at_checked(HEADER_LEN + clear_len + SALT_LEN)
        .ok_or_else(|| VaultError::damaged(name, "it is cut off"))?;
    let salt = aad.get(HEADER_LEN + clear_len..).unwrap_or_default();
    let mut sealed = sealed.to_vec();
    let plain = Sealer::new(purpose, salt)?
        .open(0, aad, &mut sealed)
        .map(|plain| plain.len())
        .ok_or_else(|| VaultError::damaged(name, "its seal does not fit"))?;
    sealed.truncate(plain);
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_byte_breaks_the_seal_and_any_cut_is_noticed() {
        let key = Secret([7; 32]);
        let object = seal_object(&key, Kind::Hold, b"clear", b"content").unwrap();
        let open = |bytes: &[u8]| open_object(&key, Kind::Hold, 5, "x", bytes);
        assert_eq!(open(&object).unwrap(), b"content");
        for at in 0..object.len() {
            let mut changed = object.clone();
            changed[at] ^= 1;
            assert!(open(&changed).is_err(), "byte {at}");
            assert!(open(&object[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_newer_format_is_refused_in_words() {
        let key = Secret([7; 32]);
        let mut object = seal_object(&key, Kind::Hold, b"", b"content").unwrap();
        object[10] = 2;
        let error = open_object(&key, Kind::Hold, 0, "holds/1", &object).unwrap_err();
        assert!(matches!(error, VaultError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
        assert!(error.to_string().contains("update Holdfast"));
    }
}
