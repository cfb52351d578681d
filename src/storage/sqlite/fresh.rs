//! Rows of inboxes that are not in their table yet.
//!
//! All that such a row says follows from its message, which is appended when it is accepted: for
//! whom it was stored, and where their slots stand. So the rows themselves are kept in memory at
//! first, and what happens to them is noted in a table that is written where it was written a moment
//! ago. Most are acknowledged before they become old. Those that are not go to their places among
//! the rows of inboxes many at a time, in the order of the tree ([`super::settle`]), which costs a
//! fraction of what it costs to go there with each message.
//!
//! Only the writer changes anything here, and only when it is on disk: a transaction collects its
//! changes in a [`Draft`]. Readers look here first and into the table afterwards, so that a row that
//! moves meanwhile is seen twice rather than not at all.

mod draft;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::clock::Timestamp;
use crate::domain::ids::{Order, SessionNumber, Shard};
use crate::domain::inbox::{InboxKey, LeaseRequest};

pub(super) use draft::Draft;

/// The place of a row in the order of the table `inbox`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RowKey {
    pub inbox: InboxKey,
    pub number: i64,
}

impl RowKey {
    /// Before the rows of all messages in an inbox.
    pub(super) const fn first_of(inbox: InboxKey) -> Self {
        Self { inbox, number: 0 }
    }

    /// Before every row.
    const FIRST: Self =
        Self::first_of(InboxKey { shard: Shard(i64::MIN), session: SessionNumber(i64::MIN) });
}

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FreshRow {
    /// Where its slot stands among those of the message, in bytes.
    pub start: u32,
    pub length: u32,
    /// When its message was accepted, and when its time is over.
    pub accepted_at: Timestamp,
    pub expires_at: Timestamp,
    pub leased_until: Timestamp,
    pub deliveries: u32,
}

impl FreshRow {
    /// A row that nobody was handed yet.
    pub(super) const fn new(
        (start, length): (u32, u32),
        accepted_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        let leased_until = Timestamp::from_micros(0);
        Self { start, length, accepted_at, expires_at, leased_until, deliveries: 0 }
    }
}

/// How far rows have been put into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// The rows of all messages up to this number are in the table.
    pub through: i64,
    /// A round puts the rows of messages up to this number there; the same when there is none.
    pub target: i64,
    /// It has done so with the rows up to this one.
    pub cursor: RowKey,
}

impl Progress {
    /// When nothing is left to do up to a number.
    pub(super) const fn done(through: i64) -> Self {
        Self { through, target: through, cursor: RowKey::FIRST }
    }

    /// Whether the rows of some message may be in the table only because a round has put them there.
    pub(super) const fn is_round(&self) -> bool {
        self.target > self.through
    }

    /// Whether a row of an accepted message is in the table, unless something was noted about it.
    pub(super) fn has_settled(&self, key: RowKey) -> bool {
        key.number <= self.through || (key.number <= self.target && key <= self.cursor)
    }
}

/// What is on disk of rows that are not in their table.
pub(super) struct Found {
    pub rows: BTreeMap<RowKey, FreshRow>,
    /// The last message of all.
    pub last: i64,
    pub progress: Progress,
}

/// The rows that are not in their table, for readers.
pub(super) struct Fresh {
    state: Mutex<State>,
    /// So many rows stay here.
    keeps: usize,
}

struct State {
    /// Those of messages after the last one belong to a transaction that is being committed.
    rows: BTreeMap<RowKey, FreshRow>,
    /// The last message that has rows here, or had.
    last: i64,
    /// There are no notes on disk on messages up to this number.
    clean_through: i64,
    /// How many rows were added since the last round began, whatever became of them.
    since_round: usize,
    progress: Progress,
}

impl Fresh {
    /// Begins with what was found on disk.
    pub(super) fn new(found: Found, keeps: usize) -> Self {
        Self { state: Mutex::new(State::of(found)), keeps }
    }

    /// Begins again with what was found on disk.
    pub(super) fn replace(&self, found: Found) {
        *self.lock() = State::of(found);
    }

