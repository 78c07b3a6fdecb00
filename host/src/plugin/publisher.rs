//! Whether a package may be installed: who signed it, whose name it carries, and what is installed already. Pure.

use super::{manifest, package::Package};
use crate::model::plugin::{InstalledPlugin, Publisher};

/// The publisher name of what comes with the appliance.
const OWN: &str = "holdfast";

/// Why a good package may not be installed here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusePackage {
    /// It carries the appliance's own name.
    #[error(
        "plugin {id} carries the name of the appliance's own plugins, which come only with the appliance; nothing was \
         installed; its author has to choose another publisher name"
    )]
    OwnName {
        /// Which.
        id: String,
    },
    /// Nobody signed it.
    #[error(
        "plugin {id} is not signed; nothing was installed; ask its author for a signed package, or, on a box for development \
         only, start the appliance with --allow-unsigned-plugins"
    )]
    Unsigned {
        /// Which.
        id: String,
    },
    /// Somebody else signed it than before.
    #[error(
        "plugin {id} is signed with key {given}, but publisher {publisher} is known here with key {pinned}; nothing was \
         installed; if the publisher really changed keys, have it confirm the new key, remove its plugins and install this one"
    )]
    OtherKey {
        /// Which.
        id: String,
        /// Whose name.
        publisher: String,
        /// The key known.
        pinned: String,
        /// The key that signed.
        given: String,
    },
    /// Older than what is installed.
    #[error(
        "plugin {id} {given} is older than {installed}, which is installed; nothing was changed; old versions may have known \
         holes: install {installed} or newer"
    )]
    Downgrade {
        /// Which.
        id: String,
        /// Installed.
        installed: semver::Version,
        /// Offered.
        given: semver::Version,
    },
    /// The same version with other contents.
    #[error(
        "plugin {id} {version} is installed with other contents; nothing was changed; its author has to give the new build a \
         new version"
    )]
    SameVersion {
        /// Which.
        id: String,
        /// Both.
        version: semver::Version,
    },
}

/// What the appliance knows when a package comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// The key pinned for the publisher's name.
    pub pinned: Option<&'a str>,
    /// The plugin, if it is installed.
    pub installed: Option<&'a InstalledPlugin>,
    /// The developer flag.
    pub accepts_unsigned: bool,
}

/// Who stands behind the package, if it may be installed.
pub(super) fn judge(package: &Package, known: Known<'_>) -> Result<Publisher, RefusePackage> {
    let id = package.manifest.id.to_string();
    let publisher = manifest::publisher(&package.manifest);
    if publisher == OWN {
        return Err(RefusePackage::OwnName { id });
    }
    let behind = match (&package.signer, known.pinned) {
        (Some(key), Some(pinned)) if key.as_str() != pinned => {
            return Err(RefusePackage::OtherKey {
                id,
                publisher: publisher.to_owned(),
                pinned: pinned.to_owned(),
                given: key.to_string(),
            });
        }
        (Some(key), _) => Publisher::Signed { key: key.to_string() },
        // The flag opens names nobody has signed for; it never lets an unsigned file take a signed plugin's place.
        (None, None) if known.accepts_unsigned => Publisher::Unsigned,
        (None, _) => return Err(RefusePackage::Unsigned { id }),
    };
    if let Some(installed) = known.installed {
        let (have, given) = (&installed.manifest.version, &package.manifest.version);
        if given < have {
            return Err(RefusePackage::Downgrade { id, installed: have.clone(), given: given.clone() });
        }
        if given == have && installed.digest != package.digest && behind != Publisher::Unsigned {
            return Err(RefusePackage::SameVersion { id, version: given.clone() });
        }
    }
    Ok(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::{keys, package};
    use chrono::DateTime;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn packed(id: &str, version: &str) -> Vec<u8> {
        let toml = format!(
            "id = \"{id}\"\nname = \"X\"\nversion = \"{version}\"\napi = \"0.1\"\n[[job]]\nname = \"go\"\nwhy = \"test\"\n"
        );
        package::attach_manifest(EMPTY.to_vec(), &toml).unwrap()
    }

    fn signed(id: &str, version: &str, key: &keys::SigningKey) -> Package {
        Package::read(package::sign(packed(id, version), key).unwrap().into()).unwrap()
    }

    fn unsigned(id: &str, version: &str) -> Package {
        Package::read(packed(id, version).into()).unwrap()
    }

    fn installed(package: &Package, publisher: Publisher) -> InstalledPlugin {
        InstalledPlugin {
            manifest: package.manifest.clone(),
            digest: package.digest.clone(),
            publisher,
            installed: DateTime::UNIX_EPOCH,
            paused: None,
        }
    }

    const NOTHING: Known<'_> = Known { pinned: None, installed: None, accepts_unsigned: false };

    #[test]
    fn a_first_signed_package_is_taken_with_its_key() {
        let key = keys::generate().unwrap();
        let judged = judge(&signed("acme.x", "1.0.0", &key), NOTHING).unwrap();
        assert_eq!(judged, Publisher::Signed { key: key.public().to_string() });
    }

    #[test]
    fn another_key_under_a_known_name_is_refused() {
        let (known, other) = (keys::generate().unwrap().public().to_string(), keys::generate().unwrap());
        let judged = judge(&signed("acme.y", "1.0.0", &other), Known { pinned: Some(&known), ..NOTHING });
        assert!(matches!(judged, Err(RefusePackage::OtherKey { .. })));
    }

    #[test]
    fn a_stripped_signature_is_refused_even_with_the_developer_flag() {
        let pinned = keys::generate().unwrap().public().to_string();
        let known = Known { pinned: Some(&pinned), accepts_unsigned: true, ..NOTHING };
        assert!(matches!(judge(&unsigned("acme.x", "1.0.0"), known), Err(RefusePackage::Unsigned { .. })));
    }

    #[test]
    fn an_unsigned_package_needs_the_developer_flag() {
        let package = unsigned("acme.x", "1.0.0");
        assert!(matches!(judge(&package, NOTHING), Err(RefusePackage::Unsigned { .. })));
        let flagged = Known { accepts_unsigned: true, ..NOTHING };
        assert_eq!(judge(&package, flagged), Ok(Publisher::Unsigned));
    }

    #[test]
    fn an_older_version_is_refused() {
        let key = keys::generate().unwrap();
        let have =
            installed(&signed("acme.x", "1.2.0", &key), Publisher::Signed { key: key.public().to_string() });
        let judged = judge(&signed("acme.x", "1.1.9", &key), Known { installed: Some(&have), ..NOTHING });
        assert!(matches!(judged, Err(RefusePackage::Downgrade { .. })));
    }

    #[test]
    fn the_same_version_with_other_contents_is_refused() {
        let key = keys::generate().unwrap();
        let mut have =
            installed(&signed("acme.x", "1.2.0", &key), Publisher::Signed { key: key.public().to_string() });
        have.digest = "another".to_owned();
        let judged = judge(&signed("acme.x", "1.2.0", &key), Known { installed: Some(&have), ..NOTHING });
        assert!(matches!(judged, Err(RefusePackage::SameVersion { .. })));
    }

    #[test]
    fn the_appliances_own_name_is_nobody_elses() {
        let key = keys::generate().unwrap();
        let judged = judge(&signed("holdfast.backup", "9.0.0", &key), NOTHING);
        assert!(matches!(judged, Err(RefusePackage::OwnName { .. })));
    }
}
