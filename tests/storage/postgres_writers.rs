//! Several writers, in one gateway and in two, and what they are asked at the same moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use sealpost::domain::ids::{MessageId, Order};
use sealpost::domain::inbox::{Acceptance, Accepted, Slot};
use sealpost::domain::ports::{Inbox, Store};
use sealpost::storage::PostgresStore;
use sealpost::storage::conformance::scene::{START, Scene, at};

use crate::harness::postgres::Schema;

async fn open(schema: &Schema, writers: u32) -> Arc<PostgresStore> {
    let mut config = schema.config();
    config.writers = writers;
    Arc::new(PostgresStore::open(&config).await.unwrap())
}

fn scene(store: &Arc<PostgresStore>) -> Scene {
    Scene::new(Arc::clone(store) as Arc<dyn Store>)
}

/// The numbers under which messages were stored.
fn stored(outcomes: &[Accepted]) -> Vec<Order> {
    let number = |it: &Accepted| match it {
        Accepted::Stored(order) => Some(*order),
        _ => None,
    };
    outcomes.iter().filter_map(number).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn the_same_messages_at_the_same_moment_are_stored_once() {
    let schema = Schema::create();
    let stores = [open(&schema, 2).await, open(&schema, 2).await];
    let one = scene(&stores[0]);
    let (bot, phone) = (one.device(1).await, one.device(2).await);
    let template = one.message(&bot, &[&phone], 1).await;
    for round in 0..20_u8 {
        let message = |n: u8| {
            let mut message = template.clone();
            message.message_id =
                MessageId::from_bytes([[round; 8], [n; 8]].concat().try_into().unwrap());
            message
        };
        let batches = (0..8_usize).map(|n| {
            let mut batch: Vec<Acceptance> = (0..20).map(message).collect();
            batch.rotate_left(n * 2);
            stores[n % 2].accept(batch)
        });
        let outcomes: Vec<Accepted> =
            join_all(batches).await.into_iter().flat_map(Result::unwrap).collect();
        let duplicates = outcomes.iter().filter(|it| **it == Accepted::Duplicate).count();
        assert_eq!((stored(&outcomes).len(), duplicates), (20, 140), "{outcomes:?}");
    }
    for store in stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_later_request_has_later_numbers_whichever_writer_takes_it() {
    let schema = Schema::create();
    let stores = [open(&schema, 3).await, open(&schema, 3).await];
    let one = scene(&stores[0]);
    let (bot, phone) = (one.device(1).await, one.device(2).await);
    let mut before = Order(0);
    for n in 1..=30_u16 {
        let message = one.message(&bot, &[&phone], n).await;
        let outcomes = stores[usize::from(n % 2)].accept(vec![message]).await.unwrap();
        assert!(stored(&outcomes)[0] > before);
        before = stored(&outcomes)[0];
    }
    for store in stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn an_inbox_holds_little_more_than_its_quota_however_many_fill_it_at_once() {
    let schema = Schema::create();
    let store = open(&schema, 3).await;
    let one = scene(&store);
    let (bot, phone) = (one.device(1).await, one.device(2).await);
    let mut template = one.message(&bot, &[&phone], 1).await;
    template.quota = Scene::quota(50, START);
    let batches = (0..30_u8).map(|n| {
        let message = |k: u8| {
            let mut message = template.clone();
            message.message_id =
                MessageId::from_bytes([[n; 8], [k; 8]].concat().try_into().unwrap());
            message
        };
        store.accept((0..5).map(message).collect())
    });
    let outcomes: Vec<Accepted> =
        join_all(batches).await.into_iter().flat_map(Result::unwrap).collect();
    let numbers: BTreeSet<Order> = stored(&outcomes).into_iter().collect();
    // Each of three writers may have had a group of its own in its hands when the rest was full.
    assert!((50..=150).contains(&numbers.len()), "{}", numbers.len());
    let mut late = template.clone();
    late.message_id = MessageId::from_bytes([0xee; 16]);
    late.accepted_at = at(2);
    assert_eq!(store.accept(vec![late]).await.unwrap(), [Accepted::Full]);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn one_call_may_make_thousands_of_rows() {
    let schema = Schema::create();
    let store = open(&schema, 2).await;
    let one = scene(&store);
    let (bot, phone) = (one.device(1).await, one.device(2).await);
    let template = one.message(&bot, &[&phone], 1).await;
    let slot = template.slots[0].clone();
    let message = |n: u8| {
        let mut message = template.clone();
        message.message_id = MessageId::from_bytes([n; 16]);
        // Nobody looks whether there is such a session.
        message.slots = (0..256_i64)
            .map(|k| {
                let mut session = slot.session;
                session.0 += k;
                Slot { session, ..slot.clone() }
            })
            .collect();
        message
    };
    let outcomes = store.accept((0..32).map(message).collect()).await.unwrap();
    assert_eq!(stored(&outcomes).len(), 32);
    assert_eq!(one.lease(&phone, START).await.len(), 32);
    store.close().await;
}
