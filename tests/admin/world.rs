//! A gateway and its operator.

use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use sealpost::sdk::keys::SigningKey;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::TestApp;

/// What the operator was told.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub json: Value,
}

pub async fn ask(app: &TestApp, method: Method, path: &str, body: Value) -> Answer {
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let request = Request::builder().method(method).uri(format!("/admin/v1{path}"));
    let request = request.header("x-request-id", "r-1").body(body).unwrap();
    let (parts, body) = app.admin_router().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let content_type = parts.headers.get("content-type").map(|value| value.to_str().unwrap());
    Answer {
        status: parts.status.as_u16(),
        content_type: content_type.unwrap_or_default().to_owned(),
        json: serde_json::from_slice(&bytes).unwrap_or_default(),
    }
}

pub async fn get(app: &TestApp, path: &str) -> Answer {
    ask(app, Method::GET, path, Value::Null).await
}

pub async fn post(app: &TestApp, path: &str, body: Value) -> Answer {
    ask(app, Method::POST, path, body).await
}

pub async fn delete(app: &TestApp, path: &str) -> Answer {
    ask(app, Method::DELETE, path, Value::Null).await
}

/// The public key of the session with this number.
pub fn public_key(number: u8) -> String {
    SigningKey::from_seed(&[number; 32]).verifying_key().to_base64()
}

/// A user with one session; the ids of both.
pub async fn user(app: &TestApp, key: u8) -> (String, String) {
    let sessions = json!([{"public_key": public_key(key), "platform": "Phone"}]);
    let body = json!({"kind": "user", "full_name": "Anna", "sessions": sessions});
    let made = post(app, "/accounts", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made.json["user_id"]), text(&made.json["sessions"][0]["session_id"]))
}
