//! Ids that come in, are moved on, and are forgotten, in any order, with a restart after every step.

use std::collections::HashMap;
use std::path::Path;

use proptest::prelude::*;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{query, query_scalar};

use super::ledger::State;
use super::{SeenWriter, Sizes, runs};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId};
use crate::domain::inbox::MessageDigest;
use crate::storage::error::StoreError;
use crate::storage::sqlite::connection::WriterConnection;
use crate::storage::sqlite::migrate::migrate;

/// Small ones, so that a few hundred ids go all the way.
const SMALL: Sizes =
    Sizes { newest: 32, stretch: 10, chunk: 3, factor: 3, levels: 2, pace: 3, held: 200 };

type Name = (AccountNumber, MessageId);

fn name(n: u64) -> Name {
    (AccountNumber((n % 5).cast_signed()), MessageId::from_bytes(u128::from(n).to_be_bytes()))
}

fn digest(n: u64) -> MessageDigest {
    MessageDigest(u128::from(n ^ 0xabcd).to_le_bytes())
}

fn time(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds.cast_signed())
}

/// A database, and what should be in it.
struct World {
    connection: WriterConnection,
    writer: SeenWriter,
    sizes: Sizes,
    /// When each id was accepted.
    accepted: HashMap<u64, u64>,
    next: u64,
    now: u64,
    forgotten_before: u64,
}

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Commit,
    RollBack,
    /// The commit succeeds, and nobody hears of it.
    Unheard,
    /// The process ends without a commit.
    Killed,
}

#[derive(Clone, Debug)]
enum Deed {
    Accept(usize, End),
    Forget { age: u64, limit: usize, end: End },
    Restart,
}

impl World {
    async fn new(sizes: Sizes) -> Self {
        let options = SqliteConnectOptions::new().in_memory(true).page_size(4096);
        let mut connection = WriterConnection::open(&options).await.unwrap();
        migrate(&mut connection, Path::new("memory")).await.unwrap();
        let writer = SeenWriter::open(&mut connection, sizes).await.unwrap();
        let accepted = HashMap::new();
        Self { connection, writer, sizes, accepted, next: 1, now: 1, forgotten_before: 0 }
    }

    async fn run(&mut self, sql: &'static str) {
        query(sql).execute(&mut *self.connection).await.unwrap();
    }

    async fn begin(&mut self) {
        self.run("BEGIN IMMEDIATE").await;
        self.writer.begin(&mut self.connection).await.unwrap();
    }

    /// Ends a transaction; returns whether what it did is to be found from now on.
    async fn end(&mut self, end: End) -> bool {
        match end {
            End::Commit => {
                self.run("COMMIT").await;
                self.writer.committed();
            }
            End::RollBack => {
                self.run("ROLLBACK").await;
                self.writer.undone(&StoreError::Panicked);
            }
            End::Unheard => {
                self.run("COMMIT").await;
                let lost = std::io::Error::other("lost").into();
                self.writer.undone(&StoreError::Database { doing: "committing", source: lost });
                self.begin().await;
                self.run("COMMIT").await;
                self.writer.committed();
            }
            End::Killed => {
                self.run("ROLLBACK").await;
                self.restart().await;
            }
        }
        matches!(end, End::Commit | End::Unheard)
    }

    async fn restart(&mut self) {
        self.writer = SeenWriter::open(&mut self.connection, self.sizes).await.unwrap();
    }

    async fn accept(&mut self, count: usize, end: End) {
        let all = self.next..self.next + count as u64;
        self.begin().await;
        let ids = all.clone().map(|n| (name(n).0, name(n).1, digest(n)));
        let (number, now) = (self.next.cast_signed(), time(self.now));
        self.writer.append(&self.connection, number, now, ids).unwrap();
        self.writer.step(&self.connection).unwrap();
        if self.end(end).await {
            self.accepted.extend(all.clone().map(|n| (n, self.now)));
        }
        self.next = all.end;
        self.now += 1;
    }

    async fn forget(&mut self, before: u64, limit: usize, end: End) -> usize {
        self.begin().await;
        let before = before.max(self.forgotten_before);
        let micros = time(before).as_micros();
        let gone = self.writer.forget_before(&mut self.connection, micros, limit).await.unwrap();
        self.end(end).await;
        self.forgotten_before = before;
        self.accepted.retain(|_, at| *at >= before);
        gone
    }

    async fn digests(&mut self, names: impl Iterator<Item = u64>) -> Vec<Option<MessageDigest>> {
        self.begin().await;
        let names: Vec<Name> = names.map(name).collect();
        let digests = self.writer.digests(&self.connection, names.into_iter()).unwrap();
        self.end(End::Commit).await;
        digests
    }

    /// What was accepted and not forgotten is there, and nothing that was never accepted.
    async fn check(&mut self) {
        let known: Vec<u64> = self.accepted.keys().copied().collect();
        let expected: Vec<_> = known.iter().map(|n| Some(digest(*n))).collect();
        assert_eq!(self.digests(known.into_iter()).await, expected);
        let unknown = self.next..self.next + 20;
        assert_eq!(self.digests(unknown).await, vec![None; 20]);
    }

    /// Every id stands in one place that is asked, and nothing is kept that no run has.
    async fn check_places(&mut self) {
        let places = self.places();
        assert!(places >= self.accepted.len(), "{places} of {}", self.accepted.len());
        let strays = "SELECT (SELECT count(*) FROM seen_chunks WHERE run NOT IN (SELECT number FROM seen_runs))
            + (SELECT count(*) FROM seen_filters WHERE run NOT IN (SELECT number FROM seen_runs))";
        let strays: i64 = query_scalar(strays).fetch_one(&mut *self.connection).await.unwrap();
        assert_eq!(strays, 0);
    }

