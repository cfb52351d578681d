//! HushNet's app as people have it: what it asks, in its order, what it reads of the answers and
//! what it takes for a success. Of what it does not read, it knows nothing.

pub mod agreement;
pub mod reading;
pub mod wire;

use std::collections::BTreeMap;

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealpost::domain::clock::Clock as _;
use sealpost::domain::ports::Entropy as _;
use sealpost::sdk::keys::SigningKey;
use serde_json::{Value, json};

use self::agreement::{Chain, Own, Root, Theirs, public, secret};
use self::reading::{Chat, Device, Pending, User, listed, read};
use self::wire::{Node, Wire};
use crate::harness::app::Answer;
use crate::harness::entropy::TestEntropy;
use crate::hushnet::line::Line;

/// One-time prekeys that an installation leaves.
const PREKEYS: usize = 5;

/// How often it lists devices anew when a prekey was taken by somebody else.
const ATTEMPTS: usize = 3;

/// Stands for somebody whose id is known elsewhere.
const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// What it signs to log in.
const LOGIN: &[u8] = b"Login request";

/// An installation of the app.
pub struct App<'n> {
    pub name: String,
    pub user: String,
    /// The socket. Who has closed it looks again and again.
    pub line: Option<Line>,
    node: &'n Node,
    wire: Wire<'n>,
    place: &'static str,
    identity: SigningKey,
    own: Own,
    sessions: BTreeMap<String, Session>,
    entropy: TestEntropy,
    written: u64,
}

/// Somebody else, as the app has them.
pub struct Contact {
    pub id: String,
    /// The name and the gateway, unless it is one's own.
    pub address: Option<String>,
}

/// What it shares with another device, by whose id it is found.
struct Session {
    send: Chain,
    receive: Chain,
}

impl<'n> App<'n> {
    /// Installs the app, which signs up when it finds that nobody knows its key.
    pub async fn install(node: &'n Node, name: &str, place: &'static str, seed: u64) -> Self {
        let mut app = Self::unpacked(node, name, place, seed);
        app.knock().await;
        assert!(app.log_in().await.is_none(), "{name} is not known yet");
        app.sign_up().await;
        // Nothing was signed yet.
        app.listen().await;
        app.show_home().await;
        app
    }

    /// Installs it once more for the same person. The app itself cannot do that: the device that is
    /// there signs for the new one as the documentation says.
    pub async fn install_beside(&self, seed: u64) -> Self {
        let mut new = Self::unpacked(self.node, &self.name, self.place, seed);
        let mut keys = new.public_keys();
        keys["user_id"] = json!(self.user);
        let enrolled = self.signed(Method::POST, "/devices", &keys).await;
        assert_eq!(enrolled.status, 201, "{enrolled:?}");
        new.knock().await;
        let user = new.log_in().await.expect("somebody who is known");
        assert_eq!((&user.id, &user.username), (&self.user, &self.name));
        new.user = user.id;
        new.listen().await;
        new.show_home().await;
        new
    }

    fn unpacked(node: &'n Node, name: &str, place: &'static str, seed: u64) -> Self {
        let entropy = TestEntropy::new(seed);
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self {
            name: name.to_owned(),
            user: String::new(),
            line: None,
            node,
            wire: Wire::new(node, place),
            place,
            identity: SigningKey::from_seed(&bytes),
            own: Own::new(&entropy, PREKEYS),
            sessions: BTreeMap::new(),
            entropy,
            written: 0,
        }
    }

    async fn unsigned(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.wire.ask(method, path, None, body).await
    }

