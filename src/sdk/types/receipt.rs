//! Receipts: what became of each item of a batch.

use serde::{Deserialize, Serialize};

use super::{ApiError, ObjectType, SessionInfo};
use crate::ids::SessionId;

/// The reason in the `error` of an item whose id was accepted before, with another payload: the
/// message that the id stands for has been delivered.
pub const MESSAGE_ID_USED: &str = "message_id_used";

/// The reason in the `error` of an item whose list of sessions is longer than an envelope can hold:
/// `on_stale=deliver_known` and key top-ups can reach them all.
pub const ROSTER_TOO_LARGE: &str = "roster_too_large";

/// What became of one item, in the order of the request.
///
/// `FAILED` with sessions: the list of sessions was old; seal again to these. `FAILED` without
/// any: the recipient is gone. `outcome` says the same and more in one word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// Always `message`.
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(example = "message"))]
    pub kind: ObjectType,
    /// The item's `message_id` as it was sent, even when it is no valid id.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"))]
    pub message_id: String,
    /// The item's `recipient_id` as it was sent; empty when it had none.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"))]
    pub recipient_id: String,
    /// Whether the message is stored.
    pub state: ReceiptState,
    /// The sessions that the message went to, or the live ones when the sender's list was old:
    /// then it went to those of them that are not `missing`, if it is stored.
    #[serde(default)]
    pub sessions: Vec<SessionInfo>,
    /// What happened, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Live sessions that the envelope has no slot for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<SessionId>,
    /// Sessions in the envelope that never were the recipient's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redundant: Vec<SessionId>,
    /// Sessions in the envelope that have been revoked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<SessionId>,
    /// Why the item was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
    /// When to send a deferred item again, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = json!(null)))]
    pub retry_after: Option<u64>,
}

/// Whether a message is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum ReceiptState {
    /// Stored durably.
    Success,
    /// Not stored.
    Failed,
}

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Stored now.
    Accepted,
    /// Stored by an earlier request with the same message id and payload.
    Duplicate,
    /// The list of sessions was old: seal again to the sessions of the receipt.
    StaleSessions,
    /// The recipient does not exist any more: stop sending.
    RecipientGone,
    /// The item can never be accepted as it is; `error` says why.
    Rejected,
    /// The item may be accepted later: send it again after `retry_after`.
    Deferred,
    /// A word that this version does not know; `state` still holds.
    #[serde(other)]
    Unknown,
}
