//! Acknowledging over the socket, and what senders hear of it.

use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::actor::message_id;

#[tokio::test]
async fn many_messages_are_acknowledged_at_once() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    let mut list = Vec::new();
    for number in 1..=3 {
        bot.sends(&app, &anna, number, "hello").await;
        let message = socket.message().await;
        list.push(json!({"message_id": message["message_id"], "status": "DELIVERED"}));
    }
    let params = json!({"messages": list});
    let answer = socket.ask("ACKNOWLEDGE_MESSAGE_RECEIPTS", &params).await;
    assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    socket.close().await;
    assert!(phone.receives(&app).await.is_empty());
}

#[tokio::test]
async fn a_list_that_is_too_long_or_malformed_is_told_so() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let mut socket = app.socket(&bot).await;
    let one = json!({"message_id": message_id(1), "status": "READ"});
    let params = json!({"messages": vec![one; 101]});
    let answer = socket.ask("ACKNOWLEDGE_MESSAGE_RECEIPTS", &params).await;
    assert_eq!(answer["error"]["status"], 413);
    let answer = socket.ask("ACKNOWLEDGE_MESSAGE_RECEIPT", &json!({"message_id": "x"})).await;
    assert_eq!(answer["error"]["code"], 10002);
    let answer = socket.ask("ACKNOWLEDGE_MESSAGE_RECEIPT", &Value::Null).await;
    assert_eq!(answer["error"]["extra"]["field"], "params");
}

#[tokio::test]
async fn the_sender_hears_of_it_whichever_way_it_was_acknowledged() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    let mut sender = app.socket(&bot).await;
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    bot.sends(&app, &anna, 1, "hello").await;
    socket.receives(phone, 1).await;
    let frame = sender.frame().await.unwrap();
    assert_eq!(frame["action"], "ACKNOWLEDGE_MESSAGE_RECEIPT");
    let now = "2026-01-02T03:04:05Z";
    let expected = json!({
        "type": "message",
        "message_id": message_id(1),
        "status": "READ",
        "source": "ACKNOWLEDGE_MESSAGE_RECEIPT",
        "user_id": anna.user,
        "session_id": phone.session,
        "created_at": now,
        "updated_at": now,
    });
    assert_eq!(frame["data"], expected);

    socket.close().await;
    bot.sends(&app, &anna, 2, "again").await;
    phone.receives(&app).await;
    assert_eq!(sender.frame().await.unwrap()["data"]["message_id"], json!(message_id(2)));
    assert!(sender.is_quiet().await, "each is told once");
}

#[tokio::test]
async fn nobody_hears_of_a_message_of_the_gateway_itself() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "missed").await;
    let again = app.sign_in(anna.user, Some(anna.devices[0].session)).await;
    let mut socket = app.socket(&again).await;
    socket.listen().await;
    let marker = socket.message().await;
    assert_eq!(marker["category"], "SYSTEM_GAP");
    socket.acknowledge(&marker).await;
    assert!(socket.is_quiet().await);
}
