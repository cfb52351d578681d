//! Sessions, chats, messages and events as the documentation has them, from the first key to what
//! waits for a device.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{NOBODY, START, refused, somebody};
use crate::harness::TestApp;
use crate::harness::hush::HushDevice;
use crate::hushnet::line::Line;
use crate::hushnet::people::befriend;

/// A minute and two minutes after the start.
const LATER: &str = "2026-01-02T03:05:05Z";
const STILL_LATER: &str = "2026-01-02T03:06:05Z";

/// The id that somebody has chosen for a chat.
const CHAT: &str = "5b0a1d52-8a8e-4b7e-9e1e-0d8f5a3f7c11";

/// Two users with a device each, at their sockets.
struct Two {
    app: TestApp,
    alice: HushDevice,
    bob: HushDevice,
    alices: Line,
    bobs: Line,
}

impl Two {
    async fn at_their_sockets() -> Self {
        let app = TestApp::start_for_hushnet().await;
        let (alice, bob) = (somebody(&app, "alice").await, somebody(&app, "bob").await);
        for device in [&alice, &bob] {
            let path = format!("/sessions/pending?device_id={}", device.device);
            assert_eq!(device.get(&app, &path).await.json, json!([]));
        }
        let (alices, bobs) = (app.documented_line(&alice).await, app.documented_line(&bob).await);
        Self { app, alice, bob, alices, bobs }
    }

    /// What Alice asks for to begin a session.
    fn introduction(&self, ephemeral: &str, one_time: &Value) -> Value {
        json!({
            "sender_device_id": self.alice.device,
            "recipient_device_id": self.bob.device,
            "ephemeral_pubkey": self.alice.made_up_key(ephemeral),
            "sender_prekey_pub": self.alice.made_up_key("agreement"),
            "otpk_used": one_time,
            "ciphertext": "Zmlyc3Qgd29yZHM=",
        })
    }

    /// A session and the chat that Bob chooses.
    async fn in_a_chat() -> Self {
        let mut two = Self::at_their_sockets().await;
        let introduction = two.introduction("first", &json!(""));
        let begun = two.alice.post(&two.app, "/sessions", introduction).await;
        let confirmation =
            json!({ "pending_session_id": begun.json["session_id"], "chat_id": CHAT });
        let confirmed = two.bob.post(&two.app, "/sessions/confirm", confirmation).await;
        assert_eq!(confirmed.status, 200, "{confirmed:?}");
        for (line, count) in [(&mut two.bobs, 2), (&mut two.alices, 1)] {
            for _ in 0..count {
                assert_eq!(line.event().await["type"], "session");
            }
        }
        two
    }
}

#[tokio::test]
async fn a_session_is_begun_listed_and_confirmed() {
    let mut two = Two::at_their_sockets().await;
    let keys = two.alice.get(&two.app, "/devices/keys/bob").await;
    let one_time = &keys.json["devices"][0]["one_time_prekey"];
    let introduction = two.introduction("first", one_time);
    let begun = two.alice.post(&two.app, "/sessions", introduction.clone()).await;
    let id = begun.json["session_id"].clone();
    let expected = json!({ "session_id": id, "status": "pending", "created_at": START });
    assert_eq!((begun.status, begun.json), (201, expected));
    let mut session = json!({
        "type": "session",
        "user_id": two.bob.user,
        "sender_device_id": two.alice.device,
        "receiver_device_id": two.bob.device,
    });
    assert_eq!(two.bobs.event().await, session, "something to look for");

    let path = format!("/sessions/pending?device_id={}", two.bob.device);
    let pending = two.bob.get(&two.app, &path).await;
    let mut expected = introduction.clone();
    expected["id"] = id.clone();
    expected["state"] = json!("initiated");
    expected["created_at"] = json!(START);
    assert_eq!((pending.status, pending.json), (200, json!([expected])));

    let confirmation = json!({ "pending_session_id": id, "chat_id": CHAT });
    let confirmed = two.bob.post(&two.app, "/sessions/confirm", confirmation.clone()).await;
    let expected = json!({ "session_id": confirmed.json["session_id"], "status": "completed", "chat_id": CHAT });
    assert_eq!((confirmed.status, &confirmed.json), (200, &expected));
    assert!(expected["session_id"].is_string());
    assert_eq!(two.bobs.event().await, session);
    session["user_id"] = json!(two.alice.user);
    assert_eq!(two.alices.event().await, session, "and to both");
    assert_eq!(two.bob.get(&two.app, &path).await.json, json!([]));
    assert_eq!(two.bob.post(&two.app, "/sessions/confirm", confirmation).await.json["status"], 404);
}

