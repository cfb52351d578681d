//! What comes again, and what does not.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::people::{confirmation, introduction, pair, raw, send};
use crate::harness::TestApp;
use crate::harness::hush::HushDevice;

fn documented(device: &HushDevice) -> Request<Body> {
    raw(device, Method::GET, &format!("/messages/pending/{}", device.device), "")
}

/// Asks until something waits: what was cut off is given back beside all requests.
async fn comes_in_the_end(app: &TestApp, device: &HushDevice) -> Value {
    loop {
        let answer = app.call(documented(device)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        if let Some(first) = answer.json.as_array().and_then(|list| list.first()) {
            return first.clone();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_handed_out_before_says_when() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    send(&app, &chat, &alice, &bob, "m-1").await;
    app.clock.advance(Duration::from_secs(5));
    let cut_off = app.router().oneshot(documented(&bob)).await.unwrap();
    assert_eq!(cut_off.status(), 200);
    drop(cut_off);
    app.clock.advance(Duration::from_secs(5));
    let again = comes_in_the_end(&app, &bob).await;
    assert_eq!(again["created_at"], "2026-01-02T03:04:05Z", "{again}");
    assert_eq!(again["delivered_at"], "2026-01-02T03:04:10Z", "{again}");
    assert_eq!(again["read_at"], Value::Null);
    send(&app, &chat, &alice, &bob, "m-2").await;
    let new = comes_in_the_end(&app, &bob).await;
    assert_eq!((&new["logical_msg_id"], &new["delivered_at"]), (&json!("m-2"), &Value::Null));
}

#[tokio::test]
async fn an_introduction_whose_time_is_over_is_there_no_more() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let body = introduction(&bob, &[&bob.device], "");
    assert_eq!(alice.post(&app, "/sessions", body.clone()).await.status, 201);
    let waiting = bob.get(&app, "/sessions/pending").await.json["sessions"].clone();
    assert_eq!(waiting.as_array().unwrap().len(), 1);
    // Nothing has tidied up since.
    app.clock.advance(Duration::from_secs(30 * 24 * 3600));
    let over = bob.get(&app, "/sessions/pending").await;
    assert_eq!(over.json, json!({ "sessions": [] }));
    let bare = bob.get(&app, &format!("/sessions/pending?device_id={}", bob.device)).await;
    assert_eq!(bare.json, json!([]));
    let late = bob.post(&app, "/sessions/confirm", confirmation(&waiting[0])).await;
    assert_eq!(late.status, 404, "{late:?}");
    assert_eq!(alice.post(&app, "/sessions", body).await.status, 201);
    let anew = bob.get(&app, "/sessions/pending").await.json["sessions"].clone();
    assert_eq!(anew.as_array().unwrap().len(), 1, "the same one may be left again");
    assert_ne!(anew[0]["id"], waiting[0]["id"]);
}

#[tokio::test]
async fn what_a_look_takes_is_told_and_noted_once() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let id = send(&app, &chat, &alice, &bob, "m-1").await;
    let mut line = app.app_line(&alice).await;
    assert_eq!(app.call(documented(&bob)).await.json.as_array().unwrap().len(), 1);
    let early = json!({ "message_ids": [id] });
    assert_eq!(bob.post(&app, "/messages/ack", early).await.json["acknowledged"], 1);
    assert_eq!(line.event().await["payload"]["type"], "receipt");
    app.clock.advance(Duration::from_secs(5));
    assert_eq!(app.call(documented(&bob)).await.json, json!([]));
    assert!(line.is_quiet().await, "the look says nothing new");
    let receipts = alice.get(&app, &format!("/messages/{id}/receipts")).await;
    assert_eq!(receipts.json[0]["delivered_at"], "2026-01-02T03:04:05Z", "{receipts:?}");
    assert_eq!(receipts.json.as_array().unwrap().len(), 1);
}
