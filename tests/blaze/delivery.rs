//! What is delivered, in which order, and how often.

use std::time::Duration;

use insta::assert_json_snapshot;
use serde_json::json;
use tokio::time::timeout;

use crate::harness::TestApp;
use crate::harness::actor::message_id;

/// Much less than a socket waits before it looks by itself.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_delivered_message_has_every_member() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    app.clock.advance(Duration::from_secs(1));
    let mut phone = app.socket(&anna.devices[0]).await;
    phone.listen().await;
    let message = phone.message().await;
    assert_json_snapshot!(message);
    let polled = json!({"data": [message]});
    phone.close().await;
    assert_eq!(anna.devices[0].get(&app, "/inbox").await.json, polled);
}

#[tokio::test]
async fn nothing_is_delivered_before_it_is_asked_for() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    bot.sends(&app, &anna, 1, "before").await;
    let mut socket = app.socket(phone).await;
    assert!(socket.is_quiet().await);
    assert_eq!(phone.receives(&app).await, ["before"]);
}

#[tokio::test]
async fn what_waits_comes_first_and_then_what_is_sent() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    for number in 1..=3 {
        bot.sends(&app, &anna, number, &number.to_string()).await;
    }
    app.clock.advance(Duration::from_secs(1));
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    assert_eq!(socket.receives(phone, 2).await, ["1", "2"]);
    bot.sends(&app, &anna, 4, "4").await;
    let (pending, live) = (socket.message().await, socket.message().await);
    assert_eq!((phone.open(&pending), phone.open(&live)), ("3".into(), "4".into()));
    assert_eq!(pending["source"], "LIST_PENDING_MESSAGES");
    assert_eq!(live["source"], "CREATE_MESSAGE");
}

#[tokio::test]
async fn every_session_gets_its_own_slice() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let [phone, laptop] = [&anna.devices[0], &anna.devices[1]];
    let (mut one, mut other) = (app.socket(phone).await, app.socket(laptop).await);
    one.listen().await;
    other.listen().await;
    bot.sends(&app, &anna, 1, "hello").await;
    assert_eq!(one.receives(phone, 1).await, ["hello"]);
    assert_eq!(other.receives(laptop, 1).await, ["hello"]);
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_when_its_lease_ends() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    bot.sends(&app, &anna, 1, "hello").await;
    let first = socket.message().await;
    socket.listen().await;
    assert!(socket.is_quiet().await);
    app.clock.advance(Duration::from_secs(61));
    socket.listen().await;
    let second = socket.message().await;
    assert_eq!(first["message_id"], second["message_id"]);
    socket.acknowledge(&second).await;
    app.clock.advance(Duration::from_secs(61));
    assert!(phone.receives(&app).await.is_empty());
}

#[tokio::test]
async fn what_a_socket_leaves_behind_is_free_at_once() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    bot.sends(&app, &anna, 1, "hello").await;
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    let message = socket.message().await;
    socket.close().await;
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    assert_eq!(socket.message().await["message_id"], message["message_id"]);
}

#[tokio::test]
async fn a_reader_may_change_between_poll_and_socket() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    bot.sends(&app, &anna, 1, "1").await;
    // The poll holds the first message, so the socket gets the second alone.
    let polled = phone.get(&app, "/inbox").await;
    bot.sends(&app, &anna, 2, "2").await;
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    assert_eq!(phone.open(&socket.message().await), "2");
    // Either way acknowledges what came by the other.
    socket.acknowledge(polled.only()).await;
    phone.acknowledge(&app, &[json!(message_id(2))]).await;
    socket.close().await;
    app.clock.advance(Duration::from_secs(61));
    assert!(phone.receives(&app).await.is_empty());
}

#[tokio::test]
async fn only_so_much_is_in_flight_and_acknowledging_opens_the_window() {
    let app = TestApp::start_with(|config| config.dialects.mixin.socket_in_flight = 2).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    for number in 1..=4 {
        bot.sends(&app, &anna, number, &number.to_string()).await;
    }
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    let (first, second) = (socket.message().await, socket.message().await);
    socket.listen().await;
    assert!(socket.is_quiet().await);
    assert_eq!(phone.get(&app, "/inbox?limit=1").await.list().len(), 1, "the rest is free");
    socket.acknowledge(&first).await;
    assert_eq!(phone.open(&socket.message().await), "4");
    socket.acknowledge(&second).await;
}

#[tokio::test]
async fn two_sockets_of_a_session_share_what_comes() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    let (mut one, mut other) = (app.socket(phone).await, app.socket(phone).await);
    one.listen().await;
    other.listen().await;
    bot.sends(&app, &anna, 1, "hello").await;
    let message = tokio::select! {
        message = one.message() => message,
        message = other.message() => message,
    };
    assert_eq!(phone.open(&message), "hello");
    assert!(one.is_quiet().await && other.is_quiet().await);
}

#[tokio::test]
async fn nothing_waits_behind_a_message_that_comes_alone() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    bot.sends(&app, &anna, 1, "poison").await;
    for _ in 0..5 {
        assert_eq!(phone.get(&app, "/inbox").await.list().len(), 1);
        app.clock.advance(Duration::from_secs(61));
    }
    bot.sends(&app, &anna, 2, "two").await;
    bot.sends(&app, &anna, 3, "three").await;
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    // The first is never acknowledged, and no hint comes.
    for text in ["poison", "two", "three"] {
        let message = timeout(SOON, socket.message()).await.expect("no stall");
        assert_eq!(phone.open(&message), text);
    }
}

#[tokio::test]
async fn what_is_acknowledged_by_other_means_makes_room_at_once() {
    let app = TestApp::start_with(|config| config.dialects.mixin.socket_in_flight = 1).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    for number in 1..=3 {
        bot.sends(&app, &anna, number, &number.to_string()).await;
    }
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    for text in ["1", "2", "3"] {
        let message = timeout(SOON, socket.message()).await.expect("there is room");
        assert_eq!(phone.open(&message), text);
        assert!(socket.is_quiet().await, "one at a time");
        phone.acknowledge(&app, &[message["message_id"].clone()]).await;
    }
}
