//! The package file: a component, its manifest in a custom section, and the signature as the very last one.
//!
//! ```text
//! component … │ holdfast:manifest │ holdfast:signature = version 1 · public key 32 · signature 64 │ end of file
//! └───────────────── signed, byte for byte ───────────┘
//! ```
//!
//! The signature covers every byte before its section and nothing may follow, so a section cannot be slipped in and a
//! signature fits no other file. It is verified before anything else of the file is believed.

use super::{
    keys::{self, PublisherKey, SigningKey},
    manifest::{self, ManifestError},
    section::{self, NotComponent, Section},
};
use crate::model::plugin::Manifest;

/// The section with the manifest.
pub const MANIFEST: &str = "holdfast:manifest";
/// The section with the signature.
pub const SIGNATURE: &str = "holdfast:signature";
/// The largest package, in bytes. A Python plugin has 18 MiB.
pub const LARGEST: usize = 64 << 20;

/// The only form of the signature section there is.
const FORM: u8 = 1;
/// Sets a plugin's signature apart from anything else a key may ever sign.
const CONTEXT: &[u8] = b"holdfast plugin package 1\0";

/// Why a file is not a package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Larger than [`LARGEST`].
    #[error(
        "the package has {bytes} bytes, more than the {LARGEST} allowed; nothing was installed; ask its author for a smaller build"
    )]
    TooBig {
        /// How large.
        bytes: usize,
    },
    /// Not WebAssembly.
    #[error(
        "the file is not a WebAssembly component; nothing was installed; give the .wasm file that `holdfast plugin pack` wrote"
    )]
    Foreign,
    /// A core module.
    #[error(
        "the file is a WebAssembly core module, not a component; nothing was installed; its author has to build it for \
         wasm32-wasip2"
    )]
    CoreModule,
    /// Cut off or garbled.
    #[error("the package is damaged from byte {at} on; nothing was installed; copy or download it again")]
    Damaged {
        /// From where.
        at: usize,
    },
    /// No manifest.
    #[error(
        "the component carries no manifest; nothing was installed; its author has to add one with `holdfast plugin pack`"
    )]
    NoManifest,
    /// A section that must be there once is there more often.
    #[error(
        "the package carries {count} {name} sections where one is allowed; nothing was installed; this is not what its author \
         packed: get it from the author again"
    )]
    Duplicate {
        /// Which.
        name: &'static str,
        /// How many.
        count: usize,
    },
    /// Something follows the signature.
    #[error(
        "the package has {bytes} bytes after its signature; nothing was installed; somebody added them after its author signed: \
         get it from the author again"
    )]
    AfterSignature {
        /// How many.
        bytes: usize,
    },
    /// The signature section is not one.
    #[error(
        "the package's signature section is malformed; nothing was installed; get it from its author again"
    )]
    MalformedSignature,
    /// The signature does not fit the file.
    #[error(
        "the package's signature does not fit its contents; nothing was installed; it was changed after its author signed, or \
         the signature is another file's: get it from the author again"
    )]
    WrongSignature,
    /// It carries a signature already.
    #[error(
        "the package is signed already; nothing was written; sign the package that `holdfast plugin pack` wrote"
    )]
    SignedAlready,
    /// It carries a manifest already.
    #[error(
        "the component carries a manifest already; nothing was written; pack the component that the build wrote"
    )]
    PackedAlready,
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl From<NotComponent> for PackageError {
    fn from(reason: NotComponent) -> Self {
        match reason {
            NotComponent::Foreign => Self::Foreign,
            NotComponent::CoreModule => Self::CoreModule,
            NotComponent::Damaged(at) => Self::Damaged { at },
        }
    }
}

/// A package that is whole, and whose signature, if it has one, fits.
#[derive(Debug, Clone)]
pub struct Package {
    /// The file.
    pub bytes: bytes::Bytes,
    /// Hex BLAKE3 of the file.
    pub digest: String,
    /// Its manifest.
    pub manifest: Manifest,
    /// Who signed it.
    pub signer: Option<PublisherKey>,
}

