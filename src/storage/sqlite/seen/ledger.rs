//! Which runs there are, what becomes of them, and what is due: as it is on disk, without the ids.

use std::collections::BTreeMap;

use super::Sizes;

/// What is done with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is written, stretch by stretch; its ids are found where they were.
    Writing,
    /// It is whole and asked; what it was made of is not asked any more and is removed.
    Clearing,
    /// It is whole and alone.
    Done,
    /// Its time is over; it is removed.
    Dropped,
}

impl State {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Writing, "writing"),
        (Self::Clearing, "clearing"),
        (Self::Done, "done"),
        (Self::Dropped, "dropped"),
    ];

    /// Its name on disk.
    pub(super) fn name(self) -> &'static str {
        let own = Self::NAMES.iter().find(|(state, _)| *state == self);
        own.map_or("", |(_, name)| *name)
    }

    /// The state of this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, own)| *own == name).map(|(state, _)| *state)
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub number: i64,
    /// 0 for what was made of the newest ids.
    pub level: i64,
    /// How many ids were written to it.
    pub ids: usize,
    /// When the last of its ids was accepted, in microseconds.
    pub newest_at: i64,
    pub state: State,
    /// It has everything up to this place.
    pub written_to: i64,
    /// Until it is done: it is made of the newest ids up to the row of this number.
    pub folds_to: Option<i64>,
    /// The run that is made of this one and others.
    pub merged_into: Option<i64>,
}

/// The newest ids that are in no run, whole or in the making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    pub ids: usize,
    /// The number of the last row.
    pub last: i64,
    /// When the last of them was accepted.
    pub newest_at: i64,
}

impl Newest {
    /// None at all.
    pub(super) const NONE: Self = Self { ids: 0, last: i64::MIN, newest_at: i64::MIN };
}

/// What is on disk.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    records: BTreeMap<i64, Record>,
    pub newest: Newest,
    /// Of each level: how many ids its job may move before it is ahead of those that come in.
    pub credits: BTreeMap<i64, usize>,
}

impl Ledger {
    pub(super) fn new(records: impl IntoIterator<Item = Record>, newest: Newest) -> Self {
        let records = records.into_iter().map(|record| (record.number, record)).collect();
        Self { records, newest, credits: BTreeMap::new() }
    }

    /// Notes a run as it is now.
    pub(super) fn put(&mut self, record: Record) {
        self.records.insert(record.number, record);
    }

    pub(super) fn remove(&mut self, number: i64) {
        self.records.remove(&number);
    }

    pub(super) fn record(&self, number: i64) -> Option<&Record> {
        self.records.get(&number)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The number of the next run.
    pub(super) fn next_number(&self) -> i64 {
        self.records.keys().next_back().map_or(1, |last| last + 1)
    }

    /// The run of a level that is being made or cleared up after: one at a time.
    pub(super) fn job(&self, level: i64) -> Option<&Record> {
        let at_work = |it: &&Record| matches!(it.state, State::Writing | State::Clearing);
        self.records().filter(at_work).find(|it| it.level == level)
    }

    /// The runs that this one is made of.
    pub(super) fn sources(&self, number: i64) -> Vec<&Record> {
        self.records().filter(|it| it.merged_into == Some(number)).collect()
    }

    /// Whether ids are looked for in a run.
    pub(super) fn is_asked(&self, record: &Record) -> bool {
        let heir = record.merged_into.and_then(|heir| self.record(heir));
        matches!(record.state, State::Clearing | State::Done)
            && heir.is_none_or(|heir| heir.state == State::Writing)
    }

    /// A run that is to be made of the newest ids.
    pub(super) fn due_fold(&self, sizes: &Sizes) -> Option<Record> {
        let is_due = self.newest.ids >= sizes.newest && self.job(0).is_none();
        is_due.then(|| Record {
            number: self.next_number(),
            level: 0,
            ids: 0,
            newest_at: self.newest.newest_at,
            state: State::Writing,
            written_to: -1,
            folds_to: Some(self.newest.last),
            merged_into: None,
        })
    }

    /// A run that is to be made of runs of the level below, and these.
    pub(super) fn due_merge(&self, level: i64, sizes: &Sizes) -> Option<(Record, Vec<Record>)> {
        let is_free = |it: &&Record| {
            it.level == level - 1 && it.state == State::Done && it.merged_into.is_none()
        };
        let free: Vec<&Record> = self.records().filter(is_free).take(sizes.factor).collect();
        if free.len() < sizes.factor || self.job(level).is_some() {
            return None;
        }
        let number = self.next_number();
        let merged = Record {
            number,
            level,
            ids: 0,
            newest_at: free.iter().map(|it| it.newest_at).max().unwrap_or(i64::MIN),
            state: State::Writing,
            written_to: -1,
            folds_to: None,
            merged_into: None,
        };
        let sources = free.into_iter().map(|it| Record { merged_into: Some(number), ..it.clone() });
        Some((merged, sources.collect()))
    }
}
