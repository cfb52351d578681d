//! Accounts: people and bots.

use serde::{Deserialize, Serialize};

use super::ObjectType;
use crate::ids::UserId;

/// An account, as `GET /me` and `GET /users/{id}` show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Always `user`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "user"))]
    pub kind: ObjectType,
    /// The account.
    pub user_id: UserId,
    /// A short random number that people can tell each other.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "7000104220"))]
    pub identity_number: String,
    /// What the account calls itself.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "Alice"))]
    pub full_name: String,
    /// What the account says about itself.
    #[serde(default)]
    pub biography: String,
    /// Where its picture is.
    #[serde(default)]
    pub avatar_url: String,
    /// What the account is to the caller: `ME`, `FRIEND`, `STRANGER` or `BLOCKING`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "STRANGER"))]
    pub relationship: String,
    /// Until when the caller has muted it, RFC 3339.
    #[serde(default)]
    pub mute_until: String,
    /// When it was created, RFC 3339.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "2025-03-01T12:00:00.000001Z"))]
    pub created_at: String,
    /// Whether the operator vouches for it.
    #[serde(default)]
    pub is_verified: bool,
    /// The bot behind the account, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
}

/// The bot behind an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct App {
    /// Always `app`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "app"))]
    pub kind: ObjectType,
    /// The bot's account.
    pub app_id: UserId,
    /// The bot's `identity_number`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "7000104220"))]
    pub app_number: String,
    /// The bot's name.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "Echo"))]
    pub name: String,
    /// What the bot says about itself.
    #[serde(default)]
    pub description: String,
    /// Where its picture is.
    #[serde(default)]
    pub icon_url: String,
}
