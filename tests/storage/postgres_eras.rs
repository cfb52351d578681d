//! Message ids and their eras: an id gets in once, whatever gateways know of the eras.

use std::cell::Cell;
use std::sync::Arc;

use futures_util::future::join_all;
use sealpost::domain::Fault;
use sealpost::domain::ids::MessageId;
use sealpost::domain::inbox::{Acceptance, Accepted};
use sealpost::domain::ports::{Inbox, Store};
use sealpost::domain::session::Session;
use sealpost::storage::conformance::scene::{START, Scene, at, message_ids};
use sealpost::storage::{PostgresConfig, PostgresStore};
use sqlx::{PgConnection, query, query_as, query_scalar};

use crate::harness::postgres::{Schema, wait_until_blocked};

/// A database with a bot and a phone.
struct Story {
    schema: Schema,
    store: Arc<PostgresStore>,
    scene: Scene,
    bot: Session,
    phone: Session,
}

/// A store that turns eras after so many ids.
async fn open(schema: &Schema, era_ids: u64) -> Arc<PostgresStore> {
    open_as(PostgresConfig { era_ids, ..schema.config() }).await
}

async fn open_as(config: PostgresConfig) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(&config).await.unwrap())
}

impl Story {
    async fn begin(era_ids: u64) -> Self {
        let schema = Schema::create();
        let store = open(&schema, era_ids).await;
        let scene = Scene::new(store.clone() as Arc<dyn Store>);
        let (bot, phone) = (scene.device(1).await, scene.device(2).await);
        Self { schema, store, scene, bot, phone }
    }

    /// Messages with these numbers, each accepted at that second.
    async fn messages(&self, numbers: impl IntoIterator<Item = u16>) -> Vec<Acceptance> {
        let mut messages = Vec::new();
        for n in numbers {
            let mut message = self.scene.message(&self.bot, &[&self.phone], n).await;
            message.accepted_at = at(n.into());
            messages.push(message);
        }
        messages
    }

    /// Has a store accept messages with these numbers, one after the other; returns those that were
    /// stored.
    async fn stored(
        &self,
        store: &PostgresStore,
        numbers: impl IntoIterator<Item = u16>,
    ) -> Vec<u16> {
        let mut stored = Vec::new();
        for n in numbers {
            match store.accept(self.messages([n]).await).await.unwrap()[..] {
                [Accepted::Stored(_)] => stored.push(n),
                [Accepted::Duplicate] => {}
                ref other => panic!("{other:?}"),
            }
        }
        stored
    }

    /// The eras: number, whether closed, whether there is a filter.
    async fn eras(&self) -> Vec<(i64, i64, bool)> {
        let eras =
            query_as("SELECT era, is_closed, filter IS NOT NULL FROM seen_eras ORDER BY era");
        eras.fetch_all(&mut self.schema.connect().await).await.unwrap()
    }

    /// How many ids each era has.
    async fn ids_of_eras(&self) -> Vec<(i64, i64)> {
        let ids = query_as("SELECT era, count(*) FROM seen_messages GROUP BY era ORDER BY era");
        ids.fetch_all(&mut self.schema.connect().await).await.unwrap()
    }
}

