//! A phone as people had it: keys, sessions with other devices, and what it does when the gateway
//! says that it knows the other phone's devices badly.

use std::collections::HashMap;

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use sealpost::domain::ports::Entropy;
use serde_json::{Value, json};
use x25519_dalek::{PublicKey, StaticSecret};

use super::sealing::{Keys, PrekeyMessage, PushMessageContent, read, written};
use super::wire::{Arrived, Mailbox, Way, ask, call};
use crate::harness::TestApp;
use crate::harness::entropy::TestEntropy;
use crate::harness::phone::{Phone, request};

const ORDINARY: i32 = 1;
const WITH_PREKEY: i32 = 3;
const LAST_RESORT: u64 = 0x00ff_ffff;

/// How often a message is sent until the phone gives up.
const ATTEMPTS: usize = 3;

/// How prekeys are left and fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEdition {
    First,
    Second,
}

/// How a phone of a test behaves.
#[derive(Clone, Copy)]
pub struct Habits {
    pub way: Way,
    pub keys: KeyEdition,
}

/// Another phone, as one writes to it.
#[derive(Clone, Copy)]
pub struct Contact {
    pub number: &'static str,
    /// The gateway at which it is, unless it is one's own.
    pub relay: Option<&'static str>,
}

/// A message that was read.
#[derive(Debug)]
pub struct Heard {
    pub kind: i32,
    pub relay: Option<String>,
    pub timestamp: u64,
    pub content: PushMessageContent,
}

/// A device in somebody's hand.
pub struct Handset<'a> {
    pub phone: Phone,
    gateway: &'a TestApp,
    habits: Habits,
    mailbox: Mailbox,
    identity: StaticSecret,
    prekeys: HashMap<u64, StaticSecret>,
    sessions: HashMap<(String, u32), Session>,
    entropy: TestEntropy,
    messages: u64,
}

/// What a device shares with another.
struct Session {
    keys: Keys,
    /// The other's installation; 0 before it is known.
    registration: u32,
    /// By what the session began.
    base: Vec<u8>,
    /// The prekey that it began with, as long as the other has not answered.
    unanswered: Option<u64>,
}

impl<'a> Handset<'a> {
    /// Registers a number by the code that is sent to it, and leaves prekeys.
    pub async fn register(gateway: &'a TestApp, number: &str, habits: Habits, seed: u64) -> Self {
        let entropy = TestEntropy::new(seed);
        let phone = Phone {
            password: STANDARD.encode(bytes::<18>(&entropy)),
            signalling_key: bytes(&entropy),
            registration: u32::try_from(seed).unwrap(),
            ..Phone::new(number)
        };
        let path = format!("/v1/accounts/dev/code/{number}");
        let asked = request(Method::GET, &path, None, &Value::Null);
        let (status, code) = call(&gateway.socket_address().await, asked).await;
        assert_eq!(status, 200);
        let code = String::from_utf8(code.to_vec()).unwrap().replace('-', "");
        let path = format!("/v1/accounts/code/{code}");
        let (status, _) = ask(gateway, &phone, Method::PUT, &path, &phone.attributes()).await;
        assert_eq!(status, 200);
        let identity = StaticSecret::from(bytes(&entropy));
        Self::begin(gateway, phone, habits, identity, entropy).await
    }

    /// A further device of this phone, by a code that this one asks for.
    pub async fn link(&self, seed: u64) -> Self {
        let (_, given) = self.get("/v1/devices/provisioning/code").await;
        let code = given["verificationCode"].as_str().unwrap();
        let entropy = TestEntropy::new(seed);
        let mut phone = Phone {
            password: STANDARD.encode(bytes::<18>(&entropy)),
            signalling_key: bytes(&entropy),
            registration: u32::try_from(seed).unwrap(),
            ..Phone::new(&self.phone.number)
        };
        let path = format!("/v1/devices/{code}");
        let put = ask(self.gateway, &phone, Method::PUT, &path, &phone.attributes()).await;
        phone.device = u32::try_from(put.1["deviceId"].as_u64().unwrap()).unwrap();
        Self::begin(self.gateway, phone, self.habits, self.identity.clone(), entropy).await
    }

