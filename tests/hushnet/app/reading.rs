//! What the app reads of answers: it fails when one of these is missing, null or of another type. And
//! its messages, written and read.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use sealpost::sdk::keys::VerifyingKey;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::agreement::{self, Theirs, public};
use super::{App, Contact};
use crate::harness::app::Answer;

#[derive(Deserialize)]
pub struct User {
    pub id: String,
    pub username: String,
}

#[derive(Deserialize)]
pub struct Device {
    #[serde(alias = "device_id")]
    pub id: String,
    pub identity_pubkey: String,
    pub prekey_pubkey: String,
    pub signed_prekey_pub: String,
    pub signed_prekey_sig: String,
    pub one_time_prekeys: Vec<Option<String>>,
}

#[derive(Deserialize)]
pub struct Pending {
    pub id: String,
    pub sender_device_id: String,
    pub recipient_device_id: String,
    pub ephemeral_pubkey: String,
    pub sender_prekey_pub: String,
    pub otpk_used: String,
    pub ciphertext: String,
}

#[derive(Deserialize)]
pub struct Chat {
    pub id: String,
    pub partner_user_id: Option<String>,
    partner_username: Option<String>,
    partner_federated_address: Option<String>,
    /// Chats are sorted by it.
    #[serde(deserialize_with = "parsed")]
    pub updated_at: DateTime,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    logical_msg_id: String,
    chat_id: String,
    #[serde(rename = "from_user_id")]
    _from_user_id: String,
    from_device_id: String,
    header: Header,
    ciphertext: String,
    #[serde(rename = "created_at", deserialize_with = "parsed")]
    _created_at: Timestamp,
}

#[derive(Deserialize)]
struct Header {
    ratchet_pub: String,
    counter: u64,
}

/// What somebody has said.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub id: String,
    pub chat: String,
    pub text: String,
}

/// A text that the app makes something else of.
fn parsed<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// A value as the app reads it.
pub fn read<T: DeserializeOwned>(json: &Value) -> T {
    T::deserialize(json).unwrap_or_else(|error| panic!("the app cannot read {json}: {error}"))
}

/// A bare list.
pub fn listed<T: DeserializeOwned>(answer: &Answer) -> Vec<T> {
    assert_eq!(answer.status, 200, "{answer:?}");
    read(&answer.json)
}

impl Chat {
    /// Whether it is the chat with somebody of this gateway, or of that in an address.
    pub fn is_with(&self, name: &str) -> bool {
        let address = self.partner_federated_address.as_deref();
        address.or(self.partner_username.as_deref()) == Some(name)
    }
}

impl Device {
    /// The app takes the first one, whatever there is, and fails when the list is empty.
    pub fn first_prekey(&self) -> Option<&str> {
        self.one_time_prekeys[0].as_deref()
    }
}

impl Theirs {
    /// The app does not look at the signature. A test does.
    pub fn of(device: &Device) -> Self {
        let bytes = |text: &str| STANDARD.decode(text).expect("base64");
        let identity = bytes(&device.identity_pubkey).try_into().expect("32 bytes");
        let signature = bytes(&device.signed_prekey_sig).try_into().expect("64 bytes");
        let identity = VerifyingKey::from_bytes(&identity).expect("a key");
        identity.verify(&bytes(&device.signed_prekey_pub), &signature).expect("its signature");
        Self {
            prekey: agreement::key(&device.prekey_pubkey),
            signed: agreement::key(&device.signed_prekey_pub),
            one_time: device.first_prekey().map(agreement::key),
        }
    }
}

impl App<'_> {
    /// Says something to all devices of somebody with which there are sessions.
    pub async fn say(&mut self, name: &str, text: &str) -> Answer {
        let message = self.write(name, text).await;
        let sent = self.post("/messages", &message).await;
        assert!((200..300).contains(&sent.status), "{sent:?}");
        sent
    }

    /// A message that is not sent yet.
    pub async fn write(&mut self, name: &str, text: &str) -> Value {
        let chat = self.chat_with(name).await;
        let address = name.contains('@').then(|| name.to_owned());
        let partner = Contact { id: chat.partner_user_id.expect("the other one"), address };
        let devices = self.devices(&partner).await;
        let ratchet = public(&self.own.prekey);
        let mut payloads = Vec::new();
        for device in devices {
            let Some(session) = self.sessions.get_mut(&device.id) else { continue };
            let (counter, ciphertext) = session.send.seal(&self.entropy, text);
            payloads.push(json!({
                "to_device_id": device.id,
                "header": { "ratchet_pub": ratchet, "counter": counter },
                "ciphertext": ciphertext,
            }));
        }
        self.written += 1;
        json!({
            "chat_id": chat.id,
            "logical_msg_id": format!("{}-{}-{}", self.name, &ratchet[..8], self.written),
            "to_user_id": partner.id,
            "to_user_address": partner.address,
            "payloads": payloads,
        })
    }

    /// Looks for messages once. One that it cannot open is passed over, as one that comes again.
    pub async fn look(&mut self) -> Vec<Said> {
        let messages: Vec<Message> = listed(&self.get("/messages/pending").await);
        let mut said = Vec::new();
        for message in messages {
            assert!(!message.logical_msg_id.is_empty());
            agreement::key(&message.header.ratchet_pub);
            let Some(session) = self.sessions.get_mut(&message.from_device_id) else { continue };
            let opened = session.receive.open(message.header.counter, &message.ciphertext);
            let one = |text| Said { id: message.id, chat: message.chat_id, text };
            said.extend(opened.map(one));
        }
        said
    }

    /// What it is told next. Who listens looks when there is something; who does not, looks once,
    /// for what was sent is there.
    pub async fn hear(&mut self) -> Vec<String> {
        loop {
            self.wait_for("message").await;
            let said = self.look().await;
            if self.line.is_none() || !said.is_empty() {
                return said.into_iter().map(|one| one.text).collect();
            }
        }
    }

    /// Says that it has messages, as a later app may; how many that concerned.
    pub async fn acknowledge(&self, ids: &[&str]) -> u64 {
        let answer = self.post("/messages/ack", &json!({ "message_ids": ids })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json["acknowledged"].as_u64().unwrap()
    }
}
