//! The frames of the socket.
//!
//! Each frame is one binary message with the gzip of one JSON object. A client asks with a
//! [`BlazeRequest`]; the gateway answers under the same `id` and `action`, and sends what comes by
//! itself, all of it as a [`BlazeFrame`].

use serde::{Deserialize, Serialize};

use super::{Acknowledgement, AcknowledgementStatus, ApiError, ObjectType};
use crate::ids::{MessageId, SessionId, UserId};

/// The sub-protocol of the socket, `Sec-WebSocket-Protocol`.
pub const SUB_PROTOCOL: &str = "Mixin-Blaze-1";

/// What a second sub-protocol begins with that carries the token, for clients that cannot set
/// headers.
pub const BEARER_PROTOCOL: &str = "bearer.";

/// Starts delivery: what waits first, then what comes. Answered without `data`.
pub const LIST_PENDING_MESSAGES: &str = "LIST_PENDING_MESSAGES";
/// From a client: post one message. From the gateway: a message, or the answer to a post.
pub const CREATE_MESSAGE: &str = "CREATE_MESSAGE";
/// Post up to 100 messages; answered with receipts.
pub const CREATE_MESSAGES: &str = "CREATE_MESSAGES";
/// From a client: a message was taken care of; answered without `data`. From the gateway: somebody
/// has taken care of a message of this account, with a [`BlazeReceipt`].
pub const ACKNOWLEDGE_MESSAGE_RECEIPT: &str = "ACKNOWLEDGE_MESSAGE_RECEIPT";
/// The same for up to 100 messages.
pub const ACKNOWLEDGE_MESSAGE_RECEIPTS: &str = "ACKNOWLEDGE_MESSAGE_RECEIPTS";
/// From the gateway: something is wrong with the socket itself or with a frame that it could not
/// read.
pub const ERROR: &str = "ERROR";

/// The code of the error for a checksum that is not that of the conversation's sessions: look at
/// the conversation again, seal again, send again.
pub const CHECKSUM_INVALID: u32 = 20_140;

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlazeRequest<P> {
    /// Made by the client, a UUID as a rule; the answer has the same.
    pub id: String,
    /// What to do.
    pub action: String,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<P>,
}

/// What the gateway sends: an answer, or what comes by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlazeFrame<D> {
    /// That of the request, or one of the gateway's own.
    pub id: String,
    /// That of the request, or what this is.
    pub action: String,
    /// What was asked for, or what came. Not every answer has it.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub data: Option<D>,
    /// Why the request failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

fn none<D>() -> Option<D> {
    None
}

/// `params` of `LIST_PENDING_MESSAGES`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPendingMessages {
    /// Sent by some clients and not used: what waits is what was not acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
}

/// `params` of `ACKNOWLEDGE_MESSAGE_RECEIPTS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcknowledgeMessages {
    /// Up to 100.
    pub messages: Vec<Acknowledgement>,
}

/// `data` of the gateway's `ACKNOWLEDGE_MESSAGE_RECEIPT`: a reader has taken care of a message of
/// this account. Such notices may get lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlazeReceipt {
    /// Always `message`.
    #[serde(rename = "type", default)]
    pub kind: ObjectType,
    /// The message.
    pub message_id: MessageId,
    /// How far it got.
    pub status: AcknowledgementStatus,
    /// `ACKNOWLEDGE_MESSAGE_RECEIPT`.
    #[serde(default)]
    pub source: String,
    /// The account that has it.
    pub user_id: UserId,
    /// The session that has it.
    pub session_id: SessionId,
    /// When it said so, RFC 3339.
    pub created_at: String,
    /// The same.
    pub updated_at: String,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_answer_without_data_has_no_such_member() {
        let answer = BlazeFrame::<Value> {
            id: "1".to_owned(),
            action: LIST_PENDING_MESSAGES.to_owned(),
            data: None,
            error: None,
        };
        let expected = json!({"id": "1", "action": "LIST_PENDING_MESSAGES"});
        assert_eq!(serde_json::to_value(&answer).unwrap(), expected);
        assert_eq!(serde_json::from_value::<BlazeFrame<Value>>(expected).unwrap(), answer);
    }

    #[test]
    fn params_are_left_out_when_there_are_none() {
        let request = BlazeRequest::<ListPendingMessages> {
            id: "1".to_owned(),
            action: LIST_PENDING_MESSAGES.to_owned(),
            params: None,
        };
        let expected = json!({"id": "1", "action": "LIST_PENDING_MESSAGES"});
        assert_eq!(serde_json::to_value(&request).unwrap(), expected);
    }
}
