//! Reading: what waits, for how long it is held, and what acknowledging does.

use std::time::Duration;

use insta::assert_json_snapshot;
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::actor::message_id;

#[tokio::test]
async fn a_message_looks_like_the_sockets_with_every_member_present() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let mut item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    item["silent"] = json!(true);
    item["expire_in"] = json!(3600);
    item["quote_message_id"] = json!(message_id(9));
    bot.send(&app, &[item]).await;
    let answer = anna.devices[0].get(&app, "/inbox").await;
    assert_json_snapshot!(answer.json);
}

#[tokio::test]
async fn what_was_handed_out_comes_again_only_after_its_lease() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    bot.sends(&app, &anna, 1, "hello").await;
    assert_eq!(phone.get(&app, "/inbox").await.list().len(), 1);
    assert!(phone.get(&app, "/inbox").await.list().is_empty());
    app.clock.advance(Duration::from_secs(61));
    assert_eq!(phone.get(&app, "/inbox").await.list().len(), 1);
}

#[tokio::test]
async fn an_acknowledged_message_never_comes_back() {
    let mut app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    bot.sends(&app, &anna, 1, "hello").await;
    assert_eq!(phone.receives(&app).await, ["hello"]);
    app.clock.advance(Duration::from_secs(3600));
    app.restart().await;
    assert!(phone.receives(&app).await.is_empty());
}

#[tokio::test]
async fn acknowledging_answers_with_the_list_and_ignores_what_is_not_ours() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    bot.sends(&app, &anna, 1, "hello").await;
    let list = json!([{"message_id": message_id(1), "status": "DELIVERED"}]);
    // Not handed out yet: it stays.
    let answer = anna.devices[0].post(&app, "/acknowledgements", &list).await;
    assert_eq!(answer.json["data"], list);
    for phone in &anna.devices {
        assert_eq!(phone.receives(&app).await, ["hello"]);
    }
}

#[tokio::test]
async fn a_page_is_as_long_as_asked_and_the_rest_follows_in_order() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    for number in 1..=3 {
        bot.sends(&app, &anna, number, &number.to_string()).await;
    }
    let phone = &anna.devices[0];
    let first = phone.get(&app, "/inbox?limit=2").await;
    assert_eq!(first.list().iter().map(|one| phone.open(one)).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(phone.receives(&app).await, ["3"]);
}

#[tokio::test]
async fn older_messages_stay_when_the_reader_wants_only_new_ones() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "old").await;
    app.clock.advance(Duration::from_secs(100));
    bot.sends(&app, &anna, 2, "new").await;
    let phone = &anna.devices[0];
    let new = phone.get(&app, "/inbox?max_age=50").await;
    assert_eq!(phone.open(new.only()), "new");
    assert_eq!(phone.receives(&app).await, ["old"]);
}

#[tokio::test]
async fn a_waiting_reader_gets_what_comes() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    let (answer, ()) =
        tokio::join!(phone.get(&app, "/inbox?wait=30"), bot.sends(&app, &anna, 1, "hello"));
    assert_eq!(phone.open(answer.only()), "hello");
}

#[tokio::test]
async fn a_waiting_reader_whose_session_is_revoked_is_sent_away() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await;
    let phone = &anna.devices[0];
    let revoke = async {
        while app.hub_sessions() == 0 {
            tokio::task::yield_now().await;
        }
        app.gateway().revoke_session(anna.user, phone.session).await.unwrap();
    };
    let (answer, ()) = tokio::join!(phone.get(&app, "/inbox?wait=30"), revoke);
    assert_eq!(answer.complaint(), (401, "authorization", "the session was revoked"));
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let answer = bot.get(&app, "/inbox?limit=1000").await;
    assert_eq!(answer.complaint(), (422, "limit", "must be a number from 1 to 100"));
}

#[tokio::test]
async fn signing_in_again_leaves_a_marker_for_what_was_not_read() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "one").await;
    bot.sends(&app, &anna, 2, "two").await;
    let again = app.sign_in(anna.user, Some(anna.devices[0].session)).await;
    let answer = again.get(&app, "/inbox").await;
    let marker = answer.only();
    assert_eq!(marker["category"], "SYSTEM_GAP");
    let data = sealpost::sdk::base64url::decode(marker["data_base64"].as_str().unwrap()).unwrap();
    let gap: serde_json::Value = serde_json::from_slice(&data).unwrap();
    assert_eq!((&gap["reason"], &gap["count"]), (&json!("signed_in_again"), &json!(2)));
}
