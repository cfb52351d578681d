//! Clients that hang up in the middle: what they asked for is done, and whoever waits hears of it.

use std::pin::pin;

use axum::body::Body;
use axum::http::{Method, Request};
use futures_util::poll;
use sealpost::http::course::Course;
use serde_json::{Value, json};
use tokio::task::yield_now;
use tower::ServiceExt;

use crate::harness::actor::message_id;
use crate::harness::{Actor, Item, TestApp};

/// Sends a request and hangs up as soon as all of it has come.
async fn hang_up(app: &TestApp, mut request: Request<Body>) {
    let course = Course::of(request.extensions_mut());
    let mut answer = pin!(app.router().oneshot(request));
    while !course.is_at_work() {
        assert!(poll!(answer.as_mut()).is_pending(), "nothing is stored by then");
        yield_now().await;
    }
}

fn post(actor: &Actor, path: &str, body: &Value) -> Request<Body> {
    actor.request(Method::POST, path, body.to_string().into_bytes())
}

fn message(bot: &Actor, item: Item) -> Request<Body> {
    post(bot, "/encrypted_messages", &Value::from(vec![item]))
}

#[tokio::test]
async fn a_message_whose_sender_hung_up_wakes_its_readers() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let mut socket = app.socket(&anna.devices[0]).await;
    socket.listen().await;
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    hang_up(&app, message(&bot, item)).await;
    assert_eq!(socket.receives(&anna.devices[0], 1).await, ["hello"]);
}

#[tokio::test]
async fn an_acknowledgement_whose_reader_hung_up_reaches_the_sender() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let mut socket = app.socket(&bot).await;
    socket.listen().await;
    bot.sends(&app, &anna, 1, "hello").await;
    let phone = &anna.devices[0];
    assert_eq!(phone.get(&app, "/inbox").await.list().len(), 1);
    let list = json!([{"message_id": message_id(1), "status": "READ"}]);
    hang_up(&app, post(phone, "/acknowledgements", &list)).await;
    let notice = socket.frame().await.unwrap();
    assert_eq!(notice["data"]["message_id"], json!(message_id(1)), "{notice}");
}

#[tokio::test]
async fn what_was_begun_is_done_before_the_gateway_is_gone() {
    let mut app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    hang_up(&app, message(&bot, item)).await;
    app.restart().await;
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
}

#[tokio::test]
async fn a_repeated_request_is_answered_when_the_first_client_hung_up() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let keyed = || {
        let mut request = message(&bot, item.clone());
        request.headers_mut().insert("Idempotency-Key", "once".parse().unwrap());
        request
    };
    hang_up(&app, keyed()).await;
    let mut socket = app.socket(&anna.devices[0]).await;
    socket.listen().await;
    socket.message().await;
    // The first one is answered at some point, and until then stands in the way.
    let answer = loop {
        let answer = app.call(keyed()).await;
        if answer.json["error"]["status"] != 409 {
            break answer;
        }
    };
    assert_eq!(answer.only()["outcome"], "accepted", "the first one's answer");
}
