//! Inboxes: what waits for a session, from being stored until it is acknowledged.
//!
//! An inbox is a set of rows that acknowledgements delete, never "everything after a cursor": a
//! number is handed out before its transaction commits, so a cursor could pass a row that nobody
//! sees yet.

mod gap;
mod quota;
mod set_aside;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{
    AccountNumber, ConversationId, ConversationNumber, MessageId, Order, SessionId, SessionNumber,
    Shard, UserId,
};
use super::ports::Hint;
use super::session::Session;
use super::top_up::TopUpOffer;

pub use gap::{Gap, GapReason, SYSTEM_GAP};
pub use quota::{FULL_RETRY, Intake, Quota, WhenFull};
pub use set_aside::{InVain, InboxStatus, Isolation, SetAside, StuckInbox};
pub use sweep::{Cleared, OLDEST_MESSAGE, Sweep, SweepRequest};

/// How long message ids are remembered at least, so that a late retry is still a duplicate.
pub const IDS_REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A message that passed every rule, ready to be stored. Cheap to clone: the bytes are shared.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// Who sends.
    pub sender: AccountNumber,
    /// From which session.
    pub sender_session: SessionNumber,
    /// Where it belongs.
    pub conversation: ConversationNumber,
    /// The sender's id for it: a second one with the same id is a duplicate.
    pub message_id: MessageId,
    /// Tells a repeated request from another message under the same id.
    pub digest: MessageDigest,
    /// What kind of content is inside, in the words of the dialect.
    pub category: String,
    /// The parts that all recipients share.
    pub body: Bytes,
    /// What only a few messages have.
    pub details: Details,
    /// One row for each session that gets it.
    pub slots: Vec<Slot>,
    /// The generations of what was compared; the store compares them again. Messages for the same
    /// audience share them.
    pub guards: Arc<[Guard]>,
    /// How much may wait for each of these sessions.
    pub quota: Quota,
    /// When the gateway took it.
    pub accepted_at: Timestamp,
    /// When it is dropped even if nobody has read it.
    pub expires_at: Timestamp,
    /// Set when not everybody was covered, and slots may be added later.
    pub top_up: Option<TopUpOffer>,
}

/// Fields that few messages carry; the store keeps them as one versioned blob.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Details {
    /// The account for which a bot speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub representative: Option<UserId>,
    /// The message that this one quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<MessageId>,
    /// Whether devices should stay quiet about it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// Seconds after which readers should drop it; 0 for never.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub expire_in: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// The first 16 bytes of the SHA-256 over everything of a message that a reader could tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageDigest(pub [u8; 16]);

/// One session's own part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The shard of the session's account.
    pub shard: Shard,
    /// The session.
    pub session: SessionNumber,
    /// Its part: 64 bytes in Mixin's dialect.
    pub bytes: Bytes,
}

impl Slot {
    /// Where its row waits.
    #[must_use]
    pub const fn inbox(&self) -> InboxKey {
        InboxKey { shard: self.shard, session: self.session }
    }
}

/// A generation at the time of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    /// That of an account's roster: it rises with every change to the account's sessions.
    Roster {
        /// Whose roster.
        account: AccountNumber,
        /// Its generation then.
        generation: i64,
    },
    /// That of a conversation: it rises with every change to who takes part.
    Conversation {
        /// Which conversation.
        conversation: ConversationNumber,
        /// Its generation then.
        generation: i64,
    },
}

/// What a reader lets go of before its time: messages of one lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// Which messages.
    pub orders: Vec<Order>,
    /// Until when they were leased. It tells this lease from a later one of the same messages, which
    /// begins when this one is over.
    pub until: Timestamp,
    /// How.
    pub how: Release,
}

/// How a reader lets go of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It never got it: the delivery does not count.
    Unsent,
    /// It may have got it, and did not acknowledge.
    Unacknowledged,
}

/// What became of an [`Acceptance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// On disk, once.
    Stored(Order),
    /// The very same message was accepted before.
    Duplicate,
    /// Another message was accepted under this id before.
    MessageIdUsed,
    /// A roster or a conversation has changed since the comparison; nothing was stored.
    RosterMoved,
    /// Too much waits for a session that it is for; nothing was stored.
    Full,
}

