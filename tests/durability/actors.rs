//! A bot that posts and a device that reads, each over a connection of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sealpost::domain::clock::{Clock, SystemClock};
use sealpost::sdk::base64url;
use sealpost::sdk::checksum::session_checksum;
use sealpost::sdk::conversation::contact_conversation_id;
use sealpost::sdk::envelope::{self, Recipient};
use sealpost::sdk::ids::{MessageId, UserId};
use sealpost::sdk::keystore::Keystore;
use sealpost::sdk::token::{self, RequestClaims};
use sealpost::sdk::types::{
    Acknowledgement, AcknowledgementStatus, Data, InboxMessage, OutgoingMessage, Receipt,
    ReceiptState,
};
use serde::de::DeserializeOwned;

use super::http::Connection;

/// How many messages a device asks for, or acknowledges, at a time.
pub const PAGE: usize = 100;

/// An account's session, and the connection over which it talks to the gateway.
pub struct Actor {
    keystore: Keystore,
    connection: Connection,
    rng: ChaCha20Rng,
}

/// A request body and the messages in it, kept so that it can be sent again to the last byte.
#[derive(Clone)]
pub struct Batch {
    pub body: Vec<u8>,
    pub messages: Vec<MessageId>,
}

/// What a gateway said to a batch.
pub enum Posted {
    /// All of it is stored.
    Stored,
    /// It cannot be stored now, and may be sent again later.
    Refused,
}

impl Actor {
    /// Connects; `seed` decides every id and key that the actor makes up.
    pub fn connect(address: SocketAddr, keystore: &Keystore, seed: u64) -> io::Result<Self> {
        let connection = Connection::open(address)?;
        let rng = ChaCha20Rng::seed_from_u64(seed);
        Ok(Self { keystore: keystore.clone(), connection, rng })
    }

    /// A batch of messages for every device of a person; the text of each is its own id.
    pub fn batch(&mut self, size: usize, devices: &[Keystore]) -> Batch {
        let messages: Vec<_> = (0..size).map(|_| MessageId::random(&mut self.rng)).collect();
        let items: Vec<_> = messages.iter().map(|id| self.seal(*id, devices)).collect();
        Batch { body: serde_json::to_vec(&items).expect("plain data"), messages }
    }

    fn seal(&mut self, message_id: MessageId, devices: &[Keystore]) -> OutgoingMessage {
        let recipients: Vec<_> = devices
            .iter()
            .map(|device| Recipient {
                session: device.session_id,
                key: device.session_private_key.verifying_key().agreement_key(),
            })
            .collect();
        let sender = self.keystore.session_private_key.agreement_secret();
        let text = message_id.to_string();
        let sealed = envelope::seal(text.as_bytes(), &sender, &recipients, None, &mut self.rng);
        let recipient = devices[0].user_id;
        let sessions = devices.iter().map(|device| device.session_id);
        OutgoingMessage {
            conversation_id: contact_conversation_id(self.keystore.user_id, recipient),
            recipient_id: Some(recipient),
            message_id,
            category: "ENCRYPTED_TEXT".to_owned(),
            data_base64: base64url::encode(&sealed.expect("good keys and few devices")),
            checksum: session_checksum(sessions).to_string(),
            recipient_sessions: Vec::new(),
            representative_id: None,
            quote_message_id: None,
            silent: false,
            expire_in: 0,
        }
    }

    /// Posts a batch once. An error means that nobody knows what became of it.
    pub fn post(&mut self, batch: &Batch) -> io::Result<Vec<Receipt>> {
        self.call("POST", "/encrypted_messages", &batch.body)
    }

    /// Posts a batch once to a gateway whose database may be out of reach.
    pub fn try_post(&mut self, batch: &Batch) -> io::Result<Posted> {
        let receipts: Option<Vec<Receipt>> =
            self.try_call("POST", "/encrypted_messages", &batch.body)?;
        let Some(receipts) = receipts else {
            return Ok(Posted::Refused);
        };
        assert_eq!(receipts.len(), batch.messages.len());
        for receipt in &receipts {
            assert_eq!(receipt.state, ReceiptState::Success, "{receipt:?}");
        }
        Ok(Posted::Stored)
    }

