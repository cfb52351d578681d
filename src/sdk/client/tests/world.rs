//! A gateway in miniature: accounts, devices, receipts, an inbox, and faults on demand.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::stand_in::{Reply, Request, listen};
use crate::checksum::session_checksum;
use crate::client::{Bot, BotBuilder, Clock};
use crate::envelope::{self, Recipient};
use crate::ids::{MessageId, SessionId, UserId};
use crate::keys::SigningKey;
use crate::keystore::Keystore;
use crate::types::{Acknowledgement, CheckItem, OutgoingMessage, SessionInfo};
use crate::{base64url, token};

/// A device of an account.
#[derive(Clone)]
pub(super) struct Device {
    pub(super) session: SessionId,
    pub(super) key: SigningKey,
}

/// What goes wrong with the next request to a path.
pub(super) enum Fault {
    /// The request is worked on, and the answer gets lost.
    LostAnswer,
    /// Instead of being worked on, the request is answered like this.
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Somebody signs in again just before the request is worked on.
    SignIn(UserId),
    /// The connection stays silent.
    Silence,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) accounts: BTreeMap<UserId, Vec<Device>>,
    /// Public keys that are published in place of the true ones.
    pub(super) published: HashMap<SessionId, String>,
    /// What was accepted, in order.
    pub(super) accepted: Vec<OutgoingMessage>,
    pub(super) requests: Vec<Request>,
    pub(super) faults: HashMap<&'static str, VecDeque<Fault>>,
    /// What the next polls hand out.
    pub(super) polls: VecDeque<Vec<Value>>,
    pub(super) acknowledged: Vec<MessageId>,
    /// Receipts that are handed out in place of the true ones, by message.
    pub(super) receipts: HashMap<MessageId, Value>,
    /// Posts are held until this many are under way.
    pub(super) hold_until: usize,
    pub(super) under_way: usize,
    pub(super) most_under_way: usize,
    next_number: u16,
}

/// The stand-in and what it knows.
pub(super) struct World {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    pub(super) clock: Arc<HeldClock>,
    pub(super) base_url: String,
    pub(super) bot: UserId,
}

/// A clock that never waits: it moves on by what it is asked to sleep, and remembers it.
#[derive(Default)]
pub(super) struct HeldClock {
    slept: Mutex<Vec<Duration>>,
}

impl HeldClock {
    pub(super) fn slept(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }
}

impl Clock for HeldClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.slept().iter().sum()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.slept.lock().unwrap().push(duration);
        Box::pin(tokio::task::yield_now())
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let changed = Arc::new(Notify::new());
        let handles = (Arc::clone(&state), Arc::clone(&changed));
        let address = listen(move |request| {
            let (state, changed) = handles.clone();
            async move { respond(&state, &changed, request).await }
        })
        .await;
        let mut world = Self {
            state,
            changed,
            clock: Arc::default(),
            base_url: format!("http://{address}"),
            bot: UserId::from_bytes([0; 16]),
        };
        world.bot = world.account(1);
        world
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// An account with this many devices.
    pub(super) fn account(&self, devices: usize) -> UserId {
        let mut state = self.state();
        let user = UserId::from_bytes(state.fresh());
        let devices = (0..devices).map(|_| state.device()).collect();
        state.accounts.insert(user, devices);
        user
    }

    pub(super) fn devices(&self, user: UserId) -> Vec<Device> {
        self.state().accounts[&user].clone()
    }

    pub(super) fn fault(&self, path: &'static str, fault: Fault) {
        self.state()
            .faults
            .entry(path)
            .or_default()
            .push_back(fault);
    }

    /// Waits until the gateway's state is as wanted.
    pub(super) async fn until(&self, wanted: impl Fn(&State) -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if wanted(&self.state()) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting)
            .await
            .unwrap();
    }

    /// Lets the next poll hand out these items.
    pub(super) fn deliver(&self, items: Vec<Value>) {
        self.state().polls.push_back(items);
        self.changed.notify_waiters();
    }

    pub(super) fn builder(&self) -> BotBuilder {
        let device = self.devices(self.bot).remove(0);
        Bot::builder(Keystore {
            user_id: self.bot,
            session_id: device.session,
            server_public_key: None,
            session_private_key: device.key,
            base_url: Some(self.base_url.clone()),
        })
        .clock(Arc::clone(&self.clock) as Arc<dyn Clock>)
        .rng_seed_for_tests([9; 32])
    }

    pub(super) fn bot(&self) -> Bot {
        self.builder().build().unwrap()
    }

    /// Requests to a path, without its query.
    pub(super) fn requests(&self, path: &str) -> Vec<Request> {
        let state = self.state();
        let to_path = |request: &&Request| request.path.split('?').next() == Some(path);
        state.requests.iter().filter(to_path).cloned().collect()
    }

    /// What a device reads in the accepted messages, in order.
    pub(super) fn read(&self, device: &Device) -> Vec<String> {
        let sender = self
            .devices(self.bot)
            .remove(0)
            .key
            .verifying_key()
            .agreement_key();
        let open = |item: &OutgoingMessage| {
            let bytes = base64url::decode(&item.data_base64).unwrap();
            let secret = device.key.agreement_secret();
            let text = envelope::open(&bytes, device.session, &secret, Some(&[sender]));
            text.ok().map(|text| String::from_utf8(text).unwrap())
        };
        self.state().accepted.iter().filter_map(open).collect()
    }

    /// An inbox item with a text that the first device of `sender` sealed for the bot.
    pub(super) fn sealed(&self, sender: UserId, id: u8, text: &str) -> Value {
        let from = self.devices(sender).remove(0);
        let to = self.devices(self.bot).remove(0);
        let recipient = Recipient {
            session: to.session,
            key: to.key.verifying_key().agreement_key(),
        };
        let rng = &mut super::super::entropy::Entropy::from_seed([id; 32]).fork();
        let secret = from.key.agreement_secret();
        let envelope = envelope::seal(text.as_bytes(), &secret, &[recipient], None, rng).unwrap();
        self.item(sender, id, "ENCRYPTED_TEXT", &base64url::encode(&envelope))
    }

    pub(super) fn item(&self, sender: UserId, id: u8, category: &str, data: &str) -> Value {
        json!({
            "type": "message",
            "representative_id": "",
            "quote_message_id": "",
            "conversation_id": crate::conversation::contact_conversation_id(self.bot, sender),
            "user_id": sender,
            "session_id": self.devices(sender)[0].session,
            "message_id": message_id(id),
            "category": category,
            "data": "",
            "data_base64": data,
            "status": "SENT",
            "source": "LIST_PENDING_MESSAGES",
            "silent": false,
            "expire_in": 0,
            "created_at": "2027-01-15T08:00:00Z",
            "updated_at": "2027-01-15T08:00:00Z",
        })
    }
}

