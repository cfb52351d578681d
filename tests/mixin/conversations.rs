//! Contact conversations.

use insta::assert_json_snapshot;
use sealpost::sdk::conversation::contact_conversation_id;
use serde_json::{Value, json};

use crate::harness::{Actor, Person, TestApp};

fn with(bot: &Actor, anna: &Person) -> Value {
    json!({
        "category": "CONTACT",
        "conversation_id": contact_conversation_id(bot.user, anna.user),
        "participants": [{"user_id": anna.user}],
    })
}

#[tokio::test]
async fn a_conversation_is_made_once_and_leaves_the_asking_session_out() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    let made = bot.post(&app, "/conversations", &with(&bot, &anna)).await;
    let again = bot.post(&app, "/conversations", &with(&bot, &anna)).await;
    assert_eq!(made.json, again.json);
    assert_json_snapshot!(made.json);
    let path = format!("/conversations/{}", contact_conversation_id(bot.user, anna.user));
    let annas_view = anna.devices[0].get(&app, &path).await;
    let sessions = &annas_view.json["data"]["participant_sessions"];
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    assert_eq!(sessions[0]["session_id"], json!(bot.session));
}

#[tokio::test]
async fn an_id_of_another_pair_is_refused() {
    let app = TestApp::start().await;
    let (bot, anna, bert) =
        (app.bot("echo").await, app.person("Anna", 1).await, app.person("Bert", 1).await);
    let mut body = with(&bot, &anna);
    body["conversation_id"] = json!(contact_conversation_id(anna.user, bert.user));
    let answer = bot.post(&app, "/conversations", &body).await;
    assert_eq!((answer.complaint().0, answer.complaint().1), (422, "conversation_id"));
}

#[tokio::test]
async fn strangers_may_not_look() {
    let app = TestApp::start().await;
    let (bot, anna, bert) =
        (app.bot("echo").await, app.person("Anna", 1).await, app.person("Bert", 1).await);
    let path = format!("/conversations/{}", contact_conversation_id(bot.user, anna.user));
    assert_eq!(bert.devices[0].get(&app, &path).await.complaint().0, 404);
    bot.post(&app, "/conversations", &with(&bot, &anna)).await;
    assert_eq!(bert.devices[0].get(&app, &path).await.complaint().0, 403);
}

#[tokio::test]
async fn a_contact_has_two_sides() {
    let app = TestApp::start().await;
    let (bot, anna, bert) =
        (app.bot("echo").await, app.person("Anna", 1).await, app.person("Bert", 1).await);
    for participants in [
        json!([]),
        json!([{"user_id": bot.user}]),
        json!([{"user_id": anna.user}, {"user_id": bert.user}]),
    ] {
        let mut body = with(&bot, &anna);
        body["participants"] = participants;
        let answer = bot.post(&app, "/conversations", &body).await;
        assert_eq!(answer.complaint().1, "participants");
    }
    let mut other = with(&bot, &anna);
    other["category"] = json!("CIRCLE");
    assert_eq!(bot.post(&app, "/conversations", &other).await.complaint().1, "category");
}
