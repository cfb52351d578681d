//! Another gateway is known by a certificate that the operator names, and by its host name.

use std::sync::Arc;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sealpost::config::Outbound;
use sealpost::config::dialects::textsecure::federation::Peer;
use sealpost::domain::ports::{RelayError, Relays};
use sealpost::outside::relays::Peers;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{gateway, listener, peer, with, with_peer};

/// One of the certificates for these tests, which are good until 2126. That of `there` is
/// `localhost`'s, by the authority; `there_alone` is the same by nobody's word but its own.
pub fn path(name: &str) -> String {
    format!("{}/tests/vectors/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Serves over TLS with that certificate; returns the port.
async fn serve_tls(router: Router, certificate: &str) -> u16 {
    let chain = vec![CertificateDer::from_pem_file(path(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(path("there_key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
    let listener = listener().await;
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(accept(listener, acceptor, router));
    port
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, router: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = TowerToHyperService::new(router);
            let http = Builder::new(TokioExecutor::new());
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

/// What a gateway that trusts this certificate reads at that address.
async fn count(url: String, certificate: &str) -> Result<u64, RelayError> {
    let peer = Peer { certificate: path(certificate), ..peer("there", url) };
    Peers::open(&with(peer), &Outbound::default()).unwrap().count_contacts("there").await
}

#[tokio::test]
async fn a_gateway_is_known_by_its_authority_and_its_name() {
    let there = gateway("there", with_peer("here").peers.remove(0), |_| ()).await;
    let port = serve_tls(there.router(), "there.pem").await;
    let named = || format!("https://localhost:{port}");
    assert_eq!(count(named(), "authority.pem").await, Ok(0));
    let unreachable = Err(RelayError::Unreachable);
    assert_eq!(count(named(), "another_authority.pem").await, unreachable);
    assert_eq!(count(format!("https://127.0.0.1:{port}"), "authority.pem").await, unreachable);
    assert_eq!(count(format!("http://127.0.0.1:{port}"), "authority.pem").await, unreachable);
}

#[tokio::test]
async fn a_certificate_may_be_its_own_authority() {
    let there = gateway("there", with_peer("here").peers.remove(0), |_| ()).await;
    let port = serve_tls(there.router(), "there_alone.pem").await;
    let named = || format!("https://localhost:{port}");
    assert_eq!(count(named(), "there_alone.pem").await, Ok(0));
    assert_eq!(count(named(), "authority.pem").await, Err(RelayError::Unreachable));
}

#[test]
fn a_certificate_that_is_none_is_named() {
    for (file, reason) in [("missing.pem", "cannot read"), ("there_key.pem", "cannot use")] {
        let url = "https://localhost".to_owned();
        let peer = Peer { certificate: path(file), ..peer("there", url) };
        let refused = Peers::open(&with(peer), &Outbound::default()).err().unwrap().to_string();
        assert!(refused.starts_with(reason) && refused.contains("`there`"), "{refused}");
    }
}
