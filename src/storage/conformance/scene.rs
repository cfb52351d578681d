//! The people of the stories: accounts, their devices, and what they send.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sealpost_sdk::conversation::contact_conversation_id;
use sealpost_sdk::keys::{SigningKey, VerifyingKey};

use crate::domain::Fault;
use crate::domain::account::{Account, AccountKind, Dialect, FirstSession, NewAccount};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::ContactPair;
use crate::domain::ids::{ConversationNumber, MessageId, Order, SessionId, UserId};
use crate::domain::inbox::{
    Acceptance, Accepted, Details, Guard, InboxKey, Isolation, LeaseRequest, MessageDigest, Quota,
    Release, Returned, Slot, Sweep, SweepRequest, Waiting, WhenFull,
};
use crate::domain::ports::Store;
use crate::domain::roster::Roster;
use crate::domain::session::{NewSession, Session, SignedIn};

/// When the stories begin.
pub const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// How many sessions an account may have in the stories.
pub const SESSION_LIMIT: u32 = 3;

/// `seconds` after the beginning.
pub fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

pub fn message_id(n: u16) -> MessageId {
    MessageId::from_bytes(spread(n))
}

pub fn user_id(n: u16) -> UserId {
    UserId::from_bytes(spread(n))
}

pub fn session_id(n: u16) -> SessionId {
    SessionId::from_bytes(spread(n))
}

pub fn key(n: u16) -> VerifyingKey {
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&n.to_le_bytes());
    SigningKey::from_seed(&seed).verifying_key()
}

/// Numbers next to each other become ids far from each other.
fn spread(n: u16) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[0] = n.wrapping_mul(179).to_be_bytes()[1];
    bytes[14..].copy_from_slice(&n.to_be_bytes());
    bytes
}

pub fn inbox_of(session: &Session) -> InboxKey {
    InboxKey { shard: session.account.shard(), session: session.number }
}

/// A store, and shorthands for what the stories do with it.
pub struct Scene {
    pub store: Arc<dyn Store>,
}

impl Scene {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    pub fn new_account(n: u16) -> NewAccount {
        NewAccount {
            id: user_id(n),
            dialect: Dialect::Mixin,
            external_name: format!("7000{n:08}"),
            kind: AccountKind::User,
            full_name: format!("Person {n}"),
            created_at: START,
            sessions: Vec::new(),
        }
    }

    pub fn first_session(n: u16) -> FirstSession {
        FirstSession { id: session_id(n), signing_key: key(n), platform: "Test".to_owned() }
    }

    pub async fn account(&self, n: u16) -> Account {
        self.store.create_account(Self::new_account(n)).await.unwrap().account
    }

    pub fn new_session(account: &Account, n: u16) -> NewSession {
        NewSession {
            id: session_id(n),
            account: account.number,
            user: account.id,
            signing_key: key(n),
            platform: "Test".to_owned(),
            attestation: None,
            created_at: START,
            replaces: None,
        }
    }

    pub async fn sign_in(&self, session: NewSession) -> Result<SignedIn, Fault> {
        self.store.sign_in(session, SESSION_LIMIT, message_id(60_000)).await
    }

    pub async fn session(&self, account: &Account, n: u16) -> Session {
        self.sign_in(Self::new_session(account, n)).await.unwrap().session
    }

    /// An account with one session, both numbered `n`.
    pub async fn device(&self, n: u16) -> Session {
        let account = self.account(n).await;
        self.session(&account, n).await
    }

    pub async fn roster(&self, user: UserId) -> Arc<Roster> {
        self.store.fresh_rosters(&[user]).await.unwrap().remove(0)
    }

    pub async fn contact(&self, one: &Session, other: &Session) -> ConversationNumber {
        let id = contact_conversation_id(one.user, other.user);
        let pair = ContactPair { id, creator: one.account, other: other.account };
        self.store.ensure_contacts(&[pair], START).await.unwrap()[0]
    }

    /// A message from one device to others, with the guards that hold now.
    pub async fn message(&self, from: &Session, to: &[&Session], n: u16) -> Acceptance {
        let users: Vec<UserId> = to.iter().map(|session| session.user).collect();
        let rosters = self.store.fresh_rosters(&users).await.unwrap();
        let guard =
            |it: &Arc<Roster>| Guard::Roster { account: it.account, generation: it.generation };
        let slot = |session: &&Session| Slot {
            shard: session.account.shard(),
            session: session.number,
            bytes: Bytes::from(vec![session.number.0.to_le_bytes()[0]; 64]),
        };
        Acceptance {
            sender: from.account,
            sender_session: from.number,
            conversation: self.contact(from, to[0]).await,
            message_id: message_id(n),
            digest: MessageDigest([n.to_le_bytes()[0]; 16]),
            category: "ENCRYPTED_TEXT".to_owned(),
            body: Bytes::from(format!("body of {n}")),
            details: Details::default(),
            slots: to.iter().map(slot).collect(),
            guards: rosters.iter().map(guard).collect(),
            accepted_at: START,
            expires_at: at(7 * 24 * 3600),
            top_up: None,
            quota: Self::quota(10_000, START),
        }
    }