    async fn begin(
        gateway: &'a TestApp,
        phone: Phone,
        habits: Habits,
        identity: StaticSecret,
        entropy: TestEntropy,
    ) -> Self {
        let mailbox = Mailbox::open(gateway, &phone, habits.way).await;
        let (prekeys, sessions) = (HashMap::new(), HashMap::new());
        let mut handset = Self {
            phone,
            gateway,
            habits,
            mailbox,
            identity,
            prekeys,
            sessions,
            entropy,
            messages: 0,
        };
        handset.leave_prekeys().await;
        handset
    }

    async fn leave_prekeys(&mut self) {
        let ids = (1..=5).chain([LAST_RESORT]);
        self.prekeys = ids.map(|id| (id, StaticSecret::from(bytes(&self.entropy)))).collect();
        let identity = base64(&written(&self.identity));
        let key = |id: u64| {
            let public = base64(&written(&self.prekeys[&id]));
            json!({ "keyId": id, "publicKey": public, "identityKey": identity })
        };
        let (last, keys) = (key(LAST_RESORT), (1..=4).map(key).collect::<Vec<_>>());
        let mut signed = key(5);
        signed["signature"] = base64(&[9; 64]).into();
        let (path, list) = match self.habits.keys {
            KeyEdition::First => ("/v1/keys/", json!({ "lastResortKey": last, "keys": keys })),
            KeyEdition::Second => (
                "/v2/keys/",
                json!({ "identityKey": identity, "preKeys": keys, "lastResortKey": last, "signedPreKey": signed }),
            ),
        };
        let (status, _) = ask(self.gateway, &self.phone, Method::PUT, path, &list).await;
        assert!([200, 204].contains(&status), "{status}");
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        ask(self.gateway, &self.phone, Method::GET, path, &Value::Null).await
    }

