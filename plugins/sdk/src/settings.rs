//! The job's settings as the author's own type.

use crate::{Failure, run};
use serde::de::DeserializeOwned;

/// The settings are not what the plugin's type expects: the manifest's schema and the type differ.
#[derive(Debug)]
pub struct SettingsError(serde_json::Error);

impl std::fmt::Display for SettingsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the job's settings cannot be read: {}; nothing was done; open the job, check its settings and save it again",
            self.0
        )
    }
}

impl std::error::Error for SettingsError {}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The settings of the job, checked by the host against the manifest, defaults filled in.
pub fn settings<T: DeserializeOwned>() -> Result<T, SettingsError> {
    serde_json::from_str(&run::settings()).map_err(SettingsError)
}
