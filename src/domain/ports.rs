//! What the rules need from outside: a store, a bus for hints, randomness.
//!
//! One method is one transaction and one step of business, so no transaction leaks into a caller
//! and each store may use its best tools.

mod bus;
mod dropboxes;
mod files;
mod members;
mod nodes;
mod outside;
mod phones;
mod relays;
mod reports;
mod sign_ups;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::account::{Account, CreatedAccount, NewAccount, ProfileChange};
use super::acknowledge::Acknowledged;
use super::changes::{ChangedContacts, Cursor};
use super::clock::Timestamp;
use super::conversation::change::{Change, Changed};
use super::conversation::group::NewGroup;
use super::conversation::{ContactPair, Conversation};
use super::error::Fault;
use super::idempotency::{AnswerQuota, Claimed, RequestClaim, RunningRequest, StoredAnswer};
use super::ids::{
    AccountNumber, CodeId, ConversationId, ConversationNumber, MessageId, Order, SessionId,
    SessionNumber, UserId,
};
use super::inbox::{
    Acceptance, Accepted, Cleared, InboxKey, InboxStatus, LeaseRequest, Leased, MessageDigest,
    Returned, SetAside, Stretch, StuckInbox, Sweep, SweepRequest, Waiting,
};
use super::relationship::{Relation, RelationChange};
use super::roster::Roster;
use super::session::{ApiToken, NewSession, SessionOwner, SignedIn, TokenHash};
use super::top_up::{OpenTopUp, SlotAddition, SlotsAdded};

pub use bus::{Bus, Hint, HintStream};
pub use dropboxes::{DropBoxes, Mailer};
pub use files::{Attachments, BLOB_PARTS, Blobs, ByteStream, Incoming, Written};
pub use members::{Chats, Introductions, Members, OneTimeKeys};
pub use nodes::{
    AskNodeError, KnownNode, Listing, Neighbours, NodeAnswer, NodeOutbox, NodeRequest, Nodes,
};
pub use outside::{CodeDelivery, CodeMessage, CodeSender, Notification, Notifier, Push, Pushed};
pub use phones::{Codes, Phones, Prekeys};
pub use relays::{RelayAnswer, RelayError, RelayRequest, Relays};
pub use reports::{Backlog, Connections, Load, MOST_COUNTED, Soundness, Statistics};
pub use sign_ups::SignUps;

/// Accounts by their public names. An account has one dialect, and nothing is bridged: whoever asks
/// for accounts, rosters and sessions here is of Mixin's, and those of others are unknown to them.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Makes an account and signs its first sessions in, or does nothing at all.
    ///
    /// # Errors
    /// [`Fault::Conflict`] when its id, or its external name in this dialect, is taken, and
    /// (`public_key`) when a signing key is given twice or on file for any session, live or ended.
    async fn create_account(&self, account: NewAccount) -> Result<CreatedAccount, Fault>;

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

    /// Changes what an account says about itself; returns it as it is then.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is none.
    async fn change_profile(&self, user: UserId, change: ProfileChange) -> Result<Account, Fault>;
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

    /// Ends a live session of `user`: it is marked, the roster generation rises, its API tokens go,
    /// and what waited for it is out of reach. [`Inbox::clear_ended`] removes that.
    ///
    /// # Errors
    /// [`Fault::NotFound`] unless it is a live session of `user`.
    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        at: Timestamp,
    ) -> Result<SessionNumber, Fault>;

    /// The session of that id, live or ended, and its account; a numbered device of a phone is none.
    async fn session(&self, id: SessionId) -> Result<Option<SessionOwner>, Fault>;

    /// Those of `sessions` that belong to one of `accounts` and have ended.
    async fn ended_among(
        &self,
        accounts: &[AccountNumber],
        sessions: &[SessionId],
    ) -> Result<Vec<SessionId>, Fault>;

    /// Keeps an API token.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when its session is not live.
    async fn add_api_token(&self, token: ApiToken) -> Result<(), Fault>;

    /// The API token with that hash, expired or not.
    async fn api_token(&self, hash: TokenHash) -> Result<Option<ApiToken>, Fault>;

    /// Drops all API tokens of a session.
    async fn drop_api_tokens(&self, session: SessionId) -> Result<(), Fault>;
}

/// The live sessions of accounts.
#[async_trait]
pub trait Rosters: Send + Sync {
    /// The rosters of these accounts, in no particular order; unknown accounts are left out, an
    /// account without a live session has an empty roster. May be as old as a cache is.
    async fn rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault>;

    /// The same, straight from the database.
    async fn fresh_rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault>;

    /// The number of the latest change to any roster.
    async fn newest_change(&self) -> Result<Cursor, Fault>;

    /// Looks through the changes after `after`, at most [`super::changes::LOOK`] of them, for
    /// `account` itself and those that share a conversation with it; ends with the `limit`th.
    async fn changed_contacts(
        &self,
        account: AccountNumber,
        after: Cursor,
        limit: u32,
    ) -> Result<ChangedContacts, Fault>;
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

