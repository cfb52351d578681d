//! Two gateways whose members reach each other.

mod asked;
mod lengths;
mod messages;
mod out_of_reach;

use std::time::Duration;

use axum::Router;
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealpost::config::dialects::hushnet::federation::{Federation, Peer};
use sealpost::domain::clock::Clock as _;
use sealpost::domain::messenger::federation::NodeRequestHead;
use sealpost::domain::messenger::member::Permit;
use sealpost::domain::messenger::node::NodeId;
use sealpost::domain::messenger::{MemberName, NewEnrolment, NewMember, SignedKey};
use sealpost::sdk::keys::SigningKey;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::hush::HushDevice;
use crate::harness::hush::with_body;
use crate::harness::{Answer, TestApp};

/// The identity key of somebody elsewhere.
fn key_of(name: &str) -> String {
    let mut seed = [9; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    STANDARD.encode(SigningKey::from_seed(&seed).verifying_key().to_bytes())
}

/// A gateway called `node-a.test` and one called `node-b.test`.
struct Pair {
    a: TestApp,
    b: TestApp,
}

async fn pair() -> Pair {
    let (on_a, on_b) = (listener().await, listener().await);
    let (to_a, to_b) = (peer("node-a.test", &on_a), peer("node-b.test", &on_b));
    let a = gateway("node-a.test", vec![to_b]).await;
    let b = gateway("node-b.test", vec![to_a]).await;
    serve(on_a, a.router());
    serve(on_b, b.router());
    Pair { a, b }
}

async fn gateway(node_id: &str, peers: Vec<Peer>) -> TestApp {
    gateway_with(Federation { node_id: node_id.to_owned(), peers, ..Federation::default() }).await
}

async fn gateway_with(federation: Federation) -> TestApp {
    TestApp::start_for_hushnet_with(|settings| settings.federation = federation).await
}

fn peer(node_id: &str, listener: &TcpListener) -> Peer {
    // A slash at the end does no harm.
    let api_url = format!("http://{}/hushnet/", listener.local_addr().unwrap());
    Peer { node_id: node_id.to_owned(), api_url, allow_private: true, ..Peer::default() }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
}

/// A member with one device, which has left some one-time prekeys.
async fn member(app: &TestApp, name: &str) -> HushDevice {
    let store = app.gateway().store.clone();
    let (user, id, at) = (app.gateway().random_id(), app.gateway().random_id(), app.clock.now());
    let new = NewMember {
        user,
        name: MemberName::parse(name).unwrap(),
        at,
        enrols_itself: true,
        idle_before: at,
        is_discoverable: true,
    };
    store.create_member(new).await.unwrap();
    let mut device = HushDevice::new(app, name, &user.to_string());
    device.device = id.to_string();
    let (key, signature) = device.signed_prekey("signed");
    let enrolment = NewEnrolment {
        user,
        id,
        signing_key: device.key.verifying_key(),
        identity_key: device.identity_key(),
        agreement_key: device.made_up_key("agreement"),
        signed: SignedKey { key, signature },
        one_time_keys: device.one_time_keys(3),
        label: None,
        permit: Permit::First { made_after: at.minus(Duration::from_secs(1)) },
        most: 16,
        at,
    };
    store.enrol(enrolment).await.unwrap();
    device
}

/// What introduces somebody to the device of a bundle.
fn introduction(bundle: &Value, address: &str) -> Value {
    json!({
        "recipient_user_id": "00000000-0000-0000-0000-000000000000",
        "recipient_user_address": address,
        "sessions_init": [{
            "recipient_device_id": bundle["device_id"],
            "ephemeral_pubkey": "ephemeral",
            "sender_prekey_pub": "sender",
            "otpk_used": bundle["one_time_prekeys"][0].as_str().unwrap_or_default(),
            "ciphertext": "hello",
        }],
    })
}

/// A message for one device, with a header that nobody may rewrite.
fn message(chat: &Value, to: &Value, logical: &str) -> Value {
    json!({
        "chat_id": chat,
        "logical_msg_id": logical,
        "to_user_id": "00000000-0000-0000-0000-000000000000",
        "payloads": [{ "to_device_id": to, "header": { "n": 1 }, "ciphertext": logical }],
    })
}

/// Fetches until a message is there: letters are brought by a task.
async fn fetch(app: &TestApp, device: &HushDevice) -> Vec<Value> {
    for _ in 0..500 {
        let pending = device.get(app, "/messages/pending").await;
        assert_eq!(pending.status, 200, "{pending:?}");
        if !pending.list().is_empty() {
            return pending.list().to_vec();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing came");
}

/// Another gateway, played by the test.
struct Node {
    id: &'static str,
    key: SigningKey,
    nonces: std::cell::Cell<u64>,
}

/// How much of a request a gateway signs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signs {
    Head,
    All,
}

impl Node {
    fn new(id: &'static str, seed: u8) -> Self {
        Self { id, key: SigningKey::from_seed(&[seed; 32]), nonces: 0.into() }
    }

    fn peer(&self) -> Peer {
        let public_key_b64 = self.key.verifying_key().to_base64();
        let node_id = self.id.to_owned();
        // Nobody listens there.
        let api_url = "http://127.0.0.1:9".to_owned();
        Peer { node_id, api_url, public_key_b64, allow_private: true, ..Peer::default() }
    }

    /// A signed request to `node-a.test`.
    fn request(
        &self,
        app: &TestApp,
        method: &Method,
        path: &str,
        body: &Value,
        signs: Signs,
    ) -> Request<axum::body::Body> {
        self.nonces.set(self.nonces.get() + 1);
        let nonce = STANDARD.encode([&[0; 8][..], &self.nonces.get().to_le_bytes()].concat());
        let timestamp = app.clock.now().as_seconds().to_string();
        let bytes = if body.is_null() { String::new() } else { body.to_string() };
        let head = NodeRequestHead {
            method: method.as_str(),
            target: path,
            timestamp: &timestamp,
            nonce: &nonce,
        };
        let sign = |text: String| STANDARD.encode(self.key.sign(text.as_bytes()));
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/hushnet{path}"))
            .header("x-node-id", self.id)
            .header("x-timestamp", &timestamp)
            .header("x-nonce", &nonce)
            .header("x-node-signature", sign(head.text()));
        if signs == Signs::All {
            let to = NodeId::parse("node-a.test").unwrap();
            let text = head.strong_text(&to, bytes.as_bytes());
            request = request.header("x-node-body-signature", sign(text));
        }
        with_body(request, bytes)
    }

    async fn get(&self, app: &TestApp, path: &str) -> Answer {
        app.call(self.request(app, &Method::GET, path, &Value::Null, Signs::Head)).await
    }

    async fn post(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        app.call(self.request(app, &Method::POST, path, &body, Signs::Head)).await
    }
}
