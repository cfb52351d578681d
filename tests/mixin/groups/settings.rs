//! What can be set in a conversation.

use std::time::Duration;

use sealpost::sdk::conversation::contact_conversation_id;
use serde_json::{Value, json};

use super::Team;
use crate::harness::TestApp;

#[tokio::test]
async fn a_mute_is_private_and_ends_by_itself_or_by_zero() {
    let team = Team::start().await;
    // Some clients send more than the duration.
    let body = json!({"duration": 3600, "category": "GROUP", "participants": []});
    let muted = team.act(&team.member, "/mute", &body).await;
    assert_eq!(muted.json["data"]["mute_until"], json!("2026-01-02T04:04:05Z"));
    assert_eq!(team.view(&team.owner).await.json["data"]["mute_until"], json!(""));
    team.app.clock.advance(Duration::from_secs(3600));
    assert_eq!(team.view(&team.member).await.json["data"]["mute_until"], json!(""));
    team.act(&team.member, "/mute", &body).await;
    let unmuted = team.act(&team.member, "/mute", &json!({"duration": 0})).await;
    assert_eq!(unmuted.json["data"]["mute_until"], json!(""));
}

#[tokio::test]
async fn a_duration_that_does_not_fit_is_refused() {
    let team = Team::start().await;
    for duration in [json!(-1), json!(i64::MAX), json!("60"), Value::Null] {
        for path in ["/mute", "/disappear"] {
            let answer = team.act(&team.owner, path, &json!({"duration": duration})).await;
            assert_eq!((answer.complaint().0, answer.complaint().1), (422, "duration"));
        }
    }
}

#[tokio::test]
async fn both_sides_of_a_contact_may_mute_and_let_messages_disappear_and_nothing_else() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    let contact = contact_conversation_id(bot.user, anna.user);
    let path = |rest: &str| format!("/conversations/{contact}{rest}");
    let phone = &anna.devices[0];
    for who in [&bot, phone] {
        let body = json!({"duration": 60});
        let answer = who.post(&app, &path("/disappear"), &body).await;
        assert_eq!(answer.json["data"]["expire_in"], json!(60));
        let answer = who.post(&app, &path("/mute"), &body).await;
        assert_eq!(answer.json["data"]["mute_until"], json!("2026-01-02T03:05:05Z"));
        assert_eq!(answer.json["data"]["code_id"], json!(""));
        for (rest, body) in [("", json!({"name": "x"})), ("/exit", json!(0)), ("/rotate", json!(0))]
        {
            let answer = who.post(&app, &path(rest), &body).await;
            assert_eq!(answer.complaint().0, 403, "{rest}");
        }
    }
    let waiting = phone.get(&app, "/inbox").await;
    let categories: Vec<_> = waiting.list().iter().map(|one| &one["category"]).collect();
    assert_eq!(categories, [&json!("ENCRYPTED_TEXT"), &json!("SYSTEM_CONVERSATION")]);
}

#[tokio::test]
async fn texts_change_one_by_one() {
    let team = Team::start().await;
    team.act(&team.admin, "", &json!({"name": "Other"})).await;
    let texts = async || {
        let answer = team.view(&team.member).await;
        (answer.json["data"]["name"].clone(), answer.json["data"]["announcement"].clone())
    };
    assert_eq!(texts().await, (json!("Other"), json!("We meet at nine.")));
    team.act(&team.admin, "", &json!({"announcement": "", "name": null})).await;
    assert_eq!(texts().await, (json!("Other"), json!("")));
}
