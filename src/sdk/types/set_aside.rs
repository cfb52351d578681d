//! Messages that were set aside in an inbox.

use serde::{Deserialize, Serialize};

use crate::ids::{ConversationId, MessageId, UserId};

/// A message that is handed out no more, because it was handed out again and again without an
/// acknowledgement. It stays until its time is over, it is dropped, or it gets another try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetAsideMessage {
    /// The sender's id for it.
    pub message_id: MessageId,
    /// Where it belongs.
    #[serde(default)]
    pub conversation_id: Option<ConversationId>,
    /// Who sent it.
    pub user_id: UserId,
    /// What kind of content is inside.
    #[cfg_attr(feature = "openapi", schema(example = "ENCRYPTED_TEXT"))]
    pub category: String,
    /// How often it was handed out.
    #[cfg_attr(feature = "openapi", schema(example = 10))]
    pub deliveries: u32,
    /// Why it was set aside, in words.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "delivered 10 times without an acknowledgement")
    )]
    pub reason: String,
    /// When it was set aside, RFC 3339.
    #[cfg_attr(feature = "openapi", schema(example = "2026-01-02T03:14:05Z"))]
    pub set_aside_at: String,
    /// When the gateway accepted it, RFC 3339.
    #[cfg_attr(feature = "openapi", schema(example = "2026-01-02T03:04:05Z"))]
    pub created_at: String,
}

/// The id of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageReference {
    /// The sender's id for it.
    pub message_id: MessageId,
}
