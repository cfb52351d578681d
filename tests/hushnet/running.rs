//! The program itself, and clients that talk to it over connections of their own, as fast as they
//! can.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use hyper::client::conn::http1::SendRequest;
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::sdk::keys::SigningKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::connection::connect;
use crate::harness::hush::{PREFIX, with_body};
use crate::program::Program;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// No limits that somebody on this machine could meet.
const SETTINGS: [(&str, &str); 13] = [
    ("SEALPOST_DIALECTS__HUSHNET__ENABLED", "true"),
    ("SEALPOST_DIALECTS__HUSHNET__LIMITS", "relaxed"),
    ("SEALPOST_HTTP__ADDRESS_CONNECTIONS", "0"),
    ("SEALPOST_HTTP__SOCKETS", "20000"),
    ("SEALPOST_LIMITS__RATE__ACCOUNT_REQUESTS", "0"),
    ("SEALPOST_LIMITS__RATE__ACCOUNT_MESSAGES", "0"),
    ("SEALPOST_LIMITS__RATE__ACCOUNT_BYTES", "0"),
    ("SEALPOST_LIMITS__RATE__ACCOUNT_SOCKETS", "0"),
    ("SEALPOST_LIMITS__RATE__ADDRESS_REQUESTS", "0"),
    ("SEALPOST_LIMITS__RATE__ADDRESS_MESSAGES", "0"),
    ("SEALPOST_LIMITS__RATE__ADDRESS_BYTES", "0"),
    ("SEALPOST_LIMITS__RATE__ADDRESS_SOCKETS", "0"),
    ("SEALPOST_LIMITS__RATE__ADDRESS_STRANGERS", "0"),
];

/// A gateway in a process of its own.
pub struct Running {
    pub program: Program,
    _folder: TempDir,
}

/// A device on a connection of its own.
pub struct Client {
    pub user: String,
    pub device: String,
    key: SigningKey,
    address: SocketAddr,
    sender: SendRequest<Body>,
}

/// A socket as the app opens it.
pub struct Told(WebSocketStream<TcpStream>);

impl Running {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let program = Program::serve_with(&data, "127.0.0.1:0", &SETTINGS);
        Self { program, _folder: folder }
    }

    /// A new member with one device.
    pub async fn member(&self, name: &str) -> Client {
        let address = self.program.address();
        let key = SigningKey::from_seed(&Sha256::digest(name).into());
        let (user, device) = (String::new(), String::new());
        let mut client = Client { user, device, key, address, sender: connect(address).await };
        let created = client.done(Method::POST, "/users/create", json!({ "username": name })).await;
        client.user = text(&created["user"]["id"]);
        let prekey = STANDARD.encode([7; 32]);
        let enrolment = json!({
            "user_id": client.user,
            "identity_pubkey": client.identity(),
            "prekey_pubkey": prekey,
            "signed_prekey": { "key": prekey, "signature": STANDARD.encode(client.key.sign(&[7; 32])) },
            "one_time_prekeys": [],
            "device_label": name,
            "push_token": "",
            "enrollment_token": created["enrollment_token"],
        });
        let path = format!("/users/{}/devices", client.user);
        client.device = text(&client.done(Method::POST, &path, enrolment).await["id"]);
        client
    }
}

impl Client {
    /// The same device on another connection.
    pub async fn again(&self) -> Self {
        let Self { user, device, key, address, .. } = self;
        let (user, device, key) = (user.clone(), device.clone(), key.clone());
        Self { user, device, key, address: *address, sender: connect(*address).await }
    }

    fn identity(&self) -> String {
        STANDARD.encode(self.key.verifying_key().to_bytes())
    }

    /// Asks, signed by the device; returns status and body.
    pub async fn ask(&mut self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let now = SystemClock.now().as_seconds().to_string();
        let request = Request::builder()
            .method(method)
            .uri(format!("{PREFIX}{path}"))
            .header("host", self.address.to_string())
            .header("x-identity-key", self.identity())
            .header("x-timestamp", &now)
            .header("x-signature", STANDARD.encode(self.key.sign(now.as_bytes())));
        let bytes = if body.is_null() { String::new() } else { body.to_string() };
        let answer = async {
            self.sender.ready().await.unwrap();
            let answer = self.sender.send_request(with_body(request, bytes)).await.unwrap();
            let status = answer.status().as_u16();
            (status, answer.into_body().collect().await.unwrap().to_bytes())
        };
        let (status, body) = timeout(PATIENCE, answer).await.expect("an answer in time");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Asks for what must not fail.
    async fn done(&mut self, method: Method, path: &str, body: Value) -> Value {
        let (status, told) = self.ask(method, path, &body).await;
        assert!((200..300).contains(&status), "{path}: {status} {told}");
        told
    }

    /// Introduces itself to somebody, who confirms; returns their chat.
    pub async fn befriend(&mut self, to: &mut Self) -> String {
        let introduction = json!({
            "recipient_user_id": to.user,
            "sessions_init": [{
                "recipient_device_id": to.device, "ephemeral_pubkey": "AA==",
                "sender_prekey_pub": "AA==", "otpk_used": "", "ciphertext": "AA==",
            }],
        });
        self.done(Method::POST, "/sessions", introduction).await;
        let waiting = to.done(Method::GET, "/sessions/pending", Value::Null).await;
        let confirmation = json!({
            "pending_session_id": waiting["sessions"][0]["id"],
            "sender_device_id": self.device,
            "receiver_device_id": to.device,
        });
        to.done(Method::POST, "/sessions/confirm", confirmation).await;
        let chats = self.done(Method::GET, "/chats", Value::Null).await;
        text(&chats[0]["id"])
    }

    /// Sends a message to one device.
    pub async fn send(&mut self, chat: &str, (user, device): (&str, &str), logical: &str) {
        let body = json!({
            "chat_id": chat,
            "logical_msg_id": logical,
            "to_user_id": user,
            "payloads": [{
                "to_device_id": device,
                "header": { "ratchet_pub": "key", "counter": 1 },
                "ciphertext": STANDARD.encode([9; 256]),
            }],
        });
        let (status, told) = self.ask(Method::POST, "/messages", &body).await;
        assert_eq!((status, &told["success"]), (200, &json!("true")), "{told}");
    }

    /// Opens the member's socket.
    pub async fn listen(&self) -> Told {
        let url = format!("ws://{}/ws/{}", self.address, self.user);
        let stream = TcpStream::connect(self.address).await.unwrap();
        Told(client_async(url, stream).await.unwrap().0)
    }
}

impl Told {
    /// The next event.
    pub async fn event(&mut self) -> Value {
        loop {
            let frame = timeout(PATIENCE, self.0.next()).await.expect("an event in time");
            if let Message::Text(text) = frame.expect("an open socket").unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
