//! Accounts: people and bots.

use serde::{Deserialize, Serialize};

use super::ObjectType;
use crate::ids::{SessionId, UserId};

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
    #[cfg_attr(feature = "openapi", schema(example = "Writes back within a day"))]
    pub biography: String,
    /// Where its picture is.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = ""))]
    pub avatar_url: String,
    /// What the account is to the caller: `ME`, `FRIEND`, `STRANGER` or `BLOCKING`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "STRANGER"))]
    pub relationship: String,
    /// Until when the caller has muted it, RFC 3339.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = ""))]
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
    #[cfg_attr(feature = "openapi", schema(example = "Answers questions"))]
    pub description: String,
    /// Where its picture is.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = ""))]
    pub icon_url: String,
    /// Who made the bot: the bot itself, since operators have no account.
    #[serde(default)]
    pub creator_id: Option<UserId>,
    /// What kind of bot it is; always `OTHER`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "OTHER"))]
    pub category: String,
    /// What the bot may do beside messages; always empty.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = json!([])))]
    pub capabilities: Vec<String>,
    /// Pages that belong to the bot; always empty.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = json!([])))]
    pub resource_patterns: Vec<String>,
    /// The bot's page; always empty.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = ""))]
    pub home_uri: String,
    /// Where the bot sends people who let it in; always empty.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = ""))]
    pub redirect_uri: String,
    /// Whether the operator vouches for it.
    #[serde(default)]
    pub is_verified: bool,
}

/// Body of `POST /accounts`: signs somebody up. The token is signed by `public_key` itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateAccount {
    /// The first device's Ed25519 public key, base64url without padding.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    )]
    pub public_key: String,
    /// The name shown to others, 1 to 64 characters.
    #[cfg_attr(feature = "openapi", schema(example = "Alice"))]
    pub full_name: String,
    /// What the device runs on.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "Android"))]
    pub platform: String,
    /// The operator's invitation, where one is needed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = "spi_9xTq2mJ0b3yq1pQmX0m7uX2s6cJ8w1fB"))]
    pub invite: String,
}

/// Answer of `POST /accounts`: all that the new device needs for its own requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedAccount {
    /// Always `user`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "user"))]
    pub kind: ObjectType,
    /// The new account.
    pub user_id: UserId,
    /// Its first session, whose key is the one that signed.
    pub session_id: SessionId,
    /// A short random number that people can tell each other.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "7000104220"))]
    pub identity_number: String,
    /// What the account calls itself.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "Alice"))]
    pub full_name: String,
    /// What the device runs on.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "Android"))]
    pub platform: String,
    /// The device's X25519 public key, base64url without padding: what others seal for.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "B6N8vBQgk8i3VdwbEOhssCY3StFqqFPtC9_AstrhHHw")
    )]
    pub public_key: String,
    /// The gateway's own Ed25519 public key, in hex.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(example = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    )]
    pub server_public_key: String,
    /// When the account was created, RFC 3339.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "2025-03-01T12:00:00.000001Z"))]
    pub created_at: String,
}

/// Body of `POST /me`: what the account says about itself. Members that are missing or null stay
/// as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProfileChange {
    /// The name shown to others, 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "Alice"))]
    pub full_name: Option<String>,
    /// A few words, at most 256 characters; empty to have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "Writes back within a day"))]
    pub biography: Option<String>,
    /// Where the picture is: an `https` URL of at most 512 characters; empty to have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "https://example.org/alice.png"))]
    pub avatar_url: Option<String>,
    /// A picture itself, which is refused: the gateway keeps none. Empty is as good as missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = ""))]
    pub avatar_base64: Option<String>,
}
