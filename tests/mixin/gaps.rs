//! Gap markers: nothing that waits for a live session goes without one.

use std::time::Duration;

use sealpost::sdk::base64url;
use serde_json::{Value, json};

use crate::harness::TestApp;

/// Reason and count of a marker.
pub fn gap(marker: &Value) -> (String, u64) {
    assert_eq!(marker["category"], "SYSTEM_GAP", "{marker}");
    let data = base64url::decode(marker["data_base64"].as_str().unwrap()).unwrap();
    let gap: Value = serde_json::from_slice(&data).unwrap();
    (gap["reason"].as_str().unwrap().to_owned(), gap["count"].as_u64().unwrap())
}

#[tokio::test]
async fn what_expires_is_counted_and_the_reader_is_told() {
    let app = TestApp::start_with(|config| config.limits.message_life_seconds = 100).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    for number in 1..=3 {
        bot.sends(&app, &anna, number, "old").await;
    }
    app.clock.advance(Duration::from_secs(60));
    bot.sends(&app, &anna, 4, "new").await;
    app.clock.advance(Duration::from_secs(60));
    app.gateway().sweep(None, 100).await.unwrap();
    let answer = phone.get(&app, "/inbox").await;
    assert_eq!(gap(&answer.list()[0]), ("expired".to_owned(), 3));
    assert_eq!(phone.open(&answer.list()[1]), "new");
}

#[tokio::test]
async fn a_marker_is_acknowledged_like_a_message_and_survives_a_restart() {
    let mut app = TestApp::start_with(|config| config.limits.message_life_seconds = 100).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    bot.sends(&app, &anna, 1, "old").await;
    app.clock.advance(Duration::from_secs(120));
    app.gateway().sweep(None, 100).await.unwrap();
    app.restart().await;
    let answer = phone.get(&app, "/inbox").await;
    let marker = answer.only();
    assert_eq!(
        (&marker["session_id"], &marker["conversation_id"]),
        (&json!(phone.session), &json!(""))
    );
    phone.acknowledge(&app, &[marker["message_id"].clone()]).await;
    app.clock.advance(Duration::from_secs(120));
    assert!(phone.get(&app, "/inbox").await.list().is_empty());
}

#[tokio::test]
async fn trimmed_and_expired_messages_are_counted_by_one_marker() {
    let app = TestApp::start_with(|config| {
        config.limits.inbox_messages = 4;
        config.limits.abandoned_after_seconds = 60;
    })
    .await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    app.clock.advance(Duration::from_secs(100));
    for number in 1..=10 {
        bot.sends(&app, &anna, number, "unread").await;
    }
    app.clock.advance(Duration::from_secs(8 * 24 * 60 * 60));
    app.gateway().sweep(None, 100).await.unwrap();
    let answer = anna.devices[0].get(&app, "/inbox").await;
    assert_eq!(gap(answer.only()), ("expired".to_owned(), 10));
}
