//! What waits to be brought to other gateways. What one session writes to one gateway stands in
//! line: the next letter leaves when the one before it has arrived, or was given up.

use std::time::Duration;

use super::node::NodeId;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::SessionNumber;
use crate::domain::inbox::FULL_RETRY;

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

/// How much waits of what one session writes, or how much may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Gateways that it is for.
    pub lines: u64,
    /// Letters for all of them.
    pub letters: u64,
    /// Bytes of these letters.
    pub bytes: u64,
}

impl Amount {
    /// What may wait of one session.
    pub const MOST: Self = Self { lines: 100, letters: 10_000, bytes: 64 * 1024 * 1024 };

    /// With another letter, of so many bytes, in a new line or in one that is there.
    ///
    /// # Errors
    /// [`Fault::Deferred`] when that is more than may wait.
    pub fn with(self, bytes: usize, is_new_line: bool, most: Self) -> Result<Self, Fault> {
        let sum = Self {
            lines: self.lines + u64::from(is_new_line),
            letters: self.letters + 1,
            bytes: self.bytes + bytes as u64,
        };
        let fits =
            sum.lines <= most.lines && sum.letters <= most.letters && sum.bytes <= most.bytes;
        if fits { Ok(sum) } else { Err(Fault::Deferred { retry_after: FULL_RETRY }) }
    }
}

/// The letters of one session for one gateway, in their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// The session that writes.
    pub sender: SessionNumber,
    /// The gateway that they are for.
    pub node: NodeId,
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
        /// When the next of its line may leave.
        at: Timestamp,
    },
    /// It is brought again.
    Again {
        /// When.
        at: Timestamp,
    },
}

impl Letter {
    /// Where it stands.
    #[must_use]
    pub fn line(&self) -> Line {
        Line { sender: self.sender, node: self.node.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_letters_and_bytes_of_a_sender_have_a_limit_each() {
        let most = Amount { lines: 1, letters: 2, bytes: 10 };
        let one = Amount::default().with(6, true, most).unwrap();
        assert_eq!(one, Amount { lines: 1, letters: 1, bytes: 6 });
        assert!(one.with(4, false, most).is_ok());
        assert!(one.with(5, false, most).is_err());
        assert!(one.with(0, true, most).is_err());
        assert!(one.with(0, false, most).unwrap().with(0, false, most).is_err());
    }

    #[test]
    fn pauses_double_from_twenty_seconds_to_an_hour() {
        let pauses = [1, 2, 3, 8, 9, 10, 99].map(|attempts| pause_after(attempts).as_secs());
        assert_eq!(pauses, [20, 40, 80, 2560, 3600, 3600, 3600]);
    }
}
