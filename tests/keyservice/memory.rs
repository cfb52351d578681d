//! A file of 100 MB costs the gateway less than 64 MiB of memory, whichever way it comes and goes.
//!
//! In a build without optimisation encrypting so much takes half a minute, so what version 1
//! encrypts has 40 MB, of which it makes more than 100; `scripts/prove.sh keyservice` takes all.

use std::env;
use std::fs;
use std::io::Write as _;

use axum::body::Body;
use axum::http::{Method, Request};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::client::conn::http1::SendRequest;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::v1::world::{Key, PASSPHRASE, form, query, recorded_makings};
use crate::harness::connection::connect;
use crate::harness::dropbox::{RawBox, makings, two_with};
use crate::program::Program;

const FILE: usize = 100_000_000;

/// The same where the gateway encrypts it, unless the environment says otherwise.
const ENCRYPTED: usize = 40_000_000;

/// What the gateway may need for it, in KiB.
const MEMORY: u64 = 64 * 1024;

/// Bytes that are handed over in one piece.
const PIECE: usize = 64 * 1024;

const SETTINGS: [(&str, &str); 4] = [
    ("SEALPOST_DIALECTS__KEYSERVICE__ENABLED", "true"),
    ("SEALPOST_DIALECTS__KEYSERVICE__V1", "true"),
    // Version 1 makes up to 2.7 times as many bytes of a file as it has.
    ("SEALPOST_DIALECTS__KEYSERVICE__FILE_BYTES", "300000000"),
    ("SEALPOST_DIALECTS__KEYSERVICE__BYTES_PER_MINUTE", "0"),
];

/// A gateway in a process of its own, and a connection to it.
struct Running {
    program: Program,
    sender: SendRequest<Body>,
    _folder: TempDir,
}

/// What came back: its status, how many bytes, and their digest.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    status: u16,
    bytes: usize,
    digest: [u8; 32],
}

