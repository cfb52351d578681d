//! What the operator sees of inboxes, and does about messages that are set aside.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{ask, delete, get};
use crate::harness::TestApp;
use crate::harness::actor::{Actor, message_id};

/// A gateway in which three messages are set aside for a phone.
async fn with_poison() -> (TestApp, Actor) {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    for number in 1..=3 {
        bot.sends(&app, &anna, number, "poison").await;
    }
    let phone = anna.devices[0].clone();
    for _ in 0..11 {
        while !phone.get(&app, "/inbox").await.list().is_empty() {}
        app.clock.advance(Duration::from_secs(61));
    }
    (app, phone)
}

fn ids(list: &Value) -> Vec<&Value> {
    list["messages"].as_array().unwrap().iter().map(|message| &message["message_id"]).collect()
}

#[tokio::test]
async fn the_operator_sees_what_is_set_aside_and_how_much_waits() {
    let (app, phone) = with_poison().await;
    let path = format!("/sessions/{}/set_aside", phone.session);
    let first = get(&app, &format!("{path}?limit=2")).await;
    assert_eq!(ids(&first.json), [&json!(message_id(1)), &json!(message_id(2))]);
    let reason = "delivered 10 times without an acknowledgement";
    assert_eq!(first.json["messages"][0]["reason"], reason);
    let second = get(&app, &format!("{path}?after={}", message_id(2))).await;
    assert_eq!(ids(&second.json), [&json!(message_id(3))]);

    assert_eq!(get(&app, "/status").await.json["storage"]["set_aside"], 3);
    let sessions = get(&app, &format!("/accounts/{}/sessions", phone.user)).await;
    let session = &sessions.json["sessions"][0];
    // The marker waits too.
    assert_eq!((&session["waiting"], &session["set_aside"]), (&json!(4), &json!(3)));
    assert!(session["last_seen_at"].as_str().unwrap().starts_with("2026-01-02T03:"));
}

#[tokio::test]
async fn the_operator_retries_and_drops() {
    let (app, phone) = with_poison().await;
    let path = format!("/sessions/{}/set_aside", phone.session);
    let (one, two) = (message_id(1), message_id(2));
    let retry = format!("{path}/{one}/retry");
    assert_eq!(ask(&app, Method::POST, &retry, Value::Null).await.status, 204);
    assert_eq!(ask(&app, Method::POST, &retry, Value::Null).await.status, 404);
    assert_eq!(delete(&app, &format!("{path}/{two}")).await.status, 204);
    assert_eq!(delete(&app, &format!("{path}/{two}")).await.status, 404);
    assert_eq!(ids(&get(&app, &path).await.json), [&json!(message_id(3))]);
    let waiting = phone.get(&app, "/inbox").await;
    assert!(waiting.list().iter().any(|message| message["message_id"] == json!(one)));
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let (app, phone) = with_poison().await;
    let path = format!("/sessions/{}/set_aside", phone.session);
    for (path, status) in [
        (format!("{path}?limit=0"), 422),
        (format!("{path}?after=x"), 422),
        (format!("/sessions/{}/set_aside", message_id(1)), 404),
    ] {
        assert_eq!(get(&app, &path).await.status, status, "{path}");
    }
    assert_eq!(delete(&app, &format!("{path}/x")).await.status, 422);
}
