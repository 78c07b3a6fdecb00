//! The claim code: how the first owner proves to have seen the box's console. There is no default password.
//!
//! While nobody has an account, each start makes a new code and shows it on the console and in the log; only its digest
//! is kept. It is void once the first owner exists, and its attempts are counted like any sign-in's.

use super::secret::{self, Entropy, NoEntropy};
use parking_lot::Mutex;
use std::{
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Letters and digits that nobody mixes up.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 16 of 32 characters: 80 bits, guessed at a few a minute.
const LENGTH: usize = 16;

/// The claim code could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum OpenClaim {
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The file with its digest.
    #[error(
        "the claim code's digest cannot be kept in {}: {source}; nobody can sign in yet; check the data directory's rights and free space, then start again",
        path.display()
    )]
    Keep {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The open claim, if there is one.
pub struct Claim {
    path: PathBuf,
    digest: Mutex<Option<String>>,
}

impl Claim {
    /// Makes a code while nobody has an account (`somebody` false) and returns it once, for the console.
    pub fn open(
        data: &Path,
        somebody: bool,
        entropy: &dyn Entropy,
    ) -> Result<(Self, Option<String>), OpenClaim> {
        let path = data.join("claim.sha256");
        if somebody {
            remove(&path).map_err(|source| OpenClaim::Keep { path: path.clone(), source })?;
            return Ok((Self { path, digest: Mutex::new(None) }, None));
        }
        let code = new_code(entropy)?;
        let digest = secret::digest(&plain(&code));
        keep(&path, &digest).map_err(|source| OpenClaim::Keep { path: path.clone(), source })?;
        Ok((Self { path, digest: Mutex::new(Some(digest)) }, Some(code)))
    }

    /// Whether the box waits to be claimed.
    pub fn is_open(&self) -> bool {
        self.digest.lock().is_some()
    }

    /// Whether `code` is the one on the console. It stays valid until [`Claim::close`].
    pub fn fits(&self, code: &str) -> bool {
        let given = secret::digest(&plain(code));
        self.digest.lock().as_deref().is_some_and(|kept| secret::same(kept, &given))
    }

    /// Voids the code: somebody has an account now.
    pub fn close(&self) {
        *self.digest.lock() = None;
        if let Err(source) = remove(&self.path) {
            tracing::warn!(path = %self.path.display(), %source, "the used claim code's digest stays on disk; it opens nothing");
        }
    }
}

fn new_code(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    let mut bytes = [0_u8; LENGTH];
    entropy.fill(&mut bytes)?;
    let mut code = String::with_capacity(LENGTH + LENGTH / 4);
    for (position, byte) in bytes.iter().enumerate() {
        if position > 0 && position % 4 == 0 {
            code.push('-');
        }
        let letter = ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'0');
        code.push(char::from(letter));
    }
    Ok(code)
}

/// As people type it: small letters, spaces, O for 0, I or L for 1.
fn plain(code: &str) -> String {
    code.chars()
        .filter(|letter| letter.is_ascii_alphanumeric())
        .map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

fn keep(path: &Path, digest: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(digest.as_bytes())?;
    file.sync_all()
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(source),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::auth::secret::SystemEntropy;

    #[test]
    fn a_code_fits_however_it_is_typed_until_it_is_used() {
        let data = tempfile::tempdir().unwrap();
        let (claim, code) = Claim::open(data.path(), false, &SystemEntropy).unwrap();
        let code = code.unwrap();
        assert_eq!(code.len(), 19);
        assert!(claim.fits(&code));
        assert!(claim.fits(&code.to_lowercase().replace('-', " ")));
        assert!(!claim.fits("AAAA-AAAA-AAAA-AAAA"));
        assert!(!claim.fits(""));
        claim.close();
        assert!(!claim.fits(&code) && !claim.is_open());
    }

    #[test]
    fn only_the_digest_is_on_disk_and_only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        let (_, code) = Claim::open(data.path(), false, &SystemEntropy).unwrap();
        let path = data.path().join("claim.sha256");
        let kept = std::fs::read_to_string(&path).unwrap();
        assert_ne!(kept, code.unwrap());
        assert_eq!(kept.len(), 64);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn there_is_no_code_once_somebody_has_an_account() {
        let data = tempfile::tempdir().unwrap();
        Claim::open(data.path(), false, &SystemEntropy).unwrap();
        let (claim, code) = Claim::open(data.path(), true, &SystemEntropy).unwrap();
        assert!(code.is_none() && !claim.is_open() && !claim.fits(""));
        assert!(!data.path().join("claim.sha256").exists());
    }
}
