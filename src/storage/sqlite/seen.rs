//! Which ids were accepted, without a tree of them.
//!
//! An id is random, so in a tree every accepted message would have a page of its own written, and
//! more of them the longer ids are remembered. So they are kept as a log that is sorted afterwards:
//!
//! * The *newest* are appended, all those of a group of messages in one row, and are found in memory.
//! * When there are enough of them they are written from end to end as a *run*: in the order of their
//!   places, which are random (`entry.rs`), in chunks of a page, with a Bloom filter beside each
//!   stretch. Filters are in memory, so a look-up reads a chunk only if the id is there, or once in
//!   a thousand times.
//! * Eight runs are *merged* into one of the next level, so there are few to ask, and an id is
//!   written once for each level. The longest runs are left as they are.
//! * A run is *dropped* when the last of its ids is old enough.
//!
//! All of it happens a stretch at a time, in the transactions of messages and in proportion to them
//! (`steps.rs`), and how far it came is on disk with it. A run is asked from the moment when it is
//! whole; until then its ids are found where they were, and what it was made of is removed
//! afterwards. So there is no moment at which a crash could lose an id. What is in memory changes
//! after the commit; when nobody knows what became of a commit, it is read again.

mod entry;
mod forget;
mod index;
mod ledger;
mod load;
mod measured;
mod newest;
mod portable;
mod records;
mod runs;
mod steps;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use sqlx::SqlitePool;

use super::SqliteStore;
use crate::domain::Fault;
use crate::domain::ids::{AccountNumber, MessageId};
use crate::domain::inbox::MessageDigest;
use crate::storage::error::StoreError;
use entry::{Key, Secret};
pub(super) use forget::ForgetJob;
use index::{Found, Ids, Index};
pub use measured::SeenIds;
pub(super) use portable::{count_all, read_all, write_group};
pub(super) use writer::SeenWriter;

/// All statements but those over `seen_runs`, which is as long as there are runs.
#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    newest::APPEND,
    newest::AFTER,
    newest::SIZES,
    newest::REMOVE,
    runs::INSERT_FILTER,
    runs::STRETCH,
    runs::LOOK,
    runs::CHUNK,
    runs::CLEAR_CHUNKS,
    runs::CLEAR_FILTERS,
    records::PUT,
    records::REMOVE,
    load::FILTERS,
];

/// How much goes together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// When there are so many of the newest ids they become a run. While that is written as many
    /// again may come in; in memory one takes about 70 bytes.
    pub newest: usize,
    /// Ids that are moved at a time.
    pub stretch: usize,
    /// Ids in a row of a run.
    pub chunk: usize,
    /// Runs of one level that become one of the next.
    pub factor: usize,
    /// The level of the longest runs.
    pub levels: i64,
    /// How many ids each level's job moves for one that comes in.
    pub pace: usize,
    /// How many ids of runs have their filters in memory, at two bytes for each.
    pub held: usize,
}

impl Sizes {
    /// Those of the store. A start has to read the newest and the filters: 65,536 newest ids take
    /// a few hundredths of a second, and so does what they keep in memory: five to ten megabytes. A
    /// stretch is the work of about a millisecond, and its filter just fits in a page, as does a
    /// chunk. The longest runs have 33 million ids.
    pub(super) const STORE: Self = Self {
        newest: 65_536,
        stretch: 1_920,
        chunk: 100,
        factor: 8,
        levels: 3,
        pace: 3,
        held: 64_000_000,
    };
}

/// What is known in memory of the ids that were accepted: the readers' half.
#[derive(Default)]
pub(super) struct Seen {
    secret: Secret,
    index: RwLock<Index>,
    /// Set while nobody knows whether the last transaction was committed.
    is_uncertain: AtomicBool,
}

impl Seen {
    fn keys(&self, names: impl Iterator<Item = (AccountNumber, MessageId)>) -> Vec<Key> {
        names.map(|(sender, id)| self.secret.key(sender, id)).collect()
    }

    fn look(&self, keys: &[Key]) -> Found {
        self.index.read().unwrap_or_else(PoisonError::into_inner).look(keys)
    }

    fn generation(&self) -> u64 {
        self.index.read().unwrap_or_else(PoisonError::into_inner).generation
    }

    fn frozen(&self) -> Arc<Ids> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner).frozen)
    }

    /// The digests under which ids were accepted before, in the order of `keys`.
    async fn digests(
        &self,
        readers: &SqlitePool,
        keys: &[Key],
    ) -> Result<Vec<Option<MessageDigest>>, StoreError> {
        loop {
            let mut found = self.look(keys);
            look_in_runs(readers, keys, &mut found).await?;
            // A run that was asked may have been removed since, once its ids were in another one.
            if found.maybe.is_empty() || found.generation == self.generation() {
                return Ok(found.digests);
            }
        }
    }
}

/// Looks in the runs for what may be there.
async fn look_in_runs(
    readers: &SqlitePool,
    keys: &[Key],
    found: &mut Found,
) -> Result<(), StoreError> {
    if found.maybe.is_empty() {
        return Ok(());
    }
    let wanted = found.maybe.iter().map(|(place, run)| (*run, keys[*place]));
    let wanted: Vec<(i64, Key)> = wanted.collect();
    for (place, digest) in runs::look(readers, &wanted).await? {
        found.digests[found.maybe[place].0] = Some(digest);
    }
    Ok(())
}

impl SqliteStore {
    /// The digests under which ids were accepted before, in the order of `names`.
    pub(super) async fn seen_digests(
        &self,
        names: impl Iterator<Item = (AccountNumber, MessageId)>,
    ) -> Result<Vec<Option<MessageDigest>>, Fault> {
        if self.seen.is_uncertain.load(Ordering::Acquire) {
            // The writer reads what is on disk before it does anything else.
            self.change((), |(), _| Box::pin(async { Ok(Ok(())) })).await?;
        }
        let keys = self.seen.keys(names);
        Ok(self.seen.digests(&self.readers, &keys).await?)
    }
}
