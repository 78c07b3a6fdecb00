//! What a vault is made with and never changes: block size, grace period, minimum retention.
//!
//! They live in the vault itself, sealed, so that no session, plugin or setting elsewhere can go below them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Result, VaultError};
use crate::id::{KeyId, VaultId};
use crate::key::{Keys, VaultKey, random};
use crate::layout;
use crate::object::Objects;
use crate::seal::{HEADER_LEN, Kind, check_header, open_object, seal_object};
use crate::wire::Cursor;

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

/// What the config object holds, sealed. The vault's and the key's id precede it in the clear, authenticated.
#[derive(Debug, Serialize, Deserialize)]
struct Config {
    vault: VaultId,
    settings: Settings,
}

const CLEAR_LEN: usize = 32;

/// Writes the config object of a new vault.
pub(crate) async fn write(
    objects: &Objects,
    key: &VaultKey,
    keys: &Keys,
    settings: &Settings,
) -> Result<VaultId> {
    let vault = VaultId(random()?);
    let mut clear = vault.0.to_vec();
    clear.extend_from_slice(&key.id().0);
    let json = serde_json::to_vec(&Config { vault, settings: settings.clone() })
        .map_err(|_| VaultError::Internal { doing: "writing the config as JSON" })?;
    let object = seal_object(&keys.config, Kind::Config, &clear, &json)?;
    objects.put(&layout::config(), Bytes::from(object)).await?;
    Ok(vault)
}

/// Reads the config object; a wrong key is told apart from a damaged config.
pub(crate) async fn read(objects: &Objects, key: &VaultKey, keys: &Keys) -> Result<(VaultId, Settings)> {
    let path = layout::config();
    let Some(bytes) = objects.find(&path).await? else {
        return Err(VaultError::NotAVault { vault: objects.label().to_owned() });
    };
    check_header(layout::CONFIG, Kind::Config, &bytes)?;
    let damaged = |reason: &str| VaultError::damaged(layout::CONFIG, reason);
    let mut clear = Cursor::new(bytes.get(HEADER_LEN..).unwrap_or_default());
    let (vault, made_with) = (clear.array(), clear.array());
    let (vault, made_with) = vault.zip(made_with).ok_or_else(|| damaged("it is cut off"))?;
    let (vault, made_with) = (VaultId(vault), KeyId(made_with));
    let opened = open_object(&keys.config, Kind::Config, CLEAR_LEN, layout::CONFIG, &bytes);
    if made_with != key.id() && opened.is_err() {
        return Err(VaultError::WrongKey {
            vault: objects.label().to_owned(),
            expected: made_with.to_string(),
            given: key.id().to_string(),
        });
    }
    let config: Config =
        serde_json::from_slice(&opened?).map_err(|_| damaged("its content makes no sense"))?;
    config.settings.check().map_err(|_| damaged("its settings make no sense"))?;
    if config.vault != vault {
        return Err(damaged("it is about another vault"));
    }
    Ok((vault, config.settings))
}

/// Whether the config object is still whole.
pub(crate) async fn check(objects: &Objects, keys: &Keys) -> Result<()> {
    let bytes = objects.get(&layout::config()).await?;
    open_object(&keys.config, Kind::Config, CLEAR_LEN, layout::CONFIG, &bytes).map(|_| ())
}
