//! A store without a disk, for tests of the rules.
//!
//! It keeps the promises of [`crate::domain::ports`] by the simplest means: one lock around plain
//! maps. It is no embedded database: everything is gone with the process.

mod attachments;
mod inbox;
mod sessions;
mod sweep;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::Fault;
use crate::domain::account::{Account, CreatedAccount, IDENTITY_NUMBER, NewAccount};
use crate::domain::attachment::Attachment;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{
    ContactPair, Conversation, ConversationCategory, Participant, Role,
};
use crate::domain::ids::{
    AccountNumber, AttachmentId, ConversationId, ConversationNumber, MessageId, Order,
    SessionNumber, UserId,
};
use crate::domain::inbox::{MessageDigest, Waiting};
use crate::domain::ports::{Accounts, Conversations, Rosters, Soundness, Statistics, Store};
use crate::domain::roster::{Roster, RosterMember};
use crate::domain::session::{ApiToken, Session, TokenHash};

/// A store without a disk.
#[derive(Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Default)]
struct State {
    accounts: BTreeMap<AccountNumber, Account>,
    generations: HashMap<AccountNumber, i64>,
    sessions: BTreeMap<SessionNumber, Session>,
    tokens: HashMap<TokenHash, ApiToken>,
    conversations: BTreeMap<ConversationNumber, Conversation>,
    last_order: i64,
    /// What all readers share: a message as it is handed out, with an empty slot.
    payloads: BTreeMap<Order, Payload>,
    inbox: BTreeMap<(SessionNumber, Order), Row>,
    seen: HashMap<(AccountNumber, MessageId), (MessageDigest, Timestamp)>,
    settings: HashMap<&'static str, Vec<u8>>,
    attachments: BTreeMap<AttachmentId, Attachment>,
    /// How often something may have been changed.
    changes: u64,
}

struct Payload {
    message: Waiting,
    expires_at: Timestamp,
}

struct Row {
    leased_until: Timestamp,
    deliveries: u32,
    slot: Bytes,
}

const FREE: Timestamp = Timestamp::from_micros(0);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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

    fn next_order(&mut self) -> Order {
        self.last_order += 1;
        Order(self.last_order)
    }
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn create_account(&self, new: NewAccount) -> Result<CreatedAccount, Fault> {
        let mut state = self.change();
        for other in state.accounts.values() {
            if other.id == new.id {
                return Err(Fault::conflict("user_id", "is taken"));
            }
            if (other.dialect, &other.external_name) == (new.dialect, &new.external_name) {
                return Err(Fault::conflict(IDENTITY_NUMBER, "is taken"));
            }
        }
        let mut keys: Vec<_> = state.sessions.values().map(|session| session.signing_key).collect();
        for session in &new.sessions {
            if keys.contains(&session.signing_key) {
                return Err(Fault::conflict("public_key", "is on file for a session"));
            }
            keys.push(session.signing_key);
        }
        let account = Account {
            number: AccountNumber(state.accounts.len() as i64 + 1),
            id: new.id,
            dialect: new.dialect,
            external_name: new.external_name,
            kind: new.kind,
            full_name: new.full_name,
            created_at: new.created_at,
        };
        state.accounts.insert(account.number, account.clone());
        let sessions = new.sessions.into_iter();
        let sessions = sessions.map(|first| state.first_session(&account, first)).collect();
        Ok(CreatedAccount { account, sessions })
    }

    async fn accounts(&self, ids: &[UserId]) -> Result<Vec<Account>, Fault> {
        let state = self.state();
        let found = state.accounts.values().filter(|account| ids.contains(&account.id));
        Ok(found.cloned().collect())
    }

    async fn account_by_identity_number(&self, number: &str) -> Result<Option<Account>, Fault> {
        let state = self.state();
        Ok(state.accounts.values().find(|account| account.external_name == number).cloned())
    }

    async fn list_accounts(
        &self,
        after: Option<AccountNumber>,
        limit: u32,
    ) -> Result<Vec<Account>, Fault> {
        let state = self.state();
        let later = state.accounts.values().filter(|account| Some(account.number) > after);
        Ok(later.take(limit as usize).cloned().collect())
    }
}

#[async_trait]
impl Rosters for MemoryStore {
    async fn rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault> {
        let state = self.state();
        let found = state.accounts.values().filter(|account| users.contains(&account.id));
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
}

#[async_trait]
impl Conversations for MemoryStore {
    async fn ensure_contacts(
        &self,
        pairs: &[ContactPair],
        at: Timestamp,
    ) -> Result<Vec<ConversationNumber>, Fault> {
        let mut state = self.change();
        Ok(pairs.iter().map(|pair| state.ensure_contact(pair, at)).collect())
    }

    async fn conversations(&self, ids: &[ConversationId]) -> Result<Vec<Conversation>, Fault> {
        let state = self.state();
        let found = state.conversations.values().filter(|it| ids.contains(&it.id));
        Ok(found.cloned().collect())
    }
}

impl State {
    fn ensure_contact(&mut self, pair: &ContactPair, at: Timestamp) -> ConversationNumber {
        if let Some(found) = self.conversations.values().find(|it| it.id == pair.id) {
            return found.number;
        }
        let number = ConversationNumber(self.conversations.len() as i64 + 1);
        let participant = |account| Participant {
            account,
            user: self.accounts[&account].id,
            role: Role::Member,
            joined_at: at,
        };
        let conversation = Conversation {
            number,
            id: pair.id,
            category: ConversationCategory::Contact,
            creator: self.accounts[&pair.creator].id,
            created_at: at,
            generation: 0,
            participants: vec![participant(pair.creator), participant(pair.other)],
        };
        self.conversations.insert(number, conversation);
        number
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
            newest_message: newest.map(|(_, payload)| payload.message.accepted_at),
            ..Statistics::default()
        })
    }

    async fn check(&self, _patience: Duration) -> Result<Soundness, Fault> {
        Ok(Soundness { complete: true, damage: Vec::new() })
    }

    async fn close(&self) {}
}
