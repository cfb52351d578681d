//! Somebody in the gateway's place who writes down what a proxy says.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use reqwest::Certificate;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Proxy;

/// What clients sign, in a spelling that somebody could think of tidying up.
const TARGET: &str = "/a%2Fb//c%20d?x=%7e&y=a+b&&z";

fn authority_file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tls/authority.pem")
}

/// Who has signed the certificate of `localhost`.
pub fn authority() -> Certificate {
    let pem = fs::read(authority_file()).expect("a vector");
    Certificate::from_pem(&pem).expect("a certificate")
}

/// A connection to a proxy by TLS, from an address of this machine.
pub async fn connect(proxy: SocketAddr, from: IpAddr) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(authority_file()).expect("a vector");
    roots.add(authority).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3");
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(from, 0)).expect("an address of loopback");
    let stream = socket.connect(proxy).await.expect("the proxy listens");
    let name = ServerName::try_from("localhost").expect("a name");
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    connected.expect("its certificate is good")
}

/// Takes one request, answers it, and returns its head.
async fn one_request(listener: &TcpListener) -> Vec<String> {
    let (stream, _) = listener.accept().await.expect("a connection");
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("a line");
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
    stream.get_mut().write_all(answer).await.expect("the proxy listens");
    lines
}

/// Insists that a request arrives as it was sent, with the client's address and the scheme that are
/// true, whatever the client says of them.
pub async fn hears_who_asks(start: fn(SocketAddr) -> Proxy) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let proxy = start(listener.local_addr().expect("bound"));
    let host = proxy.host();
    let ask = async {
        let mut stream = connect(proxy.address(), IpAddr::from([127, 0, 0, 2])).await;
        let request = format!(
            "GET {TARGET} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 203.0.113.9\r\n\
             X-Forwarded-Proto: http\r\nX-Request-Id: kept\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("the proxy listens");
        let mut answer = Vec::new();
        // Not every proxy says farewell before it closes.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let (answer, heard) = tokio::join!(ask, one_request(&listener));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(heard[0], format!("GET {TARGET} HTTP/1.1"));
    let of = |name: &str| {
        let mut found = heard.iter().filter_map(|line| line.split_once(": "));
        let found = found.find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| panic!("no {name}: {heard:?}")).1
    };
    assert_eq!((of("x-forwarded-for"), of("x-forwarded-proto")), ("127.0.0.2", "https"));
    assert_eq!((of("host"), of("x-request-id")), (host.as_str(), "kept"));
}
