//! What a vault is made with and never changes: block size, grace period, minimum retention.
//!
//! They live in the vault itself, sealed, so that no session, plugin or setting elsewhere can go below them.

use serde::{Deserialize, Serialize};

use crate::error::{Result, VaultError};

/// The unit of identity on a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockSize {
    /// For fleets of similar servers: stores least, needs most index.
    #[serde(rename = "4k")]
    FourKiB,
    #[default]
    #[serde(rename = "16k")]
    SixteenKiB,
    /// For very large disks.
    #[serde(rename = "64k")]
    SixtyFourKiB,
}

impl BlockSize {
    pub fn bytes(self) -> u32 {
        match self {
            Self::FourKiB => 4 << 10,
            Self::SixteenKiB => 16 << 10,
            Self::SixtyFourKiB => 64 << 10,
        }
    }
}

/// The newest points of each server that cannot be expired, whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinimumRetention {
    /// At least this many unexpired points stay per server.
    pub points: u32,
    /// Points younger than this (against the server's newest point) cannot be expired.
    pub age_secs: u64,
}

/// The settings of a vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub block_size: BlockSize,
    /// Bytes after which a pack is closed.
    pub pack_size: u32,
    /// zstd level, 1 to 19.
    pub compression: i32,
    /// How long an expired point can still be restored and un-expired.
    pub grace_secs: u64,
    pub minimum: MinimumRetention,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            block_size: BlockSize::default(),
            pack_size: 32 << 20,
            compression: 1,
            grace_secs: 7 * 86_400,
            minimum: MinimumRetention { points: 3, age_secs: 86_400 },
        }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<()> {
        let bad = |setting, value: String, remedy| Err(VaultError::BadSetting { setting, value, remedy });
        if !(1..=19).contains(&self.compression) {
            return bad(
                "the compression level",
                self.compression.to_string(),
                "choose 1 (fast) to 19 (small)",
            );
        }
        if !((64 << 10)..=(512 << 20)).contains(&self.pack_size) {
            return bad("the pack size", self.pack_size.to_string(), "choose 64 KiB to 512 MiB");
        }
        if self.minimum.points == 0 {
            return bad("the minimum retention", "0 points".into(), "keep at least one point per server");
        }
        Ok(())
    }
}
