//! Whatever goes wrong below the dialect's paths, its clients can read the answer.

use std::io;

use axum::body::Body;
use axum::http::{Method, Request};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::actor::with_token;

#[tokio::test]
async fn unknown_paths_and_methods_answer_as_everything_else_does() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let nowhere = bot.get(&app, "/nowhere").await;
    assert_eq!((nowhere.status, &nowhere.json["error"]["status"]), (202, &json!(404)));
    let wrong = bot.get(&app, "/encrypted_messages").await;
    assert_eq!((wrong.status, &wrong.json["error"]["status"]), (202, &json!(405)));
    assert_eq!(wrong.headers["allow"], "POST");

    for (method, path, status) in [("GET", "/nowhere", 404), ("PUT", "/me", 405)] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = app.call(with_token(method, path, "spt_x", Vec::new())).await;
        assert_eq!((answer.status, &answer.json["error"]["status"]), (status, &json!(status)));
        assert_eq!(answer.headers["x-request-id"], "test-request");
    }
}

#[tokio::test]
async fn below_a_prefix_only_what_is_below_it_is_the_dialects() {
    let app = TestApp::start_with(|config| {
        config.dialects.mixin.path_prefix = "/mixin".into();
    })
    .await;
    let get = async |path: &str| app.call(Request::get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(get("/mixin/nowhere").await.json["error"]["status"], 404);
    assert_eq!(get("/nowhere").await.json["code"], "not_found");
    let document = get("/openapi.yaml").await;
    assert!(document.json.as_str().unwrap().contains("\n  /mixin/inbox:"), "{document:?}");
}

#[tokio::test]
async fn a_request_that_takes_too_long_says_when_to_come_again() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    assert_eq!(bot.get(&app, "/me").await.status, 200);
    // The bot is known without a look at the database, so nothing but the body is waited for.
    tokio::time::pause();
    let endless = stream::pending::<Result<Bytes, io::Error>>();
    let token = bot.token("POST", "/encrypted_messages", b"");
    let request = with_token(Method::POST, "/encrypted_messages", &token, Vec::new());
    let answer = app.call(request.map(|_| Body::from_stream(endless))).await;
    assert_eq!((answer.status, &answer.json["error"]["status"]), (503, &json!(503)));
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_path_that_is_no_utf_8_is_an_invalid_field() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    for path in ["/users/%ff", "/conversations/%ff"] {
        assert_eq!(bot.get(&app, path).await.complaint().1, "path");
    }
    assert_eq!(bot.delete(&app, "/sessions/%ff").await.complaint().1, "path");
}

#[tokio::test]
async fn a_head_of_the_inbox_takes_nothing_out_of_it() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    bot.sends(&app, &anna, 1, "hello").await;
    let head = app.call(phone.request(Method::HEAD, "/inbox", Vec::new())).await;
    assert_eq!(head.status, 202);
    assert_eq!(phone.receives(&app).await, ["hello"]);
}
