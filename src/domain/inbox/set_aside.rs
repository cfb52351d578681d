//! Messages that a reader does not get past.
//!
//! A message that makes its reader fail is handed out again and again, and with it everything that
//! came along. So after some deliveries it is handed out alone, and after some more it is set
//! aside: it waits on, but nobody gets it, until its owner or the operator asks for another try,
//! drops it, or its time is over. A late acknowledgement still removes it.

use sealpost_sdk::types;

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::{ConversationId, MessageId, SessionId, UserId};
use crate::domain::inbox::InboxKey;
use crate::domain::ports::Hint;

/// From when on a lease takes a message for the cause of trouble. Gap markers are never set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isolation {
    /// A message that was handed out so often is handed out alone.
    pub after: u32,
    /// A message that was handed out so often is set aside in place of another time.
    pub set_aside_after: u32,
    /// The id of the gap marker that says so.
    pub gap_id: MessageId,
}

/// What becomes of a message that was handed out in vain for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InVain {
    /// It is set aside, and its reader told.
    SetAside,
    /// It is handed out again and again, alone: its reader's protocol has no words to be told that
    /// something was set aside, nor to ask for it again.
    Repeat,
}

impl Isolation {
    /// Whether a message that was handed out so often goes alone.
    #[must_use]
    pub fn is_suspect(&self, deliveries: u32) -> bool {
        deliveries >= self.after
    }

    /// Whether a message that was handed out so often is set aside.
    #[must_use]
    pub fn is_hopeless(&self, deliveries: u32) -> bool {
        deliveries >= self.set_aside_after
    }
}

/// A message that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The sender's id for it.
    pub message_id: MessageId,
    /// Where it belongs.
    pub conversation: Option<ConversationId>,
    /// Who sent it.
    pub sender: UserId,
    /// What kind of content is inside.
    pub category: String,
    /// When the gateway took it.
    pub accepted_at: Timestamp,
    /// How often it was handed out.
    pub deliveries: u32,
    /// When it was set aside.
    pub at: Timestamp,
}

impl SetAside {
    /// Why, in words.
    #[must_use]
    pub fn reason(&self) -> String {
        format!("delivered {} times without an acknowledgement", self.deliveries)
    }

    /// It as bots and operators see it.
    #[must_use]
    pub fn to_wire(&self) -> types::SetAsideMessage {
        types::SetAsideMessage {
            message_id: self.message_id,
            conversation_id: self.conversation,
            user_id: self.sender,
            category: self.category.clone(),
            deliveries: self.deliveries,
            reason: self.reason(),
            set_aside_at: self.at.to_string(),
            created_at: self.accepted_at.to_string(),
        }
    }
}

/// An inbox in which something is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StuckInbox {
    /// Whose it is.
    pub user: UserId,
    /// The session, or the device, that does not get past it.
    pub session: SessionId,
    /// How many messages are.
    pub messages: u64,
    /// When the first of them was.
    pub since: Timestamp,
}

/// What there is to say about an inbox as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboxStatus {
    /// How many messages wait, those that are set aside and gap markers included.
    pub waiting: u64,
    /// How many of them are set aside.
    pub set_aside: u64,
    /// When its session last looked into it, if ever, to within the precision of sightings.
    pub last_seen: Option<Timestamp>,
}

impl Gateway {
    pub(super) fn isolation(&self, in_vain: InVain) -> Isolation {
        let set_aside_after = match in_vain {
            InVain::SetAside => self.limits.set_aside_after,
            InVain::Repeat => u32::MAX,
        };
        let (after, gap_id) = (self.limits.isolate_after, self.random_id());
        Isolation { after, set_aside_after, gap_id }
    }

    /// Gives a message that was set aside another try: it is handed out as if for the first time,
    /// in its old place.
    ///
    /// # Errors
    /// [`Fault::NotFound`] unless the message is set aside in this inbox; others when the store
    /// fails.
    pub async fn retry_set_aside(&self, inbox: InboxKey, id: MessageId) -> Result<(), Fault> {
        if !self.store.retry_set_aside(inbox, id).await? {
            return Err(NOT_SET_ASIDE);
        }
        self.bus.publish(Hint::Wake([inbox.session].into()));
        Ok(())
    }

    /// Drops a message that was set aside.
    ///
    /// # Errors
    /// [`Fault::NotFound`] unless the message is set aside in this inbox; others when the store
    /// fails.
    pub async fn drop_set_aside(&self, inbox: InboxKey, id: MessageId) -> Result<(), Fault> {
        if !self.store.drop_set_aside(inbox, id).await? {
            return Err(NOT_SET_ASIDE);
        }
        Ok(())
    }
}

const NOT_SET_ASIDE: Fault = Fault::NotFound { what: "set-aside message" };