impl Package {
    /// Reads a package: size, structure, signature, manifest, in this order.
    pub fn read(bytes: bytes::Bytes) -> Result<Self, PackageError> {
        if bytes.len() > LARGEST {
            return Err(PackageError::TooBig { bytes: bytes.len() });
        }
        let signer = verify(&bytes)?;
        let sections = section::custom_sections(&bytes)?;
        let manifest = one(&sections, MANIFEST)?.ok_or(PackageError::NoManifest)?;
        let manifest = manifest::read(manifest.data)?;
        let digest = blake3::hash(&bytes).to_hex().to_string();
        Ok(Self { digest, manifest, signer, bytes })
    }
}

/// Who signed the package, if anybody did and the signature fits.
pub fn verify(package: &[u8]) -> Result<Option<PublisherKey>, PackageError> {
    let sections = section::custom_sections(package)?;
    let Some(signature) = one(&sections, SIGNATURE)? else { return Ok(None) };
    if signature.end != package.len() {
        return Err(PackageError::AfterSignature { bytes: package.len() - signature.end });
    }
    let (&form, rest) = signature.data.split_first().ok_or(PackageError::MalformedSignature)?;
    let (public, signed) = rest.split_at_checked(keys::PUBLIC).ok_or(PackageError::MalformedSignature)?;
    if form != FORM || signed.len() != keys::SIGNATURE {
        return Err(PackageError::MalformedSignature);
    }
    let covered = package.get(..signature.start).ok_or(PackageError::MalformedSignature)?;
    if !keys::is_signed_by(public, &message(covered), signed) {
        return Err(PackageError::WrongSignature);
    }
    Ok(Some(PublisherKey::from_bytes(public)))
}

/// Adds a manifest to a component that has none.
pub fn attach_manifest(mut component: Vec<u8>, manifest: &str) -> Result<Vec<u8>, PackageError> {
    manifest::read(manifest.as_bytes())?;
    let sections = section::custom_sections(&component)?;
    if sections.iter().any(|section| section.name == SIGNATURE) {
        return Err(PackageError::SignedAlready);
    }
    if sections.iter().any(|section| section.name == MANIFEST) {
        return Err(PackageError::PackedAlready);
    }
    section::append(&mut component, MANIFEST, manifest.as_bytes());
    Ok(component)
}

/// Signs a package that has a manifest and no signature.
pub fn sign(mut package: Vec<u8>, key: &SigningKey) -> Result<Vec<u8>, PackageError> {
    let sections = section::custom_sections(&package)?;
    if sections.iter().any(|section| section.name == SIGNATURE) {
        return Err(PackageError::SignedAlready);
    }
    one(&sections, MANIFEST)?.ok_or(PackageError::NoManifest)?;
    let mut data = vec![FORM];
    data.extend_from_slice(key.public_bytes());
    data.extend_from_slice(&key.sign(&message(&package)));
    section::append(&mut package, SIGNATURE, &data);
    Ok(package)
}

/// What is signed: the length is part of it, so that no file is a prefix of another's message.
fn message(covered: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(CONTEXT.len() + 8 + covered.len());
    message.extend_from_slice(CONTEXT);
    message.extend_from_slice(&u64::try_from(covered.len()).unwrap_or(u64::MAX).to_le_bytes());
    message.extend_from_slice(covered);
    message
}

fn one<'a, 'b>(
    sections: &'a [Section<'b>],
    name: &'static str,
) -> Result<Option<&'a Section<'b>>, PackageError> {
    let mut named = sections.iter().filter(|section| section.name == name);
    let first = named.next();
    match named.count() {
        0 => Ok(first),
        more => Err(PackageError::Duplicate { name, count: more + 1 }),
    }
}

#[cfg(test)]
mod tests;
