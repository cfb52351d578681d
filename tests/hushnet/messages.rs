//! Sending: who may write to whom, and what comes out at the other end.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{Method, Request};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::people::{befriend, fetched, introduction, message, pair, raw, send, text};
use crate::harness::TestApp;
use crate::harness::hush::HushDevice;

#[tokio::test]
async fn hn43_a_message_arrives_with_all_that_readers_need() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let id = send(&app, &chat, &alice, &bob, "m-1").await;
    let answer = bob.get(&app, "/messages/pending").await;
    let created_at = answer.json[0]["created_at"].as_str().unwrap_or_else(|| panic!("{answer:?}"));
    assert!(created_at.ends_with('Z'), "{created_at}");
    let expected = json!([{
        "id": id,
        "logical_msg_id": "m-1",
        "chat_id": chat,
        "from_user_id": alice.user,
        "from_device_id": alice.device,
        "header": { "ratchet_pub": "key", "counter": 1 },
        "ciphertext": format!("m-1 for {}", bob.device),
        "created_at": created_at,
    }]);
    assert_eq!(answer.json, expected);
}

#[tokio::test]
async fn hn45_only_members_write_to_a_chat_and_only_to_members() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let carol = app.hush_member("carol").await;
    let written = |from, to| (from, message(&chat, to, &[&bob.device], "m-1"));
    for (from, body) in [written(&carol, &bob), written(&alice, &carol)] {
        let answer = from.post(&app, "/messages", body).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    let unknown = message("6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10", &bob, &[&bob.device], "m-1");
    let answer = alice.post(&app, "/messages", unknown).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(fetched(&app, &bob).await, Vec::<String>::new());
}

#[tokio::test]
async fn hn47_a_header_comes_back_byte_for_byte() {
    header_comes_back(|_| "/messages/pending".to_owned()).await;
}

#[tokio::test]
async fn so_it_does_in_the_documented_shape() {
    header_comes_back(|bob| format!("/messages/pending/{}", bob.device)).await;
}

async fn header_comes_back(path: impl Fn(&HushDevice) -> String) {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let headers = [
        r#"{"zz":1,"a":1.10}"#,
        r#"{"a":1,"a":2,  "n":123456789012345678901234567890}"#,
        "null",
        "\"text\\u0000\\/\"",
        "[1e5, -0.0]",
    ];
    for (number, header) in headers.iter().enumerate() {
        let body = format!(
            r#"{{"chat_id":"{chat}","logical_msg_id":"{number}","to_user_id":"{}","payloads":
            [{{"to_device_id":"{}","header":{header},"ciphertext":"c"}}]}}"#,
            bob.user, bob.device
        );
        let (status, answer) = text(&app, raw(&alice, Method::POST, "/messages", &body)).await;
        assert_eq!(status, 200, "{answer}");
    }
    let (status, answer) = text(&app, raw(&bob, Method::GET, &path(&bob), "")).await;
    assert_eq!(status, 200, "{answer}");
    for header in headers {
        assert!(answer.contains(&format!("\"header\":{header},")), "{header}: {answer}");
    }
}

#[tokio::test]
async fn all_devices_get_a_message_or_none() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let second = app.hush_link(&bob, 0).await;
    let carol = app.hush_member("carol").await;
    for stranger in [&carol.device, "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"] {
        let devices = [&bob.device, &second.device, stranger];
        let answer = alice.post(&app, "/messages", message(&chat, &bob, &devices, "lost")).await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
    let devices = [bob.device.as_str(), second.device.as_str()];
    for _ in 0..2 {
        let answer = alice.post(&app, "/messages", message(&chat, &bob, &devices, "m-1")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for device in [&bob, &second] {
        let answer = device.get(&app, "/messages/pending").await;
        let ciphertext = format!("m-1 for {}", device.device);
        assert_eq!(answer.json.as_array().unwrap().len(), 1, "{answer:?}");
        assert_eq!(answer.json[0]["ciphertext"], json!(ciphertext));
    }
}

#[tokio::test]
async fn a_repetition_is_the_same_message_even_after_it_was_read() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let first = send(&app, &chat, &alice, &bob, "m-1").await;
    assert_eq!(fetched(&app, &bob).await, ["m-1"]);
    assert_eq!(send(&app, &chat, &alice, &bob, "m-1").await, first);
    assert_eq!(fetched(&app, &bob).await, Vec::<String>::new());
    assert_ne!(send(&app, &chat, &bob, &alice, "m-1").await, first, "another sender's");
}

#[tokio::test]
async fn what_is_too_long_or_too_much_is_refused() {
    let app = TestApp::start_for_hushnet_with(|it| it.devices_per_message = 2).await;
    let (alice, bob, chat) = pair(&app).await;
    let right = message(&chat, &bob, &[&bob.device], "m-1");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = right.clone();
        change(&mut body);
        body
    };
    let wrong = [
        with(&|it| it["logical_msg_id"] = json!("")),
        with(&|it| it["logical_msg_id"] = json!("x".repeat(257))),
        with(&|it| it["payloads"][0]["header"] = json!("x".repeat(17_000))),
        with(&|it| it["payloads"][0]["ciphertext"] = json!("x".repeat(200_000))),
        with(&|it| it["payloads"][0]["ciphertext"] = json!(7)),
        with(&|it| it["payloads"] = json!(vec![right["payloads"][0].clone(); 3])),
        with(&|it| it["to_user_id"] = json!("nobody")),
    ];
    for body in wrong {
        let answer = alice.post(&app, "/messages", body.clone()).await;
        let text = answer.json.to_string();
        assert_eq!(answer.status, 422, "{text}");
    }
    let empty = with(&|it| it["payloads"] = json!([]));
    assert_eq!(alice.post(&app, "/messages", empty).await.status, 200);
    assert_eq!(fetched(&app, &bob).await, Vec::<String>::new());
}

