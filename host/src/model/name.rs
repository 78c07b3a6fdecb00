//! Typed names and ids, so that a server's name can never be passed where a vault's is meant.

use serde::{Deserialize, Serialize};

/// Why a text is not a usable name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error(
        "the {kind} name is empty; nothing was changed; give one to {MAX} letters, digits, '-', '_' or '.'"
    )]
    Empty {
        /// Which kind of name.
        kind: &'static str,
    },
    /// Too long or with a character that does not belong in a name.
    #[error(
        "\"{text}\" cannot be a {kind} name; nothing was changed; use one to {MAX} lower-case letters, digits, '-', '_' or '.', \
         beginning with a letter or digit"
    )]
    Malformed {
        /// Which kind of name.
        kind: &'static str,
        /// What was given, cut to a readable length.
        text: String,
    },
}

/// The longest name, in bytes: it must fit a file name, a URL path and a table column.
pub const MAX: usize = 63;

fn check(kind: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { kind });
    }
    let good = text.len() <= MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    if good { Ok(()) } else { Err(NameError::Malformed { kind, text: text.chars().take(MAX).collect() }) }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and makes it a name.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check($kind, &text)?;
                Ok(Self(text))
            }
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// A protected machine.
    ServerName = "server";
    /// A disk of a server, unique within it.
    DiskName = "disk";
    /// A place where recovery points live.
    VaultName = "vault";
    /// A plugin with settings and triggers, or one of the appliance's own tasks.
    JobName = "job";
    /// A plugin: `publisher.name`, pinned to the publisher's key at first install.
    PluginId = "plugin";
    /// A label on servers that jobs and grants can name.
    Tag = "tag";
    /// A person who signs in.
    UserName = "user";
    /// An API token's name.
    TokenName = "token";
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = u64)]
        pub struct $name(pub u64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map($name)
            }
        }
    )*};
}

ids! {
    /// One execution of a job; counts up from 1 and is never used again.
    RunId;
    /// One alert from raise to resolution.
    AlertId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit_a_path_and_a_table_are_accepted() {
        for good in ["a", "db1", "acme.backup", "office-server_2", "0"] {
            assert_eq!(ServerName::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn names_that_could_escape_a_path_are_refused() {
        for bad in ["", ".", "..", "-x", "a/b", "A", "a b", "ä", "x\n", &"a".repeat(64)] {
            assert!(ServerName::new(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
