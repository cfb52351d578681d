//! What the rules need from outside: a store, a bus for hints, randomness.
//!
//! One method is one transaction and one step of business, so no transaction leaks into a caller
//! and each store may use its best tools.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::Stream;

use super::account::{Account, NewAccount};
use super::clock::Timestamp;
use super::conversation::{ContactPair, Conversation};
use super::error::Fault;
use super::ids::{
    AccountNumber, ConversationId, ConversationNumber, MessageId, Order, SessionId, SessionNumber,
    UserId,
};
use super::inbox::{Acceptance, Accepted, InboxKey, LeaseRequest, MessageDigest, Sweep, Waiting};
use super::roster::Roster;
use super::session::{ApiToken, NewSession, SessionOwner, SignedIn, TokenHash};

/// Accounts by their public names.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Makes an account.
    ///
    /// # Errors
    /// [`Fault::Conflict`] when its id, or its external name in this dialect, is taken.
    async fn create_account(&self, account: NewAccount) -> Result<Account, Fault>;

    /// The accounts with these ids, in no particular order; unknown ones are left out.
    async fn accounts(&self, ids: &[UserId]) -> Result<Vec<Account>, Fault>;

    /// The account with this external name in Mixin's dialect: its identity number.
    async fn account_by_identity_number(&self, number: &str) -> Result<Option<Account>, Fault>;

    /// A page of all accounts in order of their numbers, from the one after `after`.
    async fn list_accounts(
        &self,
        after: Option<AccountNumber>,
        limit: u32,
    ) -> Result<Vec<Account>, Fault>;
}

/// Sessions and the tokens that act for them.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Signs a session in, raises its account's roster generation, and ends the session that it
    /// replaces. When messages waited for that one, a gap marker ([`super::inbox::Gap`], category
    /// [`super::inbox::SYSTEM_GAP`]) is left in the new session's inbox: a message with the id
    /// `gap_id`, sent by the new session itself, in no conversation, with an empty slot.
    ///
    /// # Errors
    /// [`Fault::Conflict`] (`public_key`) when the signing key is on file for any session, live or
    /// ended, or when the account already has `limit` live sessions without the replaced one;
    /// [`Fault::NotFound`] when `replaces` is not a live session of the account.
    async fn sign_in(
        &self,
        session: NewSession,
        limit: u32,
        gap_id: MessageId,
    ) -> Result<SignedIn, Fault>;

    /// Ends a live session of `user`: it is marked, the roster generation rises, its waiting rows
    /// and API tokens go.
    ///
    /// # Errors
    /// [`Fault::NotFound`] unless it is a live session of `user`.
    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        at: Timestamp,
    ) -> Result<SessionNumber, Fault>;

    /// The session of that id, live or ended, and its account.
    async fn session(&self, id: SessionId) -> Result<Option<SessionOwner>, Fault>;

    /// Those of `sessions` that belong to `account` and have ended.
    async fn ended_among(
        &self,
        account: AccountNumber,
        sessions: &[SessionId],
    ) -> Result<Vec<SessionId>, Fault>;

    /// Keeps an API token.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when its session is not live.
    async fn add_api_token(&self, token: ApiToken) -> Result<(), Fault>;

    /// The API token with that hash, expired or not.
    async fn api_token(&self, hash: TokenHash) -> Result<Option<ApiToken>, Fault>;
}

/// The live sessions of accounts.
#[async_trait]
pub trait Rosters: Send + Sync {
    /// The rosters of these accounts, in no particular order; unknown accounts are left out, an
    /// account without a live session has an empty roster. May be as old as a cache is.
    async fn rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault>;

    /// The same, straight from the database.
    async fn fresh_rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault>;
}

/// Conversations and who takes part.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// Makes those of the conversations that do not exist yet, in one transaction; returns their
    /// numbers in the order of `pairs`.
    async fn ensure_contacts(
        &self,
        pairs: &[ContactPair],
        at: Timestamp,
    ) -> Result<Vec<ConversationNumber>, Fault>;

    /// The conversations with these ids, in no particular order; unknown ones are left out.
    async fn conversations(&self, ids: &[ConversationId]) -> Result<Vec<Conversation>, Fault>;
}

/// Messages and who still waits for them.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Stores messages, durably before it returns, and says what became of each, in order. One
    /// that cannot be stored leaves the others alone. The order of checks: an id that was seen,
    /// then the guards.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when nothing was stored: the queue is full, the disk is full, the
    /// database is locked.
    async fn accept(&self, messages: Vec<Acceptance>) -> Result<Vec<Accepted>, Fault>;

    /// The digests under which this sender's ids were accepted, in the order of `ids`.
    async fn seen(
        &self,
        sender: AccountNumber,
        ids: &[MessageId],
    ) -> Result<Vec<Option<MessageDigest>>, Fault>;

    /// Hands out the oldest messages that nobody holds, in order, and holds them for the caller.
    async fn lease(&self, request: LeaseRequest) -> Result<Vec<Waiting>, Fault>;

    /// Deletes these messages from the inbox if they were handed out from it.
    async fn acknowledge(&self, inbox: InboxKey, ids: Vec<MessageId>) -> Result<(), Fault>;

    /// Frees the messages' leases at once, as if their time were over: for an answer that never
    /// reached its reader.
    async fn release(&self, inbox: InboxKey, orders: Vec<Order>) -> Result<(), Fault>;

    /// Drops payloads that nobody waits for, among at most `limit` from `from` on.
    async fn sweep(&self, from: Option<Order>, limit: u32) -> Result<Sweep, Fault>;

    /// Forgets at most `limit` message ids that were accepted before `before`; returns how many.
    /// A call may look at a part of the ids only, and the next one goes on from there.
    async fn forget_seen(&self, before: Timestamp, limit: u32) -> Result<u64, Fault>;
}

/// Everything that the gateway keeps.
#[async_trait]
pub trait Store: Accounts + Sessions + Rosters + Conversations + Inbox {
    /// Whether the store answers; for readiness.
    async fn ping(&self) -> Result<(), Fault>;

    /// Values that belong to the whole gateway, such as its signing key: returns what is kept
    /// under `name`, or keeps and returns `fresh`.
    async fn setting_or(&self, name: &'static str, fresh: Vec<u8>) -> Result<Vec<u8>, Fault>;

    /// Finishes what was taken and closes the files.
    async fn close(&self);
}

/// A hint from one part of the gateway to the others. Hints may be lost, doubled or late; the
/// store is the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something waits for these sessions.
    Wake(Arc<[SessionNumber]>),
    /// This session was revoked.
    SessionEnded(SessionNumber),
    /// So many hints were lost that everybody should look.
    Everybody,
}

/// The hints that come in.
pub type HintStream = Pin<Box<dyn Stream<Item = Hint> + Send>>;

/// Carries hints.
pub trait Bus: Send + Sync {
    /// Tells everybody; never waits.
    fn publish(&self, hint: Hint);

    /// All hints from now on.
    fn subscribe(&self) -> HintStream;
}

/// Randomness fit for keys.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}
