//! What is known in memory: the newest ids, and the filters of the runs.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::entry::{Entry, Key};
use crate::domain::ids::{AccountNumber, MessageId};
use crate::domain::inbox::MessageDigest;
use crate::storage::filter::Filter;

/// Ids in their order.
pub(super) type Ids = BTreeMap<Key, MessageDigest>;

/// Those of `ids` after one place and up to another.
pub(super) fn between(ids: &Ids, after: i64, to: i64) -> Vec<Entry> {
    let last = |place| Key {
        place,
        sender: AccountNumber(i64::MAX),
        id: MessageId::from_bytes([0xff; 16]),
    };
    let range = ids.range((Bound::Excluded(last(after)), Bound::Included(last(to))));
    range.map(|(key, digest)| Entry { key: *key, digest: *digest }).collect()
}

/// A run's filters.
#[derive(Clone, Debug, Default)]
pub(super) struct Filters {
    /// The first place of each.
    firsts: Vec<i64>,
    filters: Vec<Filter>,
}

impl Filters {
    /// Adds the filter of a stretch that begins at `first`, after all others.
    pub(super) fn push(&mut self, first: i64, filter: Filter) {
        self.firsts.push(first);
        self.filters.push(filter);
    }

    fn may_have(&self, place: i64) -> bool {
        let stretch = self.firsts.partition_point(|first| *first <= place);
        stretch > 0 && self.filters[stretch - 1].may_have(place)
    }
}

/// A run that is asked.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub number: i64,
    pub ids: usize,
    /// Missing where there is no room for them in memory.
    pub filters: Option<Arc<Filters>>,
}

/// What changes with a commit.
pub(super) enum Change {
    /// Ids were accepted.
    Accepted(Vec<Entry>),
    /// The newest ids are being moved into a run.
    Froze,
    /// A stretch was added to a run that is not asked yet.
    Grew { run: i64, first: i64, filter: Filter },
    /// A run is whole, and asked in place of the newest that it was made of.
    Folded { run: i64, ids: usize },
    /// A run is whole, and asked in place of these others.
    Merged { run: i64, ids: usize, sources: Vec<i64> },
    /// A run's time is over.
    Dropped { run: i64 },
    /// The time of some of the newest is over.
    Forgot(Vec<Key>),
}

/// What is known in memory.
#[derive(Default)]
pub(super) struct Index {
    /// The newest ids that are in no run.
    pub newest: Ids,
    /// The newest that are being moved into a run.
    pub frozen: Arc<Ids>,
    runs: Vec<Run>,
    /// The filters of runs that are not whole yet.
    growing: BTreeMap<i64, Filters>,
    /// How many ids' filters are held at most, but for those of runs that are being written.
    held: usize,
    /// Raised when ids are looked for in other runs than before.
    pub generation: u64,
}

/// What the memory says of some ids.
pub(super) struct Found {
    /// The digests of those that are among the newest.
    pub digests: Vec<Option<MessageDigest>>,
    /// Which of the others have to be looked for on disk: where they stand in the list, and in
    /// which run.
    pub maybe: Vec<(usize, i64)>,
    /// The generation that this holds for.
    pub generation: u64,
}

impl Index {
    pub(super) fn new(held: usize, newest: Ids, frozen: Ids) -> Self {
        Self { newest, frozen: Arc::new(frozen), held, ..Self::default() }
    }

    /// Takes over what was there before a database was read again.
    pub(super) fn follow(&mut self, other: &Self) {
        self.generation = other.generation + 1;
    }

    /// Looks for ids.
    pub(super) fn look(&self, keys: &[Key]) -> Found {
        let mut found = Found {
            digests: vec![None; keys.len()],
            maybe: Vec::new(),
            generation: self.generation,
        };
        for (place, key) in keys.iter().enumerate() {
            found.digests[place] = self.newest.get(key).or_else(|| self.frozen.get(key)).copied();
            if found.digests[place].is_none() {
                let runs = self.runs.iter().filter(|run| run.may_have(key.place));
                found.maybe.extend(runs.map(|run| (place, run.number)));
            }
        }
        found
    }

    /// Adds a run that is asked.
    pub(super) fn add(&mut self, run: Run) {
        self.generation += 1;
        self.runs.push(run);
        self.make_room();
    }

    /// Adds the filters of a run that is not whole yet.
    pub(super) fn add_growing(&mut self, run: i64, filters: Filters) {
        self.growing.insert(run, filters);
    }

    /// The largest runs do without filters where there are too many.
    fn make_room(&mut self) {
        self.runs.sort_by_key(|run| run.ids);
        let mut held = 0;
        for run in &mut self.runs {
            held += run.ids;
            if held > self.held {
                run.filters = None;
            }
        }
    }

    /// Makes a change; what it leaves over is returned, because letting go of it takes time.
    pub(super) fn apply(&mut self, change: Change) -> Arc<Ids> {
        let mut old = Arc::default();
        match change {
            Change::Accepted(entries) => {
                self.newest.extend(entries.into_iter().map(|it| (it.key, it.digest)));
            }
            Change::Froze => self.frozen = Arc::new(std::mem::take(&mut self.newest)),
            Change::Grew { run, first, filter } => {
                self.growing.entry(run).or_default().push(first, filter);
            }
            Change::Folded { run, ids } => {
                old = std::mem::take(&mut self.frozen);
                self.add_grown(run, ids);
            }
            Change::Merged { run, ids, sources } => {
                self.runs.retain(|it| !sources.contains(&it.number));
                self.add_grown(run, ids);
            }
            Change::Dropped { run } => {
                self.generation += 1;
                self.runs.retain(|it| it.number != run);
            }
            Change::Forgot(keys) => {
                for key in keys {
                    self.newest.remove(&key);
                }
            }
        }
        old
    }

    fn add_grown(&mut self, number: i64, ids: usize) {
        let filters = self.growing.remove(&number).unwrap_or_default();
        self.add(Run { number, ids, filters: Some(Arc::new(filters)) });
    }
}

impl Run {
    fn may_have(&self, place: i64) -> bool {
        self.filters.as_ref().is_none_or(|filters| filters.may_have(place))
    }
}
