//! Clients of version 1, which send forms, and a gateway that speaks it.

use std::fs;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use sealpost::config::dialects::KeyService;
use serde_json::Value;
use tower::ServiceExt;

use super::xml::{self, Element};
use crate::harness::TestApp;

/// The passphrase of [`recorded_key`].
pub const PASSPHRASE: &str = "password";

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn xml(&self) -> Element {
        assert_eq!(self.headers["content-type"], "text/xml; charset=utf-8");
        xml::parse(&self.text())
    }

    /// Status and the one string of an error.
    pub fn error(&self) -> (u16, String) {
        let text = self.json().as_str().unwrap_or_else(|| panic!("no string: {self:?}")).to_owned();
        (self.status, text)
    }

    /// `MessageData` of all messages.
    pub fn data(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{}", self.text());
        let json = self.json();
        let data = json.as_array().unwrap().iter().map(|message| &message["MessageData"]);
        data.map(|data| data.as_str().unwrap().to_owned()).collect()
    }
}

/// A gateway that speaks version 1.
pub async fn gateway() -> TestApp {
    gateway_with(|_| ()).await
}

pub async fn gateway_with(change: impl FnOnce(&mut KeyService)) -> TestApp {
    TestApp::start_for_boxes_with(|settings| {
        settings.v1 = true;
        change(settings);
    })
    .await
}

/// Asks, and reads the answer to its end.
pub async fn ask(app: &TestApp, request: Request<Body>) -> Reply {
    let response = app.router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes().to_vec();
    Reply { status: parts.status.as_u16(), headers: parts.headers, bytes }
}

fn encoded(members: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish()
}

/// A request whose parameters are in a form.
pub fn form(method: Method, path: &str, members: &[(&str, &str)]) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.body(Body::from(encoded(members))).unwrap()
}

/// A request whose parameters are in the query.
pub fn query(method: Method, path: &str, members: &[(&str, &str)]) -> Request<Body> {
    let target = format!("{path}?{}", encoded(members));
    Request::builder().method(method).uri(target).body(Body::empty()).unwrap()
}

/// The same with a header.
pub fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// A part of a form.
pub enum Part<'of> {
    Text(&'of str, &'of str),
    /// The file's name and its bytes.
    File(&'of str, &'of [u8]),
}

/// A request whose parameters and files are `multipart/form-data`, in this order.
pub fn multipart(method: Method, path: &str, parts: &[Part<'_>]) -> Request<Body> {
    let mut body = Vec::new();
    for part in parts {
        let (names, bytes) = match part {
            Part::Text(name, text) => (format!("name=\"{name}\""), text.as_bytes()),
            Part::File(file, bytes) => (format!("name=\"file\"; filename=\"{file}\""), *bytes),
        };
        let head = format!("--frontier\r\nContent-Disposition: form-data; {names}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--frontier--\r\n");
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "multipart/form-data; boundary=frontier");
    request.body(Body::from(body)).unwrap()
}

/// A member of the message that the original's library made.
pub fn recorded(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keyservice_v1.json");
    let vectors: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    vectors["message"][name].as_str().unwrap().to_owned()
}

/// A box, as its owner knows it.
pub struct Key {
    pub token: String,
    pub hash: String,
}

/// A box of the recorded key, which takes no time to make: its owner's program made it.
pub async fn recorded_key(app: &TestApp) -> Key {
    recorded_key_with(app, &[]).await
}

/// The same with further parameters.
pub async fn recorded_key_with(app: &TestApp, more: &[(&str, &str)]) -> Key {
    let makings = recorded_makings();
    let mut members: Vec<_> = makings.iter().map(|(name, value)| (*name, &**value)).collect();
    members.extend_from_slice(more);
    let made = ask(app, form(Method::POST, "/Service", &members)).await;
    assert_eq!(made.status, 200, "{}", made.text());
    Key::recorded(&made.json())
}

/// What the box of the recorded key is made of.
pub fn recorded_makings() -> [(&'static str, String); 3] {
    [
        ("publickey", recorded("public_key_xml")),
        ("privatekey", recorded("private_key_encrypted")),
        ("privatekeyhash", recorded("private_key_hash")),
    ]
}

impl Key {
    /// The recorded key's, as the gateway answered.
    pub fn recorded(made: &Value) -> Self {
        let token = made["KeyToken"].as_str().unwrap().to_owned();
        Self { token, hash: recorded("private_key_hash") }
    }

    /// Sends it a text.
    pub async fn gets(&self, app: &TestApp, text: &str) {
        let members = [("token", &*self.token), ("message", text)];
        let sent = ask(app, form(Method::PUT, "/Service", &members)).await;
        assert_eq!((sent.status, sent.text().as_str()), (200, "true"));
    }

    /// Sends it what cannot be decrypted.
    pub async fn gets_junk(&self, app: &TestApp) {
        let members =
            [("token", &*self.token), ("encryptedmessage", "junk"), ("encryptionkey", "junk")];
        let sent = ask(app, form(Method::PUT, "/Service", &members)).await;
        assert_eq!((sent.status, sent.text().as_str()), (200, "true"));
    }

    /// Sends it files.
    pub async fn gets_files(&self, app: &TestApp, files: &[(&str, &[u8])]) {
        let mut parts = vec![Part::Text("token", &self.token)];
        parts.extend(files.iter().map(|(name, bytes)| Part::File(name, bytes)));
        let sent = ask(app, multipart(Method::PUT, "/Service", &parts)).await;
        assert_eq!((sent.status, sent.text().as_str()), (200, "true"));
    }

    /// What its owner reads with the passphrase.
    pub async fn opens(&self, app: &TestApp) -> Reply {
        ask(app, self.asks(Method::GET, "passphrase", PASSPHRASE)).await
    }

    /// What its owner reads with the hash.
    pub async fn fetches(&self, app: &TestApp) -> Reply {
        ask(app, self.asks(Method::GET, "privatekeyhash", &self.hash)).await
    }

    /// A request with a secret in the query.
    pub fn asks(&self, method: Method, secret: &str, value: &str) -> Request<Body> {
        query(method, "/Service", &[("token", &self.token), (secret, value)])
    }
}