/// The documentation's examples, in its order.
#[tokio::test]
async fn the_documented_way_of_a_message() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let body = json!({
        "chat_id": chat,
        "to_device_id": bob.device,
        "header": { "dh_pubkey": "base64_encoded_ratchet_key", "pn": 0, "n": 1 },
        "ciphertext": "base64_encoded_encrypted_content",
    });
    let sent = alice.post(&app, "/messages", body.clone()).await;
    assert_eq!(sent.status, 201, "{sent:?}");
    let members: Vec<_> = sent.json.as_object().unwrap().keys().collect();
    assert_eq!(members, ["created_at", "logical_msg_id", "message_id"]);

    let path = format!("/messages/pending/{}", bob.device);
    let answer = bob.get(&app, &path).await;
    let expected = json!([{
        "id": sent.json["message_id"],
        "logical_msg_id": sent.json["logical_msg_id"],
        "chat_id": chat,
        "from_user_id": alice.user,
        "from_device_id": alice.device,
        "to_user_id": bob.user,
        "to_device_id": bob.device,
        "header": body["header"],
        "ciphertext": body["ciphertext"],
        "delivered_at": null,
        "read_at": null,
        "created_at": sent.json["created_at"],
    }]);
    assert_eq!((answer.status, answer.json), (200, expected));
    let foreign = alice.get(&app, &path).await;
    assert_eq!((foreign.status, &foreign.json["code"]), (403, &json!("FORBIDDEN")), "{foreign:?}");

    let carol = app.hush_member("carol").await;
    let outside = carol.post(&app, "/messages", body.clone()).await;
    assert_eq!((outside.status, &outside.json["status"]), (403, &json!(403)), "{outside:?}");
    let mut unknown = body;
    unknown["to_device_id"] = json!("6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10");
    let unknown = alice.post(&app, "/messages", unknown).await;
    assert_eq!((unknown.status, &unknown.json["code"]), (404, &json!("NOT_FOUND")), "{unknown:?}");
}

#[tokio::test]
async fn nobody_writes_to_a_device_that_has_ended() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let second = app.hush_link(&bob, 0).await;
    befriend(&app, &alice, &second).await;
    send(&app, &chat, &alice, &second, "before").await;
    let ended = bob.delete(&app, &format!("/devices/{}", second.device)).await;
    assert!(ended.status < 300, "{ended:?}");
    let answer =
        alice.post(&app, "/messages", message(&chat, &bob, &[&second.device], "after")).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    let again = message(&chat, &bob, &[&second.device], "before");
    let answer = alice.post(&app, "/messages", again).await;
    assert_eq!(answer.status, 200, "the retry of a lost answer: {answer:?}");
}

/// Sends a request whose body is held back until the device that signed it was ended by another one.
async fn ended_meanwhile(
    app: &TestApp,
    ending: &HushDevice,
    by: &HushDevice,
    path: &str,
    body: Value,
) -> u16 {
    let (heard, is_heard) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let (head, _) = raw(ending, Method::POST, path, "x").into_parts();
    let late = stream::once(async move {
        heard.send(()).unwrap();
        may_go_on.await.unwrap();
        Ok::<_, Infallible>(body.to_string())
    });
    let asking = app.call(Request::from_parts(head, Body::from_stream(late)));
    let meanwhile = async {
        is_heard.await.unwrap();
        let ended = by.delete(app, &format!("/devices/{}", ending.device)).await;
        assert_eq!(ended.status, 204, "{ended:?}");
        go_on.send(()).unwrap();
    };
    futures_util::join!(asking, meanwhile).0.status
}

#[tokio::test]
async fn a_device_that_ended_while_it_asked_is_not_heard() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let mut other = app.hush_link(&alice, 0).await;
    other.is_strong = true;
    let stolen = [app.hush_link(&alice, 0).await, app.hush_link(&alice, 0).await];
    let words = message(&chat, &bob, &[&bob.device], "late");
    assert_eq!(ended_meanwhile(&app, &stolen[0], &other, "/messages", words).await, 401);
    let hello = introduction(&bob, &[&bob.device], "");
    assert_eq!(ended_meanwhile(&app, &stolen[1], &other, "/sessions", hello).await, 401);
    assert_eq!(fetched(&app, &bob).await, Vec::<String>::new());
    assert_eq!(bob.get(&app, "/sessions/pending").await.json, json!({ "sessions": [] }));
}
