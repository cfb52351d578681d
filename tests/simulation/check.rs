//! What one session may see, and what it did see.

use std::collections::{HashMap, HashSet};

use sealpost::sdk::ids::MessageId;

/// Where a message stands among those of its sender in its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub sender: usize,
    pub number: u64,
}

/// The book of one session.
#[derive(Default)]
pub struct Book {
    accepted: HashMap<MessageId, Place>,
    delivered: HashSet<MessageId>,
    /// What may have come when nobody looked: its place among the others is not known.
    unseen: HashSet<MessageId>,
    acknowledged: HashSet<MessageId>,
    /// The number of the last first delivery, for each sender.
    last: HashMap<usize, u64>,
    pub redeliveries: u64,
}

/// Whether the reader asked for the message after its acknowledgement was known to be done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Before,
    After,
}

impl Book {
    pub fn accept(&mut self, message: MessageId, place: Place) {
        self.accepted.insert(message, place);
    }

    /// Notes a delivery, and insists that it is a right one.
    pub fn deliver(&mut self, message: MessageId, asked: impl Fn(MessageId) -> Asked) {
        let place = *self.accepted.get(&message).expect("only what was accepted is delivered");
        if self.acknowledged.contains(&message) {
            let asked = asked(message);
            assert!(asked == Asked::Before, "{message} came after its acknowledgement");
        }
        if !self.delivered.insert(message) {
            self.redeliveries += 1;
            return;
        }
        if self.unseen.contains(&message) {
            return;
        }
        let last = self.last.insert(place.sender, place.number);
        assert!(
            last.is_none_or(|last| last < place.number),
            "number {} of sender {} came first after number {last:?}",
            place.number,
            place.sender,
        );
    }

    /// Notes that a reader broke off: what had been accepted by then may have reached it unseen.
    pub fn lose_sight(&mut self) {
        let unseen = self.accepted.keys().filter(|message| !self.delivered.contains(message));
        self.unseen.extend(unseen.copied());
    }

    /// What may be acknowledged, oldest first as far as one can tell.
    pub fn open(&self) -> Vec<MessageId> {
        let mut open: Vec<_> = self.delivered.difference(&self.acknowledged).copied().collect();
        open.sort_unstable();
        open
    }

    pub fn acknowledge(&mut self, message: MessageId) {
        self.acknowledged.insert(message);
    }

    /// What was accepted and has not been delivered yet, or not been acknowledged.
    pub fn outstanding(&self) -> HashSet<MessageId> {
        let accepted: HashSet<_> = self.accepted.keys().copied().collect();
        accepted.difference(&self.acknowledged).copied().collect()
    }

    pub fn undelivered(&self) -> usize {
        self.accepted.keys().filter(|message| !self.delivered.contains(message)).count()
    }

    pub fn accepted(&self) -> usize {
        self.accepted.len()
    }
}
