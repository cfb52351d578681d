//! Messages that the gateway can read: recalls, buttons, cards, and texts that nobody seals.
//!
//! They have a type and a method of their own, so that nothing gets here by mistake: what is a
//! [`Content`](super::Content) is always sealed.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::base64url;
use crate::category;
use crate::ids::{ConversationId, MessageId, UserId};
use crate::types::{OutgoingMessage, Receipt};

use super::bot::Bot;
use super::content::ContentError;
use super::gateway::Call;
use super::message::{Address, address_in};
use super::outcome::{Outcome, SendError, Sent};
use super::receipt::{self, Verdict};

/// A message that travels as it is: the gateway, and whoever gets hold of its disk, can read it.
///
/// ```
/// use sealpost_sdk::client::Readable;
/// use sealpost_sdk::ids::{MessageId, UserId};
///
/// let alice = UserId::from_bytes([1; 16]);
/// let buttons = Readable::to(&alice, "APP_BUTTON_GROUP", b"[]".to_vec())?;
/// assert_eq!(buttons.category(), "APP_BUTTON_GROUP");
/// assert!(Readable::to(&alice, "ENCRYPTED_TEXT", b"hello".to_vec()).is_err());
/// # Ok::<(), sealpost_sdk::client::ContentError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Readable {
    to: Address,
    category: Cow<'static, str>,
    bytes: Vec<u8>,
    id: Option<MessageId>,
    quote: Option<MessageId>,
    silent: bool,
}

impl Readable {
    /// A message to one account, in the conversation of the two.
    ///
    /// # Errors
    /// When `category` is not one of those that travel readable.
    pub fn to(
        recipient: &UserId,
        category: impl Into<Cow<'static, str>>,
        bytes: Vec<u8>,
    ) -> Result<Self, ContentError> {
        Self::new(Address::Account(*recipient, None), category.into(), bytes)
    }

    /// A message to everyone else in a conversation.
    ///
    /// # Errors
    /// When `category` is not one of those that travel readable.
    pub fn to_conversation(
        conversation: &ConversationId,
        category: impl Into<Cow<'static, str>>,
        bytes: Vec<u8>,
    ) -> Result<Self, ContentError> {
        Self::new(Address::Conversation(*conversation), category.into(), bytes)
    }

    /// Takes an earlier message back. Gateways take this always; it holds nothing but the id.
    #[must_use]
    pub fn recall(conversation: &ConversationId, message: &MessageId) -> Self {
        let bytes = format!(r#"{{"message_id":"{message}"}}"#).into_bytes();
        Self::of(Address::Conversation(*conversation), category::MESSAGE_RECALL.into(), bytes)
    }

    fn new(to: Address, category: Cow<'static, str>, bytes: Vec<u8>) -> Result<Self, ContentError> {
        if !category::is_known(&category) || category::is_encrypted(&category) {
            return Err(ContentError::NotReadable { category: category.into_owned() });
        }
        Ok(Self::of(to, category, bytes))
    }

    fn of(to: Address, category: Cow<'static, str>, bytes: Vec<u8>) -> Self {
        Self { to, category, bytes, id: None, quote: None, silent: false }
    }

    /// Sends under this id instead of a random one.
    #[must_use]
    pub fn with_id(mut self, id: MessageId) -> Self {
        self.id = Some(id);
        self
    }

    /// Shows the message as an answer to another one.
    #[must_use]
    pub fn quoting(mut self, quoted: MessageId) -> Self {
        self.quote = Some(quoted);
        self
    }

    /// Delivers without ringing.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// The category on the wire.
    #[must_use]
    pub fn category(&self) -> &str {
        &self.category
    }

    /// Without a checksum: it covers whoever is signed in when it arrives.
    fn outgoing(&self, id: MessageId, own: UserId) -> OutgoingMessage {
        let recipient_id = match self.to {
            Address::Account(recipient, _) => Some(recipient),
            Address::Conversation(_) => None,
        };
        OutgoingMessage {
            conversation_id: address_in(self.to, own),
            recipient_id,
            message_id: id,
            category: self.category.clone().into_owned(),
            data_base64: base64url::encode(&self.bytes),
            checksum: String::new(),
            recipient_sessions: Vec::new(),
            representative_id: None,
            quote_message_id: self.quote,
            silent: self.silent,
            expire_in: 0,
        }
    }
}

/// Says category and size, not the content: it is readable on the way, not in every log.
impl fmt::Debug for Readable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Readable")
            .field("category", &self.category)
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl Bot {
    /// Sends a message that the gateway can read (`POST /messages`).
    ///
    /// **Nothing about it is secret.** Gateways refuse all of these but recalls
    /// ([`Outcome::Rejected`], status 403) unless their operator has allowed plain messages
    /// (`dialects.mixin.plain_messages`, off by default).
    ///
    /// # Errors
    /// When the request fails for good. What the gateway decides about the message is no error but
    /// an [`Outcome`].
    pub async fn send_readable(&self, message: Readable) -> Result<Sent, SendError> {
        let core = &*self.core;
        let message_id = message.id.unwrap_or_else(|| core.entropy.random_id());
        let item = message.outgoing(message_id, self.user_id());
        let failed = |error| SendError::Request(Arc::new(error));
        let call = Call::post("/messages", &[item]).map_err(failed)?;
        let receipts: Vec<Receipt> = core.gateway.call(call).await.map_err(failed)?;
        let is_own =
            |it: &Receipt| MessageId::parse(&it.message_id).is_ok_and(|id| id == message_id);
        let own = receipts.into_iter().find(is_own);
        let receipt = own.ok_or(SendError::NoReceipt { message_id })?;
        let outcome = match receipt::verdict(receipt) {
            Verdict::Final(outcome) => outcome,
            // It names no list that could be old; somebody signed in or out in this moment.
            Verdict::Stale(_) | Verdict::InPart(_) => Outcome::StillStale,
        };
        Ok(Sent { message_id, outcome })
    }
}
