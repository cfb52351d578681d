//! A lost answer never doubles a message, and a retry of it never fails.

use serde_json::json;

use crate::harness::TestApp;
use crate::harness::app::complaint;

#[tokio::test]
async fn the_same_message_again_is_a_duplicate_delivered_once() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    bot.send(&app, std::slice::from_ref(&item)).await;
    let again = bot.send(&app, &[item.clone(), item]).await;
    for receipt in again.list() {
        assert_eq!(
            (&receipt["state"], &receipt["outcome"]),
            (&json!("SUCCESS"), &json!("duplicate"))
        );
    }
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
}

#[tokio::test]
async fn twice_in_one_batch_is_delivered_once() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let answer = bot.send(&app, &[item.clone(), item]).await;
    let outcomes: Vec<_> = answer.list().iter().map(|one| one["outcome"].clone()).collect();
    assert_eq!(outcomes, ["accepted", "duplicate"]);
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
}

#[tokio::test]
async fn a_retry_after_a_sign_in_is_still_a_duplicate() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    bot.send(&app, std::slice::from_ref(&item)).await;
    app.sign_in(anna.user, Some(anna.devices[1].session)).await;
    let again = bot.send(&app, &[item]).await;
    assert_eq!(again.only()["outcome"], "duplicate");
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
}

#[tokio::test]
async fn the_same_id_with_another_payload_is_rejected() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    let other = bot.seal(anna.user, &anna.recipients(), 1, "another text");
    let answer = bot.send(&app, &[other]).await;
    let error = complaint(&answer.only()["error"]);
    assert_eq!(error, (409, "message_id", "message_id_used"));
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
}

#[tokio::test]
async fn two_senders_may_use_the_same_id() {
    let app = TestApp::start().await;
    let (one, two) = (app.bot("one").await, app.bot("two").await);
    let anna = app.person("Anna", 1).await;
    one.sends(&app, &anna, 1, "from one").await;
    two.sends(&app, &anna, 1, "from two").await;
    assert_eq!(anna.devices[0].receives(&app).await, ["from one", "from two"]);
}

#[tokio::test]
async fn ids_are_remembered_over_a_restart_and_after_the_message_was_read() {
    let mut app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    bot.send(&app, std::slice::from_ref(&item)).await;
    anna.devices[0].receives(&app).await;
    app.restart().await;
    let again = bot.send(&app, &[item]).await;
    assert_eq!(again.only()["outcome"], "duplicate");
    assert!(anna.devices[0].receives(&app).await.is_empty());
}