pub(super) fn message_id(number: u8) -> MessageId {
    MessageId::from_bytes([number; 16])
}

/// An error document.
pub(super) fn error(status: u16, code: u32, description: &str) -> String {
    json!({"error": {"status": status, "code": code, "description": description}}).to_string()
}

impl State {
    /// Sixteen bytes that nothing else has.
    fn fresh(&mut self) -> [u8; 16] {
        self.next_number += 1;
        let mut bytes = [0x40; 16];
        bytes[..2].copy_from_slice(&self.next_number.to_be_bytes());
        bytes
    }

    fn device(&mut self) -> Device {
        let bytes = self.fresh();
        let mut seed = [0x40; 32];
        seed[..16].copy_from_slice(&bytes);
        Device {
            session: SessionId::from_bytes(bytes),
            key: SigningKey::from_seed(&seed),
        }
    }

    /// The first device signs in again: a new session in place of the old one.
    pub(super) fn sign_in_again(&mut self, user: UserId) {
        let device = self.device();
        self.accounts.get_mut(&user).unwrap()[0] = device;
    }

    fn sessions(&self, user: UserId) -> Vec<SessionInfo> {
        let devices = self.accounts.get(&user).into_iter().flatten();
        let info = |device: &Device| {
            let key = device.key.verifying_key().agreement_key();
            let mut info = SessionInfo::new(user, device.session, &key, "test");
            if let Some(other) = self.published.get(&device.session) {
                info.public_key.clone_from(other);
            }
            info
        };
        devices.map(info).collect()
    }

    fn receipt(&mut self, item: OutgoingMessage) -> Value {
        let recipient = item.recipient_id.unwrap();
        let mut receipt = json!({
            "type": "message", "message_id": item.message_id, "recipient_id": recipient,
            "state": "FAILED", "sessions": [],
        });
        if let Some(receipt) = self.receipts.get(&item.message_id) {
            return receipt.clone();
        }
        let accepted = self
            .accepted
            .iter()
            .find(|known| known.message_id == item.message_id);
        if let Some(known) = accepted {
            if known.data_base64 == item.data_base64 {
                receipt["state"] = "SUCCESS".into();
                receipt["outcome"] = "duplicate".into();
            } else {
                receipt["outcome"] = "rejected".into();
                receipt["error"] = json!({
                    "status": 422, "code": 10002, "description": "invalid field",
                    "extra": {"field": "message_id", "reason": "message_id_used"},
                });
            }
            return receipt;
        }
        let sessions = self.sessions(recipient);
        let checksum = session_checksum(sessions.iter().map(|info| info.session_id)).to_string();
        if sessions.is_empty() {
            receipt["outcome"] = "recipient_gone".into();
        } else if item.checksum == checksum {
            receipt["state"] = "SUCCESS".into();
            receipt["outcome"] = "accepted".into();
            self.accepted.push(item);
        } else {
            receipt["outcome"] = "stale_sessions".into();
        }
        receipt["sessions"] = serde_json::to_value(sessions).unwrap();
        receipt
    }

