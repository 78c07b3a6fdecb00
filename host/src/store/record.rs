//! The bytes of one record: JSON in an envelope that says which version of the state it is of.
//!
//! Fields are only ever added, each with a serde default. A change of meaning is a new version and a step in
//! `migrate`.

use super::StoreError;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version of the state that this binary writes.
pub(super) const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u32,
    r: T,
}

/// Wraps and encodes a record.
pub(super) fn encode<T: Serialize>(table: &'static str, record: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(&Envelope { v: VERSION, r: record })
        .map_err(|source| StoreError::Encode { table, reason: source.to_string() })
}

/// Decodes a record.
pub(super) fn decode<T: DeserializeOwned>(table: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    let envelope: Envelope<T> = serde_json::from_slice(bytes)
        .map_err(|source| StoreError::Decode { table, reason: source.to_string() })?;
    if envelope.v > VERSION {
        let reason = format!("it is of state version {}, this binary knows {VERSION}", envelope.v);
        return Err(StoreError::Decode { table, reason });
    }
    Ok(envelope.r)
}

/// The version and the record's own JSON, as it stands in an export.
pub(super) fn open(bytes: &[u8]) -> Option<(u32, &str)> {
    let rest = std::str::from_utf8(bytes).ok()?.strip_prefix("{\"v\":")?;
    let (version, rest) = rest.split_once(",\"r\":")?;
    Some((version.parse().ok()?, rest.strip_suffix('}')?))
}

/// Puts a record's own JSON into an envelope.
pub(super) fn wrap(version: u32, inner: &str) -> Vec<u8> {
    format!("{{\"v\":{version},\"r\":{inner}}}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_the_text_that_exports_strip() {
        let bytes = encode("settings", &"ü").unwrap();
        assert_eq!(open(&bytes), Some((VERSION, "\"ü\"")));
        assert_eq!(wrap(VERSION, "\"ü\""), bytes);
    }

    #[test]
    fn a_record_of_a_newer_version_is_refused_in_words() {
        let error = decode::<String>("settings", b"{\"v\":2,\"r\":\"x\"}").unwrap_err();
        assert!(error.to_string().contains("state version 2"), "{error}");
    }
}
