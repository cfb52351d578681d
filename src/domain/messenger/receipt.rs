//! How far messages got: kept for their sender for as long as messages are.

use std::collections::{HashMap, VecDeque};
use std::mem::take;
use std::sync::{Mutex, PoisonError};

use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, SessionId, SessionNumber, UserId};

/// How far a message got at one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message.
    pub message: MessageId,
    /// The device.
    pub device: SessionId,
    /// When the device took it.
    pub delivered_at: Timestamp,
    /// When its owner read it, if the device said so.
    pub read_at: Option<Timestamp>,
}

/// What the store needs to note how far a message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewReceipt {
    /// Who sent it.
    pub sender: AccountNumber,
    /// The message.
    pub message: MessageId,
    /// The device that took it.
    pub device: SessionNumber,
    /// Whether its owner has read it.
    pub is_read: bool,
}

/// Receipts of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipts {
    /// The device.
    pub device: SessionId,
    /// What is to be noted.
    pub new: Vec<NewReceipt>,
    /// Who sent the messages, as far as that is known.
    pub senders: HashMap<MessageId, UserId>,
    /// When they were taken or read.
    pub at: Timestamp,
}

/// The receipts that are remembered at most until they can be noted.
const MOST: usize = 100_000;

/// Receipts that could not be noted when their messages went.
#[derive(Debug, Default)]
pub struct LateReceipts(Mutex<VecDeque<Receipts>>);

impl LateReceipts {
    /// Remembers receipts; the oldest are forgotten when there are too many.
    pub fn keep(&self, receipts: Receipts) {
        let mut late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        late.push_back(receipts);
        let mut count: usize = late.iter().map(|receipts| receipts.new.len()).sum();
        while count > MOST
            && let Some(oldest) = late.pop_front()
        {
            count -= oldest.new.len();
        }
    }

    /// All of them, the oldest first; they are not remembered any more.
    #[must_use]
    pub fn all(&self) -> VecDeque<Receipts> {
        take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipts(number: u8, count: usize) -> Receipts {
        let one = NewReceipt {
            sender: AccountNumber(1),
            message: MessageId::from_bytes([number; 16]),
            device: SessionNumber(2),
            is_read: false,
        };
        let device = SessionId::from_bytes([2; 16]);
        let at = Timestamp::from_micros(number.into());
        Receipts { device, new: vec![one; count], senders: HashMap::new(), at }
    }

    #[test]
    fn late_receipts_wait_and_the_oldest_go_when_there_are_too_many() {
        let late = LateReceipts::default();
        late.keep(receipts(1, 1));
        late.keep(receipts(2, MOST - 1));
        assert_eq!(late.0.lock().unwrap().len(), 2);
        late.keep(receipts(3, 1));
        assert_eq!(late.all(), [receipts(2, MOST - 1), receipts(3, 1)]);
        assert!(late.all().is_empty());
    }
}
