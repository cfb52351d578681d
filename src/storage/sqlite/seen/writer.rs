//! The writer's half: what its transaction does to the ids, and what becomes of that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::entry::{Entry, Secret};
use super::index::Change;
use super::ledger::{Ledger, Newest};
use super::load::{Loaded, load};
use super::newest::{self, Group};
use super::{Seen, Sizes, runs};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId};
use crate::domain::inbox::MessageDigest;
use crate::storage::error::StoreError;
use crate::storage::sqlite::connection::WriterConnection;

/// What the one writer knows of ids that were accepted.
pub(in super::super) struct SeenWriter {
    pub(super) sizes: Sizes,
    pub(super) secret: Secret,
    pub(super) shared: Arc<Seen>,
    /// As it was after the last commit.
    ledger: Ledger,
    /// What the transaction at hand does.
    pub(super) pending: Pending,
}

/// What a transaction does, until it is committed.
pub(super) struct Pending {
    pub ledger: Ledger,
    pub changes: Vec<Change>,
    /// How many ids were accepted.
    pub accepted: usize,
    is_open: bool,
}

impl Pending {
    fn none(ledger: Ledger) -> Self {
        Self { ledger, changes: Vec::new(), accepted: 0, is_open: false }
    }
}

impl SeenWriter {
    /// Reads what is on disk.
    pub(in super::super) async fn open(
        connection: &mut WriterConnection,
        sizes: Sizes,
    ) -> Result<Self, StoreError> {
        let Loaded { secret, ledger, index } = load(connection, &sizes).await?;
        let (index, is_uncertain) = (RwLock::new(index), AtomicBool::new(false));
        let shared = Arc::new(Seen { secret, index, is_uncertain });
        Ok(Self { sizes, secret, shared, pending: Pending::none(ledger.clone()), ledger })
    }

    /// The readers' half.
    pub(in super::super) fn shared(&self) -> Arc<Seen> {
        Arc::clone(&self.shared)
    }

    /// Begins with a transaction; nothing may be asked or done before that.
    pub(in super::super) async fn begin(
        &mut self,
        connection: &mut WriterConnection,
    ) -> Result<(), StoreError> {
        // One that nobody has ended came to its end by a panic.
        if self.pending.is_open || self.shared.is_uncertain.load(Ordering::Acquire) {
            self.shared.is_uncertain.store(true, Ordering::Release);
            let Loaded { ledger, mut index, .. } = load(connection, &self.sizes).await?;
            let mut shared = self.shared.index.write().unwrap_or_else(PoisonError::into_inner);
            index.follow(&shared);
            *shared = index;
            self.ledger = ledger;
            self.shared.is_uncertain.store(false, Ordering::Release);
        }
        self.pending = Pending::none(self.ledger.clone());
        self.pending.is_open = true;
        Ok(())
    }

    /// The digests under which ids were accepted before the transaction, in the order of `names`.
    pub(in super::super) fn digests(
        &self,
        connection: &WriterConnection,
        names: impl Iterator<Item = (AccountNumber, MessageId)>,
    ) -> Result<Vec<Option<MessageDigest>>, StoreError> {
        let keys = self.shared.keys(names);
        let mut found = self.shared.look(&keys);
        for (place, run) in std::mem::take(&mut found.maybe) {
            if let Some(digest) = runs::find(connection, run, &keys[place])? {
                found.digests[place] = Some(digest);
            }
        }
        Ok(found.digests)
    }

    /// Adds ids that were not accepted before. `number` is above that of every call before.
    pub(in super::super) fn append(
        &mut self,
        connection: &WriterConnection,
        number: i64,
        newest_at: Timestamp,
        ids: impl Iterator<Item = (AccountNumber, MessageId, MessageDigest)>,
    ) -> Result<(), StoreError> {
        let entry = |(sender, id, digest)| Entry { key: self.secret.key(sender, id), digest };
        let entries: Vec<Entry> = ids.map(entry).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let newest_at = newest_at.as_micros();
        let group = Group { number, newest_at, entries };
        newest::append(connection, &group)?;
        let pending = &mut self.pending;
        pending.accepted += group.entries.len();
        pending.ledger.newest = Newest {
            ids: pending.ledger.newest.ids + group.entries.len(),
            last: number,
            newest_at: pending.ledger.newest.newest_at.max(newest_at),
        };
        pending.changes.push(Change::Accepted(group.entries));
        Ok(())
    }

    /// The transaction was committed.
    pub(in super::super) fn committed(&mut self) {
        self.ledger = self.pending.ledger.clone();
        let done = std::mem::replace(&mut self.pending, Pending::none(self.ledger.clone()));
        let mut index = self.shared.index.write().unwrap_or_else(PoisonError::into_inner);
        let old: Vec<_> = done.changes.into_iter().map(|change| index.apply(change)).collect();
        drop(index);
        // Letting go of many ids takes longer than anybody should wait for.
        drop(old);
    }

    /// The transaction failed.
    pub(in super::super) fn undone(&mut self, error: &StoreError) {
        if self.pending.is_open && !error.is_surely_undone() {
            self.shared.is_uncertain.store(true, Ordering::Release);
        }
        self.pending = Pending::none(self.ledger.clone());
    }
}
