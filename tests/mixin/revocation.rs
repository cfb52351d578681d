//! A revoked session is out everywhere, at once, whatever was remembered of it.

use std::time::Duration;

use axum::http::Method;
use sealpost::domain::session::Scopes;
use sealpost::sdk::base64url;
use sealpost::sdk::device::SessionStatement;
use sealpost::sdk::keys::VerifyingKey;
use serde_json::{Value, json};

use crate::harness::actor::with_token;
use crate::harness::{Actor, TestApp};

async fn own_sessions(app: &TestApp, device: &Actor) -> Vec<Value> {
    device.get(app, "/sessions").await.list().to_vec()
}

#[tokio::test]
async fn tokens_lists_and_api_tokens_end_with_the_session() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let (phone, lost) = (&anna.devices[0], &anna.devices[1]);
    let signed = lost.token("GET", "/me", b"");
    let life = Duration::from_secs(3600);
    let plain = app.gateway().create_api_token(lost.session, Scopes::ALL, life).await.unwrap();
    let ask = |token: String| app.call(with_token(Method::GET, "/me", &token, Vec::new()));
    // All of it is remembered now.
    assert_eq!(ask(signed.clone()).await.status, 200);
    assert_eq!(ask(plain.clone()).await.status, 200);
    let fetch = async || bot.post(&app, "/sessions/fetch", &json!([anna.user])).await;
    assert_eq!(fetch().await.list().len(), 2);

    phone.delete(&app, &format!("/sessions/{}", lost.session)).await;
    assert_eq!(ask(signed).await.complaint().0, 401);
    assert_eq!(ask(plain).await.complaint().0, 401);
    assert_eq!(fetch().await.only()["session_id"], json!(phone.session));
    assert_eq!(own_sessions(&app, phone).await.len(), 1);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let receipt = bot.send(&app, &[item]).await;
    assert_eq!(receipt.only()["outcome"], "stale_sessions");
    assert_eq!(receipt.only()["deleted"], json!([lost.session]));
}

#[tokio::test]
async fn a_session_that_was_replaced_is_out_as_well() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await;
    let old = &anna.devices[0];
    let signed = old.token("GET", "/me", b"");
    let ask = |token: String| app.call(with_token(Method::GET, "/me", &token, Vec::new()));
    assert_eq!(ask(signed.clone()).await.status, 200);
    let new = app.sign_in(anna.user, Some(old.session)).await;
    assert_eq!(ask(signed).await.complaint().0, 401);
    assert_eq!(own_sessions(&app, &new).await.len(), 1);
}

#[tokio::test]
async fn one_sees_ones_devices_and_who_let_them_in() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await;
    let (phone, key) = (&anna.devices[0], app.fresh_key());
    let statement = SessionStatement {
        user: anna.user,
        added_by: phone.session,
        public_key: key.verifying_key(),
    };
    let body = json!({
        "public_key": key.verifying_key().to_base64(),
        "platform": "Laptop",
        "signature": base64url::encode(&statement.sign_as_new(&key)),
        "attestation": base64url::encode(&statement.sign_as_adder(&phone.key)),
    });
    app.clock.advance(Duration::from_secs(1));
    let added = phone.post(&app, "/sessions", &body).await;
    let listed = own_sessions(&app, phone).await;
    assert_eq!(listed.len(), 2);
    assert_eq!((&listed[0]["current"], &listed[0]["added_by"]), (&json!(true), &Value::Null));
    let laptop = &listed[1];
    assert_eq!(laptop["session_id"], added.json["data"]["session_id"]);
    assert_eq!((&laptop["platform"], &laptop["current"]), (&json!("Laptop"), &json!(false)));
    assert_eq!(laptop["added_by"], json!(phone.session));

    // Whoever reads it can check it.
    let adder = VerifyingKey::from_base64(listed[0]["signing_key"].as_str().unwrap()).unwrap();
    let public_key = VerifyingKey::from_base64(laptop["signing_key"].as_str().unwrap()).unwrap();
    let word = base64url::decode(laptop["attestation"].as_str().unwrap()).unwrap();
    let statement = SessionStatement { public_key, ..statement };
    assert!(statement.verify_adder(&adder, &word.try_into().unwrap()).is_ok());
}
