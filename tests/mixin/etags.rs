//! Answers that a caller has already are not sent again.

use axum::http::{HeaderValue, Method, header};
use sealpost::sdk::conversation::contact_conversation_id;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, TestApp};

async fn ask(app: &TestApp, actor: &Actor, path: &str, known: &str) -> Answer {
    let (method, body) = match path {
        "/sessions/fetch" => (Method::POST, json!([actor.user]).to_string().into_bytes()),
        _ => (Method::GET, Vec::new()),
    };
    let mut request = actor.request(method, path, body);
    if !known.is_empty() {
        request.headers_mut().insert(header::IF_NONE_MATCH, HeaderValue::from_str(known).unwrap());
    }
    app.call(request).await
}

fn tag(answer: &Answer) -> &str {
    answer.headers["etag"].to_str().unwrap()
}

#[tokio::test]
async fn what_the_caller_has_is_answered_with_304_and_no_body() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    for path in ["/me", "/apps/me", "/sessions/fetch", &format!("/users/{}", bot.user)] {
        let first = ask(&app, &bot, path, "").await;
        assert_eq!(first.headers["cache-control"], "private, no-cache");
        assert_eq!(first.headers["content-type"], "application/json");
        for known in [tag(&first).to_owned(), format!("\"x\", W/{}", tag(&first)), "*".to_owned()] {
            let again = ask(&app, &bot, path, &known).await;
            assert_eq!((again.status, &again.json), (304, &Value::from("")), "{path}");
            assert_eq!(tag(&again), tag(&first));
        }
        assert_eq!(ask(&app, &bot, path, "\"other\"").await.json, first.json);
    }
}

#[tokio::test]
async fn a_tag_changes_when_a_device_signs_in_or_goes_and_comes_back_with_the_same_list() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    let first = tag(&ask(&app, &bot, "/sessions/fetch", "").await).to_owned();
    let other = app.sign_in(bot.user, None).await;
    let second = ask(&app, &bot, "/sessions/fetch", &first).await;
    assert_eq!((second.status, second.list().len()), (200, 2));
    assert_ne!(tag(&second), first);
    app.gateway().revoke_session(bot.user, other.session).await.unwrap();
    assert_eq!(ask(&app, &bot, "/sessions/fetch", &first).await.status, 304);
}

#[tokio::test]
async fn the_order_of_a_question_and_what_is_remembered_make_no_difference() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    let (anna, bert) = (app.person("Anna", 2).await, app.person("Bert", 1).await);
    bot.post(&app, "/sessions/fetch", &json!([bert.user])).await;
    let one = bot.post(&app, "/sessions/fetch", &json!([anna.user, bert.user])).await;
    let other = bot.post(&app, "/sessions/fetch", &json!([bert.user, anna.user])).await;
    assert_eq!(tag(&one), tag(&other));
}

#[tokio::test]
async fn a_changed_profile_has_another_tag_and_a_refusal_has_none() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    let first = tag(&ask(&app, &bot, "/me", "").await).to_owned();
    bot.post(&app, "/me", &json!({"full_name": "old news"})).await;
    let changed = ask(&app, &bot, "/me", &first).await;
    assert_eq!(changed.json["data"]["full_name"], "old news");
    let refused = ask(&app, &bot, "/users/!", &first).await;
    assert!(!refused.headers.contains_key("etag"), "{refused:?}");
}

#[tokio::test]
async fn a_conversation_has_a_tag_that_changes_with_its_devices() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    let path = format!("/conversations/{}", contact_conversation_id(bot.user, anna.user));
    let first = tag(&ask(&app, &bot, &path, "").await).to_owned();
    assert_eq!(ask(&app, &bot, &path, &first).await.status, 304);
    app.sign_in(anna.user, None).await;
    assert_eq!(ask(&app, &bot, &path, &first).await.status, 200);
}
