//! Packages as they should be, and every way a package can lie.

use super::*;
use proptest::prelude::*;

/// The smallest component there is.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

const TOML: &str = r#"
id = "acme.x"
name = "X"
version = "1.0.0"
api = "0.1"
[[job]]
name = "go"
why = "test"
"#;

fn packed() -> Vec<u8> {
    attach_manifest(EMPTY.to_vec(), TOML).unwrap()
}

fn signed(key: &SigningKey) -> Vec<u8> {
    sign(packed(), key).unwrap()
}

fn read(bytes: Vec<u8>) -> Result<Package, PackageError> {
    Package::read(bytes.into())
}

#[test]
fn a_signed_package_says_who_signed_it() {
    let key = keys::generate().unwrap();
    let package = read(signed(&key)).unwrap();
    assert_eq!(package.signer, Some(key.public()));
    assert_eq!(package.manifest.id.as_str(), "acme.x");
}

#[test]
fn an_unsigned_package_has_no_signer() {
    assert_eq!(read(packed()).unwrap().signer, None);
}

#[test]
fn a_forged_signature_is_refused() {
    let mut forged = packed();
    let mut data = vec![FORM];
    data.extend_from_slice(keys::generate().unwrap().public_bytes());
    data.extend_from_slice(&[7; keys::SIGNATURE]);
    section::append(&mut forged, SIGNATURE, &data);
    assert!(matches!(read(forged), Err(PackageError::WrongSignature)));
}

#[test]
fn a_signature_under_another_key_than_it_names_is_refused() {
    let (real, claimed) = (keys::generate().unwrap(), keys::generate().unwrap());
    let mut swapped = packed();
    let mut data = vec![FORM];
    data.extend_from_slice(claimed.public_bytes());
    data.extend_from_slice(&real.sign(&message(&swapped)));
    section::append(&mut swapped, SIGNATURE, &data);
    assert!(matches!(read(swapped), Err(PackageError::WrongSignature)));
}

#[test]
fn a_signature_moved_to_another_file_is_refused() {
    let key = keys::generate().unwrap();
    let source = signed(&key);
    let sections = section::custom_sections(&source).unwrap();
    let signature = one(&sections, SIGNATURE).unwrap().unwrap();
    let mut other = attach_manifest(EMPTY.to_vec(), &TOML.replace("1.0.0", "6.6.6")).unwrap();
    section::append(&mut other, SIGNATURE, signature.data);
    assert!(matches!(read(other), Err(PackageError::WrongSignature)));
}

#[test]
fn two_signatures_are_refused() {
    let key = keys::generate().unwrap();
    let mut twice = signed(&key);
    let mut data = vec![FORM];
    data.extend_from_slice(key.public_bytes());
    data.extend_from_slice(&key.sign(&message(&twice)));
    section::append(&mut twice, SIGNATURE, &data);
    assert!(matches!(read(twice), Err(PackageError::Duplicate { name: SIGNATURE, count: 2 })));
}

#[test]
fn a_section_after_the_signature_is_refused() {
    let mut longer = signed(&keys::generate().unwrap());
    section::append(&mut longer, "extra", b"payload");
    assert!(matches!(read(longer), Err(PackageError::AfterSignature { .. })));
}

#[test]
fn two_manifests_are_refused_even_when_signed() {
    let mut twice = packed();
    section::append(&mut twice, MANIFEST, TOML.as_bytes());
    assert!(matches!(read(twice.clone()), Err(PackageError::Duplicate { name: MANIFEST, count: 2 })));
    assert!(sign(twice, &keys::generate().unwrap()).is_err());
}

#[test]
fn a_core_module_is_refused_by_name() {
    assert!(matches!(read(b"\0asm\x01\0\0\0".to_vec()), Err(PackageError::CoreModule)));
}

#[test]
fn a_file_that_is_too_big_is_refused_before_it_is_read() {
    assert!(matches!(read(vec![0; LARGEST + 1]), Err(PackageError::TooBig { .. })));
}

#[test]
fn signing_or_packing_twice_is_refused() {
    let key = keys::generate().unwrap();
    assert!(matches!(sign(signed(&key), &key), Err(PackageError::SignedAlready)));
    assert!(matches!(attach_manifest(packed(), TOML), Err(PackageError::PackedAlready)));
}

proptest! {
    #[test]
    fn a_changed_byte_never_passes_as_signed(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let key = keys::generate().unwrap();
        let mut bytes = signed(&key);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let passed = read(bytes).ok().and_then(|package| package.signer);
        prop_assert_ne!(passed, Some(key.public()));
    }

    #[test]
    fn a_cut_package_never_passes_as_signed(at in any::<prop::sample::Index>()) {
        let key = keys::generate().unwrap();
        let mut bytes = signed(&key);
        bytes.truncate(at.index(bytes.len()));
        prop_assert!(read(bytes).ok().and_then(|package| package.signer).is_none());
    }

    #[test]
    fn garbage_is_an_error_and_nothing_else(mut tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = EMPTY.to_vec();
        bytes.append(&mut tail);
        let _ = read(bytes);
    }
}
