//! Members as clients have them: how they enrol, meet, write, and sign.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::sdk::keys::SigningKey;
use serde_json::{Value, json};

use super::load::Connection;

/// A device, with what it needs to sign.
pub struct Device {
    pub user: String,
    pub id: String,
    pub key: SigningKey,
}

/// A key that nobody else has.
pub fn key(name: &str) -> SigningKey {
    let mut seed = [0x68; 32];
    seed.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
    SigningKey::from_seed(&seed)
}

/// What a new device says of itself; the contracts differ in where they say it.
fn bundle(user: &str, key: &SigningKey) -> (Value, String, String) {
    let prekey = [0x70; 32];
    let body = json!({
        "user_id": user,
        "identity_pubkey": STANDARD.encode(key.verifying_key().to_bytes()),
        "prekey_pubkey": STANDARD.encode(prekey),
        "one_time_prekeys": [],
        "device_label": "bench",
        "push_token": "",
    });
    (body, STANDARD.encode(prekey), STANDARD.encode(key.sign(&prekey)))
}

pub async fn enrol(connection: &mut Connection, name: &str) -> Device {
    let created =
        ask(connection, "POST", "/users/create", None, &json!({ "username": name })).await;
    let user = text(&created["user"]["id"]);
    let key = key(name);
    let (mut body, prekey, signature) = bundle(&user, &key);
    body["signed_prekey"] = json!({ "key": prekey, "signature": signature });
    body["enrollment_token"] = created["enrollment_token"].clone();
    let device = ask(connection, "POST", &format!("/users/{user}/devices"), None, &body).await;
    Device { user, id: text(&device["id"]), key }
}

/// A further device of somebody.
pub async fn link(connection: &mut Connection, first: &Device, number: usize) -> Device {
    let key = key(&format!("further {number}"));
    let (mut body, prekey, signature) = bundle(&first.user, &key);
    body["signed_prekey_pub"] = prekey.into();
    body["signed_prekey_sig"] = signature.into();
    let device = ask(connection, "POST", "/devices", Some(first), &body).await;
    Device { user: first.user.clone(), id: text(&device["id"]), key }
}

/// Introduces two devices to each other; returns the chat of their members.
pub async fn befriend(connection: &mut Connection, from: &Device, to: &Device) -> String {
    let introduction = json!({
        "recipient_user_id": to.user,
        "sessions_init": [{
            "recipient_device_id": to.id, "ephemeral_pubkey": "AA==", "sender_prekey_pub": "AA==",
            "otpk_used": "", "ciphertext": "AA==",
        }],
    });
    ask(connection, "POST", "/sessions", Some(from), &introduction).await;
    let waiting = ask(connection, "GET", "/sessions/pending", Some(to), &Value::Null).await;
    let confirmation = json!({
        "pending_session_id": waiting["sessions"][0]["id"],
        "sender_device_id": from.id, "receiver_device_id": to.id,
    });
    ask(connection, "POST", "/sessions/confirm", Some(to), &confirmation).await;
    let chats = ask(connection, "GET", "/chats", Some(to), &Value::Null).await;
    text(&chats[0]["id"])
}

/// A message to devices of somebody.
pub fn message(
    from: &Device,
    to: &Device,
    chat: &str,
    devices: &[impl AsRef<str>],
    place: usize,
) -> Bytes {
    let payload = |device: &_| {
        json!({
            "to_device_id": AsRef::<str>::as_ref(device),
            "header": { "ratchet_pub": STANDARD.encode([7; 32]), "counter": place },
            "ciphertext": STANDARD.encode([9; 256]),
        })
    };
    let payloads: Vec<_> = devices.iter().map(payload).collect();
    let body = json!({
        "chat_id": chat, "logical_msg_id": place.to_string(), "to_user_id": to.user,
        "payloads": payloads,
    });
    request("POST", "/messages", Some(from), &body)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

pub async fn ask(
    connection: &mut Connection,
    method: &str,
    path: &str,
    device: Option<&Device>,
    body: &Value,
) -> Value {
    let answer = connection.ask(&request(method, path, device, body)).await;
    let told = String::from_utf8_lossy(&answer.body);
    assert!((200..300).contains(&answer.status), "{method} {path}: {} {told}", answer.status);
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// A request in one piece, signed now.
pub fn request(method: &str, path: &str, device: Option<&Device>, body: &Value) -> Bytes {
    let now = SystemClock.now().as_seconds().to_string();
    let credentials = device.map(|device| credentials(&device.key, &now)).unwrap_or_default();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    in_one_piece(method, path, &credentials, &body)
}

/// A request without a body that is signed with a time as it is written here.
pub fn signed(method: &str, path: &str, key: &SigningKey, time: &str) -> Bytes {
    in_one_piece(method, path, &credentials(key, time), "")
}

fn credentials(key: &SigningKey, time: &str) -> String {
    let signature = STANDARD.encode(key.sign(time.as_bytes()));
    let key = identity_text(key);
    format!("x-identity-key: {key}\r\nx-timestamp: {time}\r\nx-signature: {signature}\r\n")
}

/// A key as its owner shows it.
pub fn identity_text(key: &SigningKey) -> String {
    STANDARD.encode(key.verifying_key().to_bytes())
}

fn in_one_piece(method: &str, path: &str, credentials: &str, body: &str) -> Bytes {
    let length = body.len();
    let head = format!(
        "{method} /hushnet{path} HTTP/1.1\r\nhost: gateway\r\n{credentials}\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    (head + body).into()
}