    /// Bytes that nobody guesses.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        bytes(&self.entropy)
    }

    /// Sends to all devices of a contact, and does what it has to when the gateway knows better
    /// which these are; the statuses of its attempts.
    pub async fn send(&mut self, to: Contact, content: &PushMessageContent) -> Vec<u16> {
        if !self.sessions.keys().any(|(number, _)| number == to.number) {
            self.fetch(to, "*").await;
        }
        self.messages += 1;
        let mut statuses = Vec::new();
        while statuses.len() < ATTEMPTS && statuses.last() != Some(&200) {
            let (status, told) = self.attempt(to, content).await;
            statuses.push(status);
            match status {
                409 => {
                    self.forget(to, &told["extraDevices"]);
                    self.meet(to, &told["missingDevices"]).await;
                }
                410 => {
                    self.forget(to, &told["staleDevices"]);
                    self.meet(to, &told["staleDevices"]).await;
                }
                _ => assert_eq!(status, 200, "{told}"),
            }
        }
        statuses
    }

    async fn attempt(&self, to: Contact, content: &PushMessageContent) -> (u16, Value) {
        let parts: Vec<Value> = self
            .sessions
            .iter()
            .filter(|((number, _), _)| number == to.number)
            .map(|((_, device), session)| self.part(*device, session, content))
            .collect();
        // Later than anything before, and known to nobody but the sender.
        let timestamp = 1_767_000_000_000 + self.messages;
        let list = json!({ "messages": parts, "timestamp": timestamp, "relay": to.relay });
        let path = format!("/v1/messages/{}", to.number);
        ask(self.gateway, &self.phone, Method::PUT, &path, &list).await
    }

    fn part(&self, device: u32, session: &Session, content: &PushMessageContent) -> Value {
        let sealed = session.keys.seal(self.random(), &content.encode_to_vec());
        let (kind, body) = match session.unanswered {
            None => (ORDINARY, sealed),
            Some(prekey) => {
                let (base, identity) = (session.base.clone(), written(&self.identity));
                let registration = self.phone.registration;
                let message = PrekeyMessage { registration, prekey, base, identity, sealed };
                (WITH_PREKEY, message.encode_to_vec())
            }
        };
        json!({
            "type": kind,
            "destinationDeviceId": device,
            "destinationRegistrationId": session.registration,
            "body": STANDARD.encode(body),
        })
    }

    fn forget(&mut self, contact: Contact, devices: &Value) {
        for device in numbers(devices) {
            self.sessions.remove(&(contact.number.to_owned(), device));
        }
    }

    async fn meet(&mut self, contact: Contact, devices: &Value) {
        for device in numbers(devices) {
            self.fetch(contact, &device.to_string()).await;
        }
    }

    /// Fetches a prekey of one device or of all, and begins sessions with them.
    async fn fetch(&mut self, contact: Contact, device: &str) {
        let edition = if self.habits.keys == KeyEdition::First { "v1" } else { "v2" };
        let relay = contact.relay.map_or(String::new(), |relay| format!("?relay={relay}"));
        let path = format!("/{edition}/keys/{}/{device}{relay}", contact.number);
        let (status, answer) = self.get(&path).await;
        assert_eq!(status, 200, "{path}");
        let list = if edition == "v1" { &answer["keys"] } else { &answer["devices"] };
        for entry in list.as_array().unwrap() {
            let (key, identity) = match self.habits.keys {
                KeyEdition::First => (entry, &entry["identityKey"]),
                KeyEdition::Second => (&entry["preKey"], &answer["identityKey"]),
            };
            let session = self.session(key, &public(identity), number(&entry["registrationId"]));
            self.sessions.insert((contact.number.to_owned(), number(&entry["deviceId"])), session);
        }
    }

    fn session(&self, key: &Value, identity: &PublicKey, registration: u32) -> Session {
        let (base, prekey) = (StaticSecret::from(self.random()), public(&key["publicKey"]));
        let keys = Keys::agreed([(&base, &prekey), (&self.identity, &prekey), (&base, identity)]);
        let unanswered = Some(key["keyId"].as_u64().unwrap());
        Session { keys, registration, base: written(&base), unanswered }
    }

    /// Reads the message that comes next.
    pub async fn hear(&mut self) -> Heard {
        let arrived = self.mailbox.next(self.gateway, &self.phone).await;
        let message = arrived.message.as_deref().unwrap_or_else(|| panic!("{arrived:?}"));
        let from = (arrived.source.clone(), arrived.device);
        let sealed = match arrived.kind {
            WITH_PREKEY => self.accept(&from, PrekeyMessage::decode(message).unwrap()),
            _ => message.to_vec(),
        };
        let session = self.sessions.get_mut(&from).expect("a device that is known");
        session.unanswered = None;
        let content = PushMessageContent::decode(&session.keys.open(&sealed)[..]).unwrap();
        let Arrived { kind, relay, timestamp, .. } = arrived;
        Heard { kind, relay, timestamp, content }
    }

    /// Begins the session that another device has begun, unless it is one already.
    fn accept(&mut self, from: &(String, u32), message: PrekeyMessage) -> Vec<u8> {
        if self.sessions.get(from).is_none_or(|known| known.base != message.base) {
            let prekey = match message.prekey {
                LAST_RESORT => self.prekeys[&LAST_RESORT].clone(),
                id => self.prekeys.remove(&id).expect("a prekey is used once"),
            };
            let (base, identity) = (read(&message.base), read(&message.identity));
            let keys =
                Keys::agreed([(&prekey, &base), (&prekey, &identity), (&self.identity, &base)]);
            let (registration, base) = (message.registration, message.base);
            let session = Session { keys, registration, base, unanswered: None };
            self.sessions.insert(from.clone(), session);
        }
        message.sealed
    }

    /// What comes next is the receipt for the message of this time.
    pub async fn see_receipt(&mut self, from: &str, timestamp: u64) {
        let arrived = self.mailbox.next(self.gateway, &self.phone).await;
        let told = (arrived.kind, arrived.source.as_str(), arrived.timestamp, &arrived.message);
        assert_eq!(told, (5, from, timestamp, &None));
    }
}

fn bytes<const N: usize>(entropy: &TestEntropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// Without padding, as keys are written; a key has none anyway.
fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes).trim_end_matches('=').to_owned()
}

fn public(text: &Value) -> PublicKey {
    read(&STANDARD.decode(text.as_str().unwrap_or_else(|| panic!("no key: {text}"))).unwrap())
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))).unwrap()
}

fn numbers(list: &Value) -> Vec<u32> {
    list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter().map(number).collect()
}
