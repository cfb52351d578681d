//! The first kind of socket: text frames with JSON.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::letters::{ANNA, BERT, now, says, unlimited};
use super::socket_client::encoded;
use crate::harness::phone::Phone;

#[tokio::test]
async fn what_waited_and_then_what_comes_is_shown_in_order_with_ids_from_zero() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    says(&app, &anna, &[&bert], "one").await;
    says(&app, &anna, &[&bert], "two").await;
    let mut line = app.json_socket(&bert).await;
    let (one, two) = (line.message().await, line.message().await);
    assert_eq!((one.id, one.text(), two.id, two.text()), (0, "one".into(), 1, "two".into()));
    says(&app, &anna, &[&bert], "three").await;
    let three = line.message().await;
    assert_eq!((three.id, three.text()), (2, "three".into()));
    let envelope = three.envelope;
    assert_eq!((envelope.kind, envelope.source.as_deref()), (Some(1), Some(ANNA)));
    assert_eq!(envelope.source_device, Some(1));
    assert_eq!(envelope.timestamp, Some(now(&app).unsigned_abs()));
    assert!(line.pong().await);
}

#[tokio::test]
async fn what_was_acknowledged_is_gone_and_what_was_not_comes_again() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let mut sender = app.json_socket(&anna).await;
    for text in ["one", "two", "three"] {
        says(&app, &anna, &[&bert], text).await;
    }
    let mut line = app.json_socket(&bert).await;
    assert_eq!(line.texts(3).await, ["one", "two", "three"]);
    line.say(json!({"type": 1, "id": 1})).await;
    assert!(sender.message().await.envelope.is_receipt(), "so it is gone");
    drop(line);
    let mut line = app.json_socket(&bert).await;
    let first = line.message().await;
    assert_eq!((first.id, first.text()), (0, "one".into()));
    assert_eq!(line.texts(1).await, ["three"]);
    assert!(line.pong().await);
}

#[tokio::test]
async fn an_id_that_was_not_shown_acknowledges_nothing() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let (mut sender, mut line) = (app.json_socket(&anna).await, app.json_socket(&bert).await);
    line.say(json!({"type": 1, "id": 0})).await;
    assert!(line.pong().await);
    says(&app, &anna, &[&bert], "one").await;
    assert_eq!(line.texts(1).await, ["one"]);
    assert!(sender.pong().await, "no receipt");
    line.say(json!({"type": "1", "id": "0", "more": {}})).await;
    assert!(sender.message().await.envelope.is_receipt());
}

#[tokio::test]
async fn who_sent_a_message_gets_a_receipt_and_a_receipt_has_none() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let (mut sender, mut line) = (app.json_socket(&anna).await, app.json_socket(&bert).await);
    says(&app, &anna, &[&bert], "hello").await;
    let sent_at = now(&app).unsigned_abs();
    app.clock.advance(Duration::from_secs(5));
    let message = line.message().await;
    line.say(json!({"type": 1, "id": message.id})).await;
    let receipt = sender.message().await;
    assert!(receipt.envelope.is_receipt());
    assert_eq!(receipt.envelope.source.as_deref(), Some(BERT));
    assert_eq!(receipt.envelope.timestamp, Some(sent_at));
    assert_eq!(receipt.envelope.message, None);
    sender.say(json!({"type": 1, "id": receipt.id})).await;
    // Another message to know that everything before it is done.
    says(&app, &anna, &[&bert], "again").await;
    let again = line.message().await;
    assert_eq!((again.id, again.text()), (1, "again".into()));
}

#[tokio::test]
async fn what_cannot_be_understood_closes_the_socket() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    for (frame, reason) in [
        (Message::Text(r#"{"type":7,"id":1}"#.into()), "Unknown Type"),
        (Message::Text("{}".into()), "Unknown Type"),
        (Message::Text("hello".into()), "the frame cannot be read"),
        (Message::Binary(vec![1, 2].into()), "frames are text"),
    ] {
        let mut line = app.json_socket(&bert).await;
        line.send(frame).await;
        assert_eq!(line.closed().await, Some((1008, reason.to_owned())));
    }
}

#[tokio::test]
async fn a_number_may_come_with_its_plus_in_any_form() {
    let app = unlimited().await;
    let mut bert = Phone::new(BERT);
    bert.password = "a+b/c=".to_owned();
    let path = format!("/v1/accounts/code/{}", app.code(BERT).await);
    assert_eq!(bert.put(&app, &path, bert.attributes()).await.status, 200);
    let digits = &BERT[1..];
    for login in [BERT, &format!("%2B{digits}"), &format!("%20{digits}"), &format!("+{digits}.1")] {
        for password in ["a+b/c=", &encoded("a+b/c=")] {
            for slash in ["", "/"] {
                let path = format!("/v1/websocket{slash}?user={login}&password={password}");
                let mut line = app.open_socket(&path).await.unwrap();
                assert!(line.pong().await, "{path}");
            }
        }
    }
}