    async fn signed(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.wire.ask(method, path, Some(&self.identity), body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.signed(Method::GET, path, &Value::Null).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.signed(Method::POST, path, body).await
    }

    /// Whether there is a gateway at all; what that says is not read.
    async fn knock(&self) {
        let answer = self.unsigned(Method::GET, "", &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    async fn log_in(&self) -> Option<User> {
        let body = json!({
            "identity_pubkey": self.identity_key(),
            "message": STANDARD.encode(LOGIN),
            "signature": STANDARD.encode(self.identity.sign(LOGIN)),
        });
        let answer = self.unsigned(Method::POST, "/users/login", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        read(&answer.json)
    }

    async fn sign_up(&mut self) {
        let body = json!({ "username": self.name });
        let created = self.unsigned(Method::POST, "/users/create", &body).await;
        assert_eq!(created.status, 201, "any other one is a failure: {created:?}");
        let user: User = read(&created.json["user"]);
        let token: String = read(&created.json["enrollment_token"]);
        self.user = user.id;
        let keys = self.public_keys();
        let milliseconds = self.node.app.clock.now().as_micros() / 1000;
        let one_time = keys["one_time_prekeys"].as_array().unwrap();
        let one_time: Vec<_> = one_time.iter().map(|key| json!({ "key": key })).collect();
        let body = json!({
            "user_id": self.user,
            "identity_pubkey": keys["identity_pubkey"],
            "prekey_pubkey": keys["prekey_pubkey"],
            "signed_prekey": {
                "key": keys["signed_prekey_pub"], "signature": keys["signed_prekey_sig"],
            },
            "one_time_prekeys": one_time,
            "device_label": format!("Flutter-{milliseconds}"),
            "push_token": "dummy_push_token",
            "enrollment_token": token,
        });
        let path = format!("/users/{}/devices", self.user);
        let enrolled = self.unsigned(Method::POST, &path, &body).await;
        // The app would rather have 200 and a text. It logs what it gets as a failure and goes on,
        // so it never learns the id of its own device.
        assert_eq!(enrolled.status, 201, "{enrolled:?}");
        for name in ["prekey_pubkey", "signed_prekey_pub", "signed_prekey_sig", "one_time_prekeys"]
        {
            assert_eq!(enrolled.json[name], keys[name], "all of the device comes back");
        }
        assert_eq!(enrolled.json["device_label"], body["device_label"]);
    }

    fn identity_key(&self) -> String {
        STANDARD.encode(self.identity.verifying_key().to_bytes())
    }

    /// The public halves of its keys, as the documentation writes them.
    fn public_keys(&self) -> Value {
        let signed = public(&self.own.signed);
        let signature = self.identity.sign(&STANDARD.decode(&signed).unwrap());
        json!({
            "identity_pubkey": self.identity_key(),
            "prekey_pubkey": public(&self.own.prekey),
            "signed_prekey_pub": signed,
            "signed_prekey_sig": STANDARD.encode(signature),
            "one_time_prekeys": self.own.one_time.iter().map(public).collect::<Vec<_>>(),
        })
    }

    /// The first thing that one sees: what waits, and the chats.
    async fn show_home(&mut self) {
        assert_eq!(self.pending().await.len(), 0);
        self.chats().await;
    }

    /// Opens the socket.
    async fn listen(&mut self) {
        self.line = Some(self.wire.line(&self.user).await.unwrap());
    }

    /// Waits until it is told of something of this type, if it listens. It passes over what it does
    /// not know.
    pub async fn wait_for(&mut self, kind: &str) {
        let Some(line) = &mut self.line else { return };
        loop {
            let event = line.event().await;
            let is_told = match kind {
                "message" => event["payload"]["type"] == kind,
                _ => event["event_type"] == kind,
            };
            if is_told {
                assert_eq!(event["payload"]["user_id"], self.user, "{event}");
                return;
            }
        }
    }

    /// Somebody else: of this gateway, or of another one if the name says of which.
    pub async fn find(&self, name: &str) -> Contact {
        if name.contains('@') {
            return Contact { id: NIL.to_owned(), address: Some(name.to_owned()) };
        }
        let answer = self.unsigned(Method::GET, "/users", &Value::Null).await;
        let users: Vec<User> = listed(&answer);
        let user = users.into_iter().find(|user| user.username == name).expect("that name");
        Contact { id: user.id, address: None }
    }

    /// The devices of somebody, before each session and each message.
    pub async fn devices(&self, contact: &Contact) -> Vec<Device> {
        let Some(address) = &contact.address else { return self.devices_of(&contact.id).await };
        let (name, gateway) = address.rsplit_once('@').unwrap();
        let keys = self.get(&format!("/s2s/federated/{name}/{gateway}/keys")).await;
        let mut devices: Vec<Device> = listed(&keys);
        // From elsewhere, an empty list does no harm.
        for device in devices.iter_mut().filter(|device| device.one_time_prekeys.is_empty()) {
            device.one_time_prekeys.push(None);
        }
        devices
    }

    /// The devices of a user. Nobody asks who wants to know.
    pub async fn devices_of(&self, user: &str) -> Vec<Device> {
        listed(&self.unsigned(Method::GET, &format!("/users/{user}/devices"), &Value::Null).await)
    }

    /// Begins sessions with all devices of a user with which there are none; how many that were.
    pub async fn begin(&mut self, name: &str) -> usize {
        let contact = self.find(name).await;
        for _ in 0..ATTEMPTS {
            let devices = self.devices(&contact).await;
            let (status, count) = self.introduce(&contact, devices).await;
            if status != 409 {
                assert!([200, 201, 202].contains(&status), "{status}");
                return count;
            }
        }
        panic!("{} finds no prekey", self.name);
    }

    /// Begins sessions with devices as they were listed.
    pub async fn introduce(&mut self, to: &Contact, devices: Vec<Device>) -> (u16, usize) {
        let (mut list, mut sessions) = (Vec::new(), BTreeMap::new());
        for device in devices {
            if self.sessions.contains_key(&device.id) {
                continue;
            }
            let (ephemeral, theirs) = (secret(&self.entropy), Theirs::of(&device));
            let root = self.own.begin(&ephemeral, &theirs);
            list.push(json!({
                "recipient_device_id": device.id,
                "ephemeral_pubkey": public(&ephemeral),
                "sender_prekey_pub": public(&self.own.prekey),
                "otpk_used": device.first_prekey().unwrap_or_default(),
                "ciphertext": root.seal(&self.entropy, &self.name),
            }));
            let (send, receive) = root.chains();
            sessions.insert(device.id, Session { send, receive });
        }
        let count = list.len();
        let body = json!({
            "recipient_user_id": to.id,
            "recipient_user_address": to.address,
            "sessions_init": list,
        });
        let answer = self.post("/sessions", &body).await;
        if answer.status < 300 {
            self.sessions.append(&mut sessions);
        }
        (answer.status, count)
    }

    async fn pending(&self) -> Vec<Pending> {
        let answer = self.get("/sessions/pending").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        // It would take a bare list as well.
        read(answer.json.get("sessions").unwrap_or(&answer.json))
    }

    /// Takes the sessions that wait; the names of who began them.
    pub async fn confirm(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        for one in self.pending().await {
            let path = format!("/devices/{}/user", one.sender_device_id);
            let owner = self.unsigned(Method::GET, &path, &Value::Null).await;
            let owner: User = read(&owner.json);
            let root = self.agree(&one);
            let name = owner.username.split('@').next().map(str::to_owned);
            assert_eq!(root.open(&one.ciphertext), name, "they agree");
            let body = json!({
                "pending_session_id": one.id,
                "sender_device_id": one.sender_device_id,
                "receiver_device_id": one.recipient_device_id,
            });
            let confirmed = self.post("/sessions/confirm", &body).await;
            assert!(confirmed.status < 300, "{confirmed:?}");
            let (receive, send) = root.chains();
            self.sessions.insert(one.sender_device_id, Session { send, receive });
            names.push(owner.username);
        }
        names
    }

    fn agree(&mut self, pending: &Pending) -> Root {
        let prekey = agreement::key(&pending.sender_prekey_pub);
        let ephemeral = agreement::key(&pending.ephemeral_pubkey);
        self.own.follow(&prekey, &ephemeral, &pending.otpk_used)
    }

    pub async fn chats(&self) -> Vec<Chat> {
        listed(&self.get("/chats").await)
    }

    /// The chat with somebody.
    pub async fn chat_with(&self, name: &str) -> Chat {
        let chats = self.chats().await;
        let mut with = chats.into_iter().filter(|chat| chat.is_with(name));
        let chat = with.next().expect("a chat with them");
        assert!(with.next().is_none(), "there is one");
        chat
    }

    /// One-time prekeys of its own that nobody has used.
    pub fn unused_prekeys(&self) -> usize {
        self.own.one_time.len()
    }

    /// The id of its own device. The app never learns it; somebody who looks finds it.
    pub async fn own_device(&self) -> String {
        let devices = self.devices_of(&self.user).await;
        let own = devices.into_iter().find(|it| it.identity_pubkey == self.identity_key());
        own.expect("a device with its key").id
    }

    /// Leaves more one-time prekeys, as a later app may; how many there are then.
    pub async fn refill(&mut self, count: usize) -> u64 {
        let new = Own::new(&self.entropy, count).one_time;
        let body = json!({ "one_time_prekeys": new.iter().map(public).collect::<Vec<_>>() });
        let answer =
            self.post(&format!("/devices/{}/prekeys", self.own_device().await), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.own.one_time.extend(new);
        answer.json["count"].as_u64().unwrap()
    }

    /// Ends one of the person's devices, for which a later app signs all of its requests from now on.
    pub async fn end(&mut self, device: &str) {
        self.wire.is_strong = true;
        let path = format!("/devices/{device}");
        let ended = self.signed(Method::DELETE, &path, &Value::Null).await;
        assert_eq!(ended.status, 204, "{ended:?}");
    }
}
