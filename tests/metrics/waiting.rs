//! What there is at this moment: messages that wait, sockets, polls.

use std::time::Duration;

use super::text::Page;
use crate::harness::TestApp;

#[tokio::test]
async fn what_waits_is_counted_from_time_to_time_and_not_for_each_page() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let waiting = async || Page::of(&app).await.value("sealpost_inbox_messages");
    bot.sends(&app, &anna, 1, "hello").await;
    assert_eq!(waiting().await, 2.0);
    bot.sends(&app, &anna, 2, "hello").await;
    assert_eq!(waiting().await, 2.0, "as it was a moment ago");
    app.clock.advance(Duration::from_secs(15));
    assert_eq!(waiting().await, 4.0);
}

#[tokio::test]
async fn the_oldest_message_grows_older() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    let age = async || Page::of(&app).await.value("sealpost_inbox_oldest_age_seconds");
    assert_eq!(age().await, 0.0);
    app.clock.advance(Duration::from_secs(100));
    assert_eq!(age().await, 100.0);
}

#[tokio::test]
async fn open_sockets_and_the_bytes_on_them_are_seen() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    assert_eq!(Page::of(&app).await.value("sealpost_sockets"), 0.0);
    let mut socket = app.socket(&anna.devices[0]).await;
    socket.listen().await;
    assert_eq!(Page::of(&app).await.value("sealpost_sockets"), 1.0);
    bot.sends(&app, &anna, 1, "hello").await;
    assert_eq!(socket.receives(&anna.devices[0], 1).await, ["hello"]);

    let page = Page::of(&app).await;
    assert!(page.value("sealpost_received_bytes_total") > 100.0, "the handshake at least");
    assert!(page.value("sealpost_sent_bytes_total") > 100.0);
    assert_eq!(page.value("sealpost_requests_total{route=\"/\",status=\"1xx\"}"), 1.0);
    assert!(page.value("sealpost_stage_seconds_count{stage=\"wake\"}") >= 1.0);
    socket.close().await;
    while Page::of(&app).await.value("sealpost_sockets") > 0.0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_poll_is_seen_while_it_waits() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let polls = async || Page::of(&app).await.value("sealpost_long_polls");
    let waits = anna.devices[0].get(&app, "/inbox?wait=60");
    let rest = async {
        while polls().await < 1.0 {
            tokio::task::yield_now().await;
        }
        bot.sends(&app, &anna, 1, "hello").await;
    };
    let (inbox, ()) = tokio::join!(waits, rest);
    assert_eq!(inbox.list().len(), 1);
    assert_eq!(polls().await, 0.0);
}
