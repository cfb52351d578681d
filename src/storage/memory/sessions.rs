//! Sessions and tokens in memory.

use async_trait::async_trait;
use bytes::Bytes;
use sealpost_sdk::keys::VerifyingKey;

use super::{MemoryStore, Payload, Row, Seat, State};
use crate::domain::Fault;
use crate::domain::account::{Account, FirstSession};
use crate::domain::changes::Cursor;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, Order, SessionId, SessionNumber, UserId};
use crate::domain::inbox::{Details, GapReason, SYSTEM_GAP, Waiting};
use crate::domain::ports::Sessions;
use crate::domain::session::{ApiToken, NewSession, Session, SessionOwner, SignedIn, TokenHash};
use crate::storage::gap::Missing;

#[async_trait]
impl Sessions for MemoryStore {
    async fn sign_in(
        &self,
        new: NewSession,
        limit: u32,
        gap_id: MessageId,
    ) -> Result<SignedIn, Fault> {
        self.change().sign_in(new, limit, gap_id)
    }

    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        at: Timestamp,
    ) -> Result<SessionNumber, Fault> {
        let mut state = self.change();
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
        accounts: &[AccountNumber],
        sessions: &[SessionId],
    ) -> Result<Vec<SessionId>, Fault> {
        let state = self.state();
        let ended = state.sessions.values().filter(|session| {
            accounts.contains(&session.account)
                && !session.is_live()
                && sessions.contains(&session.id)
        });
        Ok(ended.map(|session| session.id).collect())
    }

    async fn add_api_token(&self, token: ApiToken) -> Result<(), Fault> {
        let mut state = self.change();
        if state.live(|live| live.id == token.session).is_none() {
            return Err(Fault::NotFound { what: "session" });
        }
        state.tokens.insert(token.hash, token);
        Ok(())
    }

    async fn api_token(&self, hash: TokenHash) -> Result<Option<ApiToken>, Fault> {
        Ok(self.state().tokens.get(&hash).cloned())
    }

    async fn drop_api_tokens(&self, session: SessionId) -> Result<(), Fault> {
        self.change().tokens.retain(|_, token| token.session != session);
        Ok(())
    }
}

impl State {
    /// Whether a key belongs to a session, of whatever dialect, live or ended.
    pub(super) fn is_key_on_file(&self, key: &VerifyingKey) -> bool {
        self.messenger.keys.contains_key(key)
            || self.sessions.values().any(|session| session.signing_key == *key)
    }

    fn live(&self, which: impl Fn(&Session) -> bool) -> Option<(SessionNumber, AccountNumber)> {
        let mut live = self.sessions.values().filter(|session| session.is_live());
        live.find(|session| which(session)).map(|session| (session.number, session.account))
    }

    /// Makes what others know of an account's roster old; for phones, of whose changes nobody keeps
    /// a log.
    pub(super) fn raise_own(&mut self, account: AccountNumber) {
        *self.generations.entry(account).or_default() += 1;
    }

    pub(super) fn raise_generation(&mut self, account: AccountNumber) {
        self.raise_own(account);
        let next = Cursor(self.newest_change().0 + 1);
        self.roster_changes.retain(|_, changed| *changed != account);
        self.roster_changes.insert(next, account);
    }

    fn sign_in(
        &mut self,
        new: NewSession,
        limit: u32,
        gap_id: MessageId,
    ) -> Result<SignedIn, Fault> {
        let account = self.accounts.get(&new.account).ok_or(Fault::NotFound { what: "user" })?;
        let user = account.id;
        if self.is_key_on_file(&new.signing_key) {
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
        let created_at = new.created_at;
        let session = self.add_session(user, new);
        let replaced = replaced.map(|(number, _)| number);
        if let Some(old) = replaced {
            let missing = self.end(old, created_at);
            if let Some(gap) = missing.into_gap() {
                self.leave_gap(session.number, gap_id, created_at, gap.to_json());
            }
        }
        self.raise_generation(session.account);
        Ok(SignedIn { session, replaced })
    }

    /// Signs a session in together with its account.
    pub(super) fn first_session(&mut self, account: &Account, first: FirstSession) -> Session {
        self.raise_generation(account.number);
        self.add_session(account.id, first.of(account))
    }

    fn add_session(&mut self, user: UserId, new: NewSession) -> Session {
        let number = self.seat(Seat { id: new.id, user, created_at: new.created_at });
        let session = Session {
            number,
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
        session
    }

    /// Ends a session and says what waited for it.
    fn end(&mut self, number: SessionNumber, at: Timestamp) -> Missing {
        let session = self.sessions.get_mut(&number).expect("callers pass a session on file");
        session.ended_at = Some(at);
        let id = session.id;
        self.tokens.retain(|_, token| token.session != id);
        self.empty(number)
    }

    /// Takes everything out of an inbox and says what it was.
    pub(super) fn empty(&mut self, number: SessionNumber) -> Missing {
        let mut missing = Missing::new(GapReason::SignedInAgain);
        for (_, order) in self.inbox.extract_if(.., |key, _| key.0 == number).map(|row| row.0) {
            let message = &self.payloads[&order].message;
            match message.category.as_str() {
                SYSTEM_GAP => _ = missing.add_marker(&message.body, message.accepted_at),
                _ => missing.add(1, message.accepted_at, message.accepted_at),
            }
        }
        missing
    }

    /// Puts a marker in front of an inbox.
    pub(super) fn leave_gap(
        &mut self,
        session: SessionNumber,
        message_id: MessageId,
        at: Timestamp,
        body: String,
    ) {
        let order = Order(-self.next_order().0);
        let seat = self.seats[&session];
        let message = Waiting {
            order,
            message_id,
            conversation: None,
            sender: seat.user,
            sender_session: seat.id,
            category: SYSTEM_GAP.to_owned(),
            body: body.into(),
            slot: Bytes::new(),
            details: Details::default(),
            accepted_at: at,
            deliveries: 0,
        };
        let expires_at = Timestamp::from_micros(i64::MAX);
        self.payloads.insert(order, Payload { message, expires_at });
        self.inbox.insert((session, order), Row::new(Bytes::new()));
    }
}
