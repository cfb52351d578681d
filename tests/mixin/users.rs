//! Accounts, as others see them.

use insta::assert_json_snapshot;
use serde_json::json;

use crate::harness::TestApp;

#[tokio::test]
async fn a_bot_sees_itself() {
    let app = TestApp::start().await;
    let bot = app.bot("Echo").await;
    assert_json_snapshot!(bot.get(&app, "/me").await.json);
}

#[tokio::test]
async fn an_account_is_found_by_id_and_by_number() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("Echo").await, app.person("Anna", 1).await);
    let by_id = bot.get(&app, &format!("/users/{}", anna.user)).await.json;
    let number = by_id["data"]["identity_number"].as_str().unwrap();
    let by_number = bot.get(&app, &format!("/users/{number}")).await.json;
    assert_eq!(by_id, by_number);
    assert_eq!(
        (&by_id["data"]["full_name"], &by_id["data"]["relationship"]),
        (&json!("Anna"), &json!("STRANGER"))
    );
    assert_eq!(bot.get(&app, "/users/!").await.complaint().0, 422);
    assert_eq!(bot.get(&app, "/users/1").await.complaint().0, 404);
}

#[tokio::test]
async fn several_accounts_at_once_leave_out_the_unknown() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("Echo").await, app.person("Anna", 1).await);
    let stranger: sealpost::domain::ids::UserId = app.gateway().random_id();
    let answer = bot.post(&app, "/users/fetch", &json!([bot.user, anna.user, stranger])).await;
    assert_eq!(answer.list().len(), 2);
}
