//! What the gateway itself says about a conversation.

use serde::{Deserialize, Serialize};

use super::empty;
use crate::ids::UserId;

/// The data of a `SYSTEM_CONVERSATION` message: JSON, not sealed.
///
/// ```
/// use sealpost_sdk::types::{ConversationAction, SystemConversation};
///
/// let data = br#"{"action":"JOIN","participant_id":"00000000-0000-4000-8000-000000000001",
///     "user_id":"00000000-0000-4000-8000-000000000001","role":""}"#;
/// let news: SystemConversation = serde_json::from_slice(data)?;
/// assert_eq!(news.action, ConversationAction::Join);
/// assert_eq!(news.participant_id, news.user_id);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SystemConversation {
    /// What has happened.
    pub action: ConversationAction,
    /// Whom it is about; not set when it is about the conversation as a whole.
    #[serde(default, with = "empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub participant_id: Option<UserId>,
    /// Who did it.
    #[serde(default, with = "empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub user_id: Option<UserId>,
    /// The participant's role from now on: `OWNER`, `ADMIN` or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Seconds after reading until messages disappear; 0 for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_in: Option<i64>,
}

/// What has happened to a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum ConversationAction {
    /// The group was made.
    Create,
    /// A participant was added.
    Add,
    /// A participant was removed.
    Remove,
    /// A participant came by the group's code.
    Join,
    /// A participant left.
    Exit,
    /// A participant has another role.
    Role,
    /// The name or the announcement is another one.
    Update,
    /// Messages disappear after another time.
    Expire,
    /// Anything that this version does not know.
    #[serde(other)]
    Other,
}
