//! A device of HushNet's: enrols, and signs the time, or all of a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealpost::config::dialects::HushNet;
use sealpost::config::dialects::hushnet::Limits;
use sealpost::domain::clock::{Clock as _, TestClock};
use sealpost::sdk::keys::SigningKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::app::{Answer, TestApp};

/// Where the dialect is mounted in tests.
pub const PREFIX: &str = "/hushnet";

/// Somebody at one device. The keys beside the identity key are texts of its own.
pub struct HushDevice {
    pub name: String,
    /// The member's id.
    pub user: String,
    /// The device's id; empty until it is enrolled.
    pub device: String,
    pub key: SigningKey,
    /// Whether it signs all of a request, as it does anyway what has to be signed like that, and from
    /// then on.
    pub is_strong: bool,
    is_held: AtomicBool,
    clock: Arc<TestClock>,
    nonces: AtomicU64,
}

impl HushDevice {
    /// A device of a member that is not enrolled yet.
    pub fn new(app: &TestApp, name: &str, user: &str) -> Self {
        Self {
            name: name.to_owned(),
            user: user.to_owned(),
            device: String::new(),
            key: app.fresh_key(),
            is_strong: false,
            is_held: AtomicBool::new(false),
            clock: app.clock.clone(),
            nonces: AtomicU64::new(0),
        }
    }

    /// The identity key, base64.
    pub fn identity_key(&self) -> String {
        STANDARD.encode(self.key.verifying_key().to_bytes())
    }

    /// A public key of 32 bytes that follows from the device's own and a label, base64.
    pub fn made_up_key(&self, label: &str) -> String {
        let seed = [&*self.key.seed(), label.as_bytes()].concat();
        STANDARD.encode(Sha256::digest(seed))
    }

    /// A signed prekey, with its signature.
    pub fn signed_prekey(&self, label: &str) -> (String, String) {
        let key = self.made_up_key(label);
        let signature = self.key.sign(&STANDARD.decode(&key).unwrap());
        (key, STANDARD.encode(signature))
    }

    /// One-time prekeys that follow from the device's own key.
    pub fn one_time_keys(&self, count: usize) -> Vec<String> {
        (0..count).map(|number| self.made_up_key(&format!("one-time {number}"))).collect()
    }

    /// What the app sends to enrol.
    pub fn enrolment(&self, token: &str, one_time_keys: usize) -> Value {
        let (key, signature) = self.signed_prekey("signed");
        let one_time: Vec<_> = self
            .one_time_keys(one_time_keys)
            .into_iter()
            .map(|key| json!({ "key": key }))
            .collect();
        json!({
            "user_id": self.user,
            "identity_pubkey": self.identity_key(),
            "prekey_pubkey": self.made_up_key("agreement"),
            "signed_prekey": { "key": key, "signature": signature },
            "one_time_prekeys": one_time,
            "device_label": format!("{}'s device", self.name),
            "push_token": "dummy_push_token",
            "enrollment_token": token,
        })
    }

    /// What the documentation sends to enrol.
    pub fn documented_enrolment(&self, one_time_keys: usize) -> Value {
        let (key, signature) = self.signed_prekey("signed");
        json!({
            "user_id": self.user,
            "identity_pubkey": self.identity_key(),
            "prekey_pubkey": self.made_up_key("agreement"),
            "signed_prekey_pub": key,
            "signed_prekey_sig": signature,
            "one_time_prekeys": self.one_time_keys(one_time_keys),
            "device_label": format!("{}'s device", self.name),
            "push_token": "apns_or_fcm_token",
            "identity_proof": self.identity_proof(&self.user),
        })
    }

    /// What shows a user that the device has its identity key.
    pub fn identity_proof(&self, user: &str) -> String {
        STANDARD.encode(self.key.sign(format!("HushNet device of {user}").as_bytes()))
    }

    /// Now, as the gateway's clock has it, in seconds.
    pub fn now(&self) -> i64 {
        self.clock.now().as_seconds()
    }

    /// A request with the three headers of the first form, signed for another time than now.
    pub fn signed_at(&self, request: Builder, timestamp: &str) -> Builder {
        let signature = STANDARD.encode(self.key.sign(timestamp.as_bytes()));
        request
            .header("x-identity-key", self.identity_key())
            .header("x-timestamp", timestamp)
            .header("x-signature", signature)
    }

    /// A request with the headers of the strong form.
    pub fn strongly(&self, method: &Method, path: &str, body: &[u8]) -> Builder {
        self.strongly_at(self.now(), method, path, body)
    }

