//! Following which contacts have other devices by now.

use std::time::Duration;

use sealpost::sdk::checksum::session_checksum;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, Person, TestApp};

/// A bot that has written to Anna, and somebody that it does not know.
async fn setting() -> (TestApp, Actor, Person, Person) {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let stranger = app.person("Bert", 1).await;
    bot.sends(&app, &anna, 1, "hello").await;
    (app, bot, anna, stranger)
}

async fn changes(app: &TestApp, reader: &Actor, query: &str) -> Answer {
    reader.get(app, &format!("/sessions/changes?{query}")).await
}

/// The cursor of an answer, and the accounts that it names.
fn read(answer: &Answer) -> (String, Vec<Value>) {
    let data = &answer.json["data"];
    let users = data["changes"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    let users = users.iter().map(|change| change["user_id"].clone()).collect();
    (data["cursor"].as_str().unwrap().to_owned(), users)
}

async fn present(app: &TestApp, reader: &Actor) -> String {
    let (cursor, users) = read(&changes(app, reader, "").await);
    assert!(users.is_empty());
    cursor
}

#[tokio::test]
async fn contacts_whose_devices_changed_are_told_with_their_new_lists() {
    let (app, bot, anna, stranger) = setting().await;
    let start = present(&app, &bot).await;
    let laptop = app.sign_in(anna.user, None).await;
    app.sign_in(stranger.user, None).await;
    let answer = changes(&app, &bot, &format!("cursor={start}")).await;
    let (cursor, users) = read(&answer);
    assert_eq!(users, [json!(anna.user)]);
    let change = &answer.json["data"]["changes"][0];
    let expected = session_checksum([anna.devices[0].session, laptop.session]).to_string();
    assert_eq!(change["checksum"], expected);
    assert_eq!(change["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(read(&changes(&app, &bot, &format!("cursor={cursor}")).await), (cursor, vec![]));
}

#[tokio::test]
async fn ones_own_devices_are_told_and_an_account_without_any_too() {
    let (app, bot, anna, _) = setting().await;
    let start = present(&app, &bot).await;
    app.sign_in(bot.user, None).await;
    app.gateway().revoke_session(anna.user, anna.devices[0].session).await.unwrap();
    let answer = changes(&app, &bot, &format!("cursor={start}")).await;
    assert_eq!(read(&answer).1, [json!(bot.user), json!(anna.user)]);
    let gone = &answer.json["data"]["changes"][1];
    assert_eq!((&gone["checksum"], &gone["sessions"]), (&json!(""), &json!([])));
}

#[tokio::test]
async fn a_cursor_goes_on_across_a_restart() {
    let (mut app, bot, anna, _) = setting().await;
    let start = present(&app, &bot).await;
    app.sign_in(anna.user, None).await;
    app.restart().await;
    let (cursor, users) = read(&changes(&app, &bot, &format!("cursor={start}")).await);
    assert_eq!(users, [json!(anna.user)]);
    app.sign_in(anna.user, None).await;
    assert_eq!(read(&changes(&app, &bot, &format!("cursor={cursor}")).await).1.len(), 1);
}

#[tokio::test]
async fn pages_are_as_long_as_asked_and_say_that_there_is_more() {
    let (app, bot, anna, bert) = setting().await;
    bot.sends(&app, &bert, 2, "hello").await;
    let start = present(&app, &bot).await;
    for user in [anna.user, bert.user, anna.user] {
        app.sign_in(user, None).await;
    }
    let first = changes(&app, &bot, &format!("limit=1&cursor={start}")).await;
    assert_eq!(
        (read(&first).1, &first.json["data"]["more"]),
        (vec![json!(bert.user)], &json!(true))
    );
    let second = changes(&app, &bot, &format!("limit=1&cursor={}", read(&first).0)).await;
    assert_eq!(
        (read(&second).1, &second.json["data"]["more"]),
        (vec![json!(anna.user)], &json!(false))
    );
}

/// Waits until somebody waits.
async fn somebody_waits(app: &TestApp) {
    while app.hub_sessions() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_change_wakes_a_waiting_reader_and_a_strangers_does_not() {
    let (app, bot, anna, stranger) = setting().await;
    let start = present(&app, &bot).await;
    let change = async {
        somebody_waits(&app).await;
        app.sign_in(stranger.user, None).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        app.sign_in(anna.user, None).await;
    };
    let query = format!("wait=30&cursor={start}");
    let (answer, ()) = tokio::join!(changes(&app, &bot, &query), change);
    assert_eq!(read(&answer).1, [json!(anna.user)]);
}

#[tokio::test]
async fn a_waiting_reader_whose_session_is_revoked_is_sent_away() {
    let (app, bot, ..) = setting().await;
    let start = present(&app, &bot).await;
    let revoke = async {
        somebody_waits(&app).await;
        app.gateway().revoke_session(bot.user, bot.session).await.unwrap();
    };
    let query = format!("wait=30&cursor={start}");
    let (answer, ()) = tokio::join!(changes(&app, &bot, &query), revoke);
    assert_eq!(answer.complaint(), (401, "authorization", "the session was revoked"));
}

#[tokio::test]
async fn a_cursor_of_no_use_says_reset_and_nonsense_is_named() {
    let (app, bot, ..) = setting().await;
    let answer = changes(&app, &bot, "cursor=999999999").await;
    assert_eq!(answer.complaint(), (410, "cursor", "reset"));
    for (query, field) in [("cursor=x", "cursor"), ("cursor=1&wait=61", "wait")] {
        let answer = changes(&app, &bot, query).await;
        assert_eq!((answer.complaint().0, answer.complaint().1), (422, field));
    }
}
