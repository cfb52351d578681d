//! Members who know each other.

use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::TestApp;
use crate::harness::app::Answer;
use crate::harness::hush::{HushDevice, PREFIX, with_body};

/// Alice and Bob with one device each, and their chat.
pub async fn pair(app: &TestApp) -> (HushDevice, HushDevice, String) {
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let chat = befriend(app, &alice, &bob).await;
    (alice, bob, chat)
}

/// One device introduces itself to another one, which confirms; returns their members' chat.
pub async fn befriend(app: &TestApp, from: &HushDevice, to: &HushDevice) -> String {
    let introduced = from.post(app, "/sessions", introduction(to, &[&to.device], "")).await;
    assert_eq!(introduced.status, 201, "{introduced:?}");
    let waiting = to.get(app, "/sessions/pending").await;
    let waiting = &waiting.json["sessions"][0];
    let confirmed = to.post(app, "/sessions/confirm", confirmation(waiting)).await;
    assert_eq!(confirmed.status, 201, "{confirmed:?}");
    let chats = to.get(app, "/chats").await;
    let with = |chat: &&Value| chat["partner_user_id"] == json!(from.user);
    let chat = chats.json.as_array().unwrap().iter().find(with);
    chat.unwrap_or_else(|| panic!("{chats:?}"))["id"].as_str().unwrap().to_owned()
}

/// What the app sends to confirm what waits.
pub fn confirmation(waiting: &Value) -> Value {
    json!({
        "pending_session_id": waiting["id"],
        "sender_device_id": waiting["sender_device_id"],
        "receiver_device_id": waiting["recipient_device_id"],
    })
}

/// What the app sends to introduce itself to devices of a member.
pub fn introduction(to: &HushDevice, devices: &[&str], one_time_key: &str) -> Value {
    let init = |device: &&str| {
        json!({
            "recipient_device_id": device,
            "ephemeral_pubkey": format!("ephemeral for {device}"),
            "sender_prekey_pub": "sender's prekey",
            "otpk_used": one_time_key,
            "ciphertext": "first words",
        })
    };
    let list: Vec<_> = devices.iter().map(init).collect();
    json!({ "recipient_user_id": to.user, "sessions_init": list })
}

/// A message for devices of a member.
pub fn message(chat: &str, to: &HushDevice, devices: &[&str], logical: &str) -> Value {
    let payload = |device: &&str| {
        json!({
            "to_device_id": device,
            "header": { "ratchet_pub": "key", "counter": 1 },
            "ciphertext": format!("{logical} for {device}"),
        })
    };
    let payloads: Vec<_> = devices.iter().map(payload).collect();
    json!({
        "chat_id": chat,
        "logical_msg_id": logical,
        "to_user_id": to.user,
        "payloads": payloads,
    })
}

/// Sends a message to one device; returns its id.
pub async fn send(
    app: &TestApp,
    chat: &str,
    from: &HushDevice,
    to: &HushDevice,
    logical: &str,
) -> String {
    let sent = from.post(app, "/messages", message(chat, to, &[&to.device], logical)).await;
    assert_eq!((sent.status, &sent.json["success"]), (200, &json!("true")), "{sent:?}");
    sent.json["message_ids"][0].as_str().unwrap().to_owned()
}

/// The senders' own ids of what a device is handed out now.
pub async fn fetched(app: &TestApp, reader: &HushDevice) -> Vec<String> {
    logical_ids(&reader.get(app, "/messages/pending").await)
}

pub fn logical_ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let list = answer.json.as_array().unwrap_or_else(|| panic!("{answer:?}"));
    list.iter().map(|one| one["logical_msg_id"].as_str().unwrap().to_owned()).collect()
}

/// A signed request whose body is this very text.
pub fn raw(from: &HushDevice, method: Method, path: &str, body: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(format!("{PREFIX}{path}"));
    with_body(from.signed_at(request, &from.now().to_string()), body.to_owned())
}

/// The very text of an answer.
pub async fn text(app: &TestApp, request: Request<Body>) -> (u16, String) {
    let response = app.router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), String::from_utf8(bytes.to_vec()).unwrap())
}