    fn check_token(&self, request: &Request) {
        let bearer = request.headers["authorization"]
            .strip_prefix("Bearer ")
            .unwrap();
        if bearer.starts_with("spt_") {
            return;
        }
        let unverified = token::Unverified::parse(bearer).unwrap();
        let claims = unverified.claims().clone();
        let device = self.accounts[&claims.uid]
            .iter()
            .find(|device| device.session == claims.sid);
        unverified
            .verify(&device.unwrap().key.verifying_key())
            .unwrap();
        let digest = token::body_digest(&request.method, &request.path, &request.body);
        assert_eq!(claims.sig, digest, "the token is for another request");
    }

    fn answer(&mut self, request: &Request) -> Value {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/encrypted_messages") => {
                let items: Vec<OutgoingMessage> = serde_json::from_slice(&request.body).unwrap();
                assert!(items.len() <= 100, "a batch of {}", items.len());
                items.into_iter().map(|item| self.receipt(item)).collect()
            }
            ("POST", "/sessions/fetch") => {
                let users: Vec<UserId> = serde_json::from_slice(&request.body).unwrap();
                assert!(users.len() <= 500, "{} accounts at once", users.len());
                let sessions: Vec<SessionInfo> = users
                    .into_iter()
                    .flat_map(|user| self.sessions(user))
                    .collect();
                serde_json::to_value(sessions).unwrap()
            }
            ("POST", "/sessions/check") => {
                let items: Vec<CheckItem> = serde_json::from_slice(&request.body).unwrap();
                items.iter().filter_map(|item| self.check(item)).collect()
            }
            ("POST", "/users/fetch") => {
                let users: Vec<UserId> = serde_json::from_slice(&request.body).unwrap();
                let known = |user: &UserId| self.accounts.contains_key(user);
                let account = |user| json!({"type": "user", "user_id": user});
                users.into_iter().filter(known).map(account).collect()
            }
            ("POST", "/acknowledgements") => {
                let items: Vec<Acknowledgement> = serde_json::from_slice(&request.body).unwrap();
                self.acknowledged
                    .extend(items.iter().map(|item| item.message_id));
                serde_json::to_value(items).unwrap()
            }
            ("DELETE", _) => Value::Null,
            ("POST", "/sessions") => {
                let mut answer: Value = serde_json::from_slice(&request.body).unwrap();
                answer["user_id"] = json!(self.accounts.keys().next());
                answer["session_id"] = json!(SessionId::from_bytes([0xaa; 16]));
                answer
            }
            (method, path) => panic!("unexpected request {method} {path}"),
        }
    }

    fn check(&self, item: &CheckItem) -> Option<Value> {
        let sessions = self.sessions(item.user_id);
        let checksum = session_checksum(sessions.iter().map(|info| info.session_id)).to_string();
        let answer = json!({"user_id": item.user_id, "checksum": checksum, "sessions": sessions});
        (checksum != item.checksum).then_some(answer)
    }
}

async fn respond(state: &Mutex<State>, changed: &Notify, request: Request) -> Reply {
    let path = request.path.split('?').next().unwrap().to_owned();
    let fault = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        state.check_token(&request);
        state
            .faults
            .get_mut(path.as_str())
            .and_then(VecDeque::pop_front)
    };
    changed.notify_waiters();
    let mut lost = false;
    match fault {
        None => {}
        Some(Fault::Silence) => return Reply::Silence,
        Some(Fault::Answer {
            status,
            headers,
            body,
        }) => {
            return Reply::Answer {
                status,
                headers,
                body,
            };
        }
        Some(Fault::LostAnswer) => lost = true,
        Some(Fault::SignIn(user)) => state.lock().unwrap().sign_in_again(user),
    }
    let data = match path.as_str() {
        "/inbox" => poll(state, changed).await,
        "/encrypted_messages" => {
            hold(state, changed).await;
            let mut state = state.lock().unwrap();
            let data = state.answer(&request);
            state.under_way -= 1;
            data
        }
        _ => state.lock().unwrap().answer(&request),
    };
    changed.notify_waiters();
    if lost {
        return Reply::HangUp;
    }
    let request_id = request.headers["x-request-id"].clone();
    let body = json!({ "data": data }).to_string();
    Reply::Answer {
        status: 200,
        headers: vec![("X-Request-Id", request_id)],
        body,
    }
}

/// As a gateway does it: an empty poll stays open until something comes.
async fn poll(state: &Mutex<State>, changed: &Notify) -> Value {
    loop {
        let something = changed.notified();
        if let Some(items) = state.lock().unwrap().polls.pop_front() {
            return items.into();
        }
        something.await;
    }
}

/// Keeps a post waiting until enough of them are under way.
async fn hold(state: &Mutex<State>, changed: &Notify) {
    {
        let mut state = state.lock().unwrap();
        state.under_way += 1;
        state.most_under_way = state.most_under_way.max(state.under_way);
    }
    loop {
        let something = changed.notified();
        {
            let mut state = state.lock().unwrap();
            if state.under_way >= state.hold_until {
                state.hold_until = 0;
                changed.notify_waiters();
                return;
            }
        }
        something.await;
    }
}
