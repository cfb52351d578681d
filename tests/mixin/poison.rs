//! A message that its reader does not get past: alone first, then set aside; the rest flows.

use std::time::Duration;

use serde_json::{Value, json};

use super::gaps::gap;
use crate::harness::TestApp;
use crate::harness::actor::{Actor, message_id};

const LEASE: Duration = Duration::from_secs(61);

/// Reads all that is handed out now, one answer after another; the texts of each, markers left out.
async fn reads(app: &TestApp, phone: &Actor) -> Vec<Vec<String>> {
    let mut answers = Vec::new();
    loop {
        let answer = phone.get(app, "/inbox").await;
        if answer.list().is_empty() {
            return answers;
        }
        let messages = answer.list().iter().filter(|message| message["category"] != "SYSTEM_GAP");
        answers.push(messages.map(|message| phone.open(message)).collect());
    }
}

/// Reads everything so often without acknowledging anything.
async fn fails(app: &TestApp, phone: &Actor, times: usize) {
    for _ in 0..times {
        reads(app, phone).await;
        app.clock.advance(LEASE);
    }
}

#[tokio::test]
async fn after_five_deliveries_a_message_comes_alone_and_the_others_keep_their_order() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    bot.sends(&app, &anna, 1, "poison").await;
    fails(&app, phone, 5).await;
    for (number, text) in [(2, "two"), (3, "three"), (4, "four")] {
        bot.sends(&app, &anna, number, text).await;
    }
    let answers = reads(&app, phone).await;
    assert_eq!(answers, [vec!["poison"], vec!["two", "three", "four"]]);
}

#[tokio::test]
async fn after_ten_deliveries_a_message_is_set_aside_with_its_reason() {
    let mut app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    bot.sends(&app, &anna, 1, "poison").await;
    fails(&app, phone, 10).await;
    app.restart().await;
    assert!(phone.get(&app, "/inbox/set_aside").await.list().is_empty(), "nobody has asked");
    bot.sends(&app, &anna, 2, "two").await;
    let found = phone.get(&app, "/inbox").await;
    assert_eq!(phone.open(found.only()), "two");
    let marker = phone.get(&app, "/inbox").await;
    assert_eq!(gap(marker.only()), ("set_aside".to_owned(), 1));

    let answer = phone.get(&app, "/inbox/set_aside").await;
    let aside = answer.only();
    assert_eq!(aside["message_id"], json!(message_id(1)));
    assert_eq!((&aside["user_id"], &aside["deliveries"]), (&json!(bot.user), &json!(10)));
    assert_eq!(aside["category"], "ENCRYPTED_TEXT");
    assert_eq!(aside["reason"], "delivered 10 times without an acknowledgement");
    assert_eq!(
        (&aside["created_at"], &aside["set_aside_at"]),
        (&json!("2026-01-02T03:04:05Z"), &json!("2026-01-02T03:14:15Z"))
    );
}

/// A gateway in which a message of a bot is set aside for a phone.
async fn with_poison() -> (TestApp, Actor, Actor) {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = anna.devices[0].clone();
    bot.sends(&app, &anna, 1, "poison").await;
    fails(&app, &phone, 11).await;
    (app, bot, phone)
}

fn place(number: u8) -> String {
    format!("/inbox/set_aside/{}", message_id(number))
}

#[tokio::test]
async fn a_retried_message_is_handed_out_again_and_can_be_acknowledged() {
    let (app, bot, phone) = with_poison().await;
    let not_mine = bot.post(&app, &format!("{}/retry", place(1)), &Value::Null).await;
    assert_eq!(not_mine.complaint().0, 404);
    let retried = phone.post(&app, &format!("{}/retry", place(1)), &Value::Null).await;
    assert_eq!(retried.json["data"], json!({"message_id": message_id(1)}));
    assert!(phone.get(&app, "/inbox/set_aside").await.list().is_empty());
    assert!(reads(&app, &phone).await.concat().contains(&"poison".to_owned()));
    phone.acknowledge(&app, &[json!(message_id(1))]).await;
    app.clock.advance(LEASE);
    assert!(reads(&app, &phone).await.concat().is_empty());
    let again = phone.post(&app, &format!("{}/retry", place(1)), &Value::Null).await;
    assert_eq!(again.complaint().0, 404);
}

#[tokio::test]
async fn a_retry_wakes_a_waiting_reader() {
    let (app, _, phone) = with_poison().await;
    reads(&app, &phone).await;
    let retry = async {
        while app.hub_sessions() == 0 {
            tokio::task::yield_now().await;
        }
        phone.post(&app, &format!("{}/retry", place(1)), &Value::Null).await
    };
    let (answer, _) = tokio::join!(phone.get(&app, "/inbox?wait=30"), retry);
    assert_eq!(phone.open(answer.only()), "poison");
}

#[tokio::test]
async fn a_dropped_message_is_gone() {
    let (app, _, phone) = with_poison().await;
    let dropped = phone.delete(&app, &place(1)).await;
    assert_eq!(dropped.json["data"], json!({"message_id": message_id(1)}));
    assert_eq!(phone.delete(&app, &place(1)).await.complaint().0, 404);
    assert!(phone.get(&app, "/inbox/set_aside").await.list().is_empty());
}

#[tokio::test]
async fn a_late_acknowledgement_takes_what_is_set_aside() {
    let (app, _, phone) = with_poison().await;
    phone.acknowledge(&app, &[json!(message_id(1))]).await;
    assert!(phone.get(&app, "/inbox/set_aside").await.list().is_empty());
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let answer = bot.get(&app, "/inbox/set_aside?limit=0").await;
    assert_eq!(answer.complaint(), (422, "limit", "must be a number from 1 to 100"));
    let answer = bot.get(&app, "/inbox/set_aside?after=x").await;
    assert_eq!(answer.complaint().1, "after");
    assert_eq!(bot.delete(&app, "/inbox/set_aside/x").await.complaint().1, "message_id");
}
