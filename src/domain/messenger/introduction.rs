//! Introductions: a device that wants to write to another one leaves the beginning of a key
//! agreement here (X3DH), which waits until the other one confirms it.

use sealpost_sdk::ids::Id;

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, ConversationId, SessionId, SessionNumber, UserId};
use crate::domain::inbox::FULL_RETRY;

/// Marks ids of introductions, and of the pairs of devices that come of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntroductionKind {}

/// The public id of an introduction. A pair of devices keeps that of the one that made it.
pub type IntroductionId = Id<IntroductionKind>;

/// What the store needs to keep an introduction. The texts are their sender's, kept byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIntroduction {
    /// Its public id, fresh.
    pub id: IntroductionId,
    /// The device that introduces itself; it has to be live.
    pub from: SessionNumber,
    /// The device that it is for; it has to be live.
    pub to: SessionId,
    /// The ephemeral key; a second introduction of the same devices with it is the same one.
    pub ephemeral_key: String,
    /// The sender's own agreement key.
    pub sender_key: String,
    /// The recipient's one-time prekey that was used, which goes; empty for none.
    pub one_time_key: String,
    /// The first message.
    pub ciphertext: String,
    /// The present moment.
    pub at: Timestamp,
    /// When it is dropped even if nobody has confirmed it.
    pub expires_at: Timestamp,
}

impl NewIntroduction {
    /// Whether another one may wait for a device.
    ///
    /// # Errors
    /// [`Fault::Deferred`] when `most` do already.
    pub fn check_room(waiting: u64, most: u32) -> Result<(), Fault> {
        match waiting < u64::from(most) {
            true => Ok(()),
            false => Err(Fault::Deferred { retry_after: FULL_RETRY }),
        }
    }

    /// The refusal of a sender that ended while it asked.
    #[must_use]
    pub fn sender_is_gone() -> Fault {
        Fault::unauthorized("the device has ended")
    }

    /// The refusal of a prekey that is not there any more.
    #[must_use]
    pub fn key_is_gone() -> Fault {
        Fault::conflict("otpk_used", "was used before, or is none of the device's")
    }
}

/// What became of a [`NewIntroduction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Introduced {
    /// Under which id it is kept.
    pub id: IntroductionId,
    /// When it came.
    pub at: Timestamp,
    /// Whether it came just now, and not before.
    pub is_new: bool,
    /// The account that it is for.
    pub account: AccountNumber,
    /// The same account's public id.
    pub user: UserId,
}

/// An introduction that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Its public id.
    pub id: IntroductionId,
    /// The device that introduces itself.
    pub from: SessionId,
    /// The account of that device.
    pub sender: UserId,
    /// The device that it is for.
    pub to: SessionId,
    /// The ephemeral key.
    pub ephemeral_key: String,
    /// The sender's own agreement key.
    pub sender_key: String,
    /// The recipient's one-time prekey that was used; empty for none.
    pub one_time_key: String,
    /// The first message.
    pub ciphertext: String,
    /// When it came.
    pub at: Timestamp,
}

/// A device's word that it takes an introduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// Which introduction.
    pub introduction: IntroductionId,
    /// The device that it is for.
    pub to: SessionNumber,
    /// The id that the chat gets if it has to be made.
    pub chat: ConversationId,
    /// Whether the chat has to have that id even if there is one already.
    pub insists: bool,
    /// The present moment.
    pub at: Timestamp,
}

/// What a [`Confirmation`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The chat of the two accounts.
    pub chat: ConversationId,
    /// Whether these two devices are a pair for the first time.
    pub is_first: bool,
    /// The device that introduced itself, its account and the account's public id.
    pub from: (SessionId, AccountNumber, UserId),
}
