//! A store without a disk, for tests of the rules.
//!
//! It keeps the promises of [`crate::domain::ports`] by the simplest means: one lock around plain
//! maps. It is no embedded database: everything is gone with the process.

mod accounts;
mod attachments;
mod chats;
mod codes;
mod conversations;
mod devices;
mod dropboxes;
mod inbox;
mod introductions;
mod member_devices;
mod members;
mod nodes;
mod one_time_keys;
mod phones;
mod prekeys;
mod quota;
mod sending;
mod sessions;
mod set_aside;
mod sign_up;
mod sweep;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::Fault;
use crate::domain::account::{Account, CreatedAccount, Dialect, NewAccount, ProfileChange};
use crate::domain::attachment::Attachment;
use crate::domain::changes::{ChangedContacts, Cursor};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Conversation;
use crate::domain::idempotency::RequestKey;
use crate::domain::ids::{
    AccountNumber, AttachmentId, ConversationNumber, MessageId, Order, SessionId, SessionNumber,
    UserId,
};
use crate::domain::inbox::{MessageDigest, Waiting};
use crate::domain::phone::{CodePurpose, ContactToken, PhoneNumber};
use crate::domain::ports::{Accounts, Backlog, Load, Rosters, Soundness, Statistics, Store};
use crate::domain::relationship::Relation;
use crate::domain::roster::{Roster, RosterMember};
use crate::domain::session::{ApiToken, Session, TokenHash};
use crate::domain::sign_up::{NewInvite, UsedToken};
use crate::domain::top_up::OpenTopUp;

/// A store without a disk.
#[derive(Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Default)]
struct State {
    accounts: BTreeMap<AccountNumber, Account>,
    generations: HashMap<AccountNumber, i64>,
    /// The accounts in the order of their latest changes.
    roster_changes: BTreeMap<Cursor, AccountNumber>,
    used_tokens: HashMap<([u8; 32], [u8; 32]), UsedToken>,
    invites: Vec<NewInvite>,
    /// All sessions, live and ended.
    seats: BTreeMap<SessionNumber, Seat>,
    /// Those that have keys.
    sessions: BTreeMap<SessionNumber, Session>,
    phones: BTreeMap<AccountNumber, phones::Listing>,
    /// The live sessions of phones.
    devices: BTreeMap<SessionNumber, devices::Kept>,
    codes: HashMap<(CodePurpose, PhoneNumber), codes::Kept>,
    relay_contacts: HashMap<ContactToken, phones::Relayed>,
    last_seen: HashMap<SessionNumber, Timestamp>,
    tokens: HashMap<TokenHash, ApiToken>,
    conversations: BTreeMap<ConversationNumber, Conversation>,
    last_order: i64,
    /// What all readers share: a message as it is handed out, with an empty slot.
    payloads: BTreeMap<Order, Payload>,
    inbox: BTreeMap<(SessionNumber, Order), Row>,
    seen: HashMap<(AccountNumber, MessageId), (MessageDigest, Timestamp)>,
    relations: HashMap<(AccountNumber, AccountNumber), (Relation, Timestamp)>,
    top_ups: HashMap<(AccountNumber, MessageId), OpenTopUp>,
    requests: HashMap<RequestKey, sending::Request>,
    settings: HashMap<&'static str, Vec<u8>>,
    attachments: BTreeMap<AttachmentId, Attachment>,
    dropboxes: dropboxes::Kept,
    nodes: nodes::Kept,
    messenger: members::Records,
    /// How often something may have been changed.
    changes: u64,
    /// Whether inboxes of ended sessions cannot be cleared.
    fails_to_clear: bool,
    /// Whether no account can become another one's friend, or be one no more.
    fails_to_relate: bool,
}

/// What every session has, whatever the dialect of its account.
#[derive(Clone, Copy)]
struct Seat {
    id: SessionId,
    user: UserId,
    created_at: Timestamp,
}

struct Payload {
    message: Waiting,
    expires_at: Timestamp,
}

struct Row {
    leased_until: Timestamp,
    deliveries: u32,
    set_aside_at: Option<Timestamp>,
    slot: Bytes,
}

impl Row {
    fn new(slot: Bytes) -> Self {
        Self { leased_until: FREE, deliveries: 0, set_aside_at: None, slot }
    }
}

const FREE: Timestamp = Timestamp::from_micros(0);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on [`clear_ended`](crate::domain::ports::Inbox::clear_ended) fails, and nothing else:
    /// to see what goes on without it.
    pub fn fail_to_clear(&self) {
        self.state().fails_to_clear = true;
    }

    /// From now on [`change_relation`](crate::domain::ports::Relationships::change_relation) fails, or
    /// does so no more.
    pub fn fail_to_relate(&self, fails: bool) {
        self.state().fails_to_relate = fails;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, to be changed.
    fn change(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.changes += 1;
        state
    }
}

