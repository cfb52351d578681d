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

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::clock::Timestamp;
use crate::domain::ids::{Order, SessionNumber, Shard};
use crate::domain::inbox::InboxKey;
use crate::storage::error::StoreError;

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
    pub leased_until: Timestamp,
    pub deliveries: u32,
}

impl FreshRow {
    /// A row that nobody was handed yet.
    pub(super) const fn new(start: u32, length: u32) -> Self {
        Self { start, length, leased_until: Timestamp::from_micros(0), deliveries: 0 }
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

/// The rows that are not in their table, for readers.
pub(super) struct Fresh {
    state: Mutex<State>,
    /// So many rows stay here.
    keeps: usize,
}

struct State {
    rows: BTreeMap<RowKey, FreshRow>,
    /// The last message that has rows here, or had.
    last: i64,
    /// There are no notes on disk on messages up to this number.
    clean_through: i64,
    progress: Progress,
}

impl Fresh {
    /// Begins with rows that were found.
    pub(super) fn new(
        rows: BTreeMap<RowKey, FreshRow>,
        last: i64,
        progress: Progress,
        keeps: usize,
    ) -> Self {
        // Notes on messages that are settled were not read.
        let state = State { rows, last, clean_through: i64::MIN, progress };
        Self { state: Mutex::new(state), keeps }
    }

    /// Begins again with rows that were found on disk.
    pub(super) fn replace(&self, found: Self) {
        *self.lock() = found.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    }

    /// The oldest rows of an inbox that are free at this time and not among those that are held.
    pub(super) fn free(
        &self,
        inbox: InboxKey,
        now: Timestamp,
        held: &[Order],
        limit: u32,
    ) -> Vec<(i64, FreshRow)> {
        let held: HashSet<i64> = held.iter().map(|order| order.0).collect();
        let state = self.lock();
        let free = state.rows_of(inbox);
        let free = free.filter(|(number, row)| row.leased_until <= now && !held.contains(number));
        free.take(limit as usize).collect()
    }

    /// The rows of an inbox that were handed out, or are held.
    pub(super) fn handed_out(&self, inbox: InboxKey, held: &[Order]) -> Vec<i64> {
        let held: HashSet<i64> = held.iter().map(|order| order.0).collect();
        let state = self.lock();
        let out = state.rows_of(inbox);
        let out = out.filter(|(number, row)| row.deliveries > 0 || held.contains(number));
        out.map(|(number, _)| number).collect()
    }

    /// How many rows an inbox has here, counted as far as `most`.
    pub(super) fn count(&self, inbox: InboxKey, most: usize) -> usize {
        self.lock().rows_of(inbox).take(most).count()
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.lock().rows.len()
    }

    /// The last message that has rows here, or had.
    pub(super) fn last(&self) -> i64 {
        self.lock().last
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
        Self::new(BTreeMap::new(), 0, Progress::done(0), 0)
    }
}

impl State {
    fn rows_of(&self, inbox: InboxKey) -> impl Iterator<Item = (i64, FreshRow)> {
        let rows = self.rows.range(RowKey::first_of(inbox)..);
        let rows = rows.take_while(move |(key, _)| key.inbox == inbox);
        rows.map(|(key, row)| (key.number, *row))
    }
}

/// What a transaction changes.
pub(super) struct Draft {
    fresh: Arc<Fresh>,
    /// Rows of messages that the transaction stores, in the order of their messages' numbers.
    added: Vec<(RowKey, FreshRow)>,
    /// The last message that it stores, or 0.
    last: i64,
    /// Rows that something happened to; `None` when they are fresh no more.
    changed: BTreeMap<RowKey, Option<FreshRow>>,
    /// Rows that a round puts into the table.
    moved: Vec<RowKey>,
    /// As far as the transaction has dropped notes.
    clean_through: i64,
    progress: Option<Progress>,
}

impl Draft {
    /// Nothing is changed yet.
    pub(super) fn new(fresh: Arc<Fresh>) -> Self {
        let (added, changed) = (Vec::new(), BTreeMap::new());
        let (moved, clean_through) = (Vec::new(), i64::MIN);
        Self { fresh, added, last: 0, changed, moved, clean_through, progress: None }
    }

    /// What a row says after the changes so far, if it is fresh.
    pub(super) fn row(&self, key: RowKey) -> Option<FreshRow> {
        if self.progress.is_some_and(|progress| progress.has_settled(key)) {
            return None;
        }
        let changed = self.changed.get(&key).copied();
        changed.unwrap_or_else(|| {
            let kept = self.fresh.lock().rows.get(&key).copied();
            kept.or_else(|| self.added_row(key))
        })
    }

    /// The rows of an inbox after the changes so far.
    pub(super) fn rows_of(&self, inbox: InboxKey) -> Vec<(RowKey, FreshRow)> {
        let kept: Vec<_> = self.fresh.lock().rows_of(inbox).map(|(number, _)| number).collect();
        let added = self.added.iter().filter(|(key, _)| key.inbox == inbox);
        let added = added.map(|(key, _)| key.number);
        let keys = kept.into_iter().chain(added).map(|number| RowKey { inbox, number });
        keys.filter_map(|key| Some((key, self.row(key)?))).collect()
    }

    /// Adds the rows of a message that is stored now; its number is above that of any before.
    ///
    /// # Errors
    /// When there are two for the same session, which the rules never let through.
    pub(super) fn add(
        &mut self,
        number: i64,
        rows: impl Iterator<Item = (RowKey, FreshRow)>,
    ) -> Result<(), StoreError> {
        self.last = self.last.max(number);
        let first = self.added.len();
        self.added.extend(rows);
        let mut inboxes = HashSet::new();
        match self.added[first..].iter().all(|(key, _)| inboxes.insert(key.inbox)) {
            true => Ok(()),
            false => Err(StoreError::Corrupt { column: "payloads.slots" }),
        }
    }

    fn added_row(&self, key: RowKey) -> Option<FreshRow> {
        let first = self.added.partition_point(|(other, _)| other.number < key.number);
        let rows = self.added[first..].iter().take_while(|(other, _)| other.number == key.number);
        rows.copied().find(|(other, _)| *other == key).map(|(_, row)| row)
    }

    /// Changes what a fresh row says.
    pub(super) fn change(&mut self, key: RowKey, row: FreshRow) {
        self.changed.insert(key, Some(row));
    }

    /// Notes that a row is fresh no more: it is in the table, or gone.
    pub(super) fn remove(&mut self, key: RowKey) {
        self.changed.insert(key, None);
    }

    /// What is to be noted on disk of single rows.
    pub(super) fn changed(&self) -> &BTreeMap<RowKey, Option<FreshRow>> {
        &self.changed
    }

    /// Whether there may be notes on disk on messages up to this number, all of which are settled.
    pub(super) fn may_have_notes(&self, through: i64) -> bool {
        self.clean_through.max(self.fresh.lock().clean_through) < through
    }

    /// Says that there are none any more.
    pub(super) fn has_no_notes(&mut self, through: i64) {
        self.clean_through = through;
    }

    /// How far rows are put into the table, if the transaction moves that on.
    pub(super) fn progress(&self) -> Option<Progress> {
        self.progress
    }

    /// How many rows the transaction adds.
    pub(super) fn added(&self) -> usize {
        self.added.len()
    }

    /// Whether there are so many rows that some should be put into the table.
    pub(super) fn is_long(&self) -> bool {
        self.fresh.len() + self.added.len() > self.fresh.keeps
    }

    /// Moves a round on, or begins one: returns the next rows in the order of the table, at most so
    /// many. What the transaction adds is not among them.
    pub(super) fn advance(&mut self, limit: usize) -> Vec<(RowKey, FreshRow)> {
        let fresh = Arc::clone(&self.fresh);
        let state = fresh.lock();
        let mut progress = self.progress.unwrap_or(state.progress);
        if !progress.is_round() {
            progress.target = state.last;
        }
        let mut rows = Vec::with_capacity(limit);
        let mut is_over = true;
        for (key, row) in state.rows.range((Excluded(progress.cursor), Unbounded)) {
            if rows.len() >= limit {
                is_over = false;
                break;
            }
            progress.cursor = *key;
            if key.number > progress.through && key.number <= progress.target {
                let row = self.changed.get(key).copied().unwrap_or(Some(*row));
                rows.extend(row.map(|row| (*key, row)));
            }
        }
        self.progress = Some(if is_over { Progress::done(progress.target) } else { progress });
        self.moved.extend(rows.iter().map(|(key, _)| *key));
        rows
    }

    /// Makes the changes, once they are on disk.
    pub(super) fn apply(self) {
        let mut state = self.fresh.lock();
        state.last = state.last.max(self.last);
        state.rows.extend(self.added);
        state.clean_through = state.clean_through.max(self.clean_through);
        for (key, row) in self.changed {
            match row {
                Some(row) => state.rows.insert(key, row),
                None => state.rows.remove(&key),
            };
        }
        for key in self.moved {
            state.rows.remove(&key);
        }
        state.progress = self.progress.unwrap_or(state.progress);
    }
}
