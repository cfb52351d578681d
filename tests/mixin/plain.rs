//! Categories that the gateway can read: refused, unless the operator wants them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealpost::config::dialects::PlainMessages;
use sealpost::sdk::base64url;
use sealpost::sdk::conversation::contact_conversation_id;
use serde_json::{Value, json};

use crate::harness::actor::message_id;
use crate::harness::app::complaint;
use crate::harness::group::group;
use crate::harness::{Actor, Item, Person, TestApp};

async fn scene(plain: PlainMessages) -> (TestApp, Actor, Person) {
    let app = TestApp::start_with(|config| config.dialects.mixin.plain_messages = plain).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    (app, bot, anna)
}

/// What the public Node client posts.
fn text(bot: &Actor, anna: &Person, number: u8, text: &str) -> Item {
    json!({
        "category": "PLAIN_TEXT",
        "recipient_id": anna.user,
        "conversation_id": contact_conversation_id(bot.user, anna.user),
        "message_id": message_id(number),
        "data": base64url::encode(text.as_bytes()),
    })
}

async fn waiting(app: &TestApp, device: &Actor) -> Vec<Value> {
    device.get(app, "/inbox").await.list().to_vec()
}

#[tokio::test]
async fn they_are_refused_by_default_with_the_setting_that_allows_them() {
    let (app, bot, anna) = scene(PlainMessages::Refuse).await;
    for path in ["/messages", "/encrypted_messages"] {
        for category in ["PLAIN_TEXT", "APP_CARD", "APP_BUTTON_GROUP", "MESSAGE_PIN"] {
            let mut item = text(&bot, &anna, 1, "hello");
            item["category"] = json!(category);
            let answer = bot.post(&app, path, &json!([item])).await;
            let (status, field, reason) = complaint(&answer.only()["error"]);
            assert_eq!((status, field), (403, "category"), "{path} {category}");
            assert!(reason.contains("dialects.mixin.plain_messages"), "{reason}");
        }
    }
    assert!(waiting(&app, &anna.devices[0]).await.is_empty());
}

#[tokio::test]
async fn an_allowed_one_reaches_every_device_as_it_is() {
    let (app, bot, anna) = scene(PlainMessages::Allow).await;
    let item = text(&bot, &anna, 1, "hello");
    let answer = bot.post(&app, "/messages", &item).await;
    assert_eq!(answer.only()["outcome"], "accepted", "a single object is taken too");
    assert_eq!(answer.only()["sessions"].as_array().unwrap().len(), 2);
    for device in &anna.devices {
        let [message] = &waiting(&app, device).await[..] else { panic!("one message") };
        assert_eq!(message["category"], "PLAIN_TEXT");
        assert_eq!(message["data"], STANDARD.encode("hello"));
        assert_eq!(message["data_base64"], base64url::encode(b"hello"));
    }
    let again = bot.post(&app, "/encrypted_messages", &json!([item])).await;
    assert_eq!(again.only()["outcome"], "duplicate", "whichever way it came");
}

#[tokio::test]
async fn a_group_gets_one_without_a_recipient() {
    let (app, bot, anna) = scene(PlainMessages::Allow).await;
    let group = group(&app, &bot, &[&anna]).await;
    let item = json!({
        "category": "PLAIN_TEXT",
        "conversation_id": group.id,
        "message_id": message_id(1),
        "data_base64": base64url::encode(b"to all"),
        "silent": true,
    });
    let answer = bot.post(&app, "/messages", &json!([item])).await;
    assert_eq!(answer.only()["outcome"], "accepted");
    let found = waiting(&app, &anna.devices[1]).await;
    let message = found.iter().find(|one| one["category"] == "PLAIN_TEXT").unwrap();
    assert_eq!(message["silent"], true);
}

#[tokio::test]
async fn a_checksum_is_optional_and_counts_when_it_is_there() {
    let (app, bot, anna) = scene(PlainMessages::Allow).await;
    let mut item = text(&bot, &anna, 1, "hello");
    item["checksum"] = bot.seal(anna.user, &anna.recipients(), 1, "x")["checksum"].take();
    assert_eq!(bot.post(&app, "/messages", &json!([item])).await.only()["outcome"], "accepted");
    let mut item = text(&bot, &anna, 3, "hello");
    item["checksum"] = json!("");
    assert_eq!(bot.post(&app, "/messages", &json!([item])).await.only()["outcome"], "accepted");
    let mut item = text(&bot, &anna, 2, "hello");
    item["checksum"] = json!("00000000000000000000000000000000");
    let answer = bot.post(&app, "/messages", &json!([item])).await;
    assert_eq!(answer.only()["outcome"], "stale_sessions");
    assert_eq!(answer.only()["sessions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_sealed_one_belongs_to_the_other_path_and_an_oversized_one_nowhere() {
    let (app, bot, anna) = scene(PlainMessages::Allow).await;
    let sealed = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let long = text(&bot, &anna, 2, &"x".repeat(128 * 1024 + 1));
    let empty = text(&bot, &anna, 3, "");
    let good = text(&bot, &anna, 4, "good");
    let answer = bot.post(&app, "/messages", &json!([sealed, long, empty, good])).await;
    let fields: Vec<_> =
        answer.list().iter().map(|one| one["error"]["extra"]["field"].as_str()).collect();
    assert_eq!(fields, [Some("category"), Some("data"), Some("data_base64"), None]);
    assert_eq!(answer.list()[3]["outcome"], "accepted");
}
