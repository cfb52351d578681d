//! What one reader holds: handed out to it and not acknowledged yet.

use std::collections::BTreeMap;

use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, Order};
use crate::domain::inbox::{Release, Waiting};

/// How much a reader may hold at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Messages.
    pub items: u32,
    /// Bytes of their bodies; a single message may have more.
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
    /// When its lease ends at the earliest.
    until: Timestamp,
    /// Whether the reader may have got it.
    written: bool,
    /// Whether it had been handed out before.
    again: bool,
}

impl Held {
    /// Notes what was handed out until `until`.
    pub(super) fn take(&mut self, messages: &[Waiting], until: Timestamp) {
        for message in messages {
            let bytes = message.body.len() as u64;
            let holding = Holding {
                message_id: message.message_id,
                bytes,
                until,
                written: false,
                again: message.deliveries > 1,
            };
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

    /// Forgets what its reader has taken care of; returns whether any of it had come before, so
    /// that others may have waited behind it.
    pub(super) fn acknowledged(&mut self, ids: &[MessageId]) -> bool {
        let mut again = false;
        self.messages.retain(|_, holding| {
            let gone = ids.contains(&holding.message_id);
            again |= gone && holding.again;
            !gone
        });
        self.count();
        again
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
    pub(super) fn give_back(&mut self, now: Timestamp) -> Vec<(Release, Vec<Order>)> {
        self.let_go(now);
        let orders = |written| {
            let those = self.messages.iter().filter(|(_, holding)| holding.written == written);
            those.map(|(order, _)| *order).collect::<Vec<_>>()
        };
        let all = [(Release::Unsent, orders(false)), (Release::Unacknowledged, orders(true))];
        self.forget();
        all.into_iter().filter(|(_, orders)| !orders.is_empty()).collect()
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
    use crate::domain::inbox::Details;

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

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn the_window_is_full_by_number_or_by_size_and_acknowledging_opens_it() {
        let mut held = Held::default();
        held.take(&[message(1, 10), message(2, 10)], at(10));
        assert_eq!(held.room(WINDOW), Some(Window { items: 1, bytes: 80 }));
        held.take(&[message(3, 200)], at(10));
        assert_eq!(held.room(WINDOW), None);
        held.acknowledged(&[message(3, 0).message_id]);
        assert_eq!(held.room(WINDOW), Some(Window { items: 1, bytes: 80 }));
    }

    #[test]
    fn a_message_that_comes_again_counts_once() {
        let mut held = Held::default();
        held.take(&[message(1, 10)], at(10));
        held.take(&[message(1, 10)], at(20));
        assert_eq!(held.room(WINDOW), Some(Window { items: 2, bytes: 90 }));
        assert!(held.holds(Order(1), at(15)));
    }

    #[test]
    fn what_was_written_goes_back_apart_from_what_was_not() {
        let mut held = Held::default();
        held.take(&[message(1, 10), message(2, 10)], at(10));
        held.take(&[message(3, 10)], at(5));
        held.written(Order(1));
        let back = held.give_back(at(5));
        let expected =
            [(Release::Unsent, vec![Order(2)]), (Release::Unacknowledged, vec![Order(1)])];
        assert_eq!(back, expected, "the third is not ours any more");
    }
}
