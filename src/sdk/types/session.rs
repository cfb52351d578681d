//! Sessions: who is signed in, with which key, and how a device is added.

use serde::{Deserialize, Serialize};

use super::{ObjectType, empty};
use crate::ids::{SessionId, UserId};
use crate::keys::{AgreementKey, KeyError};

/// A signed-in device, as `POST /sessions/fetch` and every receipt list it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionInfo {
    /// Always `session`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "session"))]
    pub kind: ObjectType,
    /// The account that the device belongs to.
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
    /// What the device runs on.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "Android"))]
    pub platform: String,
}

impl SessionInfo {
    /// Describes a device.
    #[must_use]
    pub fn new(user_id: UserId, session_id: SessionId, key: &AgreementKey, platform: &str) -> Self {
        Self {
            kind: ObjectType::Session,
            user_id,
            session_id,
            public_key: key.to_base64(),
            platform: platform.to_owned(),
        }
    }

    /// The key that messages for this device are sealed to.
    ///
    /// # Errors
    /// When `public_key` is no base64 of 32 bytes.
    pub fn agreement_key(&self) -> Result<AgreementKey, KeyError> {
        AgreementKey::from_base64(&self.public_key)
    }
}

/// One entry of `recipient_sessions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionReference {
    /// A session that the envelope has a slot for.
    pub session_id: SessionId,
}

/// One question of `POST /sessions/check`: is my list of this account's sessions still right?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckItem {
    /// The account.
    pub user_id: UserId,
    /// Checksum over the sessions that the caller knows.
    #[cfg_attr(feature = "openapi", schema(example = "02433e6c68af77773104b0840f3ed1c4"))]
    pub checksum: String,
}

/// The answer for an account whose sessions differ from what the caller knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckAnswer {
    /// The account.
    pub user_id: UserId,
    /// Checksum over its live sessions.
    #[cfg_attr(feature = "openapi", schema(example = "02433e6c68af77773104b0840f3ed1c4"))]
    pub checksum: String,
    /// Its live sessions.
    #[serde(default)]
    pub sessions: Vec<SessionInfo>,
}

/// Body of `POST /sessions`: adds a device, or signs one in again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewSession {
    /// The new device's Ed25519 public key, base64url without padding.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    )]
    pub public_key: String,
    /// What the device runs on.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "Android"))]
    pub platform: String,
    /// The new key's signature over the session statement, base64url without padding.
    #[cfg_attr(
        feature = "openapi",
        schema(
            example = "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc-bRr0lv18FlbviRlUUFDjnoQCw"
        )
    )]
    pub signature: String,
    /// The adding session's signature over the session statement, base64url without padding.
    #[cfg_attr(
        feature = "openapi",
        schema(
            example = "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc-bRr0lv18FlbviRlUUFDjnoQCw"
        )
    )]
    pub attestation: String,
    /// The session that this one takes the place of; it is revoked in the same step.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "empty::deserialize"
    )]
    pub replaces: Option<SessionId>,
}

/// Answer of `POST /sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedSession {
    /// Always `session`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "session"))]
    pub kind: ObjectType,
    /// The account that the device belongs to.
    pub user_id: UserId,
    /// The new session.
    pub session_id: SessionId,
    /// The device's X25519 public key, base64url without padding.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "B6N8vBQgk8i3VdwbEOhssCY3StFqqFPtC9_AstrhHHw")
    )]
    pub public_key: String,
    /// What the device runs on.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "Android"))]
    pub platform: String,
    /// The adding session's signature, kept as it came.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(
            example = "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc-bRr0lv18FlbviRlUUFDjnoQCw"
        )
    )]
    pub attestation: String,
    /// The gateway's own Ed25519 public key, in hex.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(example = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    )]
    pub server_public_key: String,
}

/// One of the caller's own sessions, as `GET /sessions` lists them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnSession {
    /// Always `session`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "session"))]
    pub kind: ObjectType,
    /// The account.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// The device's X25519 public key, base64url without padding.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "B6N8vBQgk8i3VdwbEOhssCY3StFqqFPtC9_AstrhHHw")
    )]
    pub public_key: String,
    /// The same key in the Ed25519 form that verifies signatures, base64url without padding.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    )]
    pub signing_key: String,
    /// What the device runs on.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "Android"))]
    pub platform: String,
    /// When it signed in, RFC 3339.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "2025-03-01T12:00:00.000001Z"))]
    pub created_at: String,
    /// Whether it is the session that asks.
    #[serde(default)]
    pub current: bool,
    /// The session that added it; absent when it signed up or an operator added it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_by: Option<SessionId>,
    /// That session's signature over the statement about this one's key; empty when there is none.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(
            example = "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc-bRr0lv18FlbviRlUUFDjnoQCw"
        )
    )]
    pub attestation: String,
}

/// Answer of `GET /sessions/changes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionChanges {
    /// Where to go on: what changes after this answer comes with this cursor.
    #[cfg_attr(feature = "openapi", schema(example = "4711"))]
    pub cursor: String,
    /// The accounts whose sessions changed, with the list as it is now.
    #[serde(default)]
    pub changes: Vec<CheckAnswer>,
    /// Whether there may be more to read at once.
    #[serde(default)]
    pub more: bool,
}
