//! What one reader holds: handed out to it and not acknowledged yet.

use std::collections::BTreeMap;

use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, Order};
use crate::domain::inbox::{Leased, Release, Returned};

/// How much a reader may hold at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Messages.
    pub items: u32,
    /// Bytes of their bodies and slots; a single message may have more.
    pub bytes: u64,
}

impl Window {
    /// The smaller of both.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        Self { items: self.items.min(other.items), bytes: self.bytes.min(other.bytes) }
    }
}

/// What one reader holds.
#[derive(Debug, Default)]
pub(super) struct Held {
    messages: BTreeMap<Order, Holding>,
    bytes: u64,
}

#[derive(Debug)]
struct Holding {
    message_id: MessageId,
    bytes: u64,
    /// When its lease ends.
    until: Timestamp,
    /// Whether the reader may have got it.
    written: bool,
}

impl Held {
    /// Notes what was handed out.
    pub(super) fn take(&mut self, leased: &Leased) {
        for message in &leased.messages {
            let bytes = message.size();
            let (message_id, until) = (message.message_id, leased.until);
            let holding = Holding { message_id, bytes, until, written: false };
            self.bytes += bytes;
            if let Some(before) = self.messages.insert(message.order, holding) {
                self.bytes -= before.bytes;
            }
        }
    }

    /// Forgets what is not held any more because its time was over.
    pub(super) fn let_go(&mut self, now: Timestamp) {
        self.messages.retain(|_, holding| holding.until > now);
        self.count();
    }

    /// Forgets what its reader has taken care of.
    pub(super) fn acknowledged(&mut self, ids: &[MessageId]) {
        self.messages.retain(|_, holding| !ids.contains(&holding.message_id));
        self.count();
    }

    pub(super) fn written(&mut self, order: Order) {
        if let Some(holding) = self.messages.get_mut(&order) {
            holding.written = true;
        }
    }

    /// Forgets everything; it stays handed out.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// What is left of the window, if anything.
    pub(super) fn room(&self, window: Window) -> Option<Window> {
        let items = u32::try_from(self.messages.len()).unwrap_or(u32::MAX);
        let room = Window {
            items: window.items.saturating_sub(items),
            bytes: window.bytes.saturating_sub(self.bytes),
        };
        (room.items > 0 && room.bytes > 0).then_some(room)
    }

    /// Whether a message is held at this moment.
    pub(super) fn holds(&self, order: Order, now: Timestamp) -> bool {
        self.messages.get(&order).is_some_and(|holding| holding.until > now)
    }

    /// When the first lease ends.
    pub(super) fn first_end(&self) -> Option<Timestamp> {
        self.messages.values().map(|holding| holding.until).min()
    }

    /// What to give back now. What is not held any more may be somebody else's by now.
    pub(super) fn give_back(&mut self, now: Timestamp) -> Vec<Returned> {
        self.let_go(now);
        let mut leases: BTreeMap<(Timestamp, bool), Vec<Order>> = BTreeMap::new();
        for (order, holding) in std::mem::take(self).messages {
            leases.entry((holding.until, holding.written)).or_default().push(order);
        }
        let returned = |((until, written), orders)| {
            let how = if written { Release::Unacknowledged } else { Release::Unsent };
            Returned { orders, until, how }
        };
        leases.into_iter().map(returned).collect()
    }

    fn count(&mut self) {
        self.bytes = self.messages.values().map(|holding| holding.bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::ids::{SessionId, UserId};
    use crate::domain::inbox::{Details, Waiting};

    const WINDOW: Window = Window { items: 3, bytes: 100 };

    fn id(number: u128) -> uuid::Uuid {
        uuid::Uuid::from_u128(number)
    }

    fn message(order: i64, bytes: usize) -> Waiting {
        Waiting {
            order: Order(order),
            message_id: MessageId::from_uuid(id(order.unsigned_abs().into())),
            conversation: None,
            sender: UserId::from_uuid(id(1)),
            sender_session: SessionId::from_uuid(id(1)),
            category: "ENCRYPTED_TEXT".to_owned(),
            body: vec![0; bytes].into(),
            slot: Bytes::new(),
            details: Details::default(),
            accepted_at: Timestamp::from_micros(0),
            deliveries: 1,
        }
    }

    fn leased(messages: &[Waiting], until: Timestamp) -> Leased {
        Leased { messages: messages.to_vec(), until, more: false }
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn the_window_is_full_by_number_or_by_size_and_acknowledging_opens_it() {
        let mut held = Held::default();
        held.take(&leased(&[message(1, 10), message(2, 10)], at(10)));
        assert_eq!(held.room(WINDOW), Some(Window { items: 1, bytes: 80 }));
        held.take(&leased(&[message(3, 200)], at(10)));
        assert_eq!(held.room(WINDOW), None);
        held.acknowledged(&[message(3, 0).message_id]);
        assert_eq!(held.room(WINDOW), Some(Window { items: 1, bytes: 80 }));
    }

    #[test]
    fn a_message_that_comes_again_counts_once() {
        let mut held = Held::default();
        held.take(&leased(&[message(1, 10)], at(10)));
        held.take(&leased(&[message(1, 10)], at(20)));
        assert_eq!(held.room(WINDOW), Some(Window { items: 2, bytes: 90 }));
        assert!(held.holds(Order(1), at(15)));
    }

    #[test]
    fn what_was_written_goes_back_apart_from_what_was_not() {
        let mut held = Held::default();
        held.take(&leased(&[message(1, 10), message(2, 10)], at(10)));
        held.take(&leased(&[message(3, 10)], at(5)));
        held.take(&leased(&[message(4, 10)], at(20)));
        held.written(Order(1));
        let back = held.give_back(at(5));
        let returned = |order, until, how| Returned { orders: vec![Order(order)], until, how };
        let expected = [
            returned(2, at(10), Release::Unsent),
            returned(1, at(10), Release::Unacknowledged),
            returned(4, at(20), Release::Unsent),
        ];
        assert_eq!(back, expected, "the third is not ours any more");
    }
}
