//! What waits to be brought to other gateways. What one session writes to one gateway stands in
//! line: the next letter leaves when the one before it has arrived, or was given up.

use std::time::Duration;

use super::node::NodeId;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionNumber;

/// How often a letter is brought before it is given up.
pub const MOST_ATTEMPTS: u32 = 10;

/// After the first attempt in vain; each further one doubles it.
const SHORTEST_PAUSE: Duration = Duration::from_secs(20);

const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// The pause after so many attempts in vain.
#[must_use]
pub fn pause_after(attempts: u32) -> Duration {
    let doubled = SHORTEST_PAUSE.saturating_mul(1 << (attempts.clamp(1, 16) - 1));
    doubled.min(LONGEST_PAUSE)
}

/// What the store needs to keep a letter.
#[derive(Clone, PartialEq, Eq)]
pub struct NewLetter {
    /// The gateway that it is for.
    pub node: NodeId,
    /// The session that writes.
    pub sender: SessionNumber,
    /// The sender's id for it.
    pub logical: String,
    /// Tells letters under one id apart: a digest of the body.
    pub digest: [u8; 16],
    /// The request, as it is brought.
    pub body: Vec<u8>,
    /// The present moment.
    pub at: Timestamp,
    /// When it is given up in any case.
    pub expires_at: Timestamp,
}

/// A letter whose turn it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// The gateway that it is for.
    pub node: NodeId,
    /// The session that writes.
    pub sender: SessionNumber,
    /// Its place in the line.
    pub number: i64,
    /// The sender's id for it.
    pub logical: String,
    /// As in [`NewLetter::digest`].
    pub digest: [u8; 16],
    /// The request, as it is brought.
    pub body: Vec<u8>,
    /// How often it was brought in vain.
    pub attempts: u32,
    /// When it is given up in any case.
    pub expires_at: Timestamp,
}

/// What becomes of a letter that was brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It goes: it has arrived, or was given up.
    Done {
        /// The present moment, when the next of its line may leave.
        at: Timestamp,
    },
    /// It is brought again.
    Again {
        /// When.
        at: Timestamp,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_twenty_seconds_to_an_hour() {
        let pauses = [1, 2, 3, 8, 9, 10, 99].map(|attempts| pause_after(attempts).as_secs());
        assert_eq!(pauses, [20, 40, 80, 2560, 3600, 3600, 3600]);
    }
}
