//! Friends, and accounts whose messages somebody does not want.

use serde_json::{Value, json};

use crate::harness::app::complaint;
use crate::harness::group::group;
use crate::harness::{Actor, TestApp};

async fn change(app: &TestApp, who: &Actor, other: &Actor, action: &str) -> Value {
    let body = json!({"user_id": other.user, "action": action, "full_name": "A friend"});
    who.post(app, "/relationships", &body).await.json["data"]["relationship"].take()
}

async fn seen(app: &TestApp, who: &Actor, other: &Actor) -> Value {
    let path = format!("/users/{}", other.user);
    who.get(app, &path).await.json["data"]["relationship"].take()
}

#[tokio::test]
async fn a_relationship_is_one_sided_and_follows_the_last_word() {
    let app = TestApp::start().await;
    let (anna, bot) = (app.person("Anna", 1).await.devices.remove(0), app.bot("news").await);
    assert_eq!(seen(&app, &anna, &bot).await, "STRANGER");
    let steps = [
        ("ADD", "FRIEND"),
        ("UNBLOCK", "FRIEND"),
        ("BLOCK", "BLOCKING"),
        ("REMOVE", "BLOCKING"),
        ("UNBLOCK", "STRANGER"),
        ("ADD", "FRIEND"),
        ("REMOVE", "STRANGER"),
    ];
    for (action, expected) in steps {
        assert_eq!(change(&app, &anna, &bot, action).await, expected, "{action}");
        assert_eq!(seen(&app, &anna, &bot).await, expected, "{action}");
        assert_eq!(seen(&app, &bot, &anna).await, "STRANGER");
    }
    assert_eq!(seen(&app, &anna, &anna).await, "ME");
}

#[tokio::test]
async fn friends_and_blocked_accounts_are_listed_the_latest_first() {
    let mut app = TestApp::start().await;
    let anna = app.person("Anna", 1).await.devices.remove(0);
    let (one, two, bad) = (app.bot("one").await, app.bot("two").await, app.bot("bad").await);
    for (bot, action) in [(&one, "ADD"), (&two, "ADD"), (&bad, "BLOCK")] {
        app.clock.advance(std::time::Duration::from_secs(1));
        change(&app, &anna, bot, action).await;
    }
    app.restart().await;
    let names = async |path: &str| -> Vec<Value> {
        let answer = anna.get(&app, path).await;
        answer.list().iter().map(|user| user["full_name"].clone()).collect()
    };
    assert_eq!(names("/friends").await, ["two", "one"]);
    assert_eq!(names("/blocking_users").await, ["bad"]);
    let fetched = anna.post(&app, "/users/fetch", &json!([one.user, bad.user])).await;
    let mut found: Vec<_> =
        fetched.list().iter().map(|user| user["relationship"].as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, ["BLOCKING", "FRIEND"]);
}

#[tokio::test]
async fn a_blocked_senders_messages_are_rejected_at_once_until_it_is_unblocked() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "before").await;
    change(&app, &anna.devices[0], &bot, "BLOCK").await;
    let item = bot.seal(anna.user, &anna.recipients(), 2, "hello");
    let answer = bot.send(&app, std::slice::from_ref(&item)).await;
    let error = complaint(&answer.only()["error"]);
    assert_eq!(error, (403, "recipient_id", "this account has blocked the sender"));
    let mut unnamed = item.clone();
    unnamed.as_object_mut().unwrap().remove("recipient_id");
    assert_eq!(bot.send(&app, &[unnamed]).await.only()["outcome"], "rejected");
    let again = bot.seal(anna.user, &anna.recipients(), 1, "before");
    assert_eq!(bot.send(&app, &[again]).await.only()["outcome"], "duplicate");

    let back = anna.devices[0].seal(bot.user, &[bot.recipient()], 1, "one way");
    assert_eq!(anna.devices[0].send(&app, &[back]).await.only()["outcome"], "accepted");
    change(&app, &anna.devices[0], &bot, "UNBLOCK").await;
    assert_eq!(bot.send(&app, &[item]).await.only()["outcome"], "accepted");
    assert_eq!(anna.devices[0].receives(&app).await, ["before", "hello"]);
}

#[tokio::test]
async fn a_group_reaches_those_who_have_blocked_the_sender() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let group = group(&app, &bot, &[&anna]).await;
    change(&app, &anna.devices[0], &bot, "BLOCK").await;
    let item = group.seal(&bot, &[&anna], 1, "to all");
    assert_eq!(bot.send(&app, &[item]).await.only()["outcome"], "accepted");
    let mut alone = group.seal(&bot, &[&anna], 2, "to you");
    alone["recipient_id"] = json!(anna.user);
    assert_eq!(bot.send(&app, &[alone]).await.only()["outcome"], "rejected");
}

#[tokio::test]
async fn nobody_is_taken_into_a_group_by_somebody_they_have_blocked() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let bert = app.person("Bert", 1).await;
    let group = group(&app, &bot, &[&bert]).await;
    change(&app, &anna.devices[0], &bot, "BLOCK").await;
    let path = format!("/conversations/{}/participants/ADD", group.id);
    let named = json!([{"user_id": anna.user, "role": ""}]);
    let answer = bot.post(&app, &path, &named).await;
    assert_eq!((answer.complaint().0, answer.complaint().1), (403, "participants"), "{answer:?}");
    change(&app, &anna.devices[0], &bot, "UNBLOCK").await;
    assert!(bot.post(&app, &path, &named).await.json.get("data").is_some());
}

#[tokio::test]
async fn one_cannot_relate_to_oneself_or_to_nobody() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await.devices.remove(0);
    let post = async |body: Value| anna.post(&app, "/relationships", &body).await;
    let own = post(json!({"user_id": anna.user, "action": "ADD"})).await;
    assert_eq!((own.complaint().0, own.complaint().1), (422, "user_id"));
    let stranger: sealpost::domain::ids::UserId = app.gateway().random_id();
    let nobody = post(json!({"user_id": stranger, "action": "BLOCK"})).await;
    assert_eq!(nobody.complaint().0, 404);
    let word = post(json!({"user_id": stranger, "action": "LIKE"})).await;
    assert_eq!(word.complaint().0, 422);
}
