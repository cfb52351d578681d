//! A server that holds things up, falls silent, or loses its gateway: others go on, and nobody waits
//! for ever.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use sealpost::domain::Fault;
use sealpost::domain::ids::AccountNumber;
use sealpost::domain::inbox::{Accepted, Slot};
use sealpost::domain::ports::{Inbox, Store, TopUps};
use sealpost::domain::session::Session;
use sealpost::domain::top_up::{SlotAddition, SlotsAdded, TopUpOffer};
use sealpost::storage::conformance::scene::{
    START, Scene, at, ids, inbox_of, message_id, message_ids,
};
use sealpost::storage::{OpenError, PostgresConfig, PostgresStore};
use sqlx::{PgConnection, query};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, pause, resume, timeout};

use crate::harness::mute::Way;
use crate::harness::postgres::{Schema, wait_until_blocked};

async fn open(config: PostgresConfig) -> (Arc<PostgresStore>, Scene) {
    let store = Arc::new(PostgresStore::open(&config).await.unwrap());
    (store.clone(), Scene::new(store))
}

/// Somebody who holds all that waits for a session.
async fn hold(schema: &Schema, session: &Session) -> PgConnection {
    let mut stranger = schema.connect().await;
    query("BEGIN").execute(&mut stranger).await.unwrap();
    query("SELECT 1 FROM inbox WHERE session = $1 FOR UPDATE")
        .bind(session.number.0)
        .execute(&mut stranger)
        .await
        .unwrap();
    stranger
}

