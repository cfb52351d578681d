//! Bodies that fail as a whole, and leave nothing behind.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::actor::with_token;
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
        assert_eq!(answer.complaint(), (400, "", reason), "{body}");
    }
}

#[tokio::test]
async fn an_item_that_is_no_object_fails_the_batch_and_is_numbered() {
    let (app, bot, anna) = setting().await;
    let good = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let answer = bot.send(&app, &[good, json!(7)]).await;
    assert_eq!(answer.complaint(), (400, "", "item 1 is not an object"));
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
    assert_eq!(answer.status, 413);
    let description = answer.json["error"]["description"].as_str().unwrap();
    assert_eq!(description, "Too large: the number of items is 101, the limit is 100.");
    assert!(anna.devices[0].receives(&app).await.is_empty());
}

#[tokio::test]
async fn nine_mebibytes_are_too_many() {
    let (app, bot, _) = setting().await;
    let body = vec![b' '; 9 * 1024 * 1024];
    let answer = post(&app, &bot, &body).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    let description = answer.json["error"]["description"].as_str().unwrap();
    assert!(description.contains("8388608"), "{description}");
}

#[tokio::test]
async fn a_path_or_method_that_does_not_exist_says_so() {
    let (app, bot, _) = setting().await;
    let wrong_method = bot.get(&app, "/encrypted_messages").await;
    assert_eq!(wrong_method.status, 405);
    let token = bot.token("GET", "/nowhere", b"");
    let nowhere = app.call(with_token(Method::GET, "/nowhere", &token, Vec::new())).await;
    assert_eq!(nowhere.status, 404);
    assert_ne!(nowhere.json, Value::Null);
}