    /// How many ids there are in all places that are asked.
    fn places(&self) -> usize {
        let ledger = &self.writer.pending.ledger;
        let runs = ledger.records().filter(|record| ledger.is_asked(record));
        let index = self.writer.shared.index.read().unwrap();
        runs.map(|record| record.ids).sum::<usize>() + index.newest.len() + index.frozen.len()
    }

    fn states(&self) -> Vec<(i64, State)> {
        self.writer.pending.ledger.records().map(|it| (it.level, it.state)).collect()
    }
}

#[tokio::test]
async fn ids_are_found_after_a_crash_at_any_step() {
    let mut world = World::new(SMALL).await;
    let mut met = Vec::new();
    for round in 0..240 {
        // Each transaction is first lost and then done, and the process ends after it.
        let count = 1 + round % 9;
        world.accept(count, End::Killed).await;
        world.accept(count, End::Commit).await;
        world.restart().await;
        world.check().await;
        assert_eq!(world.places(), world.accepted.len());
        world.check_places().await;
        met.extend(world.states());
    }
    for level in 0..=2 {
        for state in [State::Writing, State::Clearing, State::Done] {
            assert!(met.contains(&(level, state)), "level {level} was never {state:?}");
        }
    }
    assert!(world.states().len() < 15, "{:?}", world.states());
}

#[tokio::test]
async fn moving_on_keeps_up_with_what_comes_in() {
    let mut world = World::new(SMALL).await;
    for round in 0..400_usize {
        world.accept([1, 2, 40, 7][round % 4], End::Commit).await;
        let index = world.writer.shared.index.read().unwrap();
        assert!(index.newest.len() <= 2 * (SMALL.newest + 40), "{}", index.newest.len());
        drop(index);
        let top = SMALL.levels;
        for level in 0..top {
            let waiting = world.states().iter().filter(|(own, _)| *own == level).count();
            assert!(waiting <= 2 * SMALL.factor + 1, "{:?}", world.states());
        }
    }
    world.check().await;
    world.check_places().await;
}

#[tokio::test]
async fn runs_go_when_their_time_is_over() {
    let mut world = World::new(SMALL).await;
    for _ in 0..100 {
        world.accept(10, End::Commit).await;
    }
    let (all, half) = (world.places(), world.now / 2);
    while world.forget(half, 20, End::Commit).await > 0 {
        world.check().await;
    }
    assert!(world.places() < all, "of {all} ids {} are left", world.places());
    let end = world.now;
    while world.forget(end, 20, End::Commit).await > 0 {
        world.check_places().await;
    }
    assert_eq!((world.places(), world.states()), (0, Vec::new()));
    for table in ["seen_newest", "seen_runs", "seen_chunks", "seen_filters"] {
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let count: i64 = query_scalar(count).fetch_one(&mut *world.connection).await.unwrap();
        assert_eq!(count, 0, "{table}");
    }
}

#[tokio::test]
async fn a_group_that_went_wrong_can_come_again() {
    let mut world = World::new(SMALL).await;
    world.accept(5, End::RollBack).await;
    assert_eq!(world.digests(1..6).await, vec![None; 5]);
    world.next = 1;
    world.accept(5, End::Commit).await;
    assert_eq!(world.digests(1..6).await, (1..6).map(digest).map(Some).collect::<Vec<_>>());
}

#[tokio::test]
async fn ids_of_one_place_stay_in_one_chunk() {
    let mut world = World::new(SMALL).await;
    let key = |place, n| super::Key { place, ..super::Secret::default().key(name(n).0, name(n).1) };
    let places = [1, 2, 7, 7, 7, 7, 7, 9];
    let entry =
        |(n, place): (u64, &i64)| super::entry::Entry { key: key(*place, n), digest: digest(n) };
    let entries: Vec<_> = (0..).zip(&places).map(entry).collect();
    runs::write_stretch(&world.connection, 1, &entries, 3).unwrap();
    let wanted: Vec<_> = entries.iter().map(|it| (1, it.key)).collect();
    let found = runs::look(&mut *world.connection, &wanted).await.unwrap();
    let expected: Vec<_> = (0..).zip(entries.iter().map(|it| it.digest)).collect();
    assert_eq!(found, expected);
    for entry in &entries {
        let found = runs::find(&world.connection, 1, &entry.key).unwrap();
        assert_eq!(found, Some(entry.digest));
    }
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        6 => Just(End::Commit),
        1 => Just(End::RollBack),
        1 => Just(End::Unheard),
        1 => Just(End::Killed),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => (1..40_usize, end()).prop_map(|(count, end)| Deed::Accept(count, end)),
        2 => (0..80_u64, 1..60_usize, end())
            .prop_map(|(age, limit, end)| Deed::Forget { age, limit, end }),
        1 => Just(Deed::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_happens_what_was_accepted_is_found(deeds in proptest::collection::vec(deed(), 1..100)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(SMALL).await;
            for deed in deeds {
                match deed {
                    Deed::Accept(count, end) => world.accept(count, end).await,
                    Deed::Forget { age, limit, end } => {
                        world.forget(world.now.saturating_sub(age), limit, end).await;
                    }
                    Deed::Restart => world.restart().await,
                }
                world.check().await;
                world.check_places().await;
            }
        });
    }
}
