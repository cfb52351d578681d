//! `on_stale=deliver_known`: those who are known get the message, the others are named.

use serde_json::json;

use crate::harness::app::complaint;
use crate::harness::{Answer, Item, TestApp};

const KNOWN: &str = "/encrypted_messages?on_stale=deliver_known";

#[tokio::test]
async fn a_stale_list_reaches_the_live_part_of_it() {
    let app = TestApp::start().await;
    let (bot, old) = (app.bot("news").await, app.person("Anna", 2).await);
    let late = app.sign_in(old.user, Some(old.devices[1].session)).await;
    let item = bot.seal(old.user, &old.recipients(), 1, "hello");
    let answer = bot.post(&app, KNOWN, &json!([item])).await;
    let receipt = answer.only();
    assert_eq!((&receipt["state"], &receipt["outcome"]), (&json!("SUCCESS"), &json!("accepted")));
    assert_eq!(receipt["missing"], json!([late.session]));
    assert_eq!(receipt["deleted"], json!([old.devices[1].session]));
    assert_eq!(receipt["sessions"].as_array().unwrap().len(), 2, "the list to seal for");
    assert_eq!(old.devices[0].receives(&app).await, ["hello"]);
    assert!(
        late.get(&app, "/inbox").await.list().iter().all(|one| one["category"] != "ENCRYPTED_TEXT")
    );

    let again = bot.post(&app, KNOWN, &json!([item])).await;
    assert_eq!(again.only()["outcome"], "duplicate");
    let again = bot.send(&app, &[item]).await;
    assert_eq!(again.only()["outcome"], "duplicate", "whatever becomes of stale lists");
}

#[tokio::test]
async fn a_list_that_holds_is_accepted_as_ever() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let answer = bot.post(&app, KNOWN, &json!([item])).await;
    assert_eq!(answer.only()["outcome"], "accepted");
    assert!(answer.only().get("missing").is_none());
}

#[tokio::test]
async fn who_knows_nobody_is_told_the_list() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let bert = app.person("Bert", 1).await;
    let item = bot.seal(anna.user, &bert.recipients(), 1, "hello");
    let answer = bot.post(&app, KNOWN, &json!([item])).await;
    assert_eq!(answer.only()["outcome"], "stale_sessions");
    assert_eq!(answer.only()["missing"], json!([anna.devices[0].session]));
    assert_eq!(answer.only()["redundant"], json!([bert.devices[0].session]));
}

#[tokio::test]
async fn another_word_is_refused() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let post = async |value: &str, item: Item| -> Answer {
        bot.post(&app, &format!("/encrypted_messages?on_stale={value}"), &json!([item])).await
    };
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let answer = post("ignore", item.clone()).await;
    let (status, field, _) = answer.complaint();
    assert_eq!((status, field), (422, "on_stale"));
    assert_eq!(post("reject", item).await.only()["outcome"], "accepted");
}

#[tokio::test]
async fn a_foreign_header_key_is_still_rejected() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let stranger = app.bot("stranger").await;
    let mut item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    item["data_base64"] =
        stranger.seal(anna.user, &anna.recipients(), 1, "x")["data_base64"].take();
    let answer = bot.post(&app, KNOWN, &json!([item])).await;
    assert_eq!(complaint(&answer.only()["error"]).1, "data_base64");
}
