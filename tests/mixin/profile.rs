//! What an account says about itself.

use axum::http::Method;
use sealpost::domain::session::Scopes;
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::actor::with_token;

#[tokio::test]
async fn others_see_a_change_at_once_and_it_outlives_a_restart() {
    let mut app = TestApp::start().await;
    let (bot, anna) = (app.bot("Echo").await, app.person("Anna", 2).await);
    let path = format!("/users/{}", anna.user);
    // What is remembered now must not be shown later.
    assert_eq!(bot.get(&app, &path).await.json["data"]["full_name"], "Anna");
    assert_eq!(anna.devices[1].get(&app, "/me").await.json["data"]["full_name"], "Anna");
    let profile = json!({"full_name": " Anna K. ", "biography": "hi", "avatar_url": "https://example.org/a.png"});
    let changed = anna.devices[0].post(&app, "/me", &profile).await;
    assert_eq!(changed.json["data"]["relationship"], "ME");
    app.restart().await;
    let seen = bot.get(&app, &path).await.json;
    assert_eq!(seen["data"]["full_name"], "Anna K.");
    assert_eq!(seen["data"]["biography"], "hi");
    assert_eq!(seen["data"]["avatar_url"], "https://example.org/a.png");

    let changed = anna.devices[0].post(&app, "/me", &json!({"biography": ""})).await;
    assert_eq!(changed.json["data"]["biography"], "");
    let own = anna.devices[1].get(&app, "/me").await.json;
    assert_eq!(
        (&own["data"]["full_name"], &own["data"]["biography"]),
        (&json!("Anna K."), &json!(""))
    );
    let fetched = bot.post(&app, "/users/fetch", &json!([anna.user])).await;
    assert_eq!(fetched.only()["full_name"], "Anna K.");
}

#[tokio::test]
async fn what_cannot_be_used_is_named_and_changes_nothing() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await;
    let phone = &anna.devices[0];
    for (field, value) in [
        ("full_name", json!("")),
        ("full_name", json!(7)),
        ("biography", json!("x".repeat(257))),
        ("avatar_url", json!("http://example.org/a.png")),
        ("avatar_base64", json!("iVBORw0KGgo=")),
    ] {
        let mut body = json!({"full_name": "Other", "biography": "other"});
        body[field] = value;
        let answer = phone.post(&app, "/me", &body).await;
        assert_eq!((answer.complaint().0, answer.complaint().1), (422, field), "{answer:?}");
    }
    assert_eq!(phone.get(&app, "/me").await.json["data"]["full_name"], "Anna");
    // Clients that always send both members say so when they have no picture.
    let body = json!({"full_name": "Anna K.", "avatar_base64": ""});
    assert_eq!(phone.post(&app, "/me", &body).await.json["data"]["full_name"], "Anna K.");
}

#[tokio::test]
async fn an_old_profile_is_not_put_back_by_repeating_its_request() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await;
    let phone = &anna.devices[0];
    let body = json!({"full_name": "First"}).to_string().into_bytes();
    let token = phone.token("POST", "/me", &body);
    let request = || with_token(Method::POST, "/me", &token, body.clone());
    assert_eq!(app.call(request()).await.status, 200);
    phone.post(&app, "/me", &json!({"full_name": "Second"})).await;
    let again = app.call(request()).await;
    assert!(again.complaint().2.contains("`jti` was used"), "{again:?}");
    assert_eq!(phone.get(&app, "/me").await.json["data"]["full_name"], "Second");
}

#[tokio::test]
async fn an_api_token_does_not_change_the_account() {
    let app = TestApp::start().await;
    let bot = app.bot("Echo").await;
    let life = std::time::Duration::from_secs(60);
    let token = app.gateway().create_api_token(bot.session, Scopes::ALL, life).await.unwrap();
    let body = br#"{"full_name":"Other"}"#.to_vec();
    let answer = app.call(with_token(Method::POST, "/me", &token, body)).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn people_are_searched_by_number() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("Echo").await, app.person("Anna", 1).await);
    let me = anna.devices[0].get(&app, "/me").await.json;
    let number = me["data"]["identity_number"].as_str().unwrap();
    let found = bot.get(&app, &format!("/search/{number}")).await;
    assert_eq!(found.json["data"]["user_id"], json!(anna.user));
    assert_eq!(bot.get(&app, "/search/7000999").await.complaint().0, 404);
}

#[tokio::test]
async fn a_bot_reads_itself_as_an_app_and_a_person_is_none() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("Echo").await, app.person("Anna", 1).await);
    let profile = json!({"biography": "I repeat", "avatar_url": "https://example.org/e.png"});
    bot.post(&app, "/me", &profile).await;
    let found = bot.get(&app, "/apps/me").await.json;
    assert_eq!(found["data"]["app_id"], json!(bot.user));
    assert_eq!(found["data"]["description"], "I repeat");
    assert_eq!(found["data"]["icon_url"], "https://example.org/e.png");
    assert_eq!(anna.devices[0].get(&app, "/apps/me").await.complaint().0, 404);
}