    /// Everything that waits for this session, opened and acknowledged: text by message id, with
    /// the number of times that it came.
    pub fn drain(&mut self, sender: &Keystore) -> BTreeMap<MessageId, usize> {
        let answers = "the gateway answers a reader";
        let mut seen = BTreeMap::new();
        loop {
            let page = self.try_fetch(sender, 0).expect(answers).expect(answers);
            if page.is_empty() {
                return seen;
            }
            let read: Vec<_> = page.iter().map(|message| message.message_id).collect();
            for message in &read {
                *seen.entry(*message).or_default() += 1;
            }
            self.try_acknowledge(&read).expect(answers).expect(answers);
        }
    }

    /// Asks once for a page of what waits for this session, or comes within so many seconds, and
    /// opens each message. `None` from a gateway whose database is out of reach.
    pub fn try_fetch(
        &mut self,
        sender: &Keystore,
        wait: u64,
    ) -> io::Result<Option<Vec<InboxMessage>>> {
        let page: Option<Vec<InboxMessage>> =
            self.try_call("GET", &format!("/inbox?wait={wait}&limit={PAGE}"), b"")?;
        page.iter().flatten().for_each(|message| self.open(sender, message));
        Ok(page)
    }

    fn open(&self, sender: &Keystore, message: &InboxMessage) {
        let secret = self.keystore.session_private_key.agreement_secret();
        let from = sender.session_private_key.verifying_key().agreement_key();
        let sealed = base64url::decode(&message.data_base64).expect("base64");
        let text = envelope::open(&sealed, self.keystore.session_id, &secret, Some(&[from]));
        let text = text.expect("an envelope for this session");
        assert_eq!(text, message.message_id.to_string().as_bytes());
    }

    /// Acknowledges up to a page of messages once. `None` when nobody knows what became of it, with
    /// a gateway whose database is out of reach.
    pub fn try_acknowledge(&mut self, page: &[MessageId]) -> io::Result<Option<()>> {
        let status = AcknowledgementStatus::Read;
        let read = page.iter().map(|message| Acknowledgement { message_id: *message, status });
        let body = serde_json::to_vec(&read.collect::<Vec<_>>()).expect("plain data");
        let answer: Option<Vec<Acknowledgement>> =
            self.try_call("POST", "/acknowledgements", &body)?;
        Ok(answer.map(|answer| assert_eq!(answer.len(), page.len())))
    }

    fn call<T: DeserializeOwned>(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> io::Result<T> {
        let answer = self.try_call(method, path, body)?;
        Ok(answer.unwrap_or_else(|| panic!("{method} {path} was answered 503")))
    }

    /// `None` for the one answer that a gateway may give whose database is out of reach.
    fn try_call<T: DeserializeOwned>(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> io::Result<Option<T>> {
        let token = self.token(method, path, body);
        let answer = self.connection.request(method, path, &token, body)?;
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status == 503 {
            assert!(answer.retry_after.is_some(), "503 without Retry-After: {text}");
            return Ok(None);
        }
        assert_eq!(answer.status, 200, "{method} {path} was answered {text}");
        let answer: Data<T> = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{method} {path} was answered {text}: {error}"));
        Ok(Some(answer.data))
    }

    fn token(&mut self, method: &str, path: &str, body: &[u8]) -> String {
        let now = SystemClock.now().as_seconds();
        let claims = RequestClaims {
            uid: self.keystore.user_id,
            sid: self.keystore.session_id,
            iat: now,
            exp: now + 60,
            jti: UserId::random(&mut self.rng).to_string(),
            sig: token::body_digest(method, path, body),
            scp: "FULL".to_owned(),
        };
        token::sign(&claims, &self.keystore.session_private_key).expect("a key that signs")
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.rng.next_u64() % limit
    }
}
