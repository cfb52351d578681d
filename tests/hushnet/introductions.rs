//! Introductions, from the prekey that they use to the chat that comes of them.

use axum::http::Method;
use serde_json::{Value, json};

use super::people::{befriend, confirmation, introduction, raw, text};
use crate::harness::TestApp;
use crate::harness::hush::HushDevice;

async fn waiting(app: &TestApp, device: &HushDevice) -> Vec<Value> {
    let answer = device.get(app, "/sessions/pending").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["sessions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn hn39_an_introduction_waits_for_its_own_device_until_that_confirms() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let other = app.hush_link(&bob, 0).await;
    let introduced = alice.post(&app, "/sessions", introduction(&bob, &[&bob.device], "")).await;
    assert_eq!((introduced.status, introduced.json), (201, json!({ "status": "ok" })));
    assert_eq!(waiting(&app, &other).await, Vec::<Value>::new());
    let list = waiting(&app, &bob).await;
    let created_at = list[0]["created_at"].as_str().unwrap();
    assert!(!created_at.ends_with('Z'), "{created_at}");
    let expected = json!({
        "id": list[0]["id"],
        "sender_device_id": alice.device,
        "recipient_device_id": bob.device,
        "ephemeral_pubkey": format!("ephemeral for {}", bob.device),
        "sender_prekey_pub": "sender's prekey",
        "otpk_used": "",
        "ciphertext": "first words",
        "created_at": created_at,
    });
    assert_eq!(list, [expected]);
    let confirmed = bob.post(&app, "/sessions/confirm", confirmation(&list[0])).await;
    let expected = json!({ "status": "session confirmed" });
    assert_eq!((confirmed.status, confirmed.json), (201, expected));
    assert_eq!(waiting(&app, &bob).await, Vec::<Value>::new());
    let again = raw(&bob, Method::POST, "/sessions/confirm", &confirmation(&list[0]).to_string());
    let gone = (404, "Pending session not found or not owned by device".to_owned());
    assert_eq!(text(&app, again).await, gone);
}

#[tokio::test]
async fn hn35_with_an_unknown_device_in_the_list_nothing_is_kept() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let carol = app.hush_member("carol").await;
    for stranger in [&carol.device, "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"] {
        let list = introduction(&bob, &[&bob.device, stranger], "");
        let answer = alice.post(&app, "/sessions", list).await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
    assert_eq!(waiting(&app, &bob).await, Vec::<Value>::new());
    assert_eq!(waiting(&app, &carol).await, Vec::<Value>::new());
    let none = alice.post(&app, "/sessions", introduction(&bob, &[], "")).await;
    assert_eq!(none.status, 201, "{none:?}");
}

#[tokio::test]
async fn hn37_the_same_introduction_twice_is_one() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let key = bob.one_time_keys(1).remove(0);
    for _ in 0..2 {
        let list = introduction(&bob, &[&bob.device], &key);
        let answer = alice.post(&app, "/sessions", list).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    assert_eq!(waiting(&app, &bob).await.len(), 1);
}

#[tokio::test]
async fn a_one_time_prekey_is_used_once() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let carol = app.hush_member("carol").await;
    let key = bob.one_time_keys(1).remove(0);
    let first = alice.post(&app, "/sessions", introduction(&bob, &[&bob.device], &key)).await;
    assert_eq!(first.status, 201, "{first:?}");
    let second = carol.post(&app, "/sessions", introduction(&bob, &[&bob.device], &key)).await;
    assert_eq!(second.status, 409, "{second:?}");
    assert_eq!(waiting(&app, &bob).await.len(), 1);
}

#[tokio::test]
async fn one_sender_cannot_close_a_device_to_others() {
    let app = TestApp::start_for_hushnet_with(|hushnet| hushnet.introductions = 6).await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let carol = app.hush_member("carol").await;
    let mut body = introduction(&bob, &[&bob.device, &bob.device], "");
    body["sessions_init"][1]["ephemeral_pubkey"] = json!("another key");
    let twice = alice.post(&app, "/sessions", body).await;
    assert_eq!(twice.status, 422, "{twice:?}");
    assert_eq!(waiting(&app, &bob).await, Vec::<Value>::new());
    for number in 0..9 {
        let mut body = introduction(&bob, &[&bob.device], "");
        body["sessions_init"][0]["ephemeral_pubkey"] = json!(format!("key {number}"));
        assert_eq!(alice.post(&app, "/sessions", body).await.status, 201);
    }
    let introduced = carol.post(&app, "/sessions", introduction(&bob, &[&bob.device], "")).await;
    assert_eq!(introduced.status, 201, "{introduced:?}");
    let list = waiting(&app, &bob).await;
    let keys: Vec<_> = list.iter().map(|one| one["ephemeral_pubkey"].as_str().unwrap()).collect();
    let carols = format!("ephemeral for {}", bob.device);
    assert_eq!(keys, ["key 4", "key 5", "key 6", "key 7", "key 8", &carols]);
}

#[tokio::test]
async fn a_first_message_is_short() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    for (size, status) in [(16 * 1024, 201), (16 * 1024 + 1, 422)] {
        let mut body = introduction(&bob, &[&bob.device], "");
        body["sessions_init"][0]["ciphertext"] = json!("x".repeat(size));
        let answer = alice.post(&app, "/sessions", body).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[tokio::test]
async fn nobody_introduces_themselves_to_themselves() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let body = introduction(&alice, &[&alice.device], "").to_string();
    let answer = text(&app, raw(&alice, Method::POST, "/sessions", &body)).await;
    assert_eq!(answer, (400, "Cannot create session with self".to_owned()));
}

