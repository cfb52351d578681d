//! Nothing is half done when something goes wrong, and it is over when the trouble is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use sealpost::domain::Fault;
use sealpost::domain::inbox::Accepted;
use sealpost::domain::ports::Inbox;
use sealpost::storage::SqliteStore;
use sealpost::storage::conformance::scene::{START, Scene, at, ids, message_id, message_ids};

use super::Folder;
use super::durability::stranger;

fn is_unavailable<T>(outcome: &Result<T, Fault>, because: &str) -> bool {
    matches!(outcome, Err(Fault::Unavailable { reason, retry_after, .. })
        if reason == &because && *retry_after > Duration::ZERO)
}

#[tokio::test]
async fn one_bad_request_does_not_fail_its_neighbours() {
    let folder = Folder::new();
    let scene = Scene::new(folder.sqlite().await);
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let mut requests = Vec::new();
    for n in 1..=3 {
        requests.push(vec![scene.message(&bot, &[&phone], n).await]);
    }
    // Two rows for one session: the rules never let that through, and the database refuses it.
    let twice = requests[1][0].slots[0].clone();
    requests[1][0].slots.push(twice);

    let outcomes = join_all(requests.into_iter().map(|request| scene.store.accept(request))).await;
    assert!(matches!(outcomes[0].as_deref(), Ok([Accepted::Stored(_)])));
    assert!(matches!(outcomes[1], Err(Fault::Internal { .. })));
    assert!(matches!(outcomes[2].as_deref(), Ok([Accepted::Stored(_)])));
    assert_eq!(ids(&scene.lease(&phone, START).await), message_ids([1, 3]));
    let seen = scene.store.seen(bot.account, &[message_id(2)]).await.unwrap();
    assert_eq!(seen, [None]);
}

#[tokio::test]
async fn a_full_queue_says_so_at_once() {
    let folder = Folder::new();
    let mut config = folder.config();
    (config.queue_length, config.group_jobs) = (2, 1);
    config.busy_timeout = Duration::from_secs(20);
    let scene = Scene::new(Arc::new(SqliteStore::open(&config).await.unwrap()));
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let mut requests = Vec::new();
    for n in 1..=5 {
        requests.push(vec![scene.message(&bot, &[&phone], n).await]);
    }
    let mut stranger = stranger(&config).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut stranger).await.unwrap();
    let store = scene.store.clone();
    let asked = async move { join_all(requests.into_iter().map(|it| store.accept(it))).await };
    let asked = tokio::spawn(asked);
    // All of them have asked before the database is free.
    tokio::task::yield_now().await;
    sqlx::query("ROLLBACK").execute(&mut stranger).await.unwrap();
    let outcomes = asked.await.unwrap();
    let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let refused = outcomes.iter().filter(|it| is_unavailable(it, "too much is waiting")).count();
    // The writer may have taken one out of the queue already, and then waits for the database.
    assert!((2..=3).contains(&stored), "{stored} stored");
    assert_eq!(stored + refused, 5);
    assert_eq!(scene.lease(&phone, START).await.len(), stored);
}

#[tokio::test]
async fn nothing_is_handed_out_that_cannot_be_noted() {
    let folder = Folder::new();
    let mut config = folder.config();
    (config.queue_length, config.group_jobs) = (2, 1);
    config.busy_timeout = Duration::from_secs(20);
    let scene = Scene::new(Arc::new(SqliteStore::open(&config).await.unwrap()));
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    scene.send(&bot, &[&phone], 1).await;
    let mut messages = Vec::new();
    for n in 2..=20 {
        messages.push(scene.message(&bot, &[&phone], n).await);
    }
    let mut stranger = stranger(&config).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut stranger).await.unwrap();
    // One is the writer's, who waits for the database, and the queue is full behind it.
    let mut first = None;
    loop {
        let load = scene.store.load();
        let bytes = *first.get_or_insert(load.waiting_bytes);
        if load.waiting_writes == 2 && load.waiting_bytes > 2 * bytes && bytes > 0 {
            break;
        }
        if load.waiting_writes < 2
            && let Some(message) = messages.pop()
        {
            let store = scene.store.clone();
            tokio::spawn(async move { store.accept(vec![message]).await });
        }
        tokio::task::yield_now().await;
        first = first.filter(|bytes| *bytes > 0);
    }
    let refused = scene.store.lease(Scene::request(&phone, START)).await;
    assert!(is_unavailable(&refused, "too much is waiting"), "{refused:?}");
    sqlx::query("ROLLBACK").execute(&mut stranger).await.unwrap();
    let leased = loop {
        match scene.store.lease(Scene::request(&phone, START)).await {
            Ok(leased) => break leased.messages,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!((leased[0].message_id, leased[0].deliveries), (message_id(1), 1));
}

#[tokio::test]
async fn a_locked_database_stores_nothing_until_it_is_free_again() {
    let folder = Folder::new();
    let mut config = folder.config();
    config.busy_timeout = Duration::from_millis(20);
    let scene = Scene::new(Arc::new(SqliteStore::open(&config).await.unwrap()));
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let message = scene.message(&bot, &[&phone], 1).await;

    let mut stranger = stranger(&config).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut stranger).await.unwrap();
    for _ in 0..3 {
        let outcome = scene.store.accept(vec![message.clone()]).await;
        assert!(is_unavailable(&outcome, "the database is locked"), "{outcome:?}");
        assert!(is_unavailable(&scene.store.ping().await, "the database is locked"));
    }
    assert!(scene.lease(&phone, START).await.is_empty(), "reading goes on");
    sqlx::query("ROLLBACK").execute(&mut stranger).await.unwrap();

    scene.store.ping().await.unwrap();
    assert!(matches!(scene.accept(message).await, Accepted::Stored(_)));
    assert_eq!(ids(&scene.lease(&phone, START).await), message_ids([1]));
}

#[tokio::test]
async fn a_full_disk_stores_nothing_until_there_is_room_again() {
    let folder = Folder::new();
    let mut config = folder.config();
    config.max_size = Some(150 * 4096);
    let store = Arc::new(SqliteStore::open(&config).await.unwrap());
    let scene = Scene::new(store.clone());
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let mut stored = 0;
    let refused = loop {
        let mut message = scene.message(&bot, &[&phone], stored + 1).await;
        message.body = Bytes::from(vec![1; 3000]);
        match scene.store.accept(vec![message.clone()]).await {
            Ok(outcomes) => assert!(matches!(outcomes[..], [Accepted::Stored(_)])),
            outcome => {
                assert!(is_unavailable(&outcome, "the disk is full"), "{outcome:?}");
                break message;
            }
        }
        stored += 1;
    };
    let seen = store.seen(bot.account, &[refused.message_id]).await.unwrap();
    assert_eq!((stored > 10, seen), (true, vec![None]));

    assert_eq!(scene.lease(&phone, START).await.len(), usize::from(stored));
    scene.acknowledge(&phone, &Vec::from_iter(1..=stored)).await;
    assert_eq!(scene.sweep(None, 1000).await.dropped, u64::from(stored));
    assert!(matches!(scene.accept(refused.clone()).await, Accepted::Stored(_)));
    assert_eq!(ids(&scene.lease(&phone, at(1)).await), [refused.message_id]);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let folder = Folder::new();
    let scene = Scene::new(folder.sqlite().await);
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let message = scene.message(&bot, &[&phone], 1).await;
    scene.store.close().await;
    let outcome = scene.store.accept(vec![message]).await;
    assert!(matches!(outcome, Err(Fault::Unavailable { .. })), "{outcome:?}");
    assert!(scene.store.ping().await.is_err());
}
