//! What a client was shown and has not acknowledged yet, by the ids that it was given on this
//! connection.

use std::collections::BTreeMap;

use crate::dialect::textsecure::envelope::Envelope;
use crate::domain::ids::{MessageId, Order};

/// A message that was shown.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its place in the one order of all messages.
    pub order: Order,
    /// Its id in the store.
    pub id: MessageId,
    /// Its envelope without what is inside; none for what a client is never shown.
    pub envelope: Option<Envelope>,
}

/// What waits for an acknowledgement.
#[derive(Debug)]
pub struct Shown {
    next: u64,
    messages: BTreeMap<u64, Message>,
}

impl Shown {
    /// Nothing yet; the first message gets this id.
    pub fn new(first: u64) -> Self {
        Self { next: first, messages: BTreeMap::new() }
    }

    /// Notes a message that is shown now, and returns the id for it. One that comes again has a new
    /// one.
    pub fn add(&mut self, message: Message) -> u64 {
        self.messages.retain(|_, other| other.order != message.order);
        let id = self.next;
        self.next += 1;
        self.messages.insert(id, message);
        id
    }

    /// The message with this id, which waits no more.
    pub fn take(&mut self, id: u64) -> Option<Message> {
        self.messages.remove(&id)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Forgets what is not the reader's any more.
    pub fn keep(&mut self, is_held: impl Fn(Order) -> bool) {
        self.messages.retain(|_, message| is_held(message.order));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(order: i64) -> Message {
        let id = MessageId::from_uuid(uuid::Uuid::from_u128(order.unsigned_abs().into()));
        Message { order: Order(order), id, envelope: None }
    }

    #[test]
    fn ids_count_up_and_each_is_good_once() {
        let mut shown = Shown::new(1);
        assert_eq!((shown.add(message(7)), shown.add(message(8))), (1, 2));
        assert_eq!(shown.take(2).unwrap().order, Order(8));
        assert!(shown.take(2).is_none() && shown.take(0).is_none());
    }

    #[test]
    fn a_message_that_comes_again_waits_once() {
        let mut shown = Shown::new(0);
        shown.add(message(7));
        assert_eq!(shown.add(message(7)), 1);
        assert!(shown.take(0).is_none());
        assert_eq!(shown.len(), 1);
        shown.keep(|order| order != Order(7));
        assert_eq!(shown.len(), 0);
    }
}
