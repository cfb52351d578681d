//! Reading without a socket.

use std::time::Duration;

use super::letters::{
    ANNA, BERT, CARL, now, part, pull, says, send, text, texts, unlimited, unlimited_with,
};
use crate::harness::TestApp;
use crate::harness::phone::Phone;

const LEASE: Duration = Duration::from_secs(61);

#[tokio::test]
async fn what_was_read_comes_again_until_it_is_deleted() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    says(&app, &anna, &[&bert], "one").await;
    app.clock.advance(Duration::from_secs(1));
    says(&app, &anna, &[&bert], "two").await;
    let messages = pull(&app, &bert).await;
    assert_eq!(messages.iter().map(text).collect::<Vec<_>>(), ["one", "two"]);
    assert!(pull(&app, &bert).await.is_empty(), "they are held for the first reader");
    app.clock.advance(LEASE);
    let path = format!("/v1/messages/{ANNA}/{}", messages[0]["timestamp"]);
    assert_eq!(bert.delete(&app, &path).await.status, 204);
    assert_eq!(texts(&app, &bert).await, ["two"]);
}

#[tokio::test]
async fn a_message_that_is_never_deleted_comes_again_for_ever() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    says(&app, &anna, &[&bert], "one").await;
    for round in 0..21 {
        assert_eq!(texts(&app, &bert).await, ["one"], "round {round}");
        app.clock.advance(LEASE);
    }
}

#[tokio::test]
async fn of_two_messages_of_one_time_the_oldest_is_deleted_first() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    says(&app, &anna, &[&bert], "one").await;
    says(&app, &anna, &[&bert], "two").await;
    let messages = pull(&app, &bert).await;
    assert_eq!(messages[0]["timestamp"], messages[1]["timestamp"]);
    let path = format!("/v1/messages/{ANNA}/{}", messages[0]["timestamp"]);
    assert_eq!(bert.delete(&app, &path).await.status, 204);
    app.clock.advance(LEASE);
    assert_eq!(texts(&app, &bert).await, ["two"]);
    assert_eq!(bert.delete(&app, &path).await.status, 204);
    app.clock.advance(LEASE);
    assert!(pull(&app, &bert).await.is_empty());
}

#[tokio::test]
async fn what_came_with_a_notification_is_deleted_before_it_is_read() {
    let app = unlimited_with(|config| config.limits.inbox_page = 2).await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    for number in 1..=7 {
        says(&app, &anna, &[&bert], &number.to_string()).await;
        app.clock.advance(Duration::from_secs(1));
    }
    let path = format!("/v1/messages/{ANNA}/{}", now(&app) - 1000);
    assert_eq!(bert.delete(&app, &path).await.status, 204);
    let receipts = pull(&app, &anna).await;
    assert_eq!((receipts.len(), &receipts[0]["type"]), (1, &5.into()));
    let mut left = Vec::new();
    for _ in 0..3 {
        left.extend(texts(&app, &bert).await);
    }
    assert_eq!(left, ["1", "2", "3", "4", "5", "6"]);
}

#[tokio::test]
async fn what_does_not_exist_is_not_deleted() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    says(&app, &anna, &[&bert], "unread").await;
    let time = now(&app);
    for path in [
        format!("/v1/messages/{ANNA}/{}", time + 1),
        format!("/v1/messages/{ANNA}/1"),
        format!("/v1/messages/{CARL}/{time}"),
    ] {
        assert_eq!(bert.delete(&app, &path).await.status, 204, "{path}");
    }
    assert_eq!(bert.delete(&app, &format!("/v1/messages/{ANNA}/x")).await.status, 404);
    assert!(pull(&app, &anna).await.is_empty(), "no receipt");
    assert_eq!(texts(&app, &bert).await, ["unread"]);
}

#[tokio::test]
async fn one_answer_is_a_page_and_the_next_goes_on() {
    let app = unlimited_with(|config| config.limits.inbox_page = 3).await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    for number in 1..=4 {
        says(&app, &anna, &[&bert], &number.to_string()).await;
    }
    assert_eq!(texts(&app, &bert).await, ["1", "2", "3"]);
    assert_eq!(texts(&app, &bert).await, ["4"]);
}

#[tokio::test]
async fn gap_markers_are_acknowledged_and_never_shown() {
    let app = unlimited_with(|config| config.limits.inbox_messages = 8).await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    app.clock.advance(Duration::from_secs(3 * 24 * 60 * 60));
    let mut kept = Vec::new();
    for number in 1..=9 {
        assert_eq!(send(&app, &anna, BERT, &[part(&bert, &number.to_string())]).await.status, 200);
        kept.push(number.to_string());
    }
    let texts = texts(&app, &bert).await;
    assert!(!texts.is_empty() && texts.len() < kept.len(), "some had to make room: {texts:?}");
    assert_eq!(texts, kept[kept.len() - texts.len()..]);
    app.clock.advance(LEASE);
    assert_eq!(waiting(&app, &bert).await, texts.len(), "the marker is gone");
}

/// How many messages wait, markers included.
async fn waiting(app: &TestApp, phone: &Phone) -> usize {
    let number = sealpost::domain::phone::PhoneNumber::parse(&phone.number).unwrap();
    let gateway = app.gateway();
    let found = gateway.store.phone(&number).await.unwrap().unwrap();
    gateway.lease(found.inbox(&found.devices[0]), 100, None).await.unwrap().len()
}

#[tokio::test]
async fn an_inbox_is_its_devices_alone() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    let stranger = Phone { password: "wrong".into(), ..bert.clone() };
    assert_eq!(stranger.get(&app, "/v1/messages/").await.status, 401);
    let other = Phone { device: 2, ..bert };
    assert_eq!(other.get(&app, "/v1/messages/").await.status, 401);
}
