//! What has come over the socket and waits for a handler.
//!
//! Three rules. No more than so many wait. The messages of one conversation are handled one after
//! the other, in the order in which they came. And a message that comes again while it waits, is
//! being handled or was handled is not handled a second time.

use std::collections::{HashSet, VecDeque};
use std::time::SystemTime;

use crate::ids::{ConversationId, MessageId};

use super::inbox::{Item, Key};
use super::messages::HANDLED_LIMIT;
use super::recent::RecentMap;

/// How many messages may wait; the rest stays with the gateway.
const CAPACITY: usize = 256;

/// One message that waits for a handler, or is with one.
pub(super) struct Waiting {
    pub(super) item: Item,
    conversation: Option<ConversationId>,
    key: Option<Key>,
}

/// The messages that wait, and what is known of those before them.
pub(super) struct Backlog {
    waiting: VecDeque<Waiting>,
    /// Conversations that a handler is busy with.
    busy: HashSet<Option<ConversationId>>,
    /// Messages that wait or are being handled.
    present: HashSet<Key>,
    handled: RecentMap<Key, ()>,
}

impl Default for Backlog {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            busy: HashSet::new(),
            present: HashSet::new(),
            handled: RecentMap::with_capacity(HANDLED_LIMIT),
        }
    }
}

impl Waiting {
    fn new(item: Item) -> Self {
        let (key, conversation) = match &item {
            Ok(message) => (Some((message.user_id, message.message_id)), message.conversation_id),
            Err(malformed) => (malformed.key(), None),
        };
        Self { item, conversation, key }
    }

    pub(super) fn message_id(&self) -> String {
        match &self.item {
            Ok(message) => message.message_id.to_string(),
            Err(malformed) => malformed.message_id.clone(),
        }
    }
}

impl Backlog {
    /// Takes a message in. Gives its id when it was handled before and is only to be acknowledged.
    pub(super) fn add(&mut self, item: Item) -> Option<MessageId> {
        let waiting = Waiting::new(item);
        if let Some(key) = waiting.key {
            if self.handled.contains(&key) {
                return Some(key.1);
            }
            if !self.present.insert(key) {
                return None;
            }
        }
        self.waiting.push_back(waiting);
        None
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= CAPACITY
    }

    /// The first message whose conversation nobody is busy with; it counts as busy from now on.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        let free = |waiting: &Waiting| !self.busy.contains(&waiting.conversation);
        let place = self.waiting.iter().position(free)?;
        let waiting = self.waiting.remove(place)?;
        self.busy.insert(waiting.conversation);
        Some(waiting)
    }

    /// The handler is through. Gives what is to be acknowledged.
    pub(super) fn handled(&mut self, waiting: &Waiting, now: SystemTime) -> Option<MessageId> {
        self.left(waiting);
        let key = waiting.key?;
        self.handled.insert(key, (), now);
        Some(key.1)
    }

    /// The handler is not through, and the message may come again.
    pub(super) fn left(&mut self, waiting: &Waiting) {
        self.busy.remove(&waiting.conversation);
        if let Some(key) = &waiting.key {
            self.present.remove(key);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;
    use crate::client::inbox::read_text;

    fn item(id: u8, conversation: u8) -> Item {
        let message = json!({
            "message_id": MessageId::from_bytes([id; 16]),
            "conversation_id": ConversationId::from_bytes([conversation; 16]),
            "category": "ENCRYPTED_TEXT",
        });
        read_text(&message.to_string())
    }

    fn id(number: u8) -> String {
        MessageId::from_bytes([number; 16]).to_string()
    }

    #[test]
    fn one_conversation_is_handled_in_order_and_others_beside_it() {
        let mut backlog = Backlog::default();
        for (id, conversation) in [(1, 7), (2, 7), (3, 8)] {
            assert!(backlog.add(item(id, conversation)).is_none());
        }
        let first = backlog.next().unwrap();
        assert_eq!(first.message_id(), id(1));
        assert_eq!(backlog.next().unwrap().message_id(), id(3));
        assert!(backlog.next().is_none());
        backlog.handled(&first, UNIX_EPOCH);
        assert_eq!(backlog.next().unwrap().message_id(), id(2));
    }

    #[test]
    fn what_waits_or_is_with_a_handler_is_not_taken_again() {
        let mut backlog = Backlog::default();
        backlog.add(item(1, 7));
        assert!(backlog.add(item(1, 7)).is_none());
        let first = backlog.next().unwrap();
        assert!(backlog.add(item(1, 7)).is_none());
        assert_eq!(backlog.handled(&first, UNIX_EPOCH), Some(MessageId::from_bytes([1; 16])));
        assert!(backlog.next().is_none());
        assert_eq!(backlog.add(item(1, 7)), Some(MessageId::from_bytes([1; 16])));
    }

    #[test]
    fn what_was_left_may_come_again() {
        let mut backlog = Backlog::default();
        backlog.add(item(1, 7));
        let first = backlog.next().unwrap();
        backlog.left(&first);
        assert!(backlog.add(item(1, 7)).is_none());
        assert_eq!(backlog.next().unwrap().message_id(), id(1));
    }
}
