//! A recall holds nothing but an id, so it always passes.

use sealpost::sdk::base64url;
use sealpost::sdk::conversation::contact_conversation_id;
use serde_json::{Value, json};

use crate::harness::actor::message_id;
use crate::harness::app::complaint;
use crate::harness::{Actor, Item, Person, TestApp};

fn recall(bot: &Actor, anna: &Person, number: u8, content: &Value) -> Item {
    json!({
        "category": "MESSAGE_RECALL",
        "recipient_id": anna.user,
        "conversation_id": contact_conversation_id(bot.user, anna.user),
        "message_id": message_id(number),
        "data": base64url::encode(content.to_string().as_bytes()),
    })
}

#[tokio::test]
async fn a_recall_reaches_every_device_through_either_path() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let content = json!({"message_id": message_id(1)});
    for (number, path) in [(2, "/messages"), (3, "/encrypted_messages")] {
        let item = recall(&bot, &anna, number, &content);
        let answer = bot.post(&app, path, &json!([item])).await;
        assert_eq!(answer.only()["outcome"], "accepted", "{answer:?}");
    }
    for device in &anna.devices {
        let waiting = device.get(&app, "/inbox").await;
        assert_eq!(waiting.list().len(), 2);
        for message in waiting.list() {
            let data = base64url::decode(message["data_base64"].as_str().unwrap()).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&data).unwrap(), content);
        }
    }
}

#[tokio::test]
async fn nothing_else_hides_in_a_recall() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let long = json!({"message_id": message_id(1), "text": "x".repeat(1024)});
    for content in [json!("hello"), json!({"message_id": 1}), json!({}), long] {
        let answer = bot.post(&app, "/messages", &recall(&bot, &anna, 2, &content)).await;
        let (status, field, _) = complaint(&answer.only()["error"]);
        assert_eq!((status, field), (422, "data"), "{content}");
    }
}