    /// The oldest rows that a reader may have, as many as it asks for; some are held.
    pub(super) fn free(&self, request: &LeaseRequest, held: &[Order]) -> Vec<(i64, FreshRow)> {
        let held: HashSet<i64> = held.iter().map(|order| order.0).collect();
        let now = request.now;
        let state = self.lock();
        let free = state.rows_of(request.inbox).filter(|(number, row)| {
            let is_current = row.expires_at > now
                && request.not_before.is_none_or(|time| row.accepted_at >= time);
            is_current && row.leased_until <= now && !held.contains(number)
        });
        free.take(request.limit as usize).collect()
    }

    /// The rows of an inbox that were handed out, or are held.
    pub(super) fn handed_out(&self, inbox: InboxKey, held: &[Order]) -> Vec<(i64, FreshRow)> {
        let held: HashSet<i64> = held.iter().map(|order| order.0).collect();
        let state = self.lock();
        let out = state.rows_of(inbox);
        out.filter(|(number, row)| row.deliveries > 0 || held.contains(number)).collect()
    }

    /// The first rows of an inbox behind this one.
    pub(super) fn behind(&self, inbox: InboxKey, after: i64, limit: u32) -> Vec<(i64, FreshRow)> {
        let state = self.lock();
        let behind = state.rows_of(inbox).filter(|(number, _)| *number > after);
        behind.take(limit as usize).collect()
    }

    /// How many rows an inbox has here, counted as far as `most`.
    pub(super) fn count(&self, inbox: InboxKey, most: usize) -> usize {
        self.lock().rows_of(inbox).take(most).count()
    }

    /// How many rows there are, of all inboxes; those that are being committed included.
    pub(super) fn rows(&self) -> usize {
        self.lock().rows.len()
    }

    /// The last message that has rows here, or had.
    pub(super) fn last(&self) -> i64 {
        self.lock().last
    }

    /// Whether rows of messages up to this number are not in the table, or notes are left on them.
    pub(super) fn has_work_through(&self, last: i64) -> bool {
        let state = self.lock();
        state.progress.through < last || state.clean_through < last
    }

    /// How far rows have been put into the table.
    pub(super) fn progress(&self) -> Progress {
        self.lock().progress
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Fresh {
    fn default() -> Self {
        Self::new(Found { rows: BTreeMap::new(), last: 0, progress: Progress::done(0) }, 0)
    }
}

impl State {
    fn of(Found { rows, last, progress }: Found) -> Self {
        // Notes on messages that are settled were not looked for.
        let clean_through = if progress.through == 0 { 0 } else { i64::MIN };
        let since_round = rows.len();
        Self { rows, last, clean_through, since_round, progress }
    }

    /// The rows of an inbox, as far as they are committed.
    fn rows_of(&self, inbox: InboxKey) -> impl Iterator<Item = (i64, FreshRow)> {
        let last = RowKey { inbox, number: self.last.max(0) };
        let rows = self.rows.range(RowKey::first_of(inbox)..=last);
        rows.map(|(key, row)| (key.number, *row))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const INBOX: InboxKey = InboxKey { shard: Shard(7), session: SessionNumber(9) };

    fn staged(fresh: &Arc<Fresh>, number: i64) -> Draft {
        let mut draft = Draft::new(Arc::clone(fresh));
        let row = FreshRow::new((0, 64), Timestamp::from_micros(1), Timestamp::from_micros(2));
        let key = RowKey { inbox: INBOX, number };
        draft.add(number, std::iter::once((key, row))).unwrap();
        draft.staging()();
        draft
    }

    #[test]
    fn readers_see_a_row_when_it_is_committed_and_not_while_it_is() {
        let fresh = Arc::new(Fresh::default());
        let draft = staged(&fresh, 1);
        assert_eq!((fresh.count(INBOX, 10), fresh.last()), (0, 0));
        draft.apply();
        assert_eq!((fresh.count(INBOX, 10), fresh.last()), (1, 1));
    }

    #[test]
    fn nothing_is_left_of_a_row_that_was_not_committed() {
        let fresh = Arc::new(Fresh::default());
        staged(&fresh, 1).undo();
        // The number is free again, and taken by a message for somebody else.
        let mut next = Draft::new(Arc::clone(&fresh));
        next.add(1, std::iter::empty()).unwrap();
        next.apply();
        assert_eq!((fresh.count(INBOX, 10), fresh.last()), (0, 1));
    }
}
