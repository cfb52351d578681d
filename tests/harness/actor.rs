//! A bot, or one device of a person: signs its requests, seals, opens, acknowledges.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{Method, Request};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sealpost::domain::clock::{Clock, TestClock};
use sealpost::sdk::base64url;
use sealpost::sdk::checksum::session_checksum;
use sealpost::sdk::conversation::contact_conversation_id;
use sealpost::sdk::envelope::{self, Recipient};
use sealpost::sdk::ids::{MessageId, SessionId, UserId};
use sealpost::sdk::keys::{AgreementKey, SigningKey};
use sealpost::sdk::token::{self, RequestClaims};
use serde_json::{Value, json};

use super::app::{Answer, TestApp};

/// Somebody at one device.
#[derive(Clone)]
pub struct Actor {
    pub user: UserId,
    pub session: SessionId,
    pub key: SigningKey,
    clock: Arc<TestClock>,
}

/// A person with several devices.
#[derive(Clone)]
pub struct Person {
    pub user: UserId,
    pub devices: Vec<Actor>,
}

/// A message that can be changed before it is posted.
pub type Item = Value;

impl Person {
    /// What a sender needs to know of the devices.
    pub fn recipients(&self) -> Vec<Recipient> {
        self.devices.iter().map(Actor::recipient).collect()
    }
}

impl Actor {
    pub fn new(user: UserId, session: SessionId, key: SigningKey, clock: Arc<TestClock>) -> Self {
        Self { user, session, key, clock }
    }

    pub fn recipient(&self) -> Recipient {
        Recipient { session: self.session, key: self.agreement_key() }
    }

    pub fn agreement_key(&self) -> AgreementKey {
        self.key.verifying_key().agreement_key()
    }

    /// Claims for a request of this moment, good for a minute.
    pub fn claims(&self, method: &str, path: &str, body: &[u8]) -> RequestClaims {
        let now = self.clock.now().as_seconds();
        RequestClaims {
            uid: self.user,
            sid: self.session,
            iat: now,
            exp: now + 60,
            jti: fresh_jti(),
            sig: token::body_digest(method, path, body),
            scp: "FULL".into(),
        }
    }

    pub fn token(&self, method: &str, path: &str, body: &[u8]) -> String {
        token::sign(&self.claims(method, path, body), &self.key).unwrap()
    }

    pub fn request(&self, method: Method, path: &str, body: Vec<u8>) -> Request<Body> {
        let token = self.token(method.as_str(), path, &body);
        with_token(method, path, &token, body)
    }

    pub async fn get(&self, app: &TestApp, path: &str) -> Answer {
        app.call(self.request(Method::GET, path, Vec::new())).await
    }

    pub async fn delete(&self, app: &TestApp, path: &str) -> Answer {
        app.call(self.request(Method::DELETE, path, Vec::new())).await
    }

    pub async fn post(&self, app: &TestApp, path: &str, body: &Value) -> Answer {
        app.call(self.request(Method::POST, path, body.to_string().into_bytes())).await
    }

    pub async fn post_bytes(&self, app: &TestApp, path: &str, body: &[u8]) -> Answer {
        app.call(self.request(Method::POST, path, body.to_vec())).await
    }

    /// A message to `recipient`, sealed for `sessions`.
    pub fn seal(&self, recipient: UserId, sessions: &[Recipient], number: u8, text: &str) -> Item {
        let data = self.envelope(sessions, text);
        json!({
            "conversation_id": contact_conversation_id(self.user, recipient),
            "recipient_id": recipient,
            "message_id": message_id(number),
            "category": "ENCRYPTED_TEXT",
            "data_base64": base64url::encode(&data),
            "checksum": session_checksum(sessions.iter().map(|one| one.session)).to_string(),
        })
    }

    /// An envelope with `text`, sealed for `sessions`.
    pub fn envelope(&self, sessions: &[Recipient], text: &str) -> Vec<u8> {
        let mut rng = ChaCha20Rng::seed_from_u64(99);
        let secret = self.key.agreement_secret();
        envelope::seal(text.as_bytes(), &secret, sessions, None, &mut rng).unwrap()
    }

    pub async fn send(&self, app: &TestApp, items: &[Item]) -> Answer {
        self.post(app, "/encrypted_messages", &Value::from(items)).await
    }

    /// Sends one text and expects it to be accepted.
    pub async fn sends(&self, app: &TestApp, to: &Person, number: u8, text: &str) {
        let item = self.seal(to.user, &to.recipients(), number, text);
        let answer = self.send(app, &[item]).await;
        assert_eq!(answer.only()["outcome"], "accepted", "{answer:?}");
    }

    /// Sends one text to these devices of somebody and expects it to be accepted.
    pub async fn sends_to(
        &self,
        app: &TestApp,
        to: UserId,
        devices: &[Recipient],
        number: u8,
        text: &str,
    ) {
        let answer = self.send(app, &[self.seal(to, devices, number, text)]).await;
        assert_eq!(answer.only()["outcome"], "accepted", "{answer:?}");
    }

    /// Reads what waits, opens the texts among it, and acknowledges all of it.
    pub async fn receives_texts(&self, app: &TestApp) -> Vec<String> {
        let answer = self.get(app, "/inbox").await;
        let ids: Vec<_> =
            answer.list().iter().map(|message| message["message_id"].clone()).collect();
        self.acknowledge(app, &ids).await;
        let texts = answer.list().iter().filter(|one| one["category"] == "ENCRYPTED_TEXT");
        texts.map(|message| self.open(message)).collect()
    }

    /// Reads what waits, opens it, and acknowledges it.
    pub async fn receives(&self, app: &TestApp) -> Vec<String> {
        let answer = self.get(app, "/inbox").await;
        let messages = answer.list();
        let texts = messages.iter().map(|message| self.open(message)).collect();
        let ids: Vec<_> = messages.iter().map(|message| message["message_id"].clone()).collect();
        self.acknowledge(app, &ids).await;
        texts
    }

    pub async fn acknowledge(&self, app: &TestApp, ids: &[Value]) -> Answer {
        let list: Vec<_> =
            ids.iter().map(|id| json!({"message_id": id, "status": "READ"})).collect();
        self.post(app, "/acknowledgements", &Value::from(list)).await
    }

    /// The text inside a message from the inbox.
    pub fn open(&self, message: &Value) -> String {
        let data = base64url::decode(message["data_base64"].as_str().unwrap()).unwrap();
        let secret = self.key.agreement_secret();
        let opened = envelope::open(&data, self.session, &secret, None).unwrap();
        String::from_utf8(opened).unwrap()
    }
}

/// An id that no other token of this test has.
pub fn fresh_jti() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("b3f1c2d4-0000-4000-8000-{:012x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn message_id(number: u8) -> MessageId {
    MessageId::parse(&format!("00000000-0000-4000-8000-0000000000{number:02x}")).unwrap()
}

pub fn with_token(method: Method, path: &str, token: &str, body: Vec<u8>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("Authorization", format!("Bearer {token}"))
        .header("Content-Type", "application/json")
        .header("X-Request-Id", "test-request")
        .body(Body::from(body))
        .unwrap()
}
