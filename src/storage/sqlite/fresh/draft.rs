//! What a transaction changes about fresh rows: on disk at its end, and in memory once it is
//! committed.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use super::{Fresh, FreshRow, Progress, RowKey};
use crate::domain::inbox::InboxKey;
use crate::storage::error::StoreError;

/// So many rows are compared faster than they are hashed.
const FEW: usize = 16;

/// What a transaction changes.
pub(in super::super) struct Draft {
    fresh: Arc<Fresh>,
    /// Rows of messages that the transaction stores, in the order of their messages' numbers.
    added: Arc<Vec<(RowKey, FreshRow)>>,
    /// The last message that it stores, or 0.
    last: i64,
    /// Rows that something happened to; `None` when they are fresh no more.
    changed: BTreeMap<RowKey, Option<FreshRow>>,
    /// Rows that a round puts into the table.
    moved: Vec<RowKey>,
    /// As far as the transaction has dropped notes.
    clean_through: i64,
    progress: Option<Progress>,
    /// Whether a round began.
    begins: bool,
}

impl Draft {
    /// Nothing is changed yet.
    pub(in super::super) fn new(fresh: Arc<Fresh>) -> Self {
        let (added, changed) = (Arc::default(), BTreeMap::new());
        let (moved, clean_through) = (Vec::new(), i64::MIN);
        Self { fresh, added, last: 0, changed, moved, clean_through, progress: None, begins: false }
    }

    /// What a row says after the changes so far, if it is fresh.
    pub(in super::super) fn row(&self, key: RowKey) -> Option<FreshRow> {
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
    pub(in super::super) fn rows_of(&self, inbox: InboxKey) -> Vec<(RowKey, FreshRow)> {
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
    pub(in super::super) fn add(
        &mut self,
        number: i64,
        rows: impl Iterator<Item = (RowKey, FreshRow)>,
    ) -> Result<(), StoreError> {
        self.last = self.last.max(number);
        let added = Arc::make_mut(&mut self.added);
        let first = added.len();
        added.extend(rows);
        match all_differ(&added[first..]) {
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
    pub(in super::super) fn change(&mut self, key: RowKey, row: FreshRow) {
        self.changed.insert(key, Some(row));
    }

    /// Notes that a row is fresh no more: it is in the table, or gone.
    pub(in super::super) fn remove(&mut self, key: RowKey) {
        self.changed.insert(key, None);
    }

    /// What is to be noted on disk of single rows.
    pub(in super::super) fn changed(&self) -> &BTreeMap<RowKey, Option<FreshRow>> {
        &self.changed
    }

    /// The number up to which all messages are settled, if notes on them may be left on disk.
    pub(in super::super) fn may_have_notes(&self) -> Option<i64> {
        let state = self.fresh.lock();
        let through = self.progress.unwrap_or(state.progress).through;
        (self.clean_through.max(state.clean_through) < through).then_some(through)
    }

    /// Says that there are none any more.
    pub(in super::super) fn has_no_notes(&mut self, through: i64) {
        self.clean_through = through;
    }

    /// How far rows are put into the table, if the transaction moves that on.
    pub(in super::super) fn progress(&self) -> Option<Progress> {
        self.progress
    }

    /// How many rows the transaction adds.
    pub(in super::super) fn added(&self) -> usize {
        self.added.len()
    }

    /// Whether rows should be put into the table: a round is on its way, or so many wait, or came
    /// since the last one, that there should be one. So what a start has to read is bounded, even when
    /// everything is acknowledged at once.
    pub(in super::super) fn is_due(&self) -> bool {
        let state = self.fresh.lock();
        let most = self.fresh.keeps;
        self.progress.unwrap_or(state.progress).is_round()
            || state.rows.len() + self.added.len() > most
            || state.since_round + self.added.len() > most
    }

    /// Moves a round on, or begins one: returns the next rows in the order of the table, at most so
    /// many. What the transaction adds is not among them.
    pub(in super::super) fn advance(&mut self, limit: usize) -> Vec<(RowKey, FreshRow)> {
        let fresh = Arc::clone(&self.fresh);
        let state = fresh.lock();
        let mut progress = self.progress.unwrap_or(state.progress);
        if !progress.is_round() {
            progress.target = state.last;
            self.begins = true;
        }
        if !progress.is_round() {
            return Vec::new();
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

    /// What puts the added rows among the others, on any thread while the disk has the transaction.
    /// Readers leave them alone until [`Self::apply`] moves on what the last message is.
    pub(in super::super) fn staging(&self) -> impl Fn() + Clone + Send + 'static {
        let (fresh, added) = (Arc::clone(&self.fresh), Arc::clone(&self.added));
        move || fresh.lock().rows.extend(added.iter().copied())
    }

    /// Takes the added rows away again, when they are surely not on disk.
    pub(in super::super) fn undo(self) {
        let mut state = self.fresh.lock();
        for (key, _) in self.added.iter() {
            state.rows.remove(key);
        }
    }

    /// Makes the changes, once they are on disk; what they add is [staged](Self::staging).
    pub(in super::super) fn apply(self) {
        let mut state = self.fresh.lock();
        state.last = state.last.max(self.last);
        state.since_round = match self.begins {
            true => self.added.len(),
            false => state.since_round + self.added.len(),
        };
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

/// Whether no two of a message's rows are for the same inbox. Of a few, each is compared with each.
fn all_differ(rows: &[(RowKey, FreshRow)]) -> bool {
    if rows.len() <= FEW {
        return rows.iter().enumerate().all(|(at, (key, _))| {
            let later = &rows[at + 1..];
            later.iter().all(|(other, _)| other.inbox != key.inbox)
        });
    }
    let mut inboxes = HashSet::with_capacity(rows.len());
    rows.iter().all(|(key, _)| inboxes.insert(key.inbox))
}
