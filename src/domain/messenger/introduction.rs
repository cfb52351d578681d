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

/// How many introductions may wait for one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All of them together.
    pub all: u32,
    /// Those of one other device; not 0. A further one takes the place of the oldest, so that nobody
    /// can close a device to others.
    pub of_one: u32,
}

impl Room {
    /// Whether another one may wait for a device for which `waiting` do, `of_one` of them by the same
    /// sender. Returns how many of the sender's are to be kept beside it.
    ///
    /// # Errors
    /// [`Fault::Deferred`] when there is no room.
    pub fn check(self, waiting: u64, of_one: u64) -> Result<u32, Fault> {
        let kept = self.of_one.saturating_sub(1);
        let surplus = of_one.saturating_sub(kept.into());
        match waiting.saturating_sub(surplus) < u64::from(self.all) {
            true => Ok(kept),
            false => Err(Fault::Deferred { retry_after: FULL_RETRY }),
        }
    }
}

impl NewIntroduction {
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

/// An introduction that waits, without its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntroductionHead {
    /// Its public id.
    pub id: IntroductionId,
    /// The device that introduces itself.
    pub from: SessionId,
    /// The device that it is for.
    pub to: SessionId,
    /// When it came.
    pub at: Timestamp,
}

/// How much of what waits is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The present moment.
    pub now: Timestamp,
    /// At most so many.
    pub limit: u32,
    /// No more once the texts of those before have so many bytes.
    pub max_bytes: u64,
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
