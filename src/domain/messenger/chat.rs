//! Chats as their members see them: conversations, with what a list of them shows.

use super::name::MemberName;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{ConversationCategory, Role};
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, ConversationId, ConversationNumber, MessageId, UserId};

/// A chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// The conversation inside the store.
    pub number: ConversationNumber,
    /// Its public id.
    pub id: ConversationId,
    /// Two accounts, or a group.
    pub category: ConversationCategory,
    /// A group's name; empty for none.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its newest message, as far as is known.
    pub latest: Option<LatestMessage>,
    /// Who takes part.
    pub members: Vec<ChatMember>,
}

impl Chat {
    /// When something last happened in it.
    #[must_use]
    pub fn updated_at(&self) -> Timestamp {
        self.latest.map_or(self.created_at, |latest| latest.at)
    }
}

/// A chat's newest message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatestMessage {
    /// Its id.
    pub id: MessageId,
    /// When it came.
    pub at: Timestamp,
}

/// An account that takes part in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMember {
    /// The account inside the store.
    pub account: AccountNumber,
    /// Its public id.
    pub user: UserId,
    /// Its name; `None` when the account was deleted.
    pub name: Option<MemberName>,
    /// The gateway that it belongs to; `None` for this one.
    pub relay: Option<String>,
    /// What it may do.
    pub role: Role,
}

/// Whether an id may become that of a chat, as far as that follows from itself. One of version 3 is
/// that of two accounts of Mixin's dialect, whose conversation must be free for them.
#[must_use]
pub fn may_have_id(id: ConversationId) -> bool {
    id.uuid().get_version_num() != 3
}

/// Why a chat does not get the id that somebody wants for it.
#[must_use]
pub fn id_is_taken() -> Fault {
    Fault::conflict("chat_id", "is that of another conversation")
}
