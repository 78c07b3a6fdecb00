//! The job's settings, as `plugin.toml` describes them.

use crate::suspicion::Sensitivity;
use serde::Deserialize;

/// What a person chose.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Settings {
    pub(crate) vault: String,
    #[serde(default)]
    pub(crate) servers: Vec<String>,
    #[serde(flatten)]
    pub(crate) keep: Keep,
    #[serde(default)]
    pub(crate) ransomware: Sensitivity,
}

/// How many points stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Keep {
    keep_last: u32,
    keep_hourly: u32,
    keep_daily: u32,
    keep_weekly: u32,
    keep_monthly: u32,
    keep_yearly: u32,
}

impl Keep {
    /// The periods that keep something, by the contract's names. Empty means that every point stays.
    pub(crate) fn periods(self) -> Vec<(&'static str, u32)> {
        [
            ("last", self.keep_last),
            ("hourly", self.keep_hourly),
            ("daily", self.keep_daily),
            ("weekly", self.keep_weekly),
            ("monthly", self.keep_monthly),
            ("yearly", self.keep_yearly),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_settings_keep_every_point() {
        let settings: Settings = serde_json::from_str(r#"{"vault": "nas"}"#).unwrap();
        assert!(settings.keep.periods().is_empty());
        assert_eq!(settings.ransomware, Sensitivity::Normal);
    }

    #[test]
    fn each_number_keeps_its_own_period() {
        let text =
            r#"{"vault": "nas", "keep_last": 1, "keep_daily": 7, "keep_yearly": 2, "ransomware": "off"}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.keep.periods(), [("last", 1), ("daily", 7), ("yearly", 2)]);
        assert_eq!(settings.ransomware, Sensitivity::Off);
    }
}