    /// The conversations with these ids, in no particular order; unknown ones are left out. The
    /// participants come in the order in which they joined. May be as old as a cache is.
    async fn conversations(&self, ids: &[ConversationId]) -> Result<Vec<Conversation>, Fault>;

    /// The same, straight from the database.
    async fn fresh_conversations(&self, ids: &[ConversationId])
    -> Result<Vec<Conversation>, Fault>;

    /// Makes a group and leaves its notices, or does nothing when there is a conversation with its
    /// id: [`Changed::Moved`].
    async fn create_group(&self, group: NewGroup) -> Result<Changed, Fault>;

    /// Makes a change, raises the conversation's generation and leaves the notices, in one
    /// transaction; or does nothing when the generation is another one: [`Changed::Moved`].
    async fn change_conversation(&self, change: Change) -> Result<Changed, Fault>;

    /// The group that this code opens.
    async fn conversation_by_code(&self, code: CodeId) -> Result<Option<ConversationId>, Fault>;

    /// Notes until when a participant wants no noise; does nothing when it takes no part. The
    /// generation stays. `id` and `conversation` are the same conversation.
    async fn mute(
        &self,
        id: ConversationId,
        conversation: ConversationNumber,
        account: AccountNumber,
        until: Option<Timestamp>,
    ) -> Result<(), Fault>;
}

/// What accounts are to each other.
#[async_trait]
pub trait Relationships: Send + Sync {
    /// Changes what `other` is to `owner`.
    async fn change_relation(
        &self,
        owner: AccountNumber,
        other: AccountNumber,
        change: RelationChange,
        at: Timestamp,
    ) -> Result<(), Fault>;

    /// What those of `others` are to `owner` that are anything, in no particular order.
    async fn relations(
        &self,
        owner: AccountNumber,
        others: &[AccountNumber],
    ) -> Result<Vec<(AccountNumber, Relation)>, Fault>;

    /// The accounts that are `relation` to `owner`, at most `limit`, the latest first.
    async fn related(
        &self,
        owner: AccountNumber,
        relation: Relation,
        limit: u32,
    ) -> Result<Vec<Account>, Fault>;

    /// Those of `among` that have blocked `account`.
    async fn blockers(
        &self,
        account: AccountNumber,
        among: &[AccountNumber],
    ) -> Result<Vec<AccountNumber>, Fault>;

    /// Everybody who has blocked `account`, in no particular order; nothing when they are more than
    /// `limit`.
    async fn all_blockers(
        &self,
        account: AccountNumber,
        limit: u32,
    ) -> Result<Option<Vec<AccountNumber>>, Fault>;

    /// Those of `users` that take part in a conversation in which `account` takes part too.
    async fn companions_among(
        &self,
        account: AccountNumber,
        users: &[UserId],
    ) -> Result<Vec<UserId>, Fault>;
}

/// Requests that may come again under a key of their caller's.
#[async_trait]
pub trait Requests: Send + Sync {
    /// Claims a request for whoever asks first, or says what became of it.
    async fn claim_request(&self, claim: RequestClaim) -> Result<Claimed, Fault>;

    /// Keeps the answer of a claimed request, or gives the claim back when there is none to keep. An
    /// answer that does not fit into `quota` leaves a mark that the request was done.
    /// Does nothing when the claim has gone to somebody else.
    async fn finish_request(
        &self,
        running: RunningRequest,
        answer: Option<StoredAnswer>,
        quota: AnswerQuota,
    ) -> Result<(), Fault>;

    /// Forgets at most `limit` requests whose time is over; returns how many.
    async fn forget_requests(&self, now: Timestamp, limit: u32) -> Result<u64, Fault>;
}

/// Messages that were stored for some of their recipients, and may get more slots.
#[async_trait]
pub trait TopUps: Send + Sync {
    /// The message that `sender` may add slots to at `now`, if it is one of those.
    async fn open_top_up(
        &self,
        sender: AccountNumber,
        message: MessageId,
        now: Timestamp,
    ) -> Result<Option<OpenTopUp>, Fault>;

    /// Adds rows to inboxes at the place where their message stands. Sessions that it was stored
    /// for before get no second row, whether they have acknowledged theirs or not. The payload of
    /// an open top-up is kept whoever has acknowledged.
    async fn add_slots(&self, addition: SlotAddition) -> Result<SlotsAdded, Fault>;

    /// Closes at most `limit` top-ups whose time is over; returns how many.
    async fn close_top_ups(&self, now: Timestamp, limit: u32) -> Result<u64, Fault>;
}

/// Makes ids for messages of the gateway itself.
pub type FreshId<'a> = &'a (dyn Fn() -> MessageId + Send + Sync);

