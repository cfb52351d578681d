//! `Idempotency-Key`: the answer of the first request, again.

use std::time::Duration;

use axum::http::Method;
use sealpost::domain::idempotency::Begun;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, TestApp};

async fn post(app: &TestApp, actor: &Actor, path: &str, key: &str, body: &Value) -> Answer {
    let mut request = actor.request(Method::POST, path, body.to_string().into_bytes());
    request.headers_mut().insert("Idempotency-Key", key.parse().unwrap());
    app.call(request).await
}

#[tokio::test]
async fn the_answer_of_the_first_request_is_given_again_over_a_restart() {
    let mut app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let body = json!([bot.seal(anna.user, &anna.recipients(), 1, "hello")]);
    let first = post(&app, &bot, "/encrypted_messages", "k1", &body).await;
    assert_eq!(first.only()["outcome"], "accepted");
    for _ in 0..2 {
        let again = post(&app, &bot, "/encrypted_messages", "k1", &body).await;
        assert_eq!((again.status, &again.json), (first.status, &first.json), "not a duplicate");
        assert_eq!(again.headers["content-type"], "application/json");
        app.restart().await;
    }
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
    app.clock.advance(Duration::from_secs(24 * 3600));
    let late = post(&app, &bot, "/encrypted_messages", "k1", &body).await;
    assert_eq!(late.only()["outcome"], "duplicate", "a day later it is another request");
}

#[tokio::test]
async fn another_body_or_query_under_the_key_is_refused_and_another_path_is_not() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let body = json!([bot.seal(anna.user, &anna.recipients(), 1, "hello")]);
    post(&app, &bot, "/encrypted_messages", "k1", &body).await;
    let other = json!([bot.seal(anna.user, &anna.recipients(), 2, "hello")]);
    let differs = [
        post(&app, &bot, "/encrypted_messages", "k1", &other).await,
        post(&app, &bot, "/encrypted_messages?on_stale=reject", "k1", &body).await,
    ];
    for answer in differs {
        assert_eq!((answer.complaint().0, answer.complaint().1), (422, "Idempotency-Key"));
    }
    assert_eq!(
        post(&app, &bot, "/sessions/fetch", "k1", &json!([anna.user])).await.list().len(),
        1
    );
    let stranger = app.bot("stranger").await;
    let item = json!([stranger.seal(anna.user, &anna.recipients(), 1, "hello")]);
    let theirs = post(&app, &stranger, "/encrypted_messages", "k1", &item).await;
    assert_eq!(theirs.only()["outcome"], "accepted", "keys belong to their caller");
}

#[tokio::test]
async fn while_the_first_is_running_the_second_is_told_so_and_not_for_ever() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    let account = app.gateway().account(bot.user).await.unwrap().number;
    let body = json!([bot.user]);
    // As the layer does it: a hash over the length of the query, the query and the body.
    let begun = app.gateway().begin_request(account, "/users/fetch", "k1", [0; 32]).await;
    assert!(matches!(begun, Ok(Begun::First(_))));
    let running = app.gateway().begin_request(account, "/users/fetch", "k1", [0; 32]).await;
    assert!(running.unwrap_err().to_string().contains("still running"));
    assert_eq!(post(&app, &bot, "/users/fetch", "k1", &body).await.complaint().0, 422);
    app.clock.advance(Duration::from_secs(120));
    assert_eq!(post(&app, &bot, "/users/fetch", "k1", &body).await.list().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_given_again_too_and_a_failure_of_ours_is_not() {
    let app = TestApp::start_with(|config| config.storage.busy_seconds = 1).await;
    let bot = app.bot("news").await;
    let first = post(&app, &bot, "/users/fetch", "k1", &json!({"no": "list"})).await;
    let again = post(&app, &bot, "/users/fetch", "k1", &json!({"no": "list"})).await;
    assert_eq!((first.status, &first.json), (again.status, &again.json));
    assert_eq!(first.complaint().0, 422);
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_refused() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    for key in ["", "two words", &"x".repeat(256)] {
        let answer = post(&app, &bot, "/users/fetch", key, &json!([bot.user])).await;
        assert_eq!((answer.complaint().0, answer.complaint().1), (422, "Idempotency-Key"), "{key}");
    }
}

#[tokio::test]
async fn a_stranger_is_turned_away_as_without_a_key() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    let other = Actor::new(bot.user, bot.session, app.fresh_key(), app.clock.clone());
    let answer = post(&app, &other, "/users/fetch", "k1", &json!([bot.user])).await;
    assert_eq!(answer.complaint().0, 401);
}

#[tokio::test]
async fn an_account_has_so_many_keys_a_day_and_others_theirs() {
    let app = TestApp::start_with(|config| config.limits.kept_requests = 2).await;
    let (bot, other) = (app.bot("news").await, app.bot("other").await);
    let body = json!([bot.user]);
    for key in ["k1", "k2", "k1"] {
        assert_eq!(post(&app, &bot, "/users/fetch", key, &body).await.list().len(), 1);
    }
    let refused = post(&app, &bot, "/users/fetch", "k3", &body).await;
    assert_eq!((refused.status, refused.complaint().0), (429, 429));
    assert_eq!(refused.headers["retry-after"], "600");
    assert_eq!(post(&app, &bot, "/users/fetch", "k2", &body).await.list().len(), 1, "again");
    assert_eq!(
        post(&app, &other, "/users/fetch", "k3", &json!([other.user])).await.list().len(),
        1
    );
    app.clock.advance(Duration::from_secs(24 * 3600));
    app.gateway().forget_requests(100).await.unwrap();
    assert_eq!(post(&app, &bot, "/users/fetch", "k3", &body).await.list().len(), 1);
}

#[tokio::test]
async fn that_nothing_changed_is_not_kept_for_those_who_do_not_know_what_there_was() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    let body = json!([bot.user]);
    let known = bot.post(&app, "/sessions/fetch", &body).await;
    let mut request = bot.request(Method::POST, "/sessions/fetch", body.to_string().into_bytes());
    request.headers_mut().insert("Idempotency-Key", "k1".parse().unwrap());
    request.headers_mut().insert("If-None-Match", known.headers["etag"].clone());
    assert_eq!(app.call(request).await.status, 304);
    let again = post(&app, &bot, "/sessions/fetch", "k1", &body).await;
    assert_eq!((again.status, again.list()), (200, known.list()));
}

#[tokio::test]
async fn what_is_not_to_be_stored_is_not() {
    let url = "https://gateway.test";
    let app = TestApp::start_with(|config| config.http.public_url = url.into()).await;
    let bot = app.bot("news").await;
    let first = post(&app, &bot, "/attachments", "k1", &Value::Null).await;
    assert_eq!(first.headers["cache-control"], "no-store");
    let second = post(&app, &bot, "/attachments", "k1", &Value::Null).await;
    assert_ne!(first.json["data"]["attachment_id"], second.json["data"]["attachment_id"]);
}
