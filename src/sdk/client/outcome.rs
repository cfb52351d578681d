//! What became of a message.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::envelope::SealError;
use crate::ids::{ConversationId, MessageId, SessionId, UserId};
use crate::keys::KeyError;
use crate::types::ApiError;

use super::error::RequestError;

/// What the gateway decided about one message.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// Stored for these sessions of the recipient; each of them can open its copy.
    Delivered {
        /// The sessions that the message went to.
        sessions: Vec<SessionId>,
    },
    /// Stored for some sessions, but not for all that are live: this message asked to be delivered
    /// to those that were known, and slots for the others were refused or came too late.
    DeliveredInPart {
        /// The sessions that the message went to.
        sessions: Vec<SessionId>,
        /// The sessions that do not get it.
        missing: Vec<SessionId>,
    },
    /// The gateway holds this message id already: an earlier try, whose answer was lost, had
    /// succeeded. Nothing is delivered twice.
    AlreadyDelivered,
    /// The account does not exist (any more). Stop sending to it.
    RecipientGone,
    /// The gateway will not take this message, now or later.
    Rejected {
        /// Why.
        error: ApiError,
    },
    /// Not now: the recipient has no live session or a full inbox. Try again later, with the same
    /// message id.
    Deferred {
        /// When the gateway suggests to try again.
        retry_after: Option<Duration>,
    },
    /// The recipient's sessions changed again and again, faster than the message could be resealed
    /// within the configured number of rounds. Trying again later is right.
    StillStale,
}

impl Outcome {
    /// Whether the message is on the gateway, by this call or an earlier one, if only for a part
    /// of those it was meant for.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        matches!(
            self,
            Self::Delivered { .. } | Self::DeliveredInPart { .. } | Self::AlreadyDelivered
        )
    }
}

/// In a few words, for a line of a report: `delivered`, by this call or an earlier one, `delivered in
/// part`, `gone`, `rejected` with the gateway's words, `deferred`, or `still stale`.
impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered { .. } | Self::AlreadyDelivered => formatter.write_str("delivered"),
            Self::DeliveredInPart { missing, .. } => {
                write!(formatter, "delivered in part: {} missing", missing.len())
            }
            Self::RecipientGone => formatter.write_str("gone"),
            Self::Rejected { error } => write!(formatter, "rejected: {}", error.description),
            Self::Deferred { retry_after: Some(wait) } => {
                write!(formatter, "deferred: try again after {} s", wait.as_secs())
            }
            Self::Deferred { retry_after: None } => formatter.write_str("deferred"),
            Self::StillStale => formatter.write_str("still stale"),
        }
    }
}

/// A message that was sent, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The id under which the gateway knows the message.
    pub message_id: MessageId,
    /// What the gateway decided.
    pub outcome: Outcome,
}

/// One line of the answer of [`Bot::send_all`](super::Bot::send_all).
#[derive(Debug)]
pub struct ItemOutcome {
    /// The id under which the message was sent.
    pub message_id: MessageId,
    /// The account it was for; none when it was for everyone in the conversation.
    pub recipient: Option<UserId>,
    /// The conversation it was sent in.
    pub conversation_id: ConversationId,
    /// What the gateway decided, or why it could not be asked.
    pub result: Result<Outcome, SendError>,
}

/// Why a message could not be put before the gateway.
///
/// After [`Request`](Self::Request) it is unknown whether the gateway has the message; sending again
/// with the same message id is safe.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// A request failed for good. Shared, because one request carries many messages.
    #[error("failed to reach a decision about the message")]
    Request(#[source] Arc<RequestError>),
    /// A session of the recipient has no key that can be sealed to. Nothing was sent: leaving the
    /// session out would hide the message from that device, and readable text is never sent.
    #[error("session {session} of {recipient} has no usable key")]
    UnusableKey {
        /// The account that the session belongs to.
        recipient: UserId,
        /// The session whose key is unusable.
        session: SessionId,
        /// What is wrong with the key.
        #[source]
        source: KeyError,
    },
    /// The message could not be sealed.
    #[error("failed to seal the message")]
    Seal(#[source] SealError),
    /// The gateway's answer holds no receipt for the message.
    #[error("the gateway's answer holds no receipt for message {message_id}")]
    NoReceipt {
        /// The message without a receipt.
        message_id: MessageId,
    },
    /// The runtime is shutting down and ended the work half-way.
    #[error("the runtime ended before the message was sealed")]
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_said_in_a_few_words() {
        let session = SessionId::from_bytes([1; 16]);
        let error = ApiError {
            status: 403,
            code: 403,
            description: "you are blocked".to_owned(),
            extra: None,
        };
        let (sessions, missing) = (vec![session], vec![session]);
        for (outcome, words) in [
            (Outcome::Delivered { sessions: sessions.clone() }, "delivered"),
            (Outcome::AlreadyDelivered, "delivered"),
            (Outcome::DeliveredInPart { sessions, missing }, "delivered in part: 1 missing"),
            (Outcome::RecipientGone, "gone"),
            (Outcome::Rejected { error }, "rejected: you are blocked"),
            (
                Outcome::Deferred { retry_after: Some(Duration::from_secs(60)) },
                "deferred: try again after 60 s",
            ),
            (Outcome::Deferred { retry_after: None }, "deferred"),
            (Outcome::StillStale, "still stale"),
        ] {
            assert_eq!(outcome.to_string(), words);
        }
    }
}
