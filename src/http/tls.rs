//! TLS from two files: a chain of certificates and the key of the first of them. They are read again
//! while the gateway runs, so that a renewed certificate is used without a new start.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::fault_log::chain;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(60);

/// How long a peer may take until the connection is encrypted.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The gateway's end of encrypted connections: TLS 1.2 and 1.3, with HTTP/2 and HTTP/1.1 (RFC 7301).
#[derive(Clone)]
pub struct Tls {
    files: Arc<Files>,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

/// Where certificates and key are, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The gateway's certificate, and those that lead from it to an authority.
    pub certificate: PathBuf,
    /// Its private key: PKCS #8, SEC 1 or PKCS #1.
    pub key: PathBuf,
}

/// Why two files are of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of them cannot be read.
    #[error("cannot read {what} from {}", path.display())]
    Read {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// The key is of a kind that nobody can use, or that of another certificate.
    #[error("the key in {} and the certificate in {} cannot be used together", key.display(),
        certificate.display())]
    Mismatch {
        /// The file with the key.
        key: PathBuf,
        /// The file with the certificate.
        certificate: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// No version of TLS can be spoken.
    #[error("cannot set TLS up")]
    Versions(#[source] rustls::Error),
}

impl Tls {
    /// Reads the files, and is ready for connections.
    ///
    /// # Errors
    /// When a file cannot be read, or key and certificate do not belong together.
    pub fn open(files: Files) -> Result<Self, TlsError> {
        let current = Arc::new(Current(RwLock::new(files.read()?)));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().map_err(TlsError::Versions)?;
        let mut config = config.with_no_client_auth().with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { files: Arc::new(files), current, acceptor })
    }

    /// Encrypts a connection that a client has opened.
    ///
    /// # Errors
    /// When the client speaks no TLS, or nothing that suits both, or takes too long.
    pub async fn accept<Io>(&self, io: Io) -> io::Result<TlsStream<Io>>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let accepted = timeout(HANDSHAKE, self.acceptor.accept(io)).await;
        accepted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Looks at the files from time to time, for ever; the caller ends it by dropping it.
    pub async fn follow(&self) {
        loop {
            sleep(LOOK).await;
            match self.look_again() {
                Ok(false) => {}
                Ok(true) => tracing::info!("read a new certificate"),
                // The old one may be good for a while yet.
                Err(error) => tracing::warn!("kept the old certificate: {}", chain(&error)),
            }
        }
    }

    /// Takes over what is in the files now; says whether that is another certificate.
    ///
    /// # Errors
    /// As [`Self::open`]; what was used before stays in use.
    pub fn look_again(&self) -> Result<bool, TlsError> {
        let found = self.files.read()?;
        let mut current = self.current.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = current.cert != found.cert;
        *current = found;
        Ok(is_other)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Files {
    fn read(&self) -> Result<Arc<CertifiedKey>, TlsError> {
        let Self { certificate, key } = self;
        let certificates = certificates(certificate)
            .map_err(|source| read_error("a certificate", certificate, source))?;
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|source| read_error("a private key", key, source))?;
        let pair = CertifiedKey::from_der(certificates, private, &default_provider());
        pair.map(Arc::new).map_err(|source| TlsError::Mismatch {
            key: key.clone(),
            certificate: certificate.clone(),
            source,
        })
    }
}

/// All certificates of a file, of which there is one at least.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?;
    if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) }
}

fn read_error(what: &'static str, path: &Path, source: pem::Error) -> TlsError {
    TlsError::Read { what, path: path.to_owned(), source }
}

/// What the files said last.
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Current(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn there(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tls").join(name)
    }

    fn files(certificate: &str, key: &str) -> Files {
        Files { certificate: there(certificate), key: there(key) }
    }

    fn refused(files: Files) -> String {
        chain(&Tls::open(files).err().unwrap())
    }

    #[test]
    fn files_that_are_of_no_use_are_named() {
        let missing = refused(files("nothing.pem", "there_key.pem"));
        assert!(
            missing.starts_with("cannot read a certificate from")
                && missing.contains("nothing.pem")
        );
        let none = refused(files("there_key.pem", "there_key.pem"));
        assert!(none.contains("no items found"), "{none}");
        let no_key = refused(files("there.pem", "there.pem"));
        assert!(no_key.starts_with("cannot read a private key from"), "{no_key}");
        let other = refused(files("authority.pem", "there_key.pem"));
        assert!(other.contains("cannot be used together"), "{other}");
    }

    #[test]
    fn a_renewed_certificate_is_taken_over_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = folder.path().join("chain.pem");
        fs::copy(there("there.pem"), &certificate).unwrap();
        let tls =
            Tls::open(Files { certificate: certificate.clone(), key: there("there_key.pem") });
        let tls = tls.unwrap();
        assert!(!tls.look_again().unwrap());
        fs::copy(there("there_alone.pem"), &certificate).unwrap();
        assert!(tls.look_again().unwrap());
        fs::write(&certificate, "half a certifi").unwrap();
        assert!(tls.look_again().is_err());
        fs::copy(there("there_alone.pem"), &certificate).unwrap();
        assert!(!tls.look_again().unwrap(), "the last good one was kept");
    }
}
