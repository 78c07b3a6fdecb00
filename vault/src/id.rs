//! The identities: of blocks, packs, points, keys and vaults. Plain bytes that print as hex.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! hex_id {
    ($(#[$doc:meta])* $vis:vis $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis struct $name(pub(crate) [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| NotAnId { text: text.to_owned() })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A text that was meant to be an id and is not.
#[derive(Debug, thiserror::Error)]
#[error(
    "\"{text}\" is not an id; nothing was changed: copy the id from a list, it is made of the digits 0-9 and a-f"
)]
pub struct NotAnId {
    text: String,
}

hex_id!(
    /// A recovery point: random, chosen when its backup starts.
    pub PointId, 16
);
hex_id!(
    /// A vault: random, chosen when it is created.
    pub VaultId, 16
);
hex_id!(
    /// Which key a vault needs; tells nothing about the key itself.
    pub KeyId, 16
);
hex_id!(
    /// The keyed hash of a block's or a map page's content. All zeroes stands for "all zeroes".
    pub(crate) ContentId, 32
);
hex_id!(
    /// The first half of a [`ContentId`]: what the index and pack footers hold.
    pub(crate) ShortId, 16
);
hex_id!(
    /// BLAKE3 of a whole object, which is also its name.
    pub(crate) ObjectHash, 32
);

impl ContentId {
    /// The id of content that is nothing but zeroes, which is never stored.
    pub(crate) const ZERO: Self = Self([0; 32]);

    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    pub(crate) fn short(&self) -> ShortId {
        let (half, _) = self.0.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        ShortId(*half)
    }
}
