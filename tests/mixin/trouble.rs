//! What cannot be stored now is answered with 503 and when to come again; nothing is claimed.

use axum::body::Body;
use axum::http::Request;
use sealpost::sdk::base64url;
use serde_json::json;

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