/// A session's place in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboxKey {
    /// The shard of the session's account.
    pub shard: Shard,
    /// The session.
    pub session: SessionNumber,
}

impl InboxKey {
    /// Where this session's messages wait.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        Self { shard: session.account.shard(), session: session.number }
    }
}

/// Which waiting messages a reader wants to hold for a while.
#[derive(Clone, Copy, Debug)]
pub struct LeaseRequest {
    /// Whose inbox.
    pub inbox: InboxKey,
    /// At most so many messages.
    pub limit: u32,
    /// At most so many bytes of bodies and slots, but at least one message.
    pub max_bytes: u64,
    /// The present moment: leases that ended before it are free again.
    pub now: Timestamp,
    /// When the new leases end.
    pub until: Timestamp,
    /// Leaves older messages where they are.
    pub not_before: Option<Timestamp>,
    /// How messages are treated that were handed out in vain before.
    pub isolation: Isolation,
}

/// What a reader holds from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The messages, oldest first.
    pub messages: Vec<Waiting>,
    /// Until when they are held.
    pub until: Timestamp,
    /// Whether something may be free that is not among them: the request allowed no more, a message
    /// has to be handed out alone, or others were faster each time. If not, nothing else was free.
    pub more: bool,
}

/// A message as its reader gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its place in the one order of all messages.
    pub order: Order,
    /// The sender's id for it.
    pub message_id: MessageId,
    /// Where it belongs; nowhere for a message of the gateway itself.
    pub conversation: Option<ConversationId>,
    /// Who sent it.
    pub sender: UserId,
    /// From which session.
    pub sender_session: SessionId,
    /// What kind of content is inside.
    pub category: String,
    /// The parts that all recipients share.
    pub body: Bytes,
    /// The reader's own part; empty for messages of the gateway itself.
    pub slot: Bytes,
    /// What only a few messages have.
    pub details: Details,
    /// When the gateway took it.
    pub accepted_at: Timestamp,
    /// How often it has been handed out, this time included.
    pub deliveries: u32,
}

impl Waiting {
    /// Its bytes: of its body and of the reader's own part.
    #[must_use]
    pub fn size(&self) -> u64 {
        (self.body.len() + self.slot.len()) as u64
    }
}

/// A part of an inbox to look at.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Behind this message, or from the first one on.
    pub after: Option<Order>,
    /// Messages at most.
    pub limit: u32,
    /// Bytes of their bodies and slots at most; a single message may have more.
    pub max_bytes: u64,
}

impl Gateway {
    /// Hands out what waits in an inbox, and holds it for this reader for a while. A message that
    /// was handed out in vain several times comes alone, and what stands before such a one comes
    /// without it.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn lease(
        &self,
        inbox: InboxKey,
        limit: u32,
        max_age: Option<Duration>,
    ) -> Result<Vec<Waiting>, Fault> {
        let most = self.limits.inbox_page_bytes;
        Ok(self.lease_page(inbox, limit, most, max_age, InVain::SetAside).await?.messages)
    }

    /// The same for a reader that wants only so many bytes, but at least one message, and
    /// that wants to know whether there is more, and says what becomes of what was handed out in
    /// vain for long.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn lease_page(
        &self,
        inbox: InboxKey,
        limit: u32,
        max_bytes: u64,
        max_age: Option<Duration>,
        in_vain: InVain,
    ) -> Result<Leased, Fault> {
        let now = self.clock.now();
        let request = LeaseRequest {
            inbox,
            limit: limit.min(self.limits.inbox_page),
            max_bytes: max_bytes.min(self.limits.inbox_page_bytes),
            now,
            until: now.plus(self.limits.lease),
            not_before: max_age.map(|age| now.minus(age)),
            isolation: self.isolation(in_vain),
        };
        self.note_seen(inbox.session).await;
        let leased = self.store.lease(request).await?;
        self.count_deliveries(&leased);
        Ok(leased)
    }

    /// Frees leases before their time, and tells whoever else reads the inbox.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn release(&self, inbox: InboxKey, returned: Returned) -> Result<(), Fault> {
        self.store.release(inbox, returned).await?;
        self.bus.publish(Hint::Wake([inbox.session].into()));
        Ok(())
    }
}
