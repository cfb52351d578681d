//! A gateway in miniature: accounts, devices, receipts, an inbox, and faults on demand.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::gateway::respond;
use super::stand_in::{Request, listen};
use crate::base64url;
use crate::client::{Bot, BotBuilder, Clock};
use crate::envelope::{self, Recipient};
use crate::ids::{AttachmentId, ConversationId, MessageId, SessionId, UserId};
use crate::keys::SigningKey;
use crate::keystore::Keystore;
use crate::types::{OutgoingMessage, TopUpSlot};

/// A device of an account.
#[derive(Clone)]
pub(super) struct Device {
    pub(super) session: SessionId,
    pub(super) key: SigningKey,
}

/// What the gateway does on an open socket.
pub(super) enum Push {
    /// Writes this object as a frame.
    Frame(Value),
    /// Writes these bytes as a frame.
    Raw(Vec<u8>),
    /// Breaks the connection without a word.
    Cut,
    /// Neither reads nor writes any more.
    Deaf,
}

/// What goes wrong with the next request to a path.
pub(super) enum Fault {
    /// The request is worked on, and the answer gets lost.
    LostAnswer,
    /// Instead of being worked on, the request is answered like this.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// Somebody signs in again just before the request is worked on.
    SignIn(UserId),
    /// The connection closes without an answer, and nothing is done.
    HangUp,
    /// The connection stays silent.
    Silence,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) accounts: BTreeMap<UserId, Vec<Device>>,
    /// Who takes part in a conversation.
    pub(super) conversations: HashMap<ConversationId, Vec<UserId>>,
    /// Whom the last message did not cover, and in which conversation it was for whom.
    pub(super) missing: Option<(ConversationId, Option<UserId>, Vec<SessionId>)>,
    /// Slots that were added.
    pub(super) slots: Vec<TopUpSlot>,
    pub(super) blobs: HashMap<AttachmentId, Vec<u8>>,
    /// Public keys that are published in place of the true ones.
    pub(super) published: HashMap<SessionId, String>,
    /// What was accepted, in order.
    pub(super) accepted: Vec<OutgoingMessage>,
    pub(super) requests: Vec<Request>,
    pub(super) faults: HashMap<&'static str, VecDeque<Fault>>,
    /// What the next polls hand out.
    pub(super) polls: VecDeque<Vec<Value>>,
    pub(super) acknowledged: Vec<MessageId>,
    /// What happens next on the open socket.
    pub(super) pushes: VecDeque<Push>,
    /// Sockets that have asked for delivery, ever; and those that were closed in good order.
    pub(super) listening: usize,
    pub(super) closed: usize,
    /// Acknowledgements over sockets are taken without an answer.
    pub(super) acknowledges_in_silence: bool,
    /// Receipts that are handed out in place of the true ones, by message.
    pub(super) receipts: HashMap<MessageId, Value>,
    /// Posts are held until this many are under way.
    pub(super) hold_until: usize,
    pub(super) under_way: usize,
    pub(super) most_under_way: usize,
    pub(super) next_number: u16,
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

    /// A group of the bot and these.
    pub(super) fn group(&self, others: &[UserId]) -> ConversationId {
        let mut state = self.state();
        let id = ConversationId::from_bytes(state.fresh());
        let all = [self.bot].iter().chain(others).copied().collect();
        state.conversations.insert(id, all);
        id
    }

    pub(super) fn devices(&self, user: UserId) -> Vec<Device> {
        self.state().accounts[&user].clone()
    }

    pub(super) fn fault(&self, path: &'static str, fault: Fault) {
        self.state().faults.entry(path).or_default().push_back(fault);
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
        tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
    }

    /// Lets the open socket do this.
    pub(super) fn push(&self, push: Push) {
        self.state().pushes.push_back(push);
        self.changed.notify_waiters();
    }

    /// Lets the next poll, or the open socket, hand out these items.
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
        let sender = self.devices(self.bot).remove(0).key.verifying_key().agreement_key();
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
        let recipient =
            Recipient { session: to.session, key: to.key.verifying_key().agreement_key() };
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
