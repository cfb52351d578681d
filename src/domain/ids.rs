//! Names of things: public UUIDs for the edge, small numbers for the store.
//!
//! A message with many recipients costs one row for each of them, so the hot tables hold 64-bit
//! numbers; UUIDs are translated once, when a request comes in.

pub use sealpost_sdk::ids::{AttachmentId, CodeId, ConversationId, MessageId, SessionId, UserId};

/// How many shards the hot tables are divided into; fixed for the life of a database.
pub const SHARDS: i64 = 1024;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);
    };
}

number!(
    /// An account inside the store.
    AccountNumber
);
number!(
    /// A session (a signed-in device) inside the store.
    SessionNumber
);
number!(
    /// A conversation inside the store.
    ConversationNumber
);
number!(
    /// A message's place in the one order of all messages; a later request sees a later number.
    Order
);

impl AccountNumber {
    /// The shard that holds what this account receives: its number modulo [`SHARDS`].
    #[must_use]
    pub fn shard(self) -> Shard {
        Shard(self.0.rem_euclid(SHARDS))
    }
}

/// The first key of every hot table, 0 to 1023.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub i64);
