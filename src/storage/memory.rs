//! A store without a disk, for tests of the rules.
//!
//! It keeps the promises of [`crate::domain::ports`] by the simplest means: one lock around plain
//! maps. It is no embedded database: everything is gone with the process.

mod inbox;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::gap::Missing;
use crate::domain::Fault;
use crate::domain::account::{Account, NewAccount};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{ContactPair, Conversation, ConversationCategory, Participant};
use crate::domain::ids::{
    AccountNumber, ConversationId, ConversationNumber, MessageId, Order, SessionId, SessionNumber,
    UserId,
};
use crate::domain::inbox::{Details, GapReason, MessageDigest, SYSTEM_GAP, Waiting};
use crate::domain::ports::{Accounts, Conversations, Rosters, Sessions, Store};
use crate::domain::roster::{Roster, RosterMember};
use crate::domain::session::{ApiToken, NewSession, Session, SessionOwner, SignedIn, TokenHash};

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
}

struct Payload {
    message: Waiting,
    expires_at: Timestamp,
}

struct Row {
    leased_until: Timestamp,
    deliveries: u32,
    slot: bytes::Bytes,
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
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn create_account(&self, new: NewAccount) -> Result<Account, Fault> {
        let mut state = self.state();
        for other in state.accounts.values() {
            if other.id == new.id {
                return Err(Fault::conflict("user_id", "is taken"));
            }
            if (other.dialect, &other.external_name) == (new.dialect, &new.external_name) {
                return Err(Fault::conflict("identity_number", "is taken"));
            }
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
        Ok(account)
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
impl Sessions for MemoryStore {
    async fn sign_in(
        &self,
        new: NewSession,
        limit: u32,
        gap_id: MessageId,
    ) -> Result<SignedIn, Fault> {
        self.state().sign_in(new, limit, gap_id)
    }

    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        at: Timestamp,
    ) -> Result<SessionNumber, Fault> {
        let mut state = self.state();
        let found = state.live(|live| live.id == session && live.user == user);
        let (number, account) = found.ok_or(Fault::NotFound { what: "session" })?;
        state.end(number, at);
        state.raise_generation(account);
        Ok(number)
    }

    async fn session(&self, id: SessionId) -> Result<Option<SessionOwner>, Fault> {
        let state = self.state();
        let session = state.sessions.values().find(|session| session.id == id).cloned();
        Ok(session.map(|session| {
            let account = state.accounts[&session.account].clone();
            SessionOwner { session, account }
        }))
    }

    async fn ended_among(
        &self,
        account: AccountNumber,
        sessions: &[SessionId],
    ) -> Result<Vec<SessionId>, Fault> {
        let state = self.state();
        let ended = state.sessions.values().filter(|session| {
            session.account == account && !session.is_live() && sessions.contains(&session.id)
        });
        Ok(ended.map(|session| session.id).collect())
    }

    async fn add_api_token(&self, token: ApiToken) -> Result<(), Fault> {
        let mut state = self.state();
        if state.live(|live| live.id == token.session).is_none() {
            return Err(Fault::NotFound { what: "session" });
        }
        state.tokens.insert(token.hash, token);
        Ok(())
    }

    async fn api_token(&self, hash: TokenHash) -> Result<Option<ApiToken>, Fault> {
        Ok(self.state().tokens.get(&hash).cloned())
    }
}

impl State {
    fn live(&self, which: impl Fn(&Session) -> bool) -> Option<(SessionNumber, AccountNumber)> {
        let mut live = self.sessions.values().filter(|session| session.is_live());
        live.find(|session| which(session)).map(|session| (session.number, session.account))
    }

    fn raise_generation(&mut self, account: AccountNumber) {
        *self.generations.entry(account).or_default() += 1;
    }

    fn generation(&self, account: AccountNumber) -> Option<i64> {
        let known = self.accounts.contains_key(&account);
        known.then(|| self.generations.get(&account).copied().unwrap_or_default())
    }

    fn next_order(&mut self) -> Order {
        self.last_order += 1;
        Order(self.last_order)
    }

    fn sign_in(
        &mut self,
        new: NewSession,
        limit: u32,
        gap_id: MessageId,
    ) -> Result<SignedIn, Fault> {
        let account = self.accounts.get(&new.account).ok_or(Fault::NotFound { what: "user" })?;
        let user = account.id;
        if self.sessions.values().any(|session| session.signing_key == new.signing_key) {
            return Err(Fault::conflict("public_key", "is on file for a session"));
        }
        let replaced =
            self.live(|live| live.account == new.account && Some(live.id) == new.replaces);
        if new.replaces.is_some() && replaced.is_none() {
            return Err(Fault::NotFound { what: "session" });
        }
        let others = self.sessions.values().filter(|session| {
            session.is_live() && session.account == new.account && Some(session.id) != new.replaces
        });
        if others.count() >= limit as usize {
            let reason = format!("the account has all the {limit} sessions that it may have");
            return Err(Fault::conflict("sessions", reason));
        }
        let session = Session {
            number: SessionNumber(self.sessions.len() as i64 + 1),
            id: new.id,
            account: new.account,
            user,
            agreement_key: new.signing_key.agreement_key(),
            signing_key: new.signing_key,
            platform: new.platform,
            attestation: new.attestation,
            created_at: new.created_at,
            ended_at: None,
        };
        self.sessions.insert(session.number, session.clone());
        let replaced = replaced.map(|(number, _)| number);
        if let Some(old) = replaced {
            let missing = self.end(old, new.created_at);
            if let Some(gap) = missing.into_gap(GapReason::SignedInAgain) {
                self.leave_gap(&session, gap_id, gap.to_json());
            }
        }
        self.raise_generation(new.account);
        Ok(SignedIn { session, replaced })
    }

    /// Ends a session and says what waited for it.
    fn end(&mut self, number: SessionNumber, at: Timestamp) -> Missing {
        let session = self.sessions.get_mut(&number).expect("callers pass a session on file");
        session.ended_at = Some(at);
        let id = session.id;
        self.tokens.retain(|_, token| token.session != id);
        let mut missing = Missing::default();
        for (_, order) in self.inbox.extract_if(.., |key, _| key.0 == number).map(|row| row.0) {
            let message = &self.payloads[&order].message;
            match message.category.as_str() {
                SYSTEM_GAP => missing.add_marker(&message.body, message.accepted_at),
                _ => missing.add(1, message.accepted_at, message.accepted_at),
            }
        }
        missing
    }

    fn leave_gap(&mut self, session: &Session, message_id: MessageId, body: String) {
        let order = self.next_order();
        let message = Waiting {
            order,
            message_id,
            conversation: None,
            sender: session.user,
            sender_session: session.id,
            category: SYSTEM_GAP.to_owned(),
            body: body.into(),
            slot: bytes::Bytes::new(),
            details: Details::default(),
            accepted_at: session.created_at,
            deliveries: 0,
        };
        let expires_at = Timestamp::from_micros(i64::MAX);
        self.payloads.insert(order, Payload { message, expires_at });
        let row = Row { leased_until: FREE, deliveries: 0, slot: bytes::Bytes::new() };
        self.inbox.insert((session.number, order), row);
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
        let mut state = self.state();
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
        let participant =
            |account| Participant { account, user: self.accounts[&account].id, joined_at: at };
        let conversation = Conversation {
            number,
            id: pair.id,
            category: ConversationCategory::Contact,
            creator: self.accounts[&pair.creator].id,
            created_at: at,
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
        Ok(self.state().settings.entry(name).or_insert(fresh).clone())
    }

    async fn close(&self) {}
}
