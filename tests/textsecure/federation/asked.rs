//! What another gateway asks, and what it may not.

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use sealpost::dialect::textsecure::envelope::Envelope;
use sealpost::domain::phone::PhoneLimit;
use serde_json::{Value, json};

use super::{ask_as, gateway, with_peer};
use crate::harness::TestApp;
use crate::harness::phone::Phone;
use crate::textsecure::keys::leaves;
use crate::textsecure::letters::{ANNA, BERT, CARL, NOBODY, part, pull};

/// A gateway that knows one called `there`.
async fn app() -> TestApp {
    gateway("here", with_peer("there").peers.remove(0), |_| ()).await
}

async fn get(app: &TestApp, path: &str) -> (u16, Value) {
    let path = format!("/v1/federation/{path}");
    let answer = ask_as("there", app, Method::GET, &path, Value::Null).await;
    (answer.status, answer.json)
}

async fn put(app: &TestApp, path: &str, body: Value) -> (u16, Value) {
    let path = format!("/v1/federation/{path}");
    let answer = ask_as("there", app, Method::PUT, &path, body).await;
    (answer.status, answer.json)
}

fn envelope() -> Envelope {
    Envelope {
        kind: Some(1),
        source: Some(ANNA.to_owned()),
        relay: Some("a lie".to_owned()),
        timestamp: Some(1234),
        message: Some("hello".into()),
        ..Envelope::default()
    }
}

fn brought(destination: &str, bytes: &[u8]) -> Value {
    let text = STANDARD_NO_PAD.encode(bytes);
    json!({ "destination": destination, "outgoingMessageSignal": text })
}

#[tokio::test]
async fn only_gateways_that_are_known_may_ask() {
    let app = app().await;
    let anna = app.phone(ANNA).await;
    let messages = format!("/v1/federation/messages/{CARL}/1/{ANNA}");
    for (method, path) in [
        (Method::GET, "/v1/federation/user_count"),
        (Method::GET, "/v1/federation/user_tokens/0"),
        (Method::GET, "/v1/federation/key/+14152222222"),
        (Method::GET, "/v1/federation/key/+14152222222/1"),
        (Method::GET, "/v2/federation/key/+14152222222/*"),
        (Method::GET, "/v1/federation/attachment/7"),
        (Method::PUT, "/v1/federation/message"),
        (Method::PUT, messages.as_str()),
    ] {
        let body = if method == Method::PUT { json!({ "x": 1 }) } else { Value::Null };
        let stranger = app.stranger(method.clone(), path, &body).await;
        assert_eq!(stranger.status, 401, "{path}");
        assert!(stranger.headers.contains_key("www-authenticate"));
        let other = ask_as("another", &app, method.clone(), path, body.clone()).await;
        assert_eq!(other.status, 401, "{path}");
        let phone = match method {
            Method::PUT => anna.put(&app, path, body).await,
            _ => anna.get(&app, path).await,
        };
        assert_eq!(phone.status, 401, "{path}");
    }
}

#[tokio::test]
async fn without_peers_nobody_is_known() {
    let app = TestApp::start_for_phones().await;
    assert_eq!(get(&app, "user_count").await.0, 401);
    assert_eq!(
        ask_as("", &app, Method::GET, "/v1/federation/user_count", Value::Null).await.status,
        401
    );
}

#[tokio::test]
async fn a_gateway_reads_who_has_registered() {
    let app = app().await;
    assert_eq!(get(&app, "user_count").await, (200, json!({ "count": 0 })));
    app.phone(ANNA).await;
    let carl = Phone::new(CARL);
    let mut attributes = carl.attributes();
    (attributes["fetchesMessages"], attributes["supportsSms"]) = (json!(false), json!(true));
    let path = format!("/v1/accounts/code/{}", app.code(CARL).await);
    carl.put(&app, &path, attributes).await;
    assert_eq!(get(&app, "user_count").await, (200, json!({ "count": 2 })));
    let (status, page) = get(&app, "user_tokens/0").await;
    assert_eq!((status, &page["contacts"][0]), (200, &json!({ "token": "BQVVHxMt5zAFXA" })));
    let second = &page["contacts"][1];
    assert_eq!((&second["supportsSms"], &second["inactive"]), (&json!(true), &json!(true)));
    assert_eq!(get(&app, "user_tokens/1/").await.1["contacts"], json!([second]));
    assert_eq!(get(&app, "user_tokens/2").await, (200, json!({ "contacts": [] })));
    assert_eq!(get(&app, "user_tokens/x").await.0, 404);
}