fn is_unavailable<T>(outcome: &Result<T, Fault>) -> bool {
    matches!(outcome, Err(Fault::Unavailable { .. }))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn who_wants_what_somebody_holds_does_not_fail_its_neighbours() {
    let schema = Schema::create();
    let (store, scene) = open(PostgresConfig { writers: 1, ..schema.config() }).await;
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let other = scene.device(3).await;
    scene.send(&bot, &[&phone], 1).await;
    scene.lease(&phone, START).await;
    let mut messages = Vec::new();
    for n in 2..=5 {
        messages.push(scene.message(&bot, &[&other], n).await);
    }
    let mut stranger = hold(&schema, &phone).await;
    // The first waits alone; what comes meanwhile is a group with six more, who are before the others.
    let acknowledge = || store.acknowledge(inbox_of(&phone), vec![message_id(1)]);
    let accept = async {
        wait_until_blocked(&schema, &mut stranger).await;
        let accepting = messages.into_iter().map(|message| store.accept(vec![message]));
        let acknowledging = join_all((0..6).map(|_| acknowledge()));
        let queued = async {
            while store.load().waiting_writes < 6 {
                yield_now().await;
            }
        };
        tokio::join!(acknowledging, async {
            timeout(Duration::from_secs(1), queued).await.expect("the first waits for longer");
            join_all(accepting).await
        })
    };
    let (first, (others, accepted)) = tokio::join!(acknowledge(), accept);
    assert!(is_unavailable(&first) && others.iter().all(is_unavailable), "{first:?} {others:?}");
    for outcome in accepted {
        assert!(matches!(outcome.as_deref(), Ok([Accepted::Stored(_)])), "{outcome:?}");
    }
    query("ROLLBACK").execute(&mut stranger).await.unwrap();
    assert_eq!(acknowledge().await.unwrap().len(), 1);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn what_a_gateway_held_that_is_gone_without_a_word_is_free_again() {
    let schema = Schema::create();
    let config = schema.config();
    let way = Way::to(&config.url).await;
    let (store, scene) = open(config.clone()).await;
    let (gone, _) = open(PostgresConfig { url: way.url.clone(), writers: 1, ..config }).await;
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    scene.send(&bot, &[&phone], 1).await;
    scene.lease(&phone, START).await;
    way.fall_mute_at_commit();
    let held = phone.clone();
    let lost =
        tokio::spawn(async move { gone.acknowledge(inbox_of(&held), vec![message_id(1)]).await });
    while !way.is_mute() {
        yield_now().await;
    }
    let began = Instant::now();
    let acknowledge = || store.acknowledge(inbox_of(&phone), vec![message_id(1)]);
    while is_unavailable(&acknowledge().await) {
        assert!(began.elapsed() < Duration::from_secs(30), "it is held for ever");
    }
    assert!(scene.lease(&phone, at(100)).await.is_empty());
    lost.abort();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn what_was_handed_out_is_acknowledged_when_the_server_has_forgotten_its_lease() {
    let schema = Schema::create();
    let (store, scene) = open(schema.config()).await;
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for n in 1..=3 {
        scene.send(&bot, &[&phone], n).await;
    }
    let mut request = Scene::request(&phone, START);
    request.limit = 2;
    assert_eq!(ids(&store.lease(request).await.unwrap().messages), message_ids([1, 2]));
    // A lease does not wait for the disk; this is what a crash leaves of one.
    query("UPDATE inbox SET leased_until = 0, deliveries = 0")
        .execute(&mut schema.connect().await)
        .await
        .unwrap();
    scene.acknowledge(&phone, &[1, 3]).await;
    assert_eq!(ids(&scene.lease(&phone, START).await), message_ids([2, 3]));
    store.close().await;
}

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn nobody_waits_for_ever_for_a_server_that_falls_silent() {
    let schema = Schema::create();
    for pooler in [false, true] {
        let config = schema.config();
        let way = Way::to(&config.url).await;
        let url = way.url.clone();
        let (store, _) = open(PostgresConfig { url, pooler, ..config }).await;
        let ids = [message_id(1)];
        let seen = || store.seen(AccountNumber(1), &ids);
        seen().await.unwrap();
        way.fall_mute();
        // Time stands still but for those who wait for it.
        pause();
        let began = Instant::now();
        let all = join_all((0..20).map(|_| seen()));
        let all = timeout(Duration::from_secs(120), all).await.expect("they are given up");
        assert!(all.iter().all(is_unavailable));
        let ping = timeout(Duration::from_secs(30), store.ping()).await.expect("it is given up");
        assert!(is_unavailable(&ping), "after {:?}", began.elapsed());
        resume();
        way.recover();
        timeout(Duration::from_secs(20), async { while seen().await.is_err() {} })
            .await
            .expect("new connections take the place of those that are dead");
        store.close().await;
    }
}

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_database_that_commits_before_anything_is_on_disk_is_refused() {
    let schema = Schema::create();
    for (found, meaning) in [("off", "until anything is on its disk"), ("local", "standbys")] {
        let config = schema.config();
        let url = format!("{}%20-c%20synchronous_commit%3D{found}", config.url);
        let error = PostgresStore::open(&PostgresConfig { url, ..config }).await.err().unwrap();
        assert!(matches!(error, OpenError::NotDurable { .. }), "{error:?}");
        let said = format!("synchronous_commit is {found}");
        assert!(error.to_string().contains(&said), "{error}");
        assert!(error.to_string().contains(meaning), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_slot_that_is_added_later_is_handed_out_at_once() {
    let schema = Schema::create();
    let (store, scene) = open(schema.config()).await;
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    let mut message = scene.message(&bot, &[&phone], 1).await;
    let users = vec![phone.user, laptop.user];
    message.top_up = Some(TopUpOffer { users, left_out: None, until: at(100) });
    let accepted = scene.accept(message).await;
    let Accepted::Stored(order) = accepted else { panic!("{accepted:?}") };
    scene.send(&bot, &[&laptop], 2).await;
    assert_eq!(ids(&scene.lease(&laptop, START).await), [message_id(2)]);
    scene.acknowledge(&laptop, &[2]).await;
    // Long enough for the laptop's reader to know where its inbox begins.
    for _ in 0..2 {
        pause();
        advance(Duration::from_secs(51)).await;
        resume();
        assert!(scene.lease(&laptop, START).await.is_empty());
    }
    let addition = SlotAddition {
        sender: bot.account,
        message_id: message_id(1),
        order,
        slots: vec![Slot {
            shard: laptop.account.shard(),
            session: laptop.number,
            bytes: Bytes::from_static(b"a later slot"),
        }],
        guards: Vec::new(),
        quota: Scene::quota(100, START),
        completes: true,
        now: START,
    };
    assert_eq!(store.add_slots(addition).await.unwrap(), SlotsAdded::Added);
    assert_eq!(ids(&scene.lease(&laptop, START).await), [message_id(1)]);
}
