//! Drop boxes, asked for in version 2 as raw as it comes: what is sealed is made up.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{Method, Request};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sealpost::config::dialects::KeyService;
use sealpost::domain::dropbox::Depot;
use sealpost::http::peer::Peer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::app::{Answer, TestApp};

/// A way from passphrase to keys that the gateway takes.
pub const KDF: &str = "argon2id:m=65536,t=3,p=1:AAECAwQFBgcICQoLDA0ODw";

/// A box whose keys are made up, and its owner.
#[derive(Clone, Debug)]
pub struct RawBox {
    pub token: String,
    /// What proves the owner.
    pub key: [u8; 32],
    /// What it was made of.
    pub made_of: Value,
}

/// Bytes as version 2 writes them.
pub fn b64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// What a box is made of that differs by `number` from all others.
pub fn makings(number: u8) -> Value {
    let spki = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x6e\x03\x21\x00"[..], &[number | 0x10; 32]];
    json!({
        "publickey": b64(&spki.concat()),
        "kdf": KDF,
        "privatekey": b64(&[number; 76]),
        "authdigest": b64(&Sha256::digest(auth_key(number))),
    })
}

fn auth_key(number: u8) -> [u8; 32] {
    [number ^ 0xa5; 32]
}

/// A request of version 2.
pub fn two(method: Method, target: &str) -> Builder {
    Request::builder().method(method).uri(target).header("v", "2")
}

/// The same with a body of JSON.
pub fn two_with(method: Method, target: &str, body: &Value) -> Request<Body> {
    let request = two(method, target).header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

/// The same request from somewhere.
pub fn from(address: &str, mut request: Request<Body>) -> Request<Body> {
    let address: IpAddr = address.parse().unwrap();
    request.extensions_mut().insert(Peer(address));
    request
}

impl RawBox {
    /// The box of that number that was made of this, as the gateway answered.
    pub fn of(number: u8, made_of: Value, made: &Value) -> Self {
        let token = made["token"].as_str().unwrap().to_owned();
        Self { token, key: auth_key(number), made_of }
    }

    /// A request of its owner without a body; `query` begins with `&`.
    pub fn owner_asks(&self, method: Method, path: &str, query: &str) -> Request<Body> {
        self.asks_with(&self.key, method, path, query)
    }

    /// The same by somebody who has another key.
    pub fn asks_with(
        &self,
        key: &[u8; 32],
        method: Method,
        path: &str,
        query: &str,
    ) -> Request<Body> {
        let target = format!("{path}?token={}{query}", self.token);
        two(method, &target).header("authkey", b64(key)).body(Body::empty()).unwrap()
    }

    /// What its owner reads.
    pub async fn reads(&self, app: &TestApp) -> Answer {
        app.call(self.owner_asks(Method::GET, "/Service", "")).await
    }

    /// The texts that its owner reads, as they were put.
    pub async fn texts(&self, app: &TestApp) -> Vec<String> {
        let page = self.reads(app).await;
        assert_eq!(page.status, 200, "{page:?}");
        let messages = page.json["messages"].as_array().unwrap().iter();
        let texts = messages.filter_map(|message| message["message"].as_str());
        texts.map(plain).collect()
    }

    /// Leaves something that is as long as a sealed text.
    pub fn put(&self, text: &str) -> Request<Body> {
        let body = json!({
            "token": self.token, "message": sealed(text), "encryptionkey": b64(&[7; 92]),
        });
        two_with(Method::PUT, "/Service", &body)
    }

    /// Leaves it, and returns its id.
    pub async fn gets(&self, app: &TestApp, text: &str) -> String {
        let left = app.call(self.put(text)).await;
        assert_eq!(left.status, 201, "{left:?}");
        left.json["messageid"].as_str().unwrap().to_owned()
    }

    /// Leaves a file.
    pub fn put_file(&self, body: impl Into<Body>) -> Request<Body> {
        let (key, name) = (b64(&[7; 92]), sealed("cat.png"));
        let token = &self.token;
        let target = format!("/Service/File?token={token}&encryptionkey={key}&name={name}");
        let request = two(Method::PUT, &target).header("content-type", "application/octet-stream");
        request.body(body.into()).unwrap()
    }

    /// Leaves it, and returns its id.
    pub async fn gets_file(&self, app: &TestApp, bytes: Vec<u8>) -> String {
        let left = app.call(self.put_file(bytes)).await;
        assert_eq!(left.status, 201, "{left:?}");
        left.json["messageid"].as_str().unwrap().to_owned()
    }
}

/// A text with room for nonce and tag.
pub fn sealed(text: &str) -> String {
    b64(&[&[0; 28], text.as_bytes()].concat())
}

/// What [`sealed`] made something of.
fn plain(sealed: &str) -> String {
    let bytes = BASE64.decode(sealed).unwrap();
    String::from_utf8(bytes[28..].to_vec()).unwrap()
}

impl TestApp {
    /// A gateway with drop boxes.
    pub async fn start_for_boxes() -> Self {
        Self::start_for_boxes_with(|_| ()).await
    }

    pub async fn start_for_boxes_with(change: impl FnOnce(&mut KeyService)) -> Self {
        Self::start_with(|config| {
            config.dialects.keyservice.enabled = true;
            change(&mut config.dialects.keyservice);
        })
        .await
    }

    /// The rules of drop boxes.
    pub fn boxes(&self) -> Arc<Depot> {
        self.app().depot().unwrap().clone()
    }

    /// How many files of drop boxes are on disk.
    pub fn files_in_boxes(&self) -> usize {
        fn count(folder: &Path) -> usize {
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(&self.data().join("dropbox-files"))
    }

    /// A box of the makings of that number.
    pub async fn raw_box(&self, number: u8) -> RawBox {
        self.raw_box_with(number, json!({})).await
    }

    /// The same with further members.
    pub async fn raw_box_with(&self, number: u8, more: Value) -> RawBox {
        let mut made_of = makings(number);
        for (name, value) in more.as_object().unwrap() {
            made_of[name] = value.clone();
        }
        let made = self.call(two_with(Method::POST, "/Service", &made_of)).await;
        assert_eq!(made.status, 201, "{made:?}");
        RawBox::of(number, made_of, &made.json)
    }
}
