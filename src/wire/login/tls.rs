//! The server's certificate: read from its folder, made there at the first start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::error::{Error, Reason};

const CERTIFICATE: &str = "cert.pem";
const KEY: &str = "key.pem";

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the certificate file \"{}\" cannot be used", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the certificate file \"{}\" holds none", path.display())]
    Empty { path: PathBuf },
    #[error("only one of \"{}\" and \"{}\" exists", certificate.display(), key.display())]
    Half { certificate: PathBuf, key: PathBuf },
    #[error("no certificate could be made")]
    Make(#[from] rcgen::Error),
    #[error("the certificate in \"{}\" does not serve", path.display())]
    Refused { path: PathBuf, source: rustls::Error },
}

impl From<TlsError> for Error {
    fn from(error: TlsError) -> Self {
        Error::of(Reason::Configuration, error)
    }
}

/// What a TLS handshake needs, and what SCRAM binds to.
#[derive(Clone)]
pub struct Identity {
    pub acceptor: TlsAcceptor,
    /// The certificate's hash for `tls-server-end-point`; `None` where it is not signed over SHA-256.
    pub endpoint: Option<[u8; 32]>,
}

/// The certificate of folder `dir` (`cert.pem`, `key.pem`); where there is none, a self-signed one is made and stays there.
pub fn certificate(dir: &Path) -> Result<Identity, TlsError> {
    let (certificate, key) = (dir.join(CERTIFICATE), dir.join(KEY));
    match (certificate.exists(), key.exists()) {
        (true, true) => {}
        (false, false) => make(dir, &certificate, &key)?,
        _ => return Err(TlsError::Half { certificate, key }),
    }
    load(&certificate, &key)
}

/// The identity that lies in these two PEM files.
pub fn load(certificate: &Path, key: &Path) -> Result<Identity, TlsError> {
    let chain = read(certificate, |reader| rustls_pemfile::certs(reader).collect::<io::Result<Vec<_>>>())?;
    let leaf = chain.first().ok_or_else(|| TlsError::Empty { path: certificate.to_owned() })?;
    let endpoint = endpoint(leaf);
    let private = read(key, |reader| rustls_pemfile::private_key(reader))?;
    let private = private.ok_or_else(|| TlsError::Empty { path: key.to_owned() })?;
    let config = config(chain, private).map_err(|source| TlsError::Refused { path: certificate.to_owned(), source })?;
    Ok(Identity { acceptor: TlsAcceptor::from(Arc::new(config)), endpoint })
}

/// Two providers are linked in; which one serves is said here, not left to the process.
fn config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

fn make(dir: &Path, certificate: &Path, key: &Path) -> Result<(), TlsError> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()])?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    fs::create_dir_all(dir).map_err(failed(dir))?;
    // A key without its certificate would stop the next start, so a half-written pair is taken back.
    let written = write_private(key, made.signing_key.serialize_pem().as_bytes())
        .map_err(failed(key))
        .and_then(|()| write_private(certificate, made.cert.pem().as_bytes()).map_err(failed(certificate)))
        .and_then(|()| File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed(dir)));
    if written.is_err() {
        let _ = fs::remove_file(key);
        let _ = fs::remove_file(certificate);
    }
    written
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("pem.partial");
    let _ = fs::remove_file(&partial);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

fn read<T>(path: &Path, parse: impl Fn(&mut &[u8]) -> io::Result<T>) -> Result<T, TlsError> {
    fs::read(path)
        .and_then(|bytes| parse(&mut bytes.as_slice()))
        .map_err(|source| TlsError::File { path: path.to_owned(), source })
}

/// RFC 5929: the hash is that of the signature's own algorithm, and SHA-256 in place of older ones.
fn endpoint(leaf: &CertificateDer<'_>) -> Option<[u8; 32]> {
    const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
    let (signed, _) = der(leaf)?;
    let (_, after_body) = der(signed)?;
    let (algorithm, _) = der(after_body)?;
    let (name, _) = der(algorithm)?;
    [ECDSA_SHA256, RSA_SHA256].contains(&name).then(|| Sha256::digest(leaf).into())
}

/// The content of the first DER value, and what comes after it.
fn der(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.get(1..)?.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let fits = digits.len() <= 4;
        (fits.then(|| digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)))?, rest)
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_start_makes_a_certificate_and_the_second_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = certificate(dir.path()).map_err(|error| error.to_string()).map(|identity| identity.endpoint);
        let pem = fs::read(dir.path().join(CERTIFICATE)).unwrap();
        let second = certificate(dir.path()).map_err(|error| error.to_string()).map(|identity| identity.endpoint);
        assert!(first.as_ref().unwrap().is_some(), "the made certificate is signed over SHA-256");
        assert_eq!(first, second);
        assert_eq!(fs::read(dir.path().join(CERTIFICATE)).unwrap(), pem);
        let mode = fs::metadata(dir.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_certificate_that_cannot_be_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(CERTIFICATE), "no certificate").unwrap();
        assert!(matches!(certificate(dir.path()), Err(TlsError::Half { .. })));
        fs::write(dir.path().join(KEY), "no key").unwrap();
        assert!(matches!(certificate(dir.path()), Err(TlsError::Empty { .. })));
    }
}