    /// The same by a clock that says something else.
    pub fn strongly_at(&self, time: i64, method: &Method, path: &str, body: &[u8]) -> Builder {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.nonces.fetch_add(1, Ordering::SeqCst).to_le_bytes());
        nonce[8..].copy_from_slice(&self.now().to_le_bytes());
        let (nonce, timestamp) = (STANDARD.encode(nonce), time.to_string());
        let digest = Sha256::digest(body);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("{method}\n{PREFIX}{path}\n{timestamp}\n{nonce}\n{digest}");
        Request::builder()
            .method(method)
            .uri(format!("{PREFIX}{path}"))
            .header("x-identity-key", self.identity_key())
            .header("x-timestamp", timestamp)
            .header("x-nonce", nonce)
            .header("x-signature-version", "2")
            .header("x-signature", STANDARD.encode(self.key.sign(text.as_bytes())))
    }

    /// A signed request; `path` is below the dialect's prefix.
    pub fn request(&self, method: Method, path: &str, body: &Value) -> Request<Body> {
        let bytes = if body.is_null() { String::new() } else { body.to_string() };
        let is_strong = wants_strong(&method, path) || self.is_strong;
        let request = if is_strong || self.is_held.load(Ordering::SeqCst) {
            self.is_held.fetch_or(is_strong && !self.is_strong, Ordering::SeqCst);
            self.strongly(&method, path, bytes.as_bytes())
        } else {
            let request = Request::builder().method(method).uri(format!("{PREFIX}{path}"));
            self.signed_at(request, &self.now().to_string())
        };
        with_body(request, bytes)
    }

    pub async fn get(&self, app: &TestApp, path: &str) -> Answer {
        self.ask(app, Method::GET, path, &Value::Null).await
    }

    pub async fn post(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        self.ask(app, Method::POST, path, &body).await
    }

    pub async fn put(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        self.ask(app, Method::PUT, path, &body).await
    }

    pub async fn patch(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        self.ask(app, Method::PATCH, path, &body).await
    }

    pub async fn delete(&self, app: &TestApp, path: &str) -> Answer {
        self.ask(app, Method::DELETE, path, &Value::Null).await
    }

    async fn ask(&self, app: &TestApp, method: Method, path: &str, body: &Value) -> Answer {
        app.call(self.request(method, path, body)).await
    }
}

impl TestApp {
    /// A gateway for HushNet's clients, without the documented limits.
    pub async fn start_for_hushnet() -> Self {
        Self::start_for_hushnet_with(|_| ()).await
    }

    pub async fn start_for_hushnet_with(change: impl FnOnce(&mut HushNet)) -> Self {
        Self::start_with(|config| {
            config.dialects.hushnet.enabled = true;
            config.dialects.hushnet.limits = Limits::Relaxed;
            change(&mut config.dialects.hushnet);
        })
        .await
    }

    /// A new member with one device, which has left five one-time prekeys.
    pub async fn hush_member(&self, name: &str) -> HushDevice {
        let (user, token) = self.hush_user(name).await;
        self.hush_device(name, &user, &token, 5).await
    }

    /// A new member without a device: its id, and the token that enrols the first one.
    pub async fn hush_user(&self, name: &str) -> (String, String) {
        let created =
            self.hush_stranger(Method::POST, "/users/create", &json!({ "username": name })).await;
        assert_eq!(created.status, 201, "{created:?}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&created.json["user"]["id"]), text(&created.json["enrollment_token"]))
    }

    /// A device that a token has enrolled.
    pub async fn hush_device(
        &self,
        name: &str,
        user: &str,
        token: &str,
        one_time_keys: usize,
    ) -> HushDevice {
        let mut device = HushDevice::new(self, name, user);
        let body = device.enrolment(token, one_time_keys);
        let path = format!("/users/{user}/devices");
        let enrolled = self.hush_stranger(Method::POST, &path, &body).await;
        assert_eq!(enrolled.status, 201, "{enrolled:?}");
        device.device = enrolled.json["id"].as_str().unwrap_or_default().to_owned();
        device
    }

    /// A further device of a member, enrolled by the word of another one.
    pub async fn hush_link(&self, first: &HushDevice, one_time_keys: usize) -> HushDevice {
        let mut device = HushDevice::new(self, &first.name, &first.user);
        let body = device.documented_enrolment(one_time_keys);
        let enrolled = first.post(self, "/devices", body).await;
        assert_eq!(enrolled.status, 201, "{enrolled:?}");
        device.device = enrolled.json["id"].as_str().unwrap_or_default().to_owned();
        device
    }

    /// Asks without credentials; `path` is below the dialect's prefix.
    pub async fn hush_stranger(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = Request::builder().method(method).uri(format!("{PREFIX}{path}"));
        let bytes = if body.is_null() { String::new() } else { body.to_string() };
        self.call(with_body(request, bytes)).await
    }
}

/// Whether a call is one that the signature of the time alone is not enough for.
fn wants_strong(method: &Method, path: &str) -> bool {
    let of = |start: &str| method == Method::DELETE && path.starts_with(start);
    of("/devices/") || of("/users/") || path.ends_with("/signed-prekey")
}

/// A request with a body that says that it is JSON, or without one.
pub fn with_body(request: Builder, body: String) -> Request<Body> {
    if body.is_empty() {
        return request.body(Body::empty()).unwrap();
    }
    request.header("content-type", "application/json").body(Body::from(body)).unwrap()
}
