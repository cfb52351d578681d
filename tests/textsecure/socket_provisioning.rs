//! Linking a device by its picture.

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use prost::Message;
use serde_json::{Value, json};

use super::letters::{BERT, retry_after, unlimited, unlimited_with};
use super::socket_client::Line;
use crate::harness::TestApp;

/// The body of `PUT /v1/address`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Address {
    #[prost(string, optional, tag = "1")]
    uuid: Option<String>,
}

/// A new device, and the address that it was given.
async fn newcomer(app: &TestApp, slash: &str) -> (Line, String) {
    let path = format!("/v1/websocket/provisioning{slash}");
    let mut line = app.open_socket(&path).await.unwrap();
    let request = line.request().await;
    let (verb, path) = (request.verb.as_deref(), request.path.as_deref());
    assert_eq!((verb, path), (Some("PUT"), Some("/v1/address")));
    line.answer(request.id.unwrap(), 200).await;
    let address = Address::decode(request.body.unwrap()).unwrap().uuid.unwrap();
    (line, address)
}

fn body(bytes: &[u8]) -> Value {
    json!({"body": STANDARD.encode(bytes)})
}

#[tokio::test]
async fn what_a_phone_posts_reaches_the_new_device_that_waits_for_it() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    let (mut line, address) = newcomer(&app, "/").await;
    let (mut other, elsewhere) = newcomer(&app, "").await;
    assert!(address.len() == 22 && address != elsewhere);
    assert!(address.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_'));
    let path = format!("/v1/provisioning/{address}");
    let answer = bert.put(&app, &path, body(b"a secret")).await;
    assert_eq!((answer.status, answer.json), (204, json!("")));
    let request = line.request().await;
    assert_eq!(
        (request.verb.as_deref(), request.path.as_deref()),
        (Some("PUT"), Some("/v1/message"))
    );
    assert_eq!(request.body.as_deref(), Some(&b"a secret"[..]));
    assert_eq!(line.close_code().await, Some(1001));
    assert_eq!(bert.put(&app, &path, body(b"again")).await.status, 404);
    assert!(other.is_quiet().await);
    let path = format!("/v1/provisioning/{elsewhere}/");
    let unpadded = json!({"body": STANDARD_NO_PAD.encode(b"another")});
    assert_eq!(bert.put(&app, &path, unpadded).await.status, 204);
    assert_eq!(other.request().await.body.as_deref(), Some(&b"another"[..]));
}

#[tokio::test]
async fn who_does_not_wait_any_more_is_not_found() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    let (mut line, address) = newcomer(&app, "/").await;
    line.send(tokio_tungstenite::tungstenite::Message::Close(None)).await;
    line.closed().await;
    for address in [address.as_str(), "nobody"] {
        let path = format!("/v1/provisioning/{address}");
        assert_eq!(bert.put(&app, &path, body(b"x")).await.status, 404, "{address}");
    }
}

#[tokio::test]
async fn only_a_phone_may_post_and_only_what_fits() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    let (mut line, address) = newcomer(&app, "/").await;
    let path = format!("/v1/provisioning/{address}");
    assert_eq!(app.stranger(Method::PUT, &path, &body(b"x")).await.status, 401);
    for bad in [json!({}), json!({"body": 7}), json!({"body": "!"}), json!([])] {
        assert_eq!(bert.put(&app, &path, bad.clone()).await.status, 415, "{bad}");
    }
    let large = bert.put(&app, &path, body(&[0; 17 * 1024])).await;
    assert_eq!(large.status, 413);
    assert!(retry_after(&large) > 0);
    assert!(line.is_quiet().await);
}

#[tokio::test]
async fn what_is_posted_counts_as_a_message() {
    let app = unlimited_with(|config| {
        config.dialects.textsecure.limits.messages_at_once = 1;
        config.dialects.textsecure.limits.messages_an_hour = 60;
    })
    .await;
    let bert = app.phone(BERT).await;
    assert_eq!(bert.put(&app, "/v1/provisioning/nobody", body(b"x")).await.status, 404);
    let answer = bert.put(&app, "/v1/provisioning/nobody", body(b"x")).await;
    assert_eq!((answer.status, retry_after(&answer)), (413, 60));
}