/// Messages and who still waits for them.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Stores messages, durably before it returns, and says what became of each, in order. One
    /// that cannot be stored leaves the others alone. The order of checks: an id that was seen,
    /// then the guards, then the quota ([`super::inbox::Quota`]). Where messages have to make room,
    /// the oldest that nobody holds go first, in the same transaction that leaves a gap marker.
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
    /// A message that was handed out in vain for long ([`super::inbox::Isolation`]) is the only one
    /// of an answer, and others come without it; one that is hopeless is set aside in the same
    /// transaction that leaves a gap marker. The answer says whether anything else may be free.
    async fn lease(&self, request: LeaseRequest) -> Result<Leased, Fault>;

    /// Deletes these messages from the inbox if they were handed out from it; returns those.
    async fn acknowledge(
        &self,
        inbox: InboxKey,
        ids: Vec<MessageId>,
    ) -> Result<Vec<Acknowledged>, Fault>;

    /// Frees the messages' leases at once, as if their time were over. Deliveries that the reader
    /// never got are not counted. What is leased until another time than [`Returned::until`] is
    /// somebody else's by now, and stays as it is.
    async fn release(&self, inbox: InboxKey, returned: Returned) -> Result<(), Fault>;

    /// Messages that wait in this inbox, handed out or not, oldest first; nothing changes. Those that
    /// are set aside are left out. There are some as long as any come behind the stretch's beginning.
    async fn browse(&self, inbox: InboxKey, stretch: Stretch) -> Result<Vec<Waiting>, Fault>;

    /// Deletes one message from the inbox, whether it was handed out or not.
    async fn withdraw(&self, inbox: InboxKey, order: Order) -> Result<(), Fault>;

    /// Messages that are set aside in this inbox, oldest first; from the one after `after`, or from
    /// the oldest when that is not among them.
    async fn set_aside(
        &self,
        inbox: InboxKey,
        after: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<SetAside>, Fault>;

    /// Inboxes of live sessions in which something is set aside, those that are longest so first. At
    /// most [`MOST_COUNTED`] messages are looked at.
    async fn stuck_inboxes(&self, limit: u32) -> Result<Vec<StuckInbox>, Fault>;

    /// Makes a message that is set aside wait as if it had never been handed out; returns whether
    /// there was one.
    async fn retry_set_aside(&self, inbox: InboxKey, id: MessageId) -> Result<bool, Fault>;

    /// Takes a message that is set aside out of the inbox; returns whether there was one.
    async fn drop_set_aside(&self, inbox: InboxKey, id: MessageId) -> Result<bool, Fault>;

    /// What there is to say about an inbox; nothing is counted further than to `most`.
    async fn inbox_status(&self, inbox: InboxKey, most: u32) -> Result<InboxStatus, Fault>;

    /// Notes that a session was seen at that moment, unless what is noted is less than `precision`
    /// older.
    async fn note_seen(
        &self,
        session: SessionNumber,
        at: Timestamp,
        precision: Duration,
    ) -> Result<(), Fault>;

    /// Looks at some payloads, and drops those that nobody waits for. A message whose time is over
    /// is taken out of the inboxes where it waits, except where a reader holds it at this moment;
    /// each live session that loses something is left a gap marker ([`super::inbox::Gap`]), whose
    /// id comes from `fresh_id`. It is one transaction, so nothing is dropped without its marker.
    async fn sweep(&self, request: SweepRequest, fresh_id: FreshId<'_>) -> Result<Sweep, Fault>;

    /// Removes at most `limit` of the rows that waited for sessions which have ended.
    async fn clear_ended(&self, limit: u32) -> Result<Cleared, Fault>;

    /// Forgets at most `limit` message ids that were accepted before `before`; returns how many.
    /// A call may look at a part of the ids only, and the next one goes on from there.
    async fn forget_seen(&self, before: Timestamp, limit: u32) -> Result<u64, Fault>;
}

/// Everything that the gateway keeps.
#[async_trait]
pub trait Store:
    Accounts
    + Sessions
    + SignUps
    + Rosters
    + Conversations
    + Relationships
    + Inbox
    + TopUps
    + Requests
    + Attachments
    + Phones
    + Prekeys
    + Codes
    + Members
    + OneTimeKeys
    + Introductions
    + Chats
    + Nodes
    + NodeOutbox
    + DropBoxes
{
    /// Whether the store answers; for readiness.
    async fn ping(&self) -> Result<(), Fault>;

    /// Values that belong to the whole gateway, such as its signing key: returns what is kept
    /// under `name`, or keeps and returns `fresh`.
    async fn setting_or(&self, name: &'static str, fresh: Vec<u8>) -> Result<Vec<u8>, Fault>;

    /// What the store says about itself.
    async fn statistics(&self) -> Result<Statistics, Fault>;

    /// How much waits in all inboxes, counted up to `most`: never more than a look at so many rows.
    async fn backlog(&self, most: u32) -> Result<Backlog, Fault>;

    /// What the store does at this moment, without asking the database.
    fn load(&self) -> Load;

    /// Looks for damage in what is kept, for at most about `patience`. Requests go on beside it.
    async fn check(&self, patience: Duration) -> Result<Soundness, Fault>;

    /// Finishes what was taken and closes the files.
    async fn close(&self);
}

/// Randomness fit for keys.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}
