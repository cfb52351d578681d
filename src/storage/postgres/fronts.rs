//! Where inboxes begin: how a reader gets past what was delivered long ago.
//!
//! Messages that were acknowledged leave dead entries in the index, in front of those that wait, and
//! whoever looks through an inbox walks past them until the server has cleaned up. So each process
//! remembers for the inboxes that it reads below which number there is nothing, and begins there.
//!
//! That is a hint. Most of what comes into an inbox has a higher number than everything before, but
//! a request that ran beside another may come a moment later with a lower one, and slots that are
//! added to a message come with its number. Whoever adds slots says so ([`Fronts::forget`]). For the
//! rest a beginning is believed only [`SETTLED`] after it was found, when every transaction has
//! ended that ran at that time; and every so often a reader looks through all of the inbox, above
//! all one that finds nothing: something may have come that it was woken for. Gap markers have
//! numbers of their own in front, where every reader looks.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::query;
use tokio::time::Instant;

use super::PostgresStore;
use super::connect::LONGEST_STATEMENT;
use super::rows::value;
use super::writer::LONGEST;
use crate::domain::inbox::InboxKey;
use crate::storage::error::{StoreError, during};

/// How long it takes at most, but for accidents, until what has a number can be seen: a group is
/// given up after so long, and the server may be busy with its last statement by then.
const SETTLED: Duration = LONGEST.saturating_add(LONGEST_STATEMENT);

/// A reader that finds nothing looks through all of its inbox, but not more often than that.
const AGAIN: Duration = Duration::from_secs(1);

/// How many inboxes are remembered, at most.
const INBOXES: usize = 100_000;

/// No message stands before this number.
const BEGINNING: i64 = 1;

/// The inboxes that this process reads.
#[derive(Default)]
pub(super) struct Fronts(Mutex<HashMap<InboxKey, Front>>);

#[derive(Clone, Copy)]
struct Front {
    /// Below this there was nothing twice, with time enough between.
    settled: i64,
    /// Below this there was nothing when somebody last looked through all of it.
    found: i64,
    /// When that was.
    at: Instant,
    /// When a reader last looked through all of it.
    read: Instant,
}

impl Fronts {
    /// Where to begin, unless it is time to look through all of the inbox.
    fn settled(&self, inbox: InboxKey, now: Instant) -> Option<i64> {
        let front = *self.lock().get(&inbox)?;
        (now.duration_since(front.at) < SETTLED).then_some(front.settled)
    }

    /// Notes where an inbox begins, as it was found after `now`.
    fn note(&self, inbox: InboxKey, found: i64, now: Instant) {
        let mut fronts = self.lock();
        if fronts.len() >= INBOXES && !fronts.contains_key(&inbox) {
            fronts.clear();
        }
        let before = fronts.get(&inbox).copied();
        let settled = match before {
            Some(before) if now.duration_since(before.at) < SETTLED => before.settled.min(found),
            Some(before) => before.found.min(found),
            None => BEGINNING,
        };
        fronts.insert(inbox, Front { settled, found, at: now, read: now });
    }

    /// These inboxes may hold something anywhere.
    pub(super) fn forget(&self, inboxes: impl Iterator<Item = InboxKey>) {
        let mut fronts = self.lock();
        for inbox in inboxes {
            fronts.remove(&inbox);
        }
    }

    /// Whether a reader that found nothing from `front` on is to look through all of the inbox.
    fn is_to_look_again(&self, inbox: InboxKey, front: i64, now: Instant) -> bool {
        let mut fronts = self.lock();
        let Some(known) = fronts.get_mut(&inbox) else { return front > BEGINNING };
        let is_time = front > BEGINNING && now.duration_since(known.read) >= AGAIN;
        if is_time {
            known.read = now;
        }
        is_time
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InboxKey, Front>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The oldest message that waits; if there is none, the last number that anybody has drawn, since
/// what has it may not have come yet.
pub(super) const FIRST: &str = "
    SELECT coalesce((
        SELECT number FROM inbox WHERE shard = $1 AND session = $2 AND number > 0
        ORDER BY number LIMIT 1
    ), (SELECT last_value FROM message_numbers)) AS first";

impl PostgresStore {
    /// The number at which to begin to look for messages. Every so often that is the first of all.
    pub(super) async fn front(&self, inbox: InboxKey) -> Result<i64, StoreError> {
        let now = Instant::now();
        if let Some(settled) = self.fronts.settled(inbox, now) {
            return Ok(settled);
        }
        let row = query(FIRST).bind(inbox.shard.0).bind(inbox.session.0);
        let row = row.fetch_one(&mut self.reader().await?).await;
        let first = value(&row.map_err(during("looking for the oldest message"))?, "first")?;
        self.fronts.note(inbox, first, now);
        Ok(BEGINNING)
    }

    /// Where to look for messages once more, when there was nothing from `front` on.
    pub(super) fn front_after_nothing(&self, inbox: InboxKey, front: i64) -> Option<i64> {
        self.fronts.is_to_look_again(inbox, front, Instant::now()).then_some(BEGINNING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{SessionNumber, Shard};

    const INBOX: InboxKey = InboxKey { shard: Shard(1), session: SessionNumber(1) };

    #[tokio::test]
    async fn a_beginning_is_believed_when_it_was_found_long_ago() {
        let (fronts, start) = (Fronts::default(), Instant::now());
        assert_eq!(fronts.settled(INBOX, start), None);
        fronts.note(INBOX, 100, start);
        assert_eq!(fronts.settled(INBOX, start), Some(BEGINNING), "it may be on its way");
        assert_eq!(fronts.settled(INBOX, start + SETTLED), None, "time to look again");
        fronts.note(INBOX, 200, start + SETTLED);
        assert_eq!(fronts.settled(INBOX, start + SETTLED), Some(100));
        fronts.note(INBOX, 300, start + 2 * SETTLED);
        assert_eq!(fronts.settled(INBOX, start + 2 * SETTLED), Some(200));
    }

    #[tokio::test]
    async fn an_inbox_that_seems_empty_is_looked_through_once_a_second() {
        let (fronts, start) = (Fronts::default(), Instant::now());
        fronts.note(INBOX, 100, start);
        fronts.note(INBOX, 100, start + SETTLED);
        let (later, front) = (start + SETTLED + AGAIN, 100);
        assert!(!fronts.is_to_look_again(INBOX, front, start + SETTLED));
        assert!(fronts.is_to_look_again(INBOX, front, later));
        assert!(!fronts.is_to_look_again(INBOX, front, later), "somebody has");
        assert!(!fronts.is_to_look_again(INBOX, BEGINNING, later + AGAIN), "that was all of it");
        fronts.forget(std::iter::once(INBOX));
        assert_eq!(fronts.settled(INBOX, later), None);
    }

    #[tokio::test]
    async fn what_came_late_is_not_passed_over() {
        let (fronts, start) = (Fronts::default(), Instant::now());
        fronts.note(INBOX, 100, start);
        fronts.note(INBOX, 40, start + SETTLED);
        assert_eq!(fronts.settled(INBOX, start + SETTLED), Some(40));
        fronts.note(INBOX, 30, start + SETTLED);
        assert_eq!(fronts.settled(INBOX, start + SETTLED), Some(30), "by two at the same time");
    }
}
