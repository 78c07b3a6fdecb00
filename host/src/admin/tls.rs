//! The appliance's own certificate: made at the first start, kept with its key for the owner's eyes only.
//!
//! Nobody vouches for a self-signed certificate, so its fingerprint is printed on the console, shown on the page, and
//! pinned by remote command lines.

use crate::admin::auth::origin::Names;
use chrono::{DateTime, Datelike, Utc};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use ring::digest::{SHA256, digest};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The certificate could not be made, kept or used.
#[derive(Debug, thiserror::Error)]
pub enum OpenCertificate {
    /// Reading or writing its files.
    #[error(
        "the certificate in {} cannot be read or written: {source}; the page is not served and nothing else is touched; check the directory's rights and free space",
        path.display()
    )]
    Files {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Making it.
    #[error(
        "no certificate could be made ({0}); the page is not served; check the host's name, it must be a DNS name"
    )]
    Make(String),
    /// The files are not what they should be.
    #[error(
        "the certificate in {} cannot be used ({reason}); the page is not served; remove that directory and start again: a new one is made, with a new fingerprint",
        path.display()
    )]
    Use {
        /// Its directory.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A certificate ready to serve with.
pub struct Certificate {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    /// Lower-case hex SHA-256 of the certificate.
    pub fingerprint: String,
}

/// Opens the certificate in `data/tls`, making it where there is none.
pub fn open(data: &Path, names: &Names, now: DateTime<Utc>) -> Result<Certificate, OpenCertificate> {
    let directory = data.join("tls");
    let (certificate, key) = (directory.join("certificate.der"), directory.join("key.der"));
    let files = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenCertificate::Files { path, source }
    };
    if !certificate.exists() {
        let (made, made_key) = make(names, now)?;
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(files(&directory))?;
        keep(&key, &made_key).map_err(files(&key))?;
        keep(&certificate, &made).map_err(files(&certificate))?;
    }
    let certificate_bytes = fs::read(&certificate).map_err(files(&certificate))?;
    let key_bytes = fs::read(&key).map_err(files(&key))?;
    let fingerprint = hex::encode(digest(&SHA256, &certificate_bytes));
    let config = config(certificate_bytes, key_bytes)
        .map_err(|source| OpenCertificate::Use { path: directory, reason: source.to_string() })?;
    Ok(Certificate { config: Arc::new(config), fingerprint })
}

fn config(certificate: Vec<u8>, key: Vec<u8>) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate)],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)),
        )?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn make(names: &Names, now: DateTime<Utc>) -> Result<(Vec<u8>, Vec<u8>), OpenCertificate> {
    let wrong = |source: rcgen::Error| OpenCertificate::Make(source.to_string());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(wrong)?;
    let mut params =
        CertificateParams::new(names.iter().map(str::to_owned).collect::<Vec<_>>()).map_err(wrong)?;
    params.subject_alt_names.extend(addresses().into_iter().map(SanType::IpAddress));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Holdfast appliance");
    // From last year, because the clock of a box without a battery can be behind; for ten years, because it is pinned.
    params.not_before = rcgen::date_time_ymd(now.year() - 1, 1, 1);
    params.not_after = rcgen::date_time_ymd(now.year() + 10, 1, 1);
    let certificate = params.self_signed(&key).map_err(wrong)?;
    Ok((certificate.der().to_vec(), key.serialize_der()))
}

/// Loopback and the addresses this host would speak from. Connecting a datagram socket sends nothing.
fn addresses() -> Vec<IpAddr> {
    let mut found = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    for (local, far) in [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")] {
        let spoken = UdpSocket::bind(local)
            .and_then(|socket| socket.connect(far).and_then(|()| socket.local_addr()))
            .map(|address: SocketAddr| address.ip());
        if let Ok(address) = spoken
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

/// Writes whole or not at all, readable by the owner only.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn the_certificate_is_made_once_and_only_the_owner_reads_its_key() {
        let data = tempfile::tempdir().unwrap();
        let names = Names::new(Some("box7"), &[]);
        let first = open(data.path(), &names, now()).unwrap();
        let second = open(data.path(), &names, now()).unwrap();
        assert_eq!(first.fingerprint, second.fingerprint);
        assert_eq!(first.fingerprint.len(), 64);
        let key = data.path().join("tls/key.der");
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(data.path().join("tls").metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_damaged_certificate_is_named_with_its_remedy() {
        let data = tempfile::tempdir().unwrap();
        let names = Names::new(None, &[]);
        open(data.path(), &names, now()).unwrap();
        fs::write(data.path().join("tls/key.der"), b"not a key").unwrap();
        let error = open(data.path(), &names, now()).err().unwrap().to_string();
        assert!(error.contains("remove that directory"), "{error}");
    }
}
