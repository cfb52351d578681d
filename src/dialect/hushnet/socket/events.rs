//! Events as they are told, in both contracts.
//!
//! The server's contract wraps what it tells in `{"event_type","payload"}` and writes times without
//! a zone. The document's is flat and knows three types, of which `session` stands for whatever
//! makes somebody look at pending sessions: an introduction as well as its confirmation.
//! `receipt` is ours, in both: who does not know it passes it over.

use serde::Serialize;

use crate::dialect::hushnet::error::Contract;
use crate::dialect::hushnet::times::{naive, utc};
use crate::domain::messenger::MemberEvent;

/// What is told, with its members in the order in which the original writes them.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Payload {
    Message {
        chat_id: String,
        user_id: String,
    },
    PendingSession {
        user_id: String,
        recipient_device_id: String,
        sender_device_id: String,
        pending_session_id: String,
        created_at: String,
    },
    Session {
        user_id: String,
        sender_device_id: String,
        receiver_device_id: String,
    },
    Device {
        user_id: String,
    },
    Receipt {
        user_id: String,
        message_id: String,
        device_id: String,
        status: &'static str,
        at: String,
    },
}

#[derive(Serialize)]
struct Wrapped<'a> {
    event_type: &'static str,
    payload: &'a Payload,
}

/// The text of the frame that tells an event.
///
/// # Errors
/// None that could be named: everything in it is text.
pub fn write(event: &MemberEvent, contract: Contract) -> Result<String, serde_json::Error> {
    let payload = Payload::of(event, contract);
    match contract {
        Contract::Document => serde_json::to_string(&payload),
        Contract::Server => {
            serde_json::to_string(&Wrapped { event_type: payload.kind(), payload: &payload })
        }
    }
}

impl Payload {
    fn of(event: &MemberEvent, contract: Contract) -> Self {
        use Contract::{Document, Server};
        match (event, contract) {
            (MemberEvent::Message { chat, user }, _) => {
                Self::Message { chat_id: chat.to_string(), user_id: user.to_string() }
            }
            (MemberEvent::Introduction { user, id, from, to, at }, Server) => {
                Self::PendingSession {
                    user_id: user.to_string(),
                    recipient_device_id: to.to_string(),
                    sender_device_id: from.to_string(),
                    pending_session_id: id.to_string(),
                    created_at: naive(*at),
                }
            }
            (MemberEvent::Introduction { user, from, to, .. }, Document)
            | (MemberEvent::Paired { user, from, to }, _) => Self::Session {
                user_id: user.to_string(),
                sender_device_id: from.to_string(),
                receiver_device_id: to.to_string(),
            },
            (MemberEvent::Device { user }, _) => Self::Device { user_id: user.to_string() },
            (MemberEvent::Receipt { user, message, device, is_read, at }, _) => Self::Receipt {
                user_id: user.to_string(),
                message_id: message.to_string(),
                device_id: device.to_string(),
                status: if *is_read { "read" } else { "delivered" },
                at: utc(*at),
            },
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Message { .. } => "message",
            Self::PendingSession { .. } => "pending_session",
            Self::Session { .. } => "session",
            Self::Device { .. } => "device",
            Self::Receipt { .. } => "receipt",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::ids::{ConversationId, MessageId, SessionId, UserId};
    use crate::domain::messenger::introduction::IntroductionId;

    fn uuid(last: u128) -> uuid::Uuid {
        uuid::Uuid::from_u128(0xabcd << 112 | last)
    }

    /// What an event is in each of the contracts, with each UUID as its last digit.
    fn told(event: &MemberEvent) -> [String; 2] {
        [Contract::Server, Contract::Document].map(|contract| {
            let text = write(event, contract).unwrap();
            text.replace("abcd0000-0000-0000-0000-00000000000", "")
        })
    }

    #[test]
    fn each_event_is_told_as_its_contract_has_it() {
        let (user, from, to) = (
            UserId::from_uuid(uuid(1)),
            SessionId::from_uuid(uuid(2)),
            SessionId::from_uuid(uuid(3)),
        );
        let (chat, message) = (ConversationId::from_uuid(uuid(4)), MessageId::from_uuid(uuid(5)));
        let at = Timestamp::from_micros(1_763_646_728_258_565);
        assert_eq!(
            told(&MemberEvent::Message { chat, user }),
            [
                r#"{"event_type":"message","payload":{"type":"message","chat_id":"4","user_id":"1"}}"#,
                r#"{"type":"message","chat_id":"4","user_id":"1"}"#,
            ]
        );
        let id = IntroductionId::from_uuid(uuid(6));
        let session =
            r#"{"type":"session","user_id":"1","sender_device_id":"2","receiver_device_id":"3"}"#;
        assert_eq!(
            told(&MemberEvent::Introduction { user, id, from, to, at }),
            [
                r#"{"event_type":"pending_session","payload":{"type":"pending_session","user_id":"1","recipient_device_id":"3","sender_device_id":"2","pending_session_id":"6","created_at":"2025-11-20T13:52:08.258565"}}"#,
                session,
            ]
        );
        assert_eq!(
            told(&MemberEvent::Paired { user, from, to }),
            [format!(r#"{{"event_type":"session","payload":{session}}}"#), session.to_owned()]
        );
        assert_eq!(
            told(&MemberEvent::Device { user }),
            [
                r#"{"event_type":"device","payload":{"type":"device","user_id":"1"}}"#,
                r#"{"type":"device","user_id":"1"}"#,
            ]
        );
        let receipt = MemberEvent::Receipt { user, message, device: to, is_read: true, at };
        assert_eq!(
            told(&receipt)[1],
            r#"{"type":"receipt","user_id":"1","message_id":"5","device_id":"3","status":"read","at":"2025-11-20T13:52:08.258565Z"}"#
        );
    }
}
