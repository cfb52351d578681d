//! The program itself with a certificate of its own.

use std::fs;
use std::net::TcpStream as Plain;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::Version;
use reqwest::{Certificate, Client};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sealpost::sdk::keystore::Keystore;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error;

use crate::program::{self, Program};

/// Certificates that are good until 2126: that of `there` is `localhost`'s, by the authority.
fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tls").join(name)
}

struct Running {
    program: Program,
    _folder: TempDir,
}

impl Running {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let (certificate, key) = (vector("there.pem"), vector("there_key.pem"));
        let settings = [
            ("SEALPOST_HTTP__TLS_CERTIFICATE", certificate.to_str().unwrap()),
            ("SEALPOST_HTTP__TLS_KEY", key.to_str().unwrap()),
            ("SEALPOST_HTTP__PUBLIC_URL", "https://localhost:4433"),
        ];
        let program = Program::serve_with(&data, "127.0.0.1:0", &settings);
        Self { program, _folder: folder }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.program.address().port())
    }
}

/// A client that trusts the authority alone.
fn client() -> reqwest::ClientBuilder {
    let _already_installed = default_provider().install_default();
    let authority = Certificate::from_pem(&fs::read(vector("authority.pem")).unwrap()).unwrap();
    Client::builder().no_proxy().tls_certs_only([authority])
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    let gateway = Running::start();
    let asked = client().build().unwrap().get(gateway.url("/healthz")).send().await.unwrap();
    assert_eq!((asked.status().as_u16(), asked.version()), (200, Version::HTTP_2));
    let old = client().http1_only().build().unwrap();
    let asked = old.get(gateway.url("/healthz")).send().await.unwrap();
    assert_eq!((asked.status().as_u16(), asked.version()), (200, Version::HTTP_11));
    gateway.program.stop();
}

#[tokio::test]
async fn who_speaks_no_tls_or_says_nothing_keeps_nobody_else_out() {
    let gateway = Running::start();
    let _silent: Vec<_> =
        (0..20).map(|_| Plain::connect(gateway.program.address()).unwrap()).collect();
    let plain = format!("http://{}/healthz", gateway.program.address());
    assert!(client().build().unwrap().get(plain).send().await.is_err());
    let asked = client().build().unwrap().get(gateway.url("/healthz")).send().await.unwrap();
    assert_eq!(asked.status().as_u16(), 200);
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_certificate_learns_so() {
    let gateway = Running::start();
    let nobody = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    assert!(nobody.get(gateway.url("/healthz")).send().await.is_err());
}

#[tokio::test]
async fn a_socket_is_opened_over_tls() {
    let gateway = Running::start();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(vector("authority.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(gateway.program.address()).await.unwrap();
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await;
    // Nobody without a token gets a socket; the request for one came through.
    let refused = client_async("wss://localhost/", stream.unwrap()).await;
    match refused {
        Err(Error::Http(answer)) => assert_eq!(answer.status().as_u16(), 401),
        other => panic!("{other:?}"),
    }
}

#[test]
fn keystores_say_what_the_certificate_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let settings = format!(
        "[http]\npublic_url = \"https://localhost:4433\"\ntls_certificate = {:?}\ntls_key = {:?}\n",
        vector("there.pem"),
        vector("there_key.pem")
    );
    fs::write(path("sealpost.toml"), settings).unwrap();
    let (config, keystore) = (path("sealpost.toml"), path("echo.json"));
    let data = folder.path().join("data");
    program::run(&data, &["bot", "create", "echo", "--out", &keystore, "--config", &config]);
    let bot = Keystore::from_file(Path::new(&keystore)).unwrap();
    assert_eq!(bot.base_url.as_deref(), Some("https://localhost:4433"));
    let looked = program::run(&data, &["doctor", "--config", &config]);
    let looked = String::from_utf8(looked.stdout).unwrap();
    assert!(looked.contains("there.pem and its key can be used"), "{looked}");
}