#[tokio::test]
async fn sessions_that_cannot_be_begun_have_their_errors() {
    let two = Two::at_their_sockets().await;
    let begin = async |change: &dyn Fn(&mut Value)| {
        let mut introduction = two.introduction("first", &json!(two.bob.one_time_keys(1)[0]));
        change(&mut introduction);
        two.alice.post(&two.app, "/sessions", introduction).await
    };
    let foreign = begin(&|it| it["sender_device_id"] = json!(two.bob.device)).await;
    refused(&foreign, 403, "FORBIDDEN");
    let unknown = begin(&|it| it["recipient_device_id"] = json!(NOBODY)).await;
    refused(&unknown, 404, "RECIPIENT_DEVICE_NOT_FOUND");
    let itself = begin(&|it| it["recipient_device_id"] = json!(two.alice.device)).await;
    refused(&itself, 400, "CANNOT_CREATE_SESSION_WITH_SELF");
    let missing = begin(&|it| _ = it.as_object_mut().unwrap().remove("ephemeral_pubkey")).await;
    refused(&missing, 422, "VALIDATION_FAILED");
    assert_eq!(begin(&|_| ()).await.status, 201);
    let other = json!(two.alice.made_up_key("second"));
    refused(&begin(&|it| it["ephemeral_pubkey"] = other.clone()).await, 409, "CONFLICT");
    let path = format!("/sessions/pending?device_id={}", two.bob.device);
    refused(&two.alice.get(&two.app, &path).await, 403, "FORBIDDEN");
    let unsigned = two.app.hush_stranger(Method::GET, &path, &Value::Null).await;
    refused(&unsigned, 401, "MISSING_X_IDENTITY_KEY");
}

#[tokio::test]
async fn chats_are_listed_with_what_happened_last() {
    let Two { app, alice, bob, .. } = Two::in_a_chat().await;
    let carol = somebody(&app, "carol").await;
    let list = async |device: &HushDevice| {
        let chats = device.get(&app, &format!("/chats?user_id={}", device.user)).await;
        assert_eq!(chats.status, 200, "{chats:?}");
        chats.json
    };
    let mut users = [&alice.user, &bob.user];
    users.sort();
    let mut direct = json!({
        "id": CHAT,
        "chat_type": "direct",
        "user_a": users[0],
        "user_b": users[1],
        "name": null,
        "last_message_id": null,
        "created_at": START,
        "updated_at": START,
    });
    assert_eq!(list(&alice).await, json!([direct]));
    assert_eq!(list(&bob).await, json!([direct]));
    assert_eq!(list(&carol).await, json!([]));

    befriend(&app, &alice, &carol).await;
    app.clock.advance(Duration::from_secs(60));
    let wish = json!({ "name": "Project Team", "members": [bob.user, carol.user] });
    let group = alice.post(&app, "/chats", wish).await;
    assert_eq!(group.status, 201, "{group:?}");
    app.clock.advance(Duration::from_secs(60));
    let sent = alice.post(&app, "/messages", message(&bob)).await;
    direct["last_message_id"] = sent.json["message_id"].clone();
    direct["updated_at"] = json!(STILL_LATER);
    let expected = json!([direct, {
        "id": group.json["id"],
        "chat_type": "group",
        "name": "Project Team",
        "owner_id": alice.user,
        "members": group.json["members"],
        "last_message_id": null,
        "created_at": LATER,
        "updated_at": LATER,
    }]);
    assert_eq!(list(&bob).await, expected, "the newest first");

    let path = format!("/chats?user_id={}", bob.user);
    refused(&alice.get(&app, &path).await, 403, "FORBIDDEN");
}

