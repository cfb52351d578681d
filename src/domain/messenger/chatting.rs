//! Chats: who takes part, and in which of them something happened last.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::chat::LatestMessage;
use crate::domain::ids::ConversationNumber;

/// The newest messages of chats that are not on disk yet: written down together from time to time,
/// so that a message costs its chat no row of its own. What a crash takes of it comes back with the
/// chat's next message.
#[derive(Debug, Default)]
pub struct Latest(Mutex<HashMap<ConversationNumber, LatestMessage>>);

impl Latest {
    /// Notes a message; an older one than is known changes nothing.
    pub fn note(&self, chat: ConversationNumber, message: LatestMessage) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = known.entry(chat).or_insert(message);
        if newest.at < message.at {
            *newest = message;
        }
    }

    /// The newest message of a chat, as far as it is not on disk.
    #[must_use]
    pub fn of(&self, chat: ConversationNumber) -> Option<LatestMessage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&chat).copied()
    }

    /// All that is not on disk; whoever takes it writes it down, or notes it again.
    #[must_use]
    pub fn take(&self) -> Vec<(ConversationNumber, LatestMessage)> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *known).into_iter().collect()
    }
}
