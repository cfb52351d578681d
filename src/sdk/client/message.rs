//! One message on its way out: to whom, what, and under which id.

use crate::conversation::contact_conversation_id;
use crate::ids::{ConversationId, MessageId, UserId};

use super::content::Content;

/// A message to one account or to everyone in a conversation, before it is sealed.
///
/// ```
/// use sealpost_sdk::client::{Message, Text};
/// use sealpost_sdk::ids::{MessageId, UserId};
///
/// let alice = UserId::from_bytes([1; 16]);
/// let kept_by_me = MessageId::from_bytes([2; 16]);
/// let message = Message::to(&alice, Text::new("the build is green")).with_id(kept_by_me).silent();
/// assert_eq!(message.recipient(), Some(alice));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub(super) to: Address,
    pub(super) content: Content,
    pub(super) on_stale: OnStale,
    pub(super) id: Option<MessageId>,
    pub(super) quote: Option<MessageId>,
    pub(super) representative: Option<UserId>,
    pub(super) silent: bool,
    pub(super) expire_in: i64,
}

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    /// One account, in the conversation of the two unless another one is named.
    Account(UserId, Option<ConversationId>),
    /// Everyone else in a conversation.
    Conversation(ConversationId),
}

/// What happens to a message whose list of sessions is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnStale {
    /// Nobody gets it before it is sealed again for the fresh list. Everyone gets it at the same
    /// time.
    #[default]
    Reseal,
    /// The devices that it covers get it at once, and the others get their slots right afterwards,
    /// without the body being sent again.
    DeliverKnown,
}

impl Message {
    /// A message to every device of `recipient`, in the conversation of the two accounts.
    pub fn to(recipient: &UserId, content: impl Into<Content>) -> Self {
        Self::new(Address::Account(*recipient, None), content.into())
    }

    /// A message to every device of everyone else in `conversation`.
    pub fn to_conversation(conversation: &ConversationId, content: impl Into<Content>) -> Self {
        Self::new(Address::Conversation(*conversation), content.into())
    }

    fn new(to: Address, content: Content) -> Self {
        Self {
            to,
            content,
            on_stale: OnStale::Reseal,
            id: None,
            quote: None,
            representative: None,
            silent: false,
            expire_in: 0,
        }
    }

    /// Sends under this id instead of a random one.
    ///
    /// The id is what makes sending repeatable: the gateway delivers one id once. Keep it with the
    /// work that caused the message, and a program that was killed may simply send again.
    #[must_use]
    pub fn with_id(mut self, id: MessageId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sends to the one account in another conversation than that of the two.
    #[must_use]
    pub fn in_conversation(mut self, conversation: ConversationId) -> Self {
        self.to = match self.to {
            Address::Account(recipient, _) => Address::Account(recipient, Some(conversation)),
            Address::Conversation(_) => Address::Conversation(conversation),
        };
        self
    }

    /// Says what happens when the list of sessions turns out to be old.
    #[must_use]
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.on_stale = on_stale;
        self
    }

    /// Shows the message as an answer to another one.
    #[must_use]
    pub fn quoting(mut self, quoted: MessageId) -> Self {
        self.quote = Some(quoted);
        self
    }

    /// Shows the message as coming from `user`, for whom the bot speaks.
    #[must_use]
    pub fn on_behalf_of(mut self, user: UserId) -> Self {
        self.representative = Some(user);
        self
    }

    /// Delivers without ringing.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Asks the reader's client to forget the message this many seconds after it was read.
    #[must_use]
    pub fn expiring_in(mut self, seconds: u32) -> Self {
        self.expire_in = i64::from(seconds);
        self
    }

    /// The account the message goes to; none when it goes to everyone in a conversation.
    #[must_use]
    pub fn recipient(&self) -> Option<UserId> {
        match self.to {
            Address::Account(recipient, _) => Some(recipient),
            Address::Conversation(_) => None,
        }
    }

    /// The conversation that `own` sends the message in.
    pub(super) fn conversation(&self, own: UserId) -> ConversationId {
        address_in(self.to, own)
    }
}

/// The conversation that `own` writes to this address in.
pub(super) fn address_in(to: Address, own: UserId) -> ConversationId {
    match to {
        Address::Conversation(conversation) | Address::Account(_, Some(conversation)) => {
            conversation
        }
        Address::Account(recipient, None) => contact_conversation_id(own, recipient),
    }
}

/// So that a list of pairs can be broadcast as it is.
impl<C: Into<Content>> From<(UserId, C)> for Message {
    fn from((recipient, content): (UserId, C)) -> Self {
        Self::to(&recipient, content)
    }
}