#[tokio::test]
async fn a_gateway_gets_prekeys_as_phones_do() {
    let app = app().await;
    let bert = app.phone(BERT).await;
    leaves(&app, &bert, "bert", [1, 2, 3]).await;
    let (status, bare) = get(&app, &format!("key/{BERT}")).await;
    assert_eq!((status, &bare["keyId"]), (200, &json!(1)));
    let (status, list) = get(&app, &format!("key/{BERT}/*")).await;
    assert_eq!((status, &list["keys"][0]["keyId"]), (200, &json!(2)));
    let path = format!("/v2/federation/key/{BERT}/1");
    let second = ask_as("there", &app, Method::GET, &path, Value::Null).await;
    let key = json!({ "keyId": 3, "publicKey": "bert public 3" });
    assert_eq!((second.status, &second.json["devices"][0]["preKey"]), (200, &key));
    assert_eq!(second.json["identityKey"], "bert identity");
    for path in [format!("key/{NOBODY}"), format!("key/{BERT}/2"), format!("key/{BERT}/x")] {
        assert_eq!(get(&app, &path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_gateway_does_not_choose_its_name() {
    let app = app().await;
    let bert = app.phone(BERT).await;
    let list = json!({ "relay": "a lie", "messages": [part(&bert, "one")] });
    let answer = put(&app, &format!("messages/{ANNA}/3/{BERT}"), list).await;
    assert_eq!(answer, (200, json!({ "needsSync": false })));
    let signal = envelope().to_bytes();
    assert_eq!(put(&app, "message", brought(BERT, &signal)).await, (204, json!("")));
    let got = pull(&app, &bert).await;
    let from = |it: &Value| (it["relay"].clone(), it["source"].clone(), it["sourceDevice"].clone());
    assert_eq!(from(&got[0]), (json!("there"), json!(ANNA), json!(3)));
    assert_eq!(from(&got[1]), (json!("there"), json!(ANNA), json!(0)));
    assert_eq!((&got[1]["timestamp"], &got[1]["message"]), (&json!(1234), &json!("aGVsbG8=")));
}

#[tokio::test]
async fn what_cannot_be_delivered_is_told_as_it_is_to_phones() {
    let app = app().await;
    let bert = app.phone(BERT).await;
    let to = |destination: &str| format!("messages/{ANNA}/1/{destination}");
    let list = json!({ "messages": [part(&bert, "x")] });
    assert_eq!(put(&app, &to(NOBODY), list.clone()).await.0, 404);
    assert_eq!(put(&app, &format!("messages/x/1/{BERT}"), list.clone()).await.0, 404);
    assert_eq!(put(&app, &format!("messages/{ANNA}/x/{BERT}"), list).await.0, 404);
    assert_eq!(put(&app, &to(BERT), json!({})).await.0, 415);
    let none = put(&app, &to(BERT), json!({ "messages": [] })).await;
    assert_eq!(none, (409, json!({ "missingDevices": [1], "extraDevices": [] })));
    let mut stale = part(&bert, "x");
    stale["destinationRegistrationId"] = json!(9);
    let stale = put(&app, &to(BERT), json!({ "messages": [stale] })).await;
    assert_eq!(stale, (410, json!({ "staleDevices": [1] })));
    assert_eq!(put(&app, "message", brought(NOBODY, &envelope().to_bytes())).await.0, 404);
    assert_eq!(put(&app, "message", brought(BERT, b"\xff\xff")).await.0, 400);
    let nameless = Envelope { source: None, ..envelope() };
    assert_eq!(put(&app, "message", brought(BERT, &nameless.to_bytes())).await.0, 400);
    assert!(pull(&app, &bert).await.is_empty());
}

#[tokio::test]
async fn a_sender_elsewhere_has_a_bucket_that_is_not_its_namesakes() {
    let app = gateway("here", with_peer("there").peers.remove(0), |it| {
        (it.limits.messages_at_once, it.limits.messages_an_hour) = (1, 60);
    })
    .await;
    let bert = app.phone(BERT).await;
    let signal = brought(BERT, &envelope().to_bytes());
    assert_eq!(put(&app, "message", signal.clone()).await.0, 204);
    let refused = ask_as("there", &app, Method::PUT, "/v1/federation/message", signal).await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (503, &"60".parse().unwrap()));
    let limits = &app.switchboard().limits;
    assert!(limits.take(PhoneLimit::Messages, ANNA, 1).is_ok());
    assert_eq!(pull(&app, &bert).await.len(), 1);
}

#[tokio::test]
async fn a_message_from_elsewhere_is_no_larger_than_others() {
    let app = app().await;
    let bert = app.phone(BERT).await;
    let most = app.gateway().limits.ciphertext_bytes;
    let with = |message: usize, content: usize| {
        let bytes = |length| (length > 0).then(|| Bytes::from(vec![7; length]));
        let envelope = Envelope { message: bytes(message), content: bytes(content), ..envelope() };
        brought(BERT, &envelope.to_bytes())
    };
    assert_eq!(put(&app, "message", with(most + 1, 0)).await.0, 413);
    assert_eq!(put(&app, "message", with(1, most + 1)).await.0, 413);
    assert!(pull(&app, &bert).await.is_empty());
    assert_eq!(put(&app, "message", with(most, 0)).await.0, 204);
}
