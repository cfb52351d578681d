//! What a store says about itself, for operators.

use crate::domain::clock::Timestamp;

/// Numbers for operators and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Transactions that were committed since the store was opened. Requests that come together
    /// share one.
    pub commit_groups: u64,
    /// Requests that wait for their transaction.
    pub waiting_writes: u64,
    /// The size of the database without the log beside it; 0 when it is no file.
    pub database_bytes: u64,
    /// When the newest message was accepted, of those that are still kept.
    pub newest_message: Option<Timestamp>,
    /// Messages that are set aside, counted up to [`MOST_COUNTED`].
    pub set_aside: u64,
}

/// What waits in all inboxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Messages, once for each session that they wait for; those that are set aside are left out.
    pub waiting: u64,
    /// When the oldest message that is still kept was accepted. One that everybody has taken care of
    /// is kept until the sweeper comes past.
    pub oldest: Option<Timestamp>,
}

/// What a store is doing, and has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests that wait for their transaction.
    pub waiting_writes: u64,
    /// About how many bytes they hold, those that are being written included.
    pub waiting_bytes: u64,
    /// Transactions that were committed. Requests that come together share one.
    pub commit_groups: u64,
    /// The requests in them.
    pub commit_requests: u64,
    /// Transactions that failed, not counting those that met another one and were tried again.
    pub commit_failures: u64,
    /// Connections to the database that requests share; those that only write are not among them.
    pub connections: Connections,
}

/// Connections of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Those that are open.
    pub open: u64,
    /// Those of them that nobody uses.
    pub idle: u64,
    /// How many there may be.
    pub most: u64,
}

/// How far things are counted for operators.
pub const MOST_COUNTED: u32 = 10_000;

/// What a look for damage found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Soundness {
    /// Whether everything was looked at before time ran out.
    pub complete: bool,
    /// What is wrong, in the words of the database; only the first few things.
    pub damage: Vec<String>,
}