#[tokio::test]
async fn hn41_a_confirmation_names_the_devices_of_the_introduction() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let (carol, dora) = (app.hush_member("carol").await, app.hush_member("dora").await);
    alice.post(&app, "/sessions", introduction(&bob, &[&bob.device], "")).await;
    let right = confirmation(&waiting(&app, &bob).await[0]);
    for (from, to) in [(&carol, &dora), (&carol, &bob), (&alice, &dora)] {
        let mut wrong = right.clone();
        wrong["sender_device_id"] = json!(from.device);
        wrong["receiver_device_id"] = json!(to.device);
        let answer = bob.post(&app, "/sessions/confirm", wrong).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let stolen = dora.post(&app, "/sessions/confirm", right.clone()).await;
    assert_eq!(stolen.status, 404, "{stolen:?}");
    for member in [&alice, &carol, &dora] {
        assert_eq!(member.get(&app, "/chats").await.json, json!([]), "{}", member.name);
    }
    let confirmed = bob.post(&app, "/sessions/confirm", right).await;
    assert_eq!(confirmed.status, 201, "{confirmed:?}");
}

#[tokio::test]
async fn parallel_confirmations_of_one_pair_make_one_chat() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let other = app.hush_link(&bob, 0).await;
    let devices = [bob.device.as_str(), other.device.as_str()];
    alice.post(&app, "/sessions", introduction(&bob, &devices, "")).await;
    bob.post(&app, "/sessions", introduction(&alice, &[&alice.device], "")).await;
    let confirm = async |device: &HushDevice| {
        let body = confirmation(&waiting(&app, device).await[0]);
        device.post(&app, "/sessions/confirm", body).await.status
    };
    let done = tokio::join!(confirm(&alice), confirm(&bob), confirm(&other));
    assert_eq!(done, (201, 201, 201));
    assert_eq!(alice.get(&app, "/chats").await.json.as_array().unwrap().len(), 1);
}

/// The documentation's examples, in its order.
#[tokio::test]
async fn the_documented_way_from_an_introduction_to_a_chat() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let mut body = json!({
        "sender_device_id": alice.device,
        "recipient_device_id": bob.device,
        "ephemeral_pubkey": "base64_encoded_ephemeral_key",
        "sender_prekey_pub": "base64_encoded_sender_prekey",
        "otpk_used": bob.one_time_keys(1)[0],
        "ciphertext": "base64_encoded_initial_message"
    });
    let introduced = alice.post(&app, "/sessions", body.clone()).await;
    assert_eq!((introduced.status, &introduced.json["status"]), (201, &json!("pending")));
    assert!(introduced.json["created_at"].as_str().unwrap().ends_with('Z'));

    let path = format!("/sessions/pending?device_id={}", bob.device);
    let pending = bob.get(&app, &path).await;
    let waiting = &pending.json[0];
    assert_eq!((pending.status, &waiting["state"]), (200, &json!("initiated")), "{pending:?}");
    assert_eq!(waiting["id"], introduced.json["session_id"]);
    assert_eq!(waiting["created_at"], introduced.json["created_at"]);
    let others = alice.get(&app, &path).await;
    assert_eq!((others.status, &others.json["code"]), (403, &json!("FORBIDDEN")), "{others:?}");

    let chat = "0e6e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10";
    let confirm = json!({ "pending_session_id": waiting["id"], "chat_id": chat });
    let confirmed = bob.post(&app, "/sessions/confirm", confirm.clone()).await;
    let expected = json!({ "session_id": waiting["id"], "status": "completed", "chat_id": chat });
    assert_eq!((confirmed.status, confirmed.json), (200, expected));
    let again = bob.post(&app, "/sessions/confirm", confirm).await;
    assert_eq!((again.status, &again.json["status"]), (404, &json!(404)), "{again:?}");

    body["sender_device_id"] = json!(bob.device);
    let foreign = alice.post(&app, "/sessions", body).await;
    assert_eq!((foreign.status, &foreign.json["code"]), (403, &json!("FORBIDDEN")), "{foreign:?}");
}

#[tokio::test]
async fn a_confirmation_gets_its_chat_only_if_that_is_theirs() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let carol = app.hush_member("carol").await;
    let theirs = befriend(&app, &alice, &bob).await;
    let of_others = befriend(&app, &alice, &carol).await;
    let second = app.hush_link(&bob, 0).await;
    alice.post(&app, "/sessions", introduction(&bob, &[&second.device], "")).await;
    let id = waiting(&app, &second).await[0]["id"].clone();
    let confirm = async |chat: &str| {
        let body = json!({ "pending_session_id": id, "chat_id": chat });
        second.post(&app, "/sessions/confirm", body).await
    };
    for wrong in [of_others.as_str(), "0e6e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"] {
        let answer = confirm(wrong).await;
        assert_eq!((answer.status, &answer.json["code"]), (409, &json!("CONFLICT")), "{answer:?}");
    }
    let answer = confirm(&theirs).await;
    assert_eq!((answer.status, &answer.json["chat_id"]), (200, &json!(theirs)), "{answer:?}");
}
