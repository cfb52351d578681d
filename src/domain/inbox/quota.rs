//! How much may wait for a session, and what happens when that is reached.
//!
//! Nobody's messages are dropped while their reader is about: a message that finds a full inbox is
//! turned away, visibly, and its sender tries again. A device that nobody has used for long must
//! not keep its owner's other devices, or a whole group, from their messages: the oldest of what
//! waits for it go, and a gap marker says so.

use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::gateway::Gateway;
use crate::domain::ids::{MessageId, SessionNumber};
use crate::domain::inbox::{Acceptance, Slot};

/// When a sender should try again whose message found a full inbox.
pub const FULL_RETRY: Duration = Duration::from_secs(60);

/// Sightings of a session are written down when the last one is older than this part of the time
/// after which it counts as abandoned: once in half an hour, with the usual day.
const SIGHTINGS: u32 = 48;

/// How much may wait for each session that a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// So many messages, gap markers aside.
    pub messages: u32,
    /// A session that has not been seen since is abandoned.
    pub abandoned_before: Timestamp,
    /// What happens when a session is full that is not abandoned.
    pub when_full: WhenFull,
    /// The id of the gap marker in whichever inboxes have to make room.
    pub gap_id: MessageId,
}

/// Rows on their way into inboxes, as far as the quota is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Intake<'a> {
    /// A row for each of these.
    pub slots: &'a [Slot],
    /// How much may wait there.
    pub quota: Quota,
    /// The present moment.
    pub now: Timestamp,
}

impl<'a> Intake<'a> {
    /// The rows of a message.
    #[must_use]
    pub fn of(message: &'a Acceptance) -> Self {
        Self { slots: &message.slots, quota: message.quota, now: message.accepted_at }
    }
}

/// What happens to a message when an inbox is full and its reader is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is not stored for anybody: the sender keeps it and tries again.
    Defer,
    /// The oldest messages of that inbox make room: one device must not stop many people.
    Trim,
}

impl WhenFull {
    /// The rule for a message to so many accounts.
    #[must_use]
    pub fn for_accounts(accounts: usize) -> Self {
        if accounts > 1 { Self::Trim } else { Self::Defer }
    }
}

impl Quota {
    /// How many messages stay when an inbox has to make room: an eighth goes at once, so that the
    /// work is not done again for each message. The one that room is made for stays in any case.
    #[must_use]
    pub fn kept(&self) -> u32 {
        self.messages.saturating_sub((self.messages / 8).max(1)).max(1)
    }
}

impl Gateway {
    /// The quota for a message that is accepted at this moment.
    #[must_use]
    pub fn quota(&self, when_full: WhenFull) -> Quota {
        let limits = &self.limits;
        // A session may have been seen a little later than is on file.
        let unseen = limits.abandoned_after.saturating_add(self.sighting_precision());
        Quota {
            messages: limits.inbox_messages,
            abandoned_before: self.clock.now().minus(unseen),
            when_full,
            gap_id: self.random_id(),
        }
    }

    /// Notes that a session is in use.
    pub(in crate::domain) async fn note_seen(&self, session: SessionNumber) {
        let (now, precision) = (self.clock.now(), self.sighting_precision());
        // If it cannot be noted now, the next request of the session tries again.
        let _ = self.store.note_seen(session, now, precision).await;
    }

    fn sighting_precision(&self) -> Duration {
        self.limits.abandoned_after / SIGHTINGS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_makes_room_but_at_least_one() {
        let kept = |messages| {
            let (abandoned_before, when_full) = (Timestamp::default(), WhenFull::Trim);
            let gap_id = MessageId::from_bytes([0; 16]);
            Quota { messages, abandoned_before, when_full, gap_id }.kept()
        };
        assert_eq!([kept(10_000), kept(8), kept(3), kept(2), kept(1)], [8750, 7, 2, 1, 1]);
    }

    #[test]
    fn only_a_single_recipient_is_waited_for() {
        assert_eq!(WhenFull::for_accounts(1), WhenFull::Defer);
        assert_eq!(WhenFull::for_accounts(2), WhenFull::Trim);
    }
}
