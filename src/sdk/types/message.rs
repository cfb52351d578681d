//! Messages on their way in and out, and acknowledgements.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ObjectType, SessionReference, empty};
use crate::ids::{ConversationId, MessageId, SessionId, UserId};

/// One item of `POST /encrypted_messages` and of `POST /messages`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutgoingMessage {
    /// The conversation. That of two accounts is created when it does not exist yet.
    pub conversation_id: ConversationId,
    /// The account that the message is for; without it, everyone else in the conversation.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "empty::deserialize"
    )]
    pub recipient_id: Option<UserId>,
    /// Made by the sender; sending it again with the same payload delivers nothing twice.
    pub message_id: MessageId,
    /// What is in the message.
    #[cfg_attr(feature = "openapi", schema(example = "ENCRYPTED_TEXT"))]
    pub category: String,
    /// The envelope, or the content of a readable category, base64url without padding.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "SGVsbG8"))]
    pub data_base64: String,
    /// Checksum over the sessions that the envelope covers. A readable category may go without.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = "02433e6c68af77773104b0840f3ed1c4"))]
    pub checksum: String,
    /// The sessions that the envelope covers, when the sender names them outside it too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipient_sessions: Vec<SessionReference>,
    /// The account that the sender speaks for.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "empty::deserialize"
    )]
    pub representative_id: Option<UserId>,
    /// The message that this one answers.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "empty::deserialize"
    )]
    pub quote_message_id: Option<MessageId>,
    /// Asks the recipient's devices not to notify.
    #[serde(default, skip_serializing_if = "is_default")]
    pub silent: bool,
    /// Seconds after reading until the message disappears; 0 for never.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expire_in: i64,
}

impl fmt::Debug for OutgoingMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OutgoingMessage")
            .field("conversation_id", &self.conversation_id)
            .field("recipient_id", &self.recipient_id)
            .field("message_id", &self.message_id)
            .field("category", &self.category)
            .field("data_base64_length", &self.data_base64.len())
            .field("checksum", &self.checksum)
            .finish_non_exhaustive()
    }
}

/// A message as a device receives it.
///
/// Every member is present on the wire; an id that is not set is the empty string there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InboxMessage {
    /// Always `message`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "message"))]
    pub kind: ObjectType,
    /// The account that the sender speaks for.
    #[serde(default, with = "empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = ""))]
    pub representative_id: Option<UserId>,
    /// The message that this one answers.
    #[serde(default, with = "empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = ""))]
    pub quote_message_id: Option<MessageId>,
    /// The conversation; not set for a notice that belongs to none.
    #[serde(default, with = "empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    #[cfg_attr(feature = "openapi", schema(example = "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"))]
    pub conversation_id: Option<ConversationId>,
    /// The sender; not set for a notice of the gateway.
    #[serde(default, with = "empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    #[cfg_attr(feature = "openapi", schema(example = "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"))]
    pub user_id: Option<UserId>,
    /// The sender's session; not set for a notice of the gateway.
    #[serde(default, with = "empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    #[cfg_attr(feature = "openapi", schema(example = "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"))]
    pub session_id: Option<SessionId>,
    /// The message, to be acknowledged by this id.
    pub message_id: MessageId,
    /// What is in the message.
    #[cfg_attr(feature = "openapi", schema(example = "ENCRYPTED_TEXT"))]
    pub category: String,
    /// The payload in standard base64: for an encrypted category an envelope with one slot.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "SGVsbG8="))]
    pub data: String,
    /// The same payload in base64url without padding.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "SGVsbG8"))]
    pub data_base64: String,
    /// `SENT`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "SENT"))]
    pub status: String,
    /// The action that the message came by.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "LIST_PENDING_MESSAGES"))]
    pub source: String,
    /// Asks the device not to notify.
    #[serde(default)]
    pub silent: bool,
    /// Seconds after reading until the message disappears; 0 for never.
    #[serde(default)]
    pub expire_in: i64,
    /// When the gateway accepted the message, RFC 3339.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "2025-03-01T12:00:00.000001Z"))]
    pub created_at: String,
    /// When the gateway last changed it, RFC 3339.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "2025-03-01T12:00:00.000001Z"))]
    pub updated_at: String,
}

impl fmt::Debug for InboxMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("InboxMessage")
            .field("conversation_id", &self.conversation_id)
            .field("user_id", &self.user_id)
            .field("session_id", &self.session_id)
            .field("message_id", &self.message_id)
            .field("category", &self.category)
            .field("data_base64_length", &self.data_base64.len())
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// Says that a message has arrived or was read; either removes it from the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Acknowledgement {
    /// The message.
    pub message_id: MessageId,
    /// How far it got.
    pub status: AcknowledgementStatus,
}

/// How far a message got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum AcknowledgementStatus {
    /// The device has it.
    Delivered,
    /// The person has seen it.
    Read,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
