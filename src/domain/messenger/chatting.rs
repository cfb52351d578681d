//! Chats: who takes part, and in which of them something happened last.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Messenger;
use super::actor::Actor;
use super::chat::{Chat, LatestMessage};
use crate::domain::conversation::Conversation;
use crate::domain::error::Fault;
use crate::domain::ids::{ConversationId, ConversationNumber, SessionId, UserId};

/// The chats that a list shows at most.
pub const MOST_CHATS: u32 = 10_000;

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

    /// All that is not on disk.
    #[must_use]
    pub fn all(&self) -> Vec<(ConversationNumber, LatestMessage)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(chat, message)| (*chat, *message)).collect()
    }

    /// Forgets what is on disk by now; what is newer stays.
    pub fn written(&self, latest: &[(ConversationNumber, LatestMessage)]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (chat, message) in latest {
            if known.get(chat) == Some(message) {
                known.remove(chat);
            }
        }
    }
}

impl Messenger {
    /// The chats that a member takes part in, those in which something happened last first.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn chats(&self, reader: Actor) -> Result<Vec<Chat>, Fault> {
        // What is written down while the store is read may be missing in both of them otherwise.
        let before: HashMap<_, _> = self.latest.all().into_iter().collect();
        let mut chats = self.gateway.store.chats(reader.account, MOST_CHATS).await?;
        for chat in &mut chats {
            let since = [before.get(&chat.number).copied(), self.latest.of(chat.number)];
            let known = since.into_iter().flatten().chain(chat.latest);
            chat.latest = known.max_by_key(|latest| latest.at);
        }
        chats.sort_by_key(|chat| (Reverse(chat.updated_at()), Reverse(chat.number)));
        Ok(chats)
    }

    /// The live devices of everybody who takes part in a chat.
    ///
    /// # Errors
    /// [`Fault::NotFound`] (`chat`), [`Fault::Forbidden`] when the reader takes no part.
    pub async fn devices_in_chat(
        &self,
        reader: Actor,
        id: ConversationId,
    ) -> Result<Vec<SessionId>, Fault> {
        let chat = self.known_chat(reader.user, id).await?;
        let mut devices = Vec::new();
        for participant in &chat.participants {
            let member = self.gateway.store.member(participant.user).await?;
            let live = member.iter().flat_map(|member| &member.devices);
            devices.extend(live.map(|device| device.id));
        }
        Ok(devices)
    }

    /// A chat, as one of its members may see it. May be as old as a cache is, but what that objects
    /// to is looked up.
    pub(super) async fn known_chat(
        &self,
        member: UserId,
        id: ConversationId,
    ) -> Result<Conversation, Fault> {
        match self.chat(member, id, false).await {
            Err(fault) if !fault.is_ours() => self.chat(member, id, true).await,
            known => known,
        }
    }

    /// The same, straight from the database or as old as a cache is.
    pub(super) async fn chat(
        &self,
        member: UserId,
        id: ConversationId,
        fresh: bool,
    ) -> Result<Conversation, Fault> {
        let found = match fresh {
            true => self.gateway.store.fresh_conversations(&[id]).await?.pop(),
            false => self.gateway.store.conversations(&[id]).await?.pop(),
        };
        let chat = found.ok_or(Fault::NotFound { what: "chat" })?;
        if !chat.has(member) {
            return Err(Fault::forbidden_field("chat_id", "is a chat of others"));
        }
        Ok(chat)
    }

    /// Writes down the newest messages of chats. To be called from time to time, and before a stop.
    ///
    /// # Errors
    /// Only when the store fails; nothing is forgotten then.
    pub async fn write_latest(&self) -> Result<(), Fault> {
        let latest = self.latest.all();
        if !latest.is_empty() {
            self.gateway.store.note_latest(latest.clone()).await?;
            self.latest.written(&latest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::ids::MessageId;

    #[test]
    fn the_newest_message_stays_whatever_the_order_in_which_they_are_noted() {
        let latest = Latest::default();
        let message = |number: u8, at| LatestMessage {
            id: MessageId::from_bytes([number; 16]),
            at: Timestamp::from_micros(at),
        };
        let chat = ConversationNumber(1);
        latest.note(chat, message(1, 5));
        latest.note(chat, message(2, 9));
        latest.note(chat, message(3, 7));
        assert_eq!(latest.of(chat), Some(message(2, 9)));
        let old = latest.all();
        assert_eq!(old, [(chat, message(2, 9))]);
        latest.note(chat, message(4, 10));
        latest.written(&old);
        assert_eq!(latest.of(chat), Some(message(4, 10)));
        latest.written(&latest.all());
        assert_eq!(latest.of(chat), None);
    }
}
