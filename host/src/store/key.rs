//! How keys are written, so that bytes sort as people count.

use crate::model::name::{AlertId, JobName, PluginId, RunId, ServerName, TokenName, UserName, VaultName};

/// A record's key within its table.
pub trait Key {
    /// The key as it is stored. Numbers have twenty digits, so that they sort.
    fn stored(&self) -> String;
}

impl Key for String {
    fn stored(&self) -> String {
        self.clone()
    }
}

macro_rules! text_keys {
    ($($name:ident),*) => {$(
        impl Key for $name {
            fn stored(&self) -> String {
                self.as_str().to_owned()
            }
        }
    )*};
}
text_keys!(JobName, PluginId, ServerName, TokenName, UserName, VaultName);

macro_rules! number_keys {
    ($($name:ident),*) => {$(
        impl Key for $name {
            fn stored(&self) -> String {
                number(self.0)
            }
        }
    )*};
}
number_keys!(RunId, AlertId);

/// A number with all its digits.
pub(super) fn number(value: u64) -> String {
    format!("{value:020}")
}

/// A free text as one part of a key: `/` separates parts, so one inside is escaped.
pub(super) fn part(text: &str) -> String {
    text.replace('%', "%25").replace('/', "%2f").replace('\0', "%00")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_sort_as_numbers(a: u64, b: u64) {
            prop_assert_eq!(number(a).cmp(&number(b)), a.cmp(&b));
        }

        #[test]
        fn different_parts_never_make_the_same_key(a in ".{0,8}", b in ".{0,8}", c in ".{0,8}", d in ".{0,8}") {
            let one = format!("{}/{}", part(&a), part(&b));
            let other = format!("{}/{}", part(&c), part(&d));
            prop_assert_eq!(one == other, (a, b) == (c, d));
        }
    }
}
