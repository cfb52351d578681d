//! A store without a disk, for tests of the rules.
//!
//! It keeps the promises of [`crate::domain::ports`] by the simplest means: one lock around plain
//! maps. It is no embedded database: everything is gone with the process.

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
use crate::domain::inbox::{
    Acceptance, Accepted, Details, GapReason, InboxKey, LeaseRequest, MessageDigest, SYSTEM_GAP,
    Sweep, Waiting,
};
use crate::domain::ports::{Accounts, Conversations, Inbox, Rosters, Sessions, Store};
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
impl Inbox for MemoryStore {
    async fn accept(&self, messages: Vec<Acceptance>) -> Result<Vec<Accepted>, Fault> {
        let mut state = self.state();
        Ok(messages.into_iter().map(|message| state.accept(message)).collect())
    }

    async fn seen(
        &self,
        sender: AccountNumber,
        ids: &[MessageId],
    ) -> Result<Vec<Option<MessageDigest>>, Fault> {
        let state = self.state();
        Ok(ids.iter().map(|id| state.seen.get(&(sender, *id)).map(|seen| seen.0)).collect())
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Vec<Waiting>, Fault> {
        Ok(self.state().lease(&request))
    }

    async fn acknowledge(&self, inbox: InboxKey, ids: Vec<MessageId>) -> Result<(), Fault> {
        let mut state = self.state();
        let State { inbox: rows, payloads, .. } = &mut *state;
        rows.retain(|(session, order), row| {
            let acknowledged = *session == inbox.session
                && row.deliveries > 0
                && ids.contains(&payloads[order].message.message_id);
            !acknowledged
        });
        Ok(())
    }

    async fn release(&self, inbox: InboxKey, orders: Vec<Order>) -> Result<(), Fault> {
        let mut state = self.state();
        for order in orders {
            if let Some(row) = state.inbox.get_mut(&(inbox.session, order)) {
                row.leased_until = FREE;
            }
        }
        Ok(())
    }

    async fn sweep(&self, from: Option<Order>, limit: u32) -> Result<Sweep, Fault> {
        let mut state = self.state();
        let from = from.unwrap_or(Order(0));
        let looked_at: Vec<Order> =
            state.payloads.range(from..).map(|entry| *entry.0).take(limit as usize).collect();
        let full = looked_at.len() == limit as usize;
        let next = looked_at.last().filter(|_| full).map(|last| Order(last.0 + 1));
        let mut dropped = 0;
        for order in looked_at {
            if !state.inbox.keys().any(|key| key.1 == order) {
                state.payloads.remove(&order);
                dropped += 1;
            }
        }
        Ok(Sweep { next, dropped })
    }

    async fn forget_seen(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.state();
        let old = state.seen.iter().filter(|(_, (_, at))| *at < before).map(|entry| *entry.0);
        let old: Vec<_> = old.take(limit as usize).collect();
        state.seen.retain(|key, _| !old.contains(key));
        Ok(old.len() as u64)
    }
}

impl State {
    fn accept(&mut self, new: Acceptance) -> Accepted {
        match self.seen.get(&(new.sender, new.message_id)) {
            Some((digest, _)) if *digest == new.digest => return Accepted::Duplicate,
            Some(_) => return Accepted::MessageIdUsed,
            None => {}
        }
        if new.guards.iter().any(|it| self.generation(it.account) != Some(it.generation)) {
            return Accepted::RosterMoved;
        }
        let order = self.next_order();
        let message = Waiting {
            order,
            message_id: new.message_id,
            conversation: self.conversations.get(&new.conversation).map(|found| found.id),
            sender: self.accounts[&new.sender].id,
            sender_session: self.sessions[&new.sender_session].id,
            category: new.category,
            body: new.body,
            slot: bytes::Bytes::new(),
            details: new.details,
            accepted_at: new.accepted_at,
            deliveries: 0,
        };
        self.seen.insert((new.sender, new.message_id), (new.digest, new.accepted_at));
        self.payloads.insert(order, Payload { message, expires_at: new.expires_at });
        for slot in new.slots {
            let row = Row { leased_until: FREE, deliveries: 0, slot: slot.bytes };
            self.inbox.insert((slot.session, order), row);
        }
        Accepted::Stored(order)
    }

    fn lease(&mut self, request: &LeaseRequest) -> Vec<Waiting> {
        let session = request.inbox.session;
        let mut leased: Vec<Waiting> = Vec::new();
        let mut size = 0;
        for ((_, order), row) in
            self.inbox.range_mut((session, Order(i64::MIN))..=(session, Order(i64::MAX)))
        {
            let payload = &self.payloads[order];
            let too_old = request.not_before.is_some_and(|at| payload.message.accepted_at < at);
            if row.leased_until > request.now || payload.expires_at <= request.now || too_old {
                continue;
            }
            size += payload.message.body.len() as u64;
            let full = leased.len() >= request.limit as usize;
            if full || (size > request.max_bytes && !leased.is_empty()) {
                break;
            }
            row.leased_until = request.until;
            row.deliveries += 1;
            leased.push(Waiting {
                slot: row.slot.clone(),
                deliveries: row.deliveries,
                ..payload.message.clone()
            });
        }
        leased
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
