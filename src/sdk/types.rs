//! What goes over the wire as JSON, in the words of Mixin's API.
//!
//! Requests and answers share these types, so a client and a gateway built from the same version
//! cannot disagree. Unknown members are ignored. `Debug` of a message shows its ids and sizes,
//! never its data. Members that are ours alone are left out when they have nothing to say, so
//! that a client of the original API sees nothing unusual.

mod account;
mod answer;
mod conversation;
mod empty;
mod message;
mod receipt;
mod session;

use serde::{Deserialize, Serialize};

pub use account::{App, User};
pub use answer::{ApiError, Data, ErrorBody, ErrorExtra};
pub use conversation::{
    Conversation, CreateConversation, NewParticipant, Participant, ParticipantSession,
};
pub use message::{Acknowledgement, AcknowledgementStatus, InboxMessage, OutgoingMessage};
pub use receipt::{Outcome, Receipt, ReceiptState};
pub use session::{
    CheckAnswer, CheckItem, CreatedSession, NewSession, SessionInfo, SessionReference,
};

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
    /// Anything that this version does not know.
    #[default]
    #[serde(other)]
    Other,
}
