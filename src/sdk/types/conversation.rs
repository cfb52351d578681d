//! Conversations and who takes part in them.

use serde::{Deserialize, Serialize};

use super::ObjectType;
use crate::ids::{ConversationId, SessionId, UserId};

/// A conversation, as `GET /conversations/{id}` shows it to its participants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Conversation {
    /// Always `conversation`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "conversation"))]
    pub kind: ObjectType,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Who created it.
    pub creator_id: UserId,
    /// `CONTACT` or `GROUP`.
    #[cfg_attr(feature = "openapi", schema(example = "CONTACT"))]
    pub category: String,
    /// A group's name.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "Support"))]
    pub name: String,
    /// Where a group's picture is.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = ""))]
    pub icon_url: String,
    /// A group's announcement.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "Ask anything"))]
    pub announcement: String,
    /// When it was created, RFC 3339.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "2025-03-01T12:00:00.000001Z"))]
    pub created_at: String,
    /// The code by which one can join a group; shown to those who take part.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"))]
    pub code_id: String,
    /// The path to `POST` to for joining by that code.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(example = "/conversations/6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10/join")
    )]
    pub code_url: String,
    /// Until when the caller has muted it, RFC 3339; empty when it is not muted.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = ""))]
    pub mute_until: String,
    /// Seconds after reading until messages disappear; 0 for never.
    #[serde(default)]
    pub expire_in: i64,
    /// Who takes part.
    #[serde(default)]
    pub participants: Vec<Participant>,
    /// The live devices of everyone who takes part, the asking one left out.
    #[serde(default)]
    pub participant_sessions: Vec<ParticipantSession>,
    /// Always empty; clients of the original API expect it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!([])))]
    pub circles: Vec<serde_json::Value>,
}

/// An account in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Participant {
    /// Always `participant`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "participant"))]
    pub kind: ObjectType,
    /// The account.
    pub user_id: UserId,
    /// `OWNER`, `ADMIN` or empty.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = ""))]
    pub role: String,
    /// Since when it takes part, RFC 3339.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "2025-03-01T12:00:00.000001Z"))]
    pub created_at: String,
}

/// A device of an account in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParticipantSession {
    /// Always `participant_session`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "participant_session"))]
    pub kind: ObjectType,
    /// The account.
    pub user_id: UserId,
    /// The device.
    pub session_id: SessionId,
    /// The device's X25519 public key, base64url without padding.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(example = "B6N8vBQgk8i3VdwbEOhssCY3StFqqFPtC9_AstrhHHw")
    )]
    pub public_key: String,
}

/// Body of `POST /conversations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateConversation {
    /// `CONTACT` or `GROUP`.
    #[cfg_attr(feature = "openapi", schema(example = "CONTACT"))]
    pub category: String,
    /// The id. That of a contact conversation follows from its two accounts; that of a group from
    /// its owner, name, `random_id` and participants, or it is any version 4 UUID when there is no
    /// `random_id`.
    pub conversation_id: ConversationId,
    /// A group's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = "Support"))]
    pub name: String,
    /// A group's announcement.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = "Ask anything"))]
    pub announcement: String,
    /// Who takes part beside the caller.
    #[serde(default)]
    pub participants: Vec<NewParticipant>,
    /// What a group's id was made from, when it was not drawn at random.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"))]
    pub random_id: String,
}

/// An account that is to take part in a conversation, to leave it or to get another role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewParticipant {
    /// The account.
    pub user_id: UserId,
    /// `ADMIN` or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = "ADMIN"))]
    pub role: String,
}

/// Body of `POST /conversations/{id}`; what is missing stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateConversation {
    /// The group's name from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "Team"))]
    pub name: Option<String>,
    /// The group's announcement from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "We meet at nine."))]
    pub announcement: Option<String>,
}

/// Body of `POST /conversations/{id}/mute` and `/disappear`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConversationDuration {
    /// Seconds; 0 ends it.
    #[cfg_attr(feature = "openapi", schema(example = 28_800))]
    pub duration: i64,
}
