//! Every interface's error as words and as a [`Failure`], so that `?` works in a job.

use crate::{Failure, alerts, metrics, operations, recovery_points, retention, servers, state, vaults};

/// An interface's error as the sentence the host wrote for a person.
pub trait InWords {
    /// The sentence.
    fn in_words(&self) -> String;
}

macro_rules! words {
    ($($module:ident { $($case:ident),* $(; $plain:ident = $text:literal)? })*) => {$(
        impl InWords for $module::Error {
            fn in_words(&self) -> String {
                match self {
                    $(Self::$case(words) => words.clone(),)*
                    $(Self::$plain => $text.to_owned(),)?
                }
            }
        }
        impl From<$module::Error> for Failure {
            fn from(error: $module::Error) -> Self {
                match error {
                    $($module::Error::$plain => Self::Cancelled,)?
                    other => Self::Failed(other.in_words()),
                }
            }
        }
    )*};
}

words! {
    state { Quota, Invalid, Unavailable, Denied, Other }
    operations { Failed, Other; Cancelled = "it was cancelled" }
    servers { Denied, NotFound, Unavailable, Other }
    recovery_points { Denied, NotFound, Unavailable, Quota, Other }
    retention { Denied, NotFound, Invalid, Unavailable, Other }
    vaults { Denied, NotFound, Unavailable, Quota, Other }
    alerts { Denied, Quota, Unavailable, Other }
    metrics { Denied, Invalid, Unavailable, Other }
}
