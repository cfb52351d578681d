//! What goes over the wire as JSON, in the words of Mixin's API.
//!
//! Requests and answers share these types, so a client and a gateway built from the same version
//! cannot disagree. Unknown members are ignored. `Debug` of a message shows its ids and sizes,
//! never its data. Members that are ours alone are left out when they have nothing to say, so
//! that a client of the original API sees nothing unusual.

mod account;
mod answer;
mod attachment;
pub mod blaze;
mod conversation;
mod empty;
mod gap;
mod message;
mod receipt;
mod relationship;
mod session;
mod set_aside;
mod system;
mod top_up;

use serde::{Deserialize, Serialize};

pub use account::{App, CreateAccount, CreatedAccount, ProfileChange, User};
pub use answer::{ApiError, DEFERRED, Data, ErrorBody, ErrorExtra};
pub use attachment::Attachment;
pub use blaze::{AcknowledgeMessages, BlazeFrame, BlazeReceipt, BlazeRequest, ListPendingMessages};
pub use conversation::{
    Conversation, ConversationDuration, CreateConversation, NewParticipant, Participant,
    ParticipantSession, UpdateConversation,
};
pub use gap::{Gap, GapReason};
pub use message::{Acknowledgement, AcknowledgementStatus, InboxMessage, OutgoingMessage};
pub use receipt::{MESSAGE_ID_USED, Outcome, ROSTER_TOO_LARGE, Receipt, ReceiptState};
pub use relationship::{ChangeRelationship, Relationship, RelationshipAction};
pub use session::{
    CheckAnswer, CheckItem, CreatedSession, NewSession, OwnSession, SessionChanges, SessionInfo,
    SessionReference,
};
pub use set_aside::{MessageReference, SetAsideMessage};
pub use system::{ConversationAction, SystemConversation};
pub use top_up::{TopUp, TopUpSlot};

pub use crate::category;

/// The `type` member that nearly every object carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ObjectType {
    /// A message, or the receipt for one.
    Message,
    /// A signed-in device.
    Session,
    /// An account.
    User,
    /// The bot behind an account.
    App,
    /// A conversation.
    Conversation,
    /// An account in a conversation.
    Participant,
    /// A device of an account in a conversation.
    ParticipantSession,
    /// An encrypted file.
    Attachment,
    /// Anything that this version does not know.
    #[default]
    #[serde(other)]
    Other,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ids::{ConversationId, MessageId, UserId};
    use crate::keys::KeyError;

    const ID: &str = "00000000-0000-4000-8000-000000000001";

    fn outgoing() -> OutgoingMessage {
        OutgoingMessage {
            conversation_id: ConversationId::parse(ID).unwrap(),
            recipient_id: None,
            message_id: MessageId::parse(ID).unwrap(),
            category: category::ENCRYPTED_TEXT.to_owned(),
            data_base64: "c2VjcmV0".to_owned(),
            checksum: String::new(),
            recipient_sessions: Vec::new(),
            representative_id: None,
            quote_message_id: None,
            silent: false,
            expire_in: 0,
        }
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let sent = serde_json::to_value(outgoing()).unwrap();
        let expected = json!({
            "conversation_id": ID,
            "message_id": ID,
            "category": "ENCRYPTED_TEXT",
            "data_base64": "c2VjcmV0",
        });
        assert_eq!(sent, expected);
    }

    #[test]
    fn an_empty_or_null_id_is_none_and_a_malformed_one_an_error() {
        let with = |value: Value| {
            let mut sent = serde_json::to_value(outgoing()).unwrap();
            let members = sent.as_object_mut().unwrap();
            members.insert("recipient_id".to_owned(), value);
            members.insert("created_at".to_owned(), json!("ignored"));
            serde_json::from_value::<OutgoingMessage>(sent)
        };
        assert_eq!(with(json!("")).unwrap(), outgoing());
        assert_eq!(with(Value::Null).unwrap(), outgoing());
        let recipient_id = Some(UserId::parse(ID).unwrap());
        assert_eq!(with(json!(ID)).unwrap(), OutgoingMessage { recipient_id, ..outgoing() });
        assert!(with(json!("me")).is_err());
    }

    #[test]
    fn a_receipt_of_the_original_api_is_read() {
        let receipt: Receipt = serde_json::from_value(json!({
            "type": "message",
            "message_id": ID,
            "recipient_id": ID,
            "state": "SUCCESS",
            "sessions": [{"type": "session", "user_id": ID, "session_id": ID, "public_key": "x"}],
        }))
        .unwrap();
        assert_eq!((receipt.state, receipt.outcome), (ReceiptState::Success, None));
        let [session] = receipt.sessions.as_slice() else { unreachable!() };
        assert_eq!(session.kind, ObjectType::Session);
        assert!(matches!(session.agreement_key(), Err(KeyError::Base64(_))));
    }

    #[test]
    fn our_additions_to_a_receipt_are_left_out_when_they_say_nothing() {
        let receipt = Receipt {
            kind: ObjectType::Message,
            message_id: ID.to_owned(),
            recipient_id: String::new(),
            state: ReceiptState::Failed,
            sessions: Vec::new(),
            outcome: Some(Outcome::RecipientGone),
            missing: Vec::new(),
            redundant: Vec::new(),
            deleted: Vec::new(),
            error: None,
            retry_after: None,
        };
        let expected = json!({
            "type": "message",
            "message_id": ID,
            "recipient_id": "",
            "state": "FAILED",
            "sessions": [],
            "outcome": "recipient_gone",
        });
        assert_eq!(serde_json::to_value(&receipt).unwrap(), expected);
    }

    #[test]
    fn words_of_a_later_version_are_understood_as_unknown() {
        assert_eq!(serde_json::from_value::<Outcome>(json!("eaten")).unwrap(), Outcome::Unknown);
        let kind = serde_json::from_value::<ObjectType>(json!("spaceship"));
        assert_eq!(kind.unwrap(), ObjectType::Other);
    }

    #[test]
    fn a_delivered_message_has_every_text_member() {
        let minimal =
            json!({"message_id": ID, "category": "SYSTEM_GAP", "data_base64": "c2VjcmV0"});
        let message: InboxMessage = serde_json::from_value(minimal).unwrap();
        let written = serde_json::to_value(&message).unwrap();
        for member in [
            "representative_id",
            "quote_message_id",
            "conversation_id",
            "user_id",
            "session_id",
            "data",
            "status",
            "source",
            "created_at",
            "updated_at",
        ] {
            assert_eq!(written.get(member), Some(&json!("")), "{member}");
        }
        assert_eq!(serde_json::from_value::<InboxMessage>(written).unwrap(), message);
    }

    #[test]
    fn debug_of_a_message_shows_sizes_and_no_data() {
        let incoming = json!({"message_id": ID, "category": "ENCRYPTED_TEXT", "data": "c2VjcmV0"});
        let incoming: InboxMessage = serde_json::from_value(incoming).unwrap();
        let shown = format!("{:?} {incoming:?}", outgoing());
        assert!(shown.contains("data_base64_length: 8"));
        assert!(!shown.contains("c2VjcmV0"));
    }

    #[test]
    fn acknowledgements_use_the_words_of_the_wire() {
        let acknowledgement = Acknowledgement {
            message_id: MessageId::parse(ID).unwrap(),
            status: AcknowledgementStatus::Read,
        };
        let expected = json!({"message_id": ID, "status": "READ"});
        assert_eq!(serde_json::to_value(acknowledgement).unwrap(), expected);
    }
}