impl State {
    fn generation(&self, account: AccountNumber) -> Option<i64> {
        let known = self.accounts.contains_key(&account);
        known.then(|| self.generations.get(&account).copied().unwrap_or_default())
    }

    /// The accounts of Mixin's dialect.
    fn mixin_accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().filter(|account| account.dialect == Dialect::Mixin)
    }

    /// Gives a session its number.
    fn seat(&mut self, seat: Seat) -> SessionNumber {
        let number = SessionNumber(self.seats.len() as i64 + 1);
        self.seats.insert(number, seat);
        number
    }

    fn next_order(&mut self) -> Order {
        self.last_order += 1;
        Order(self.last_order)
    }
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn create_account(&self, new: NewAccount) -> Result<CreatedAccount, Fault> {
        self.change().create_account(new)
    }

    async fn accounts(&self, ids: &[UserId]) -> Result<Vec<Account>, Fault> {
        let state = self.state();
        let found = state.mixin_accounts().filter(|account| ids.contains(&account.id));
        Ok(found.cloned().collect())
    }

    async fn account_by_identity_number(&self, number: &str) -> Result<Option<Account>, Fault> {
        let state = self.state();
        Ok(state.mixin_accounts().find(|account| account.external_name == number).cloned())
    }

    async fn list_accounts(
        &self,
        after: Option<AccountNumber>,
        limit: u32,
    ) -> Result<Vec<Account>, Fault> {
        let state = self.state();
        let later = state.mixin_accounts().filter(|account| Some(account.number) > after);
        Ok(later.take(limit as usize).cloned().collect())
    }

    async fn change_profile(&self, user: UserId, change: ProfileChange) -> Result<Account, Fault> {
        self.change().change_profile(user, change)
    }
}

#[async_trait]
impl Rosters for MemoryStore {
    async fn rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault> {
        let state = self.state();
        let found = state.mixin_accounts().filter(|account| users.contains(&account.id));
        let roster = |account: &Account| {
            let live = state.sessions.values();
            let live = live.filter(|it| it.is_live() && it.account == account.number);
            let members = live.map(|session| RosterMember {
                session: session.id,
                number: session.number,
                key: session.agreement_key,
                platform: session.platform.clone(),
            });
            let generation = state.generation(account.number).unwrap_or_default();
            Arc::new(Roster::new(account.number, account.id, generation, members.collect()))
        };
        Ok(found.map(roster).collect())
    }

    async fn fresh_rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault> {
        self.rosters(users).await
    }

    async fn newest_change(&self) -> Result<Cursor, Fault> {
        Ok(self.state().newest_change())
    }

    async fn changed_contacts(
        &self,
        account: AccountNumber,
        after: Cursor,
        limit: u32,
    ) -> Result<ChangedContacts, Fault> {
        Ok(self.state().changed_contacts(account, after, limit))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn ping(&self) -> Result<(), Fault> {
        Ok(())
    }

    async fn setting_or(&self, name: &'static str, fresh: Vec<u8>) -> Result<Vec<u8>, Fault> {
        Ok(self.change().settings.entry(name).or_insert(fresh).clone())
    }

    /// Each call that may change something counts as a group of its own.
    async fn statistics(&self) -> Result<Statistics, Fault> {
        let state = self.state();
        let newest = state.payloads.last_key_value().filter(|(order, _)| order.0 > 0);
        Ok(Statistics {
            commit_groups: state.changes,
            set_aside: state.inbox.values().filter(|row| row.set_aside_at.is_some()).count() as u64,
            newest_message: newest.map(|(_, payload)| payload.message.accepted_at),
            ..Statistics::default()
        })
    }

    async fn backlog(&self, most: u32) -> Result<Backlog, Fault> {
        let state = self.state();
        let waiting = state.inbox.values().filter(|row| row.set_aside_at.is_none());
        let mut messages = state.payloads.iter().filter(|(order, _)| order.0 > 0);
        Ok(Backlog {
            waiting: waiting.take(most as usize).count() as u64,
            oldest: messages.next().map(|(_, payload)| payload.message.accepted_at),
        })
    }

    /// Nobody waits for a transaction.
    fn load(&self) -> Load {
        Load { commit_groups: self.state().changes, ..Load::default() }
    }

    async fn check(&self, _patience: Duration) -> Result<Soundness, Fault> {
        Ok(Soundness { complete: true, damage: Vec::new() })
    }

    async fn close(&self) {}
}