    /// A quota for messages that are accepted at that time; a day unseen is abandoned.
    pub fn quota(messages: u32, now: Timestamp) -> Quota {
        Quota {
            messages,
            abandoned_before: now.minus(Duration::from_secs(24 * 3600)),
            when_full: WhenFull::Defer,
            gap_id: message_id(60_001),
        }
    }

    pub async fn accept(&self, message: Acceptance) -> Accepted {
        self.store.accept(vec![message]).await.unwrap()[0]
    }

    /// Stores a message that nothing speaks against.
    pub async fn send(&self, from: &Session, to: &[&Session], n: u16) {
        let message = self.message(from, to, n).await;
        assert!(matches!(self.accept(message).await, Accepted::Stored(_)));
    }

    /// What would be leased at that time, for ten seconds.
    pub fn request(session: &Session, now: Timestamp) -> LeaseRequest {
        Self::request_of(inbox_of(session), now)
    }

    /// The same for an inbox of anybody's.
    pub fn request_of(inbox: InboxKey, now: Timestamp) -> LeaseRequest {
        LeaseRequest {
            inbox,
            limit: 100,
            max_bytes: 1 << 20,
            now,
            until: now.plus(Duration::from_secs(10)),
            not_before: None,
            isolation: Isolation { after: 5, set_aside_after: 10, gap_id: message_id(60_002) },
        }
    }

    pub async fn lease(&self, session: &Session, now: Timestamp) -> Vec<Waiting> {
        self.store.lease(Self::request(session, now)).await.unwrap().messages
    }

    /// Lets go of messages that were leased until then.
    pub async fn release(
        &self,
        session: &Session,
        orders: Vec<Order>,
        until: Timestamp,
        how: Release,
    ) {
        let returned = Returned { orders, until, how };
        self.store.release(inbox_of(session), returned).await.unwrap();
    }

    /// A step of sweeping at the beginning of the stories, when nothing has expired.
    pub async fn sweep(&self, from: Option<Order>, limit: u32) -> Sweep {
        let request = SweepRequest { from, limit, now: START };
        self.store.sweep(request, &|| panic!("nothing has expired")).await.unwrap()
    }

    /// Sweeps everything at that time, `limit` rows in a step; returns what it did in all. Markers
    /// have the ids from `first_id` on.
    pub async fn sweep_all(&self, now: Timestamp, limit: u32, first_id: u16) -> Sweep {
        let next_id = AtomicU16::new(first_id);
        let mut total = Sweep::default();
        loop {
            let request = SweepRequest { from: total.next, limit, now };
            let fresh_id = || message_id(next_id.fetch_add(1, Ordering::Relaxed));
            let swept = self.store.sweep(request, &fresh_id).await.unwrap();
            assert!(swept.expired <= u64::from(limit), "a step is small");
            total.next = swept.next;
            total.dropped += swept.dropped;
            total.expired += swept.expired;
            total.marked.extend(swept.marked);
            if total.next.is_none() {
                return total;
            }
        }
    }

    pub async fn commit_groups(&self) -> u64 {
        self.store.statistics().await.unwrap().commit_groups
    }

    pub async fn acknowledge(&self, session: &Session, ids: &[u16]) {
        let ids = ids.iter().map(|n| message_id(*n)).collect();
        self.store.acknowledge(inbox_of(session), ids).await.unwrap();
    }
}

/// The ids of messages, in the order in which they were handed out.
pub fn ids(messages: &[Waiting]) -> Vec<MessageId> {
    messages.iter().map(|message| message.message_id).collect()
}

pub fn message_ids(numbers: impl IntoIterator<Item = u16>) -> Vec<MessageId> {
    numbers.into_iter().map(message_id).collect()
}

/// The field that a refusal names as contradicting what is on file.
pub fn conflict<T>(outcome: Result<T, Fault>) -> Option<String> {
    match outcome {
        Err(Fault::Conflict { field, .. }) => Some(field.into_owned()),
        _ => None,
    }
}
