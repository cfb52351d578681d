//! A lost answer never doubles a message and never turns into a failure.

use sealpost::sdk::client::{Message, Outcome, Text};
use sealpost::sdk::types::GapReason;

use crate::harness::actor::message_id;
use crate::harness::{LossyProxy, TestApp};

#[tokio::test]
async fn a_lost_answer_is_delivered_once() {
    let app = TestApp::start().await;
    let proxy = LossyProxy::start(app.listen().await).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let client = bot.client(&app, &proxy.url);
    proxy.lose_next(1);
    let sent = client.send(&anna.user, Text::new("hello")).await.unwrap();
    assert_eq!(proxy.lost(), 1);
    assert_eq!(sent.outcome, Outcome::AlreadyDelivered);
    for phone in &anna.devices {
        assert_eq!(phone.receives(&app).await, ["hello"]);
    }
}

/// The bot loses its answer and stops; the person signs in again; a new run of the bot knows the
/// message's id, but not the envelope, and seals again.
#[tokio::test]
async fn a_lost_answer_then_a_sign_in_then_a_retry_is_delivered_once() {
    let app = TestApp::start().await;
    let address = app.listen().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let message = || Message::to(&anna.user, Text::new("hello")).with_id(message_id(7));
    // Its answer is never looked at.
    let first = bot.client(&app, &format!("http://{address}"));
    first.send_message(message()).await.unwrap();
    let again = app.sign_in(anna.user, Some(anna.devices[1].session)).await;

    let second = bot.client(&app, &format!("http://{address}"));
    let sent = second.send_message(message()).await.unwrap();
    assert_eq!(sent.outcome, Outcome::AlreadyDelivered);
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
    let new_device = again.client(&app, &format!("http://{address}"));
    let marker = new_device.messages().next().await.unwrap().unwrap();
    let gap = marker.gap().unwrap();
    assert_eq!((gap.reason, gap.count), (GapReason::SignedInAgain, 1), "lost with the old session");
}

/// The retry inside one run: the same bytes again, although the list is stale by now.
#[tokio::test]
async fn a_sign_in_between_the_lost_answer_and_the_retry_changes_nothing() {
    let app = TestApp::start().await;
    let proxy = LossyProxy::start(app.listen().await).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let client = bot.client(&app, &proxy.url);
    proxy.lose_next(1);
    let sign_in = async {
        while proxy.lost() == 0 {
            tokio::task::yield_now().await;
        }
        app.sign_in(anna.user, Some(anna.devices[1].session)).await
    };
    let (sent, _) = tokio::join!(client.send(&anna.user, Text::new("hello")), sign_in);
    assert_eq!(sent.unwrap().outcome, Outcome::AlreadyDelivered);
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
}
