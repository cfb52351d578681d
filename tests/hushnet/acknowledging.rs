//! How far messages got.

use std::time::Duration;

use serde_json::{Value, json};

use super::people::{fetched, pair, send};
use crate::harness::TestApp;
use crate::harness::hush::HushDevice;

async fn receipts(app: &TestApp, sender: &HushDevice, message: &str) -> Value {
    let answer = sender.get(app, &format!("/messages/{message}/receipts")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json
}

async fn acknowledge(app: &TestApp, reader: &HushDevice, body: Value) -> u64 {
    let answer = reader.post(app, "/messages/ack", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["acknowledged"].as_u64().unwrap()
}

#[tokio::test]
async fn a_message_goes_when_its_reader_says_so_and_only_once_it_was_handed_out() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let id = send(&app, &chat, &alice, &bob, "m-1").await;
    assert_eq!(acknowledge(&app, &bob, json!({ "message_ids": [id] })).await, 0);
    assert_eq!(fetched(&app, &bob).await, ["m-1"]);
    assert_eq!(acknowledge(&app, &alice, json!({ "message_ids": [id] })).await, 0);
    assert_eq!(acknowledge(&app, &bob, json!({ "message_ids": [id, id] })).await, 1);
    app.clock.advance(Duration::from_secs(61));
    assert_eq!(fetched(&app, &bob).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_sender_sees_when_its_message_was_taken_and_read() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let id = send(&app, &chat, &alice, &bob, "m-1").await;
    assert_eq!(receipts(&app, &alice, &id).await, json!([]));
    assert_eq!(fetched(&app, &bob).await, ["m-1"]);
    fetched(&app, &bob).await;
    let taken = receipts(&app, &alice, &id).await;
    assert_eq!(taken[0]["device_id"], json!(bob.device), "{taken}");
    assert!(taken[0]["delivered_at"].is_string() && taken[0]["read_at"].is_null(), "{taken}");
    assert_eq!(receipts(&app, &bob, &id).await, json!([]), "who sent it alone is told");

    app.clock.advance(Duration::from_secs(60));
    let carol = app.hush_member("carol").await;
    let read = json!({ "read": [{ "message_id": id, "from_user_id": alice.user }] });
    assert_eq!(acknowledge(&app, &carol, read.clone()).await, 0);
    assert_eq!(receipts(&app, &alice, &id).await, taken, "it never was Carol's");
    assert_eq!(acknowledge(&app, &bob, read.clone()).await, 0);
    let seen = receipts(&app, &alice, &id).await;
    assert_eq!(seen[0]["delivered_at"], taken[0]["delivered_at"]);
    assert!(seen[0]["read_at"].as_str() > seen[0]["delivered_at"].as_str(), "{seen}");
    app.clock.advance(Duration::from_secs(60));
    acknowledge(&app, &bob, read).await;
    assert_eq!(receipts(&app, &alice, &id).await, seen, "the first time stays");
}

#[tokio::test]
async fn a_message_that_waits_is_taken_when_it_is_read() {
    let mut app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let id = send(&app, &chat, &alice, &bob, "m-1").await;
    assert_eq!(fetched(&app, &bob).await, ["m-1"]);
    app.restart().await;
    assert_eq!(acknowledge(&app, &bob, json!({ "read": [{ "message_id": id }] })).await, 1);
    let seen = receipts(&app, &alice, &id).await;
    assert!(seen[0]["read_at"].is_string(), "{seen}");
}

#[tokio::test]
async fn an_acknowledgement_is_bounded() {
    let app = TestApp::start_for_hushnet().await;
    let bob = app.hush_member("bob").await;
    let id = "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10";
    let read = json!({ "message_id": id });
    for body in [json!({ "message_ids": vec![id; 1001] }), json!({ "read": vec![read; 101] })] {
        let answer = bob.post(&app, "/messages/ack", body).await;
        assert_eq!((answer.status, &answer.json["status"]), (422, &json!(422)), "{answer:?}");
    }
}
