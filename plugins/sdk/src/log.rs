//! The run's log, and a panic hook that writes there what a trap alone would not say.

use crate::run::{self, Level};
use std::sync::Once;

/// For the plugin's author.
pub fn debug(text: impl AsRef<str>) {
    run::log(Level::Debug, text.as_ref());
}

/// What happens.
pub fn info(text: impl AsRef<str>) {
    run::log(Level::Info, text.as_ref());
}

/// Worth a look.
pub fn warn(text: impl AsRef<str>) {
    run::log(Level::Warn, text.as_ref());
}

/// Something did not work.
pub fn error(text: impl AsRef<str>) {
    run::log(Level::Error, text.as_ref());
}

/// From now on a panic is logged with its message and place before the instance traps.
pub fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| error(panic.to_string()))));
}
