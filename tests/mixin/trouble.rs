//! What cannot be stored now is answered with 503 and when to come again; nothing is claimed.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sealpost::sdk::base64url;
use sealpost::storage::{PostgresConfig, PostgresStore};
use serde_json::json;
use sqlx::raw_sql;

use crate::harness::postgres::{Schema, wait_until_blocked};
use crate::harness::{Actor, Answer, Item, Person, TestApp};

fn expect_unavailable(answer: &Answer) {
    assert_eq!((answer.status, &answer.json["error"]["code"]), (503, &json!(503)), "{answer:?}");
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(answer.json.get("data").is_none(), "{answer:?}");
}

#[tokio::test]
async fn a_locked_database_claims_nothing_and_the_repeated_request_is_delivered_once() {
    let app = TestApp::start_with(|config| config.storage.busy_seconds = 0).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let batch: Vec<_> =
        (1..=2).map(|number| bot.seal(anna.user, &anna.recipients(), number, "hello")).collect();

    let stranger = app.lock_database().await;
    expect_unavailable(&bot.send(&app, &batch).await);
    let ready = Request::get("/readyz").body(Body::empty()).unwrap();
    assert_eq!(app.call(ready).await.status, 503);
    stranger.let_go().await;

    assert!(anna.devices[0].receives(&app).await.is_empty(), "nothing was stored");
    let again = bot.send(&app, &batch).await;
    assert!(again.list().iter().all(|receipt| receipt["outcome"] == "accepted"), "{again:?}");
    assert_eq!(anna.devices[0].receives(&app).await, ["hello", "hello"]);
}

/// A gateway on a server whose one writer takes one request at a time, with room for two more.
async fn with_a_short_queue(schema: &Schema) -> TestApp {
    let mut app = TestApp::start_with(|config| schema.set_in(config)).await;
    let config = PostgresConfig { writers: 1, group_jobs: 1, queue_length: 2, ..schema.config() };
    app.restart_on(Arc::new(PostgresStore::open(&config).await.unwrap())).await;
    app
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_full_queue_claims_nothing_and_every_repeated_request_is_delivered_once() {
    let schema = Schema::create();
    let app = with_a_short_queue(&schema).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let texts = ["1", "2", "3", "4", "5", "6"];
    let items = (1..).zip(texts).map(|(n, text)| bot.seal(anna.user, &anna.recipients(), n, text));
    let items: Vec<Item> = items.collect();
    let send = async |item| bot.send(&app, std::slice::from_ref(item)).await;

    let mut stranger = schema.connect().await;
    raw_sql("BEGIN; LOCK TABLE seen_messages IN SHARE MODE").execute(&mut stranger).await.unwrap();
    let others = async {
        // The first is the writer's by now, and two of the others have room behind it.
        wait_until_blocked(&schema, &mut stranger).await;
        let mut others: FuturesUnordered<_> = items[1..].iter().map(send).collect();
        for _ in 0..3 {
            expect_unavailable(&others.next().await.unwrap());
        }
        raw_sql("ROLLBACK").execute(&mut stranger).await.unwrap();
        others.collect::<Vec<Answer>>().await
    };
    let (first, others) = tokio::join!(send(&items[0]), others);
    for answer in [first].iter().chain(&others) {
        assert_eq!(answer.only()["outcome"], "accepted", "{answer:?}");
    }

    let phone = &anna.devices[0];
    let mut received = phone.receives(&app).await;
    assert_eq!(received.len(), 3, "what was refused is not there");
    for item in &items {
        assert_eq!(send(item).await.status, 200);
    }
    received.extend(phone.receives(&app).await);
    received.sort();
    assert_eq!(received, texts, "all of it, once");
}

#[tokio::test]
async fn a_full_disk_claims_nothing_until_there_is_room_again() {
    let app = TestApp::start_with(|config| config.storage.max_bytes = 1 << 20).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let mut accepted = 0_u8;
    let refused = loop {
        let item = large(&bot, &anna, accepted + 1);
        let answer = bot.send(&app, std::slice::from_ref(&item)).await;
        if answer.status != 200 {
            expect_unavailable(&answer);
            break item;
        }
        assert_eq!(answer.only()["outcome"], "accepted", "{answer:?}");
        accepted += 1;
    };
    assert!(accepted > 3, "{accepted}");

    let phone = &anna.devices[0];
    assert_eq!(phone.receives(&app).await.len(), usize::from(accepted));
    app.gateway().sweep(None, 1000).await.unwrap();
    let again = bot.send(&app, &[refused]).await;
    assert_eq!(again.only()["outcome"], "accepted", "{again:?}");
    assert_eq!(phone.receives(&app).await.len(), 1);
}

fn large(bot: &Actor, anna: &Person, number: u8) -> Item {
    let mut item = bot.seal(anna.user, &anna.recipients(), number, "");
    let data = bot.envelope(&anna.recipients(), &"x".repeat(100_000));
    item["data_base64"] = json!(base64url::encode(&data));
    item
}