/// The background's round, which forgets nothing that was accepted after the beginning.
async fn turn(store: &PostgresStore) -> Result<u64, Fault> {
    store.forget_seen(START, 100).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_gateway_that_knows_nothing_of_a_new_era_stores_no_id_again() {
    for pooler in [false, true] {
        store_with_one_that_is_unaware(pooler).await;
    }
}

async fn store_with_one_that_is_unaware(pooler: bool) {
    let story = Story::begin(3).await;
    let config = story.schema.config();
    let unaware = open_as(PostgresConfig { pooler, ..config.clone() }).await;
    let onlooker = open_as(PostgresConfig { pooler, ..config }).await;
    assert_eq!(story.stored(&story.store, 1..=2).await, [1, 2]);
    turn(&story.store).await.unwrap();
    assert_eq!(story.eras().await, [(1, 0, false)], "there is room in it");
    assert_eq!(story.stored(&story.store, 1..=4).await, [3, 4]);
    turn(&story.store).await.unwrap();
    assert_eq!(story.eras().await, [(1, 1, true), (2, 0, false)]);

    assert_eq!(story.stored(&story.store, [2, 5]).await, [5]);
    let [five] = message_ids([5])[..] else { panic!("one") };
    assert!(onlooker.seen(story.bot.account, &[five]).await.unwrap()[0].is_some());
    assert_eq!(story.stored(&unaware, [5, 1, 6]).await, [6]);
    assert_eq!(story.stored(&story.store, 1..=7).await, [7]);
    assert_eq!(story.ids_of_eras().await, [(1, 4), (2, 3)]);
    let all = message_ids(1..=8);
    for store in [&story.store, &unaware] {
        let seen = store.seen(story.bot.account, &all).await.unwrap();
        let seen: Vec<bool> = seen.iter().map(Option::is_some).collect();
        assert_eq!(seen, [true, true, true, true, true, true, true, false]);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_gateway_that_starts_again_counts_what_is_there_and_reads_the_filters() {
    let story = Story::begin(3).await;
    story.stored(&story.store, 1..=2).await;
    let again = open(&story.schema, 3).await;
    story.stored(&again, [3]).await;
    turn(&again).await.unwrap();
    assert_eq!(story.eras().await, [(1, 1, true), (2, 0, false)]);

    let third = open(&story.schema, 3).await;
    assert_eq!(story.stored(&third, 1..=4).await, [4]);
}

/// Somebody who is about to store an id in the first era.
async fn begin_to_store(story: &Story, id: MessageId) -> PgConnection {
    let mut stranger = story.schema.connect().await;
    query("BEGIN").execute(&mut stranger).await.unwrap();
    let open = query_scalar::<_, bool>("SELECT seen_era_is_open(1)");
    assert!(open.fetch_one(&mut stranger).await.unwrap());
    query("INSERT INTO seen_messages VALUES ($1, $2, $3, $4, $5, 1)")
        .bind(story.bot.account.shard().0)
        .bind(story.bot.account.0)
        .bind(&id.as_bytes()[..])
        .bind(&[0_u8; 16][..])
        .bind(at(9).as_micros())
        .execute(&mut stranger)
        .await
        .unwrap();
    stranger
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn an_era_is_closed_once_nobody_stores_in_it() {
    let story = Story::begin(1).await;
    story.stored(&story.store, [1]).await;
    let [id] = message_ids([9])[..] else { panic!("one") };
    let mut stranger = begin_to_store(&story, id).await;
    turn(&story.store).await.unwrap();
    assert_eq!(story.eras().await, [(1, 0, false)], "it does not wait for long");

    let store = Arc::clone(&story.store);
    let turning = tokio::spawn(async move { while turn(&store).await.is_ok() {} });
    wait_until_blocked(&story.schema, &mut stranger).await;
    query("COMMIT").execute(&mut stranger).await.unwrap();
    while story.eras().await.len() == 1 {}
    turning.abort();
    assert!(turning.await.unwrap_err().is_cancelled());
    turn(&story.store).await.unwrap();
    assert_eq!(story.eras().await, [(1, 1, true), (2, 0, false)]);
    assert!(story.store.seen(story.bot.account, &[id]).await.unwrap()[0].is_some());
    let closed = query_scalar::<_, bool>("SELECT NOT seen_era_is_open(1)");
    assert!(closed.fetch_one(&mut story.schema.connect().await).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn an_id_gets_in_once_while_eras_turn() {
    let story = Story::begin(20).await;
    let stores = [Arc::clone(&story.store), open(&story.schema, 20).await];
    let messages = story.messages(1..=400).await;
    let is_done = Cell::new(false);
    let turning = async |store: &PostgresStore| {
        while !is_done.get() {
            turn(store).await.unwrap();
        }
    };
    let posting = async {
        let mut stored = 0;
        for (n, batch) in messages.chunks(10).enumerate() {
            // After ten of them an era is full for sure, and somebody closes it.
            while story.eras().await.len() < 1 + n / 10 {}
            // Each message four times at once: twice to each of both.
            let posts = (0..4).map(|n| stores[n % 2].accept(batch.to_vec()));
            let outcomes: Vec<Accepted> =
                join_all(posts).await.into_iter().flat_map(Result::unwrap).collect();
            stored += outcomes.iter().filter(|it| matches!(it, Accepted::Stored(_))).count();
            let duplicates = outcomes.iter().filter(|it| **it == Accepted::Duplicate).count();
            assert_eq!(duplicates, 30, "{outcomes:?}");
        }
        is_done.set(true);
        stored
    };
    let (stored, ..) = tokio::join!(posting, turning(&stores[0]), turning(&stores[1]));
    assert_eq!(stored, 400);
    let eras = story.eras().await;
    assert!(eras.len() > 3, "{eras:?}");
    for store in &stores {
        let again = store.accept(messages.clone()).await.unwrap();
        assert!(again.iter().all(|it| *it == Accepted::Duplicate), "{again:?}");
    }
    let doubled = "SELECT count(*) - count(DISTINCT message_id) FROM seen_messages";
    let mut connection = story.schema.connect().await;
    assert_eq!(query_scalar::<_, i64>(doubled).fetch_one(&mut connection).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn an_era_goes_when_all_of_its_ids_are_old() {
    let story = Story::begin(3).await;
    story.stored(&story.store, 1..=3).await;
    turn(&story.store).await.unwrap();
    story.stored(&story.store, [4]).await;
    story.store.forget_seen(at(3), 100).await.unwrap();
    assert_eq!(story.eras().await.len(), 2, "one of its ids is not old yet");
    story.store.forget_seen(at(4), 100).await.unwrap();
    assert_eq!(story.eras().await, [(2, 0, false)]);
    assert_eq!(story.ids_of_eras().await, [(2, 1)]);
    assert_eq!(story.stored(&story.store, 1..=4).await, [1, 2, 3]);
}
