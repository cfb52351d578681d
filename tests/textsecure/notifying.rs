//! Phones that are woken, and codes that are sent to them: what is outside is a stand-in.

use axum::http::Method;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use prost::Message as _;
use sealpost::config::Config;
use sealpost::config::dialects::textsecure::codes::Sender;
use sealpost::dialect::textsecure::envelope::Envelope;
use sealpost::domain::phone::PhoneNumber;
use serde_json::{Value, json};

use super::letters::{ANNA, BERT, says, send, texts, unlimited_with};
use super::socket_client::decrypt;
use crate::harness::TestApp;
use crate::harness::phone::Phone;
use crate::outside::stand_in::StandIn;

/// What push services on loopback need.
fn on_loopback(config: &mut Config) {
    config.dialects.textsecure.push.webpush.private_networks = "127.0.0.0/8".to_owned();
}

/// Registers an endpoint for a phone.
async fn is_woken_at(app: &TestApp, phone: &Phone, endpoint: &str) {
    let answer = phone.put(app, "/v1/accounts/webpush/", json!({ "endpoint": endpoint })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn has_endpoint(app: &TestApp, phone: &Phone) -> bool {
    let number = PhoneNumber::parse(&phone.number).unwrap();
    let found = app.gateway().store.fresh_phone(&number).await.unwrap().unwrap();
    found.devices[0].push.is_some()
}

#[tokio::test]
async fn a_message_is_pushed_and_waits_all_the_same() {
    let (app, stand_in) = (unlimited_with(on_loopback).await, StandIn::start().await);
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    is_woken_at(&app, &bert, &format!("{}/bert", stand_in.url)).await;
    says(&app, &anna, &[&bert], "hello").await;
    let pushed = stand_in.wait_for(1).await.remove(0);
    assert_eq!(pushed.path, "/bert");
    let sealed = BASE64.decode(pushed.text()).unwrap();
    let envelope = decrypt(&bert.signalling_key, &sealed);
    let envelope = Envelope::decode(Bytes::from(envelope)).unwrap();
    assert_eq!(envelope.source.as_deref(), Some(ANNA));
    assert_eq!(envelope.message.unwrap(), "hello");
    assert_eq!(texts(&app, &bert).await, ["hello"]);
}

#[tokio::test]
async fn an_endpoint_without_keys_that_is_not_of_unified_push_is_refused() {
    let (app, stand_in) = (unlimited_with(on_loopback).await, StandIn::start().await);
    let bert = app.phone(BERT).await;
    stand_in.is_something_else();
    let keys = json!({ "endpoint": stand_in.url, "auth": "AAAAAAAAAAAAAAAAAAAAAA", "p256dh":
        format!("B{}", "A".repeat(86)) });
    for (endpoint, status) in [(json!({ "endpoint": stand_in.url }), 415), (keys, 200)] {
        let answer = bert.put(&app, "/v1/accounts/webpush/", endpoint).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let silent = json!({ "endpoint": "http://127.0.0.1:9/nobody-is-there-now" });
    assert_eq!(bert.put(&app, "/v1/accounts/webpush/", silent).await.status, 200);
}

#[tokio::test]
async fn what_no_service_carries_wakes() {
    let (app, stand_in) = (unlimited_with(on_loopback).await, StandIn::start().await);
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    is_woken_at(&app, &bert, &stand_in.url).await;
    says(&app, &anna, &[&bert], &"x".repeat(4000)).await;
    assert_eq!(stand_in.wait_for(1).await[0].text(), "{}");
}

#[tokio::test]
async fn an_endpoint_that_is_dead_is_forgotten_and_no_message_is_lost() {
    let (app, stand_in) = (unlimited_with(on_loopback).await, StandIn::start().await);
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    is_woken_at(&app, &bert, &stand_in.url).await;
    stand_in.replies(410, "");
    says(&app, &anna, &[&bert], "hello").await;
    stand_in.wait_for(1).await;
    while has_endpoint(&app, &bert).await {
        tokio::task::yield_now().await;
    }
    assert_eq!(texts(&app, &bert).await, ["hello"]);
}

#[tokio::test]
async fn a_phone_that_only_its_dead_endpoint_could_reach_is_unreachable() {
    let (app, stand_in) = (unlimited_with(on_loopback).await, StandIn::start().await);
    let anna = app.phone(ANNA).await;
    let bert = Phone::new(BERT);
    let code = app.code(BERT).await;
    let attributes = json!({ "signalingKey": BASE64.encode(bert.signalling_key) });
    bert.put(&app, &format!("/v1/accounts/code/{code}"), attributes).await;
    is_woken_at(&app, &bert, &stand_in.url).await;
    let part = json!({ "type": 1, "destinationDeviceId": 1, "body": "aGVsbG8=" });
    assert_eq!(send(&app, &anna, BERT, std::slice::from_ref(&part)).await.status, 200);
    stand_in.wait_for(1).await;
    stand_in.replies(404, "");
    assert_eq!(send(&app, &anna, BERT, std::slice::from_ref(&part)).await.status, 200);
    while has_endpoint(&app, &bert).await {
        tokio::task::yield_now().await;
    }
    assert_eq!(send(&app, &anna, BERT, &[part]).await.status, 404);
}

#[tokio::test]
async fn a_client_learns_the_key_by_which_push_services_know_the_gateway() {
    let mut app = unlimited_with(|_| ()).await;
    let anna = app.phone(ANNA).await;
    let key = anna.get(&app, "/v1/accounts/webpush/").await.json["applicationServerKey"].clone();
    // An uncompressed point.
    assert!(key.as_str().is_some_and(|key| key.len() == 87 && key.starts_with('B')), "{key}");
    app.restart().await;
    let again = anna.get(&app, "/v1/accounts/webpush/").await;
    assert_eq!(again.json["applicationServerKey"], key);
}

#[tokio::test]
async fn vendors_that_are_not_set_up_disturb_nobody() {
    let app = unlimited_with(|_| ()).await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    for (path, field) in
        [("/v1/accounts/gcm/", "gcmRegistrationId"), ("/v1/accounts/apn/", "apnRegistrationId")]
    {
        assert_eq!(bert.put(&app, path, json!({ field: "00ff" })).await.status, 200);
        says(&app, &anna, &[&bert], "hello").await;
    }
    assert_eq!(texts(&app, &bert).await, ["hello", "hello"]);
    assert!(has_endpoint(&app, &bert).await);
}

/// A gateway whose codes go to a stand-in.
async fn with_webhook(stand_in: &StandIn) -> TestApp {
    unlimited_with(|config| {
        config.outbound.private_networks = "127.0.0.1".to_owned();
        let codes = &mut config.dialects.textsecure.codes;
        codes.sender = Sender::Webhook;
        codes.webhook.url = stand_in.url.as_str().into();
        codes.webhook.secret = "a secret of the test".into();
    })
    .await
}

const ASK: &str = "/v1/accounts/sms/code/+14152222222";

#[tokio::test]
async fn a_number_registers_with_the_code_that_a_program_was_told() {
    let stand_in = StandIn::start().await;
    let app = with_webhook(&stand_in).await;
    assert_eq!(app.stranger(Method::GET, ASK, &Value::Null).await.status, 200);
    let told = stand_in.only().json();
    assert_eq!(told["number"], ANNA);
    let code = told["code"].as_str().unwrap();
    let anna = Phone::new(ANNA);
    let path = format!("/v1/accounts/code/{code}");
    assert_eq!(anna.put(&app, &path, anna.attributes()).await.status, 200);
}

#[tokio::test]
async fn a_code_that_nobody_takes_is_503() {
    let stand_in = StandIn::start().await;
    stand_in.replies(500, "");
    let app = with_webhook(&stand_in).await;
    assert_eq!(app.stranger(Method::GET, ASK, &Value::Null).await.status, 503);
}
