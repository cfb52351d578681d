//! Drop boxes: whoever knows the token of one may leave messages in it, and only its owner, who
//! proves a secret, reads them.
//!
//! Nobody has an account here. A box belongs to whoever knows its secret, of which only a digest is
//! kept; what its keys and messages look like is a matter of the protocol's version, and nothing
//! here opens them. Begin with [`Depot`].

pub mod depot;
pub mod file;
pub mod guests;
pub mod hourly;
pub mod letter;
pub mod mail;
pub mod message;
pub mod notifying;
pub mod secret;
pub mod stock;
pub mod token;
pub mod tries;

use std::time::Duration;

use super::clock::Timestamp;

pub use depot::Depot;
pub use file::StoredFile;
pub use letter::Letter;
pub use mail::{EmailAddress, Mail};
pub use message::{
    DropId, DropMessage, DropPage, Ending, Form, Put, PutOutcome, ReadDrop, Room, Taking,
};
pub use secret::SecretDigest;
pub use token::{BoxToken, Version};

/// A drop box inside the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxNumber(pub i64);

/// What its owner wants to happen once messages were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AfterReading {
    /// The messages go.
    pub messages_go: bool,
    /// The box itself goes.
    pub box_goes: bool,
}

/// A drop box that is to be made, and what is kept of one.
#[derive(Clone, PartialEq, Eq)]
pub struct NewDropBox {
    /// What it is found by, never used before.
    pub token: BoxToken,
    /// What messages are encrypted for, as its version writes it.
    pub public_key: Vec<u8>,
    /// The private key, encrypted by its owner's means, if it is kept here.
    pub private_key: Option<Vec<u8>>,
    /// How the owner's keys follow from a passphrase; version 2 alone.
    pub kdf: Option<String>,
    /// What the owner's secret is compared with; nobody can read a box without one.
    pub secret: Option<SecretDigest>,
    /// The present moment.
    pub created_at: Timestamp,
    /// Before that nobody may read.
    pub release_at: Option<Timestamp>,
    /// From then on nothing can be left any more.
    pub lock_at: Timestamp,
    /// From then on the box is over.
    pub ends_at: Timestamp,
    /// What happens once it was read.
    pub after_reading: AfterReading,
    /// Who is told of new messages.
    pub notify: Option<EmailAddress>,
}

/// A drop box on file.
#[derive(Clone, PartialEq, Eq)]
pub struct DropBox {
    /// Its number in the store.
    pub number: BoxNumber,
    /// All else.
    pub content: NewDropBox,
}

/// What became of a wish for a box.
#[derive(Clone, PartialEq, Eq)]
pub enum CreatedBox {
    /// It was made.
    New(DropBox),
    /// There is one under that token.
    Taken(DropBox),
}

/// How much is kept, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropBoxPolicy {
    /// How long a box takes messages, unless its owner said otherwise.
    pub open_for: Duration,
    /// How long a box is kept after it was locked.
    pub kept_after_lock: Duration,
    /// The furthest moment from now at which a box may be locked.
    pub longest_open: Duration,
    /// How long a message waits.
    pub message_life: Duration,
    /// The longest that a letter waits.
    pub letter_life: Duration,
    /// What one box may hold.
    pub room: Room,
    /// About as many bytes as all boxes and letters together may hold, with 1 KiB for each of them;
    /// 0 for any number. Without it strangers could fill the disk.
    pub total_bytes: u64,
    /// Bytes of one message that is no file.
    pub message_bytes: u64,
    /// Bytes of one file as it is kept.
    pub file_bytes: u64,
    /// How often somebody may be wrong about one box from one network in a minute, and at once;
    /// 0 for any number.
    pub wrong_secrets: u64,
    /// The same about all boxes.
    pub wrong_secrets_in_all: u64,
    /// How many messages one network may leave in one box in a minute, and at once; 0 for any.
    pub messages_for_one: u64,
    /// How many boxes and letters one network may make in a minute, and at once; 0 for any.
    pub made: u64,
    /// How many bytes of messages and files one network may leave in a minute, and at once; 0 for
    /// any. It has to be at least [`Self::file_bytes`], or the largest files never come in.
    pub bytes_per_minute_for_network: u64,
}

impl Default for DropBoxPolicy {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            open_for: 30 * DAY,
            kept_after_lock: 30 * DAY,
            longest_open: 3660 * DAY,
            message_life: 60 * DAY,
            letter_life: 30 * DAY,
            room: Room { messages: 10_000, bytes: 1024 * 1024 * 1024 },
            total_bytes: 10 * 1024 * 1024 * 1024,
            message_bytes: 1024 * 1024,
            file_bytes: 100 * 1024 * 1024,
            wrong_secrets: 10,
            wrong_secrets_in_all: 60,
            messages_for_one: 120,
            made: 30,
            bytes_per_minute_for_network: 256 * 1024 * 1024,
        }
    }
}

impl DropBox {
    /// Whether it is there at that moment.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.content.ends_at > now
    }

    /// Whether its messages may be read at that moment.
    #[must_use]
    pub fn is_released(&self, now: Timestamp) -> bool {
        self.content.release_at.is_none_or(|release_at| release_at <= now)
    }
}