impl Running {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let program = Program::serve_with(&data, "127.0.0.1:0", &SETTINGS);
        let sender = connect(program.address()).await;
        Self { program, sender, _folder: folder }
    }

    async fn send(&mut self, mut request: Request<Body>) -> axum::http::Response<Body> {
        let host = self.program.address().to_string();
        request.headers_mut().insert("host", host.parse().unwrap());
        self.sender.ready().await.unwrap();
        self.sender.send_request(request).await.unwrap().map(Body::new)
    }

    /// Asks for what must not fail, and reads all of it.
    async fn json(&mut self, request: Request<Body>) -> Value {
        let answer = self.send(request).await;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Asks, and keeps nothing of the answer but its digest.
    async fn came(&mut self, request: Request<Body>) -> Came {
        let answer = self.send(request).await;
        let status = answer.status().as_u16();
        let (mut bytes, mut digest) = (0, Sha256::new());
        let mut body = answer.into_body().into_data_stream();
        while let Some(piece) = body.next().await {
            let piece = piece.unwrap();
            bytes += piece.len();
            digest.update(&piece);
        }
        Came { status, bytes, digest: digest.finalize().into() }
    }

    /// Forgets how much memory the gateway had at most; returns how much it has.
    fn begin(&self) -> u64 {
        // "5 Reset the peak resident set size", says the kernel's documentation of /proc.
        fs::write(format!("/proc/{}/clear_refs", self.program.process_id()), "5").unwrap();
        self.memory("VmRSS:")
    }

    /// A line of what Linux says of its memory, in KiB.
    fn memory(&self, name: &str) -> u64 {
        let status = format!("/proc/{}/status", self.program.process_id());
        let status = fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Says how much that was, and insists that it is little.
    fn report(&self, file: usize, what: &str, before: u64) {
        let added = self.memory("VmHWM:").saturating_sub(before);
        // Not `eprintln!`, which the test runner swallows.
        let said = writeln!(std::io::stderr(), "{file} bytes {what}: {added} KiB");
        said.unwrap();
        assert!(added < MEMORY, "{what}: {added} KiB more than before");
    }
}

/// A file of so many bytes, of which no two pieces are the same.
fn pieces(file: usize) -> impl Iterator<Item = Bytes> + Send {
    (0..file.div_ceil(PIECE)).map(move |number| {
        let mut piece = vec![0; PIECE.min(file - number * PIECE)];
        for (index, chunk) in piece.chunks_mut(8).enumerate() {
            let word = ((number as u64) << 32 | index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
        piece.into()
    })
}

/// The same as it comes back.
fn whole(file: usize) -> Came {
    let mut digest = Sha256::new();
    pieces(file).for_each(|piece| digest.update(&piece));
    Came { status: 200, bytes: file, digest: digest.finalize().into() }
}

fn body(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Body {
    Body::from_stream(stream::iter(pieces).map(Ok::<_, std::io::Error>))
}

#[tokio::test]
async fn a_sealed_file_comes_and_goes_in_pieces() {
    let mut gateway = Running::start().await;
    let made = gateway.json(two_with(Method::POST, "/Service", &makings(1))).await;
    let box_ = RawBox::of(1, makings(1), &made);
    let before = gateway.begin();
    let left = gateway.json(box_.put_file(body(pieces(FILE)))).await;
    gateway.report(FILE, "brought", before);
    let fetch = format!("&messageid={}", left["messageid"].as_str().unwrap());
    let before = gateway.begin();
    let came = gateway.came(box_.owner_asks(Method::GET, "/Service/File", &fetch)).await;
    gateway.report(FILE, "fetched", before);
    assert_eq!(came, whole(FILE));
    gateway.program.stop();
}

#[tokio::test]
async fn a_file_that_the_gateway_encrypts_comes_and_goes_in_pieces() {
    let file = env::var("SEALPOST_FILE_BYTES").map_or(ENCRYPTED, |bytes| bytes.parse().unwrap());
    let mut gateway = Running::start().await;
    let makings = recorded_makings();
    let makings: Vec<_> = makings.iter().map(|(name, value)| (*name, &**value)).collect();
    let made = gateway.json(form(Method::POST, "/Service", &makings)).await;
    let key = Key::recorded(&made);
    let before = gateway.begin();
    let sent = gateway.json(brought(&key, file)).await;
    gateway.report(file, "brought", before);
    assert_eq!(sent, true);
    let listed = gateway.json(key.asks(Method::GET, "passphrase", PASSPHRASE)).await;
    let ticket = listed[0]["TemporaryDownloadId"].as_str().unwrap();
    let before = gateway.begin();
    let came = gateway.came(query(Method::GET, "/Home/GetFile", &[("fileId", ticket)])).await;
    gateway.report(file, "fetched in the clear", before);
    assert_eq!(came, whole(file));
    let before = gateway.begin();
    let listed = gateway.came(key.asks(Method::GET, "privatekeyhash", &key.hash)).await;
    gateway.report(file, "fetched in a list", before);
    assert_eq!(listed.status, 200);
    assert!(listed.bytes > file / 3 * 4, "{}", listed.bytes);
    gateway.program.stop();
}

/// A file in a form.
fn brought(key: &Key, file: usize) -> Request<Body> {
    const HEAD: &str = "--frontier\r\nContent-Disposition: form-data; ";
    let before = format!(
        "{HEAD}name=\"token\"\r\n\r\n{}\r\n{HEAD}name=\"file\"; filename=\"film.bin\"\r\n\r\n",
        key.token
    );
    let parts = [Bytes::from(before)].into_iter().chain(pieces(file));
    let parts = parts.chain([Bytes::from_static(b"\r\n--frontier--\r\n")]);
    let request = Request::put("/Service");
    let request = request.header("content-type", "multipart/form-data; boundary=frontier");
    request.body(body(parts)).unwrap()
}
