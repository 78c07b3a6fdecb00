//! Why something could not be done with a vault of this site.

use crate::{model::name::VaultName, store::StoreError};
use holdfast_vault::VaultError;
use std::path::PathBuf;

/// Why something could not be done with a vault of this site.
#[derive(Debug, thiserror::Error)]
pub enum VaultsError {
    /// No vault of this name is in use here.
    #[error(
        "there is no vault \"{0}\" here; nothing was changed; see `holdfast vault list` for those there are"
    )]
    Unknown(VaultName),
    /// The name is taken.
    #[error(
        "there is a vault \"{0}\" already; nothing was changed; choose another name, or detach the present one first"
    )]
    Exists(VaultName),
    /// Its key file cannot be read.
    #[error(
        "the key of vault \"{vault}\" cannot be read from {}: {reason}; its recovery points are intact but cannot be used without it; \
         put the copy you kept of the key there (mode 0600)",
        path.display()
    )]
    ReadKey {
        /// Which vault.
        vault: VaultName,
        /// Where the key should be.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Its key file cannot be written.
    #[error("the key of vault \"{vault}\" cannot be kept in {}: {reason}; the vault was not taken into use", path.display())]
    KeepKey {
        /// Which vault.
        vault: VaultName,
        /// Where the key should go.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The text is no vault key.
    #[error(
        "that is not a vault key: {0}; nothing was changed; give the whole line that `holdfast vault key` printed"
    )]
    NotAKey(String),
    /// The place is no absolute path.
    #[error("{} is not an absolute path; nothing was changed; give the vault's whole path, beginning with /", .0.display())]
    RelativePath(PathBuf),
    /// The block size is not one of those there are.
    #[error("a vault cannot have blocks of {0} KiB; nothing was made; choose 4, 16 or 64")]
    BlockSize(u32),
    /// The text is no recovery point's id.
    #[error(
        "\"{0}\" is not the id of a recovery point; nothing was changed; see `holdfast points` for those there are"
    )]
    NotAPoint(String),
    /// The hold is somebody else's.
    #[error(
        "recovery point {point} is held by {holder}; it stays held; only {holder} or a person can release it"
    )]
    HeldByAnother {
        /// Which point.
        point: String,
        /// By whom.
        holder: String,
    },
    /// The vault itself.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
}