#[tokio::test]
async fn the_devices_in_a_chat_are_listed() {
    let Two { app, alice, bob, mut bobs, .. } = Two::in_a_chat().await;
    let tablet = app.hush_link(&bob, 1).await;
    assert_eq!(bobs.event().await, json!({ "type": "device", "user_id": bob.user }));
    let path = format!("/chats/{CHAT}/devices");
    let listed = alice.get(&app, &path).await;
    assert_eq!((listed.status, &listed.json["chat_id"]), (200, &json!(CHAT)), "{listed:?}");
    assert_eq!(listed.json.as_object().unwrap().len(), 2, "{listed:?}");
    let devices: Vec<_> = listed.json["devices"].as_array().unwrap().iter().collect();
    let devices: BTreeSet<_> = devices.into_iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(devices, BTreeSet::from([&*alice.device, &*bob.device, &*tablet.device]));
    let carol = somebody(&app, "carol").await;
    refused(&carol.get(&app, &path).await, 403, "FORBIDDEN");
    refused(&alice.get(&app, &format!("/chats/{NOBODY}/devices")).await, 404, "NOT_FOUND");
}

/// What the documentation sends.
fn message(to: &HushDevice) -> Value {
    json!({
        "chat_id": CHAT,
        "to_device_id": to.device,
        "header": { "dh_pubkey": to.made_up_key("ratchet"), "pn": 0, "n": 1 },
        "ciphertext": "c2VhbGVkIHdvcmRz",
    })
}

#[tokio::test]
async fn a_message_is_sent_told_and_fetched() {
    let Two { app, alice, bob, mut alices, mut bobs } = Two::in_a_chat().await;
    app.clock.advance(Duration::from_secs(60));
    let body = message(&bob);
    let sent = alice.post(&app, "/messages", body.clone()).await;
    let (id, logical) = (sent.json["message_id"].clone(), sent.json["logical_msg_id"].clone());
    let expected = json!({ "message_id": id, "logical_msg_id": logical, "created_at": LATER });
    assert_eq!((sent.status, sent.json), (201, expected));
    assert!(id.is_string() && logical.is_string());
    let told = json!({ "type": "message", "chat_id": CHAT, "user_id": bob.user });
    assert_eq!(bobs.event().await, told);

    let path = format!("/messages/pending/{}", bob.device);
    let waiting = bob.get(&app, &path).await;
    let expected = json!([{
        "id": id,
        "logical_msg_id": logical,
        "chat_id": CHAT,
        "from_user_id": alice.user,
        "from_device_id": alice.device,
        "to_user_id": bob.user,
        "to_device_id": bob.device,
        "header": body["header"],
        "ciphertext": body["ciphertext"],
        "delivered_at": null,
        "read_at": null,
        "created_at": LATER,
    }]);
    assert_eq!((waiting.status, waiting.json), (200, expected));
    assert_eq!(bob.get(&app, &path).await.json, json!([]), "what was fetched is gone");
    assert_eq!(alices.event().await["type"], "receipt", "which is ours");
    refused(&alice.get(&app, &path).await, 403, "FORBIDDEN");
    assert!(alices.is_quiet().await && bobs.is_quiet().await);
}

#[tokio::test]
async fn messages_that_cannot_be_sent_have_their_errors() {
    let two = Two::in_a_chat().await;
    let carol = somebody(&two.app, "carol").await;
    let send = async |device: &HushDevice, change: &dyn Fn(&mut Value)| {
        let mut body = message(&two.bob);
        change(&mut body);
        device.post(&two.app, "/messages", body).await
    };
    refused(&send(&carol, &|_| ()).await, 403, "FORBIDDEN");
    let outsider = send(&two.alice, &|it| it["to_device_id"] = json!(carol.device)).await;
    refused(&outsider, 403, "FORBIDDEN");
    let unknown = send(&two.alice, &|it| it["to_device_id"] = json!(NOBODY)).await;
    refused(&unknown, 404, "NOT_FOUND");
    let nowhere = send(&two.alice, &|it| it["chat_id"] = json!(NOBODY)).await;
    refused(&nowhere, 404, "NOT_FOUND");
    let missing = send(&two.alice, &|it| _ = it.as_object_mut().unwrap().remove("ciphertext"));
    refused(&missing.await, 422, "VALIDATION_FAILED");
    let unsigned = two.app.hush_stranger(Method::POST, "/messages", &message(&two.bob)).await;
    refused(&unsigned, 401, "MISSING_X_IDENTITY_KEY");
    let path = format!("/messages/pending/{}", two.bob.device);
    assert_eq!(two.bob.get(&two.app, &path).await.json, json!([]));
}
