//! How far messages got: kept for their sender for as long as messages are.

use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, SessionId, SessionNumber};

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
