//! Bodies that fail as a whole, and leave nothing behind.

use serde_json::json;

use crate::harness::{Actor, Answer, Person, TestApp};

async fn setting() -> (TestApp, Actor, Person) {
    let app = TestApp::start_with(|config| {
        config.dialects.mixin.error_status = sealpost::config::dialects::ErrorStatus::AlwaysTrue;
    })
    .await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    (app, bot, anna)
}

async fn post(app: &TestApp, bot: &Actor, body: &[u8]) -> Answer {
    bot.post_bytes(app, "/encrypted_messages", body).await
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let (app, bot, _) = setting().await;
    for body in [&b""[..], b"{", b"[{]", b"[1", b"\xff\xfe", b"[{}] trailing"] {
        let answer = post(&app, &bot, body).await;
        assert_eq!(answer.status, 400, "{body:?} {answer:?}");
        assert_eq!(answer.json["error"]["code"], 400);
        assert!(!answer.complaint().2.is_empty());
    }
}

#[tokio::test]
async fn neither_object_nor_array_is_refused_with_the_reason() {
    let (app, bot, _) = setting().await;
    for body in ["7", "\"text\"", "null", "true"] {
        let answer = post(&app, &bot, body.as_bytes()).await;
        let reason = "the body is neither a JSON array nor an object";
        assert_eq!(answer.complaint(), (400, "body", reason), "{body}");
    }
}

#[tokio::test]
async fn an_item_that_is_no_object_fails_the_batch_and_is_numbered() {
    let (app, bot, anna) = setting().await;
    let good = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let answer = bot.send(&app, &[good, json!(7)]).await;
    assert_eq!(answer.complaint(), (400, "body", "item 1 is not an object"));
    assert!(anna.devices[0].receives(&app).await.is_empty(), "nothing is half done");
}

#[tokio::test]
async fn an_empty_array_is_an_invalid_field() {
    let (app, bot, _) = setting().await;
    let answer = bot.send(&app, &[]).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json["error"]["code"], 10_002);
    assert_eq!(answer.complaint(), (422, "body", "the array has no items"));
}

#[tokio::test]
async fn a_hundred_and_one_items_are_too_many() {
    let (app, bot, anna) = setting().await;
    let items: Vec<_> =
        (0..101).map(|number| bot.seal(anna.user, &anna.recipients(), number, "x")).collect();
    let answer = bot.send(&app, &items).await;
    assert_eq!(answer.complaint(), (413, "body", "the number of items is 101, the limit is 100"));
    assert!(anna.devices[0].receives(&app).await.is_empty());
}

#[tokio::test]
async fn nine_mebibytes_are_too_many() {
    let (app, bot, _) = setting().await;
    let body = vec![b' '; 9 * 1024 * 1024];
    let answer = post(&app, &bot, &body).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    let reason = "the body's size in bytes is 9437184, the limit is 8388608";
    assert_eq!(answer.complaint(), (413, "body", reason));
}

#[tokio::test]
async fn a_reason_quotes_no_more_than_a_little() {
    let (app, bot, anna) = setting().await;
    let mut item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    item["silent"] = json!("x".repeat(100_000));
    let answer = bot.send(&app, &[item]).await;
    let error = &answer.only()["error"];
    assert_eq!(error["extra"]["field"], "silent");
    assert!(error.to_string().len() < 1000, "{error}");
}
