//! One message on its way out: to whom, what, and under which id.

use crate::ids::{ConversationId, MessageId, UserId};

use super::content::Content;

/// A message to one account, before it is sealed.
///
/// ```
/// use sealpost_sdk::client::{Message, Text};
/// use sealpost_sdk::ids::{MessageId, UserId};
///
/// let alice = UserId::from_bytes([1; 16]);
/// let kept_by_me = MessageId::from_bytes([2; 16]);
/// let message = Message::to(&alice, Text::new("the build is green")).with_id(kept_by_me).silent();
/// assert_eq!(message.recipient(), alice);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub(super) recipient: UserId,
    pub(super) content: Content,
    pub(super) conversation: Option<ConversationId>,
    pub(super) id: Option<MessageId>,
    pub(super) quote: Option<MessageId>,
    pub(super) representative: Option<UserId>,
    pub(super) silent: bool,
    pub(super) expire_in: i64,
}

impl Message {
    /// A message to every device of `recipient`, in the conversation of the two accounts.
    pub fn to(recipient: &UserId, content: impl Into<Content>) -> Self {
        Self {
            recipient: *recipient,
            content: content.into(),
            conversation: None,
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

    /// Sends in another conversation than that of the two accounts.
    #[must_use]
    pub fn in_conversation(mut self, conversation: ConversationId) -> Self {
        self.conversation = Some(conversation);
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

    /// The account the message goes to.
    #[must_use]
    pub fn recipient(&self) -> UserId {
        self.recipient
    }
}

/// So that a list of pairs can be broadcast as it is.
impl<C: Into<Content>> From<(UserId, C)> for Message {
    fn from((recipient, content): (UserId, C)) -> Self {
        Self::to(&recipient, content)
    }
}
