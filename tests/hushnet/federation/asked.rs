//! What a gateway does that others ask: whom it believes what.

use std::time::Duration;

use axum::http::Method;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use sealpost::config::dialects::hushnet::federation::{Federation, Peer};
use sealpost::domain::messenger::MemberName;

use super::{Node, Signs, gateway, gateway_with, key_of, listener, member, peer, serve};
use crate::harness::TestApp;
use crate::harness::hush::HushDevice;

/// A gateway that knows two others, with a member whom one of them has introduced somebody to.
async fn scene() -> (TestApp, Node, Node, HushDevice) {
    let (b, c) = (Node::new("node-b.test", 1), Node::new("node-c.test", 2));
    let app = gateway("node-a.test", vec![b.peer(), c.peer()]).await;
    let alice = member(&app, "alice").await;
    (app, b, c, alice)
}

fn introductions(from: &str, alice: &HushDevice) -> Value {
    json!({
        "from_federated_address": from,
        "from_device_id": "11111111-1111-4111-8111-111111111111",
        "from_identity_pubkey": key_of("bob"),
        "to_user": "alice",
        "sessions_init": [{
            "recipient_device_id": alice.device,
            "ephemeral_pubkey": "ephemeral",
            "sender_prekey_pub": "sender",
            "otpk_used": "",
            "ciphertext": "hello",
        }],
    })
}

fn message(from: &str, alice: &HushDevice) -> Value {
    json!({
        "logical_msg_id": "one",
        "from_federated_address": from,
        "from_device_id": "11111111-1111-4111-8111-111111111111",
        "from_identity_pubkey": key_of("bob"),
        "to_user": "alice",
        "payloads": [{
            "to_device_id": alice.device,
            "header": { "zz": 1, "a": 1.10 },
            "ciphertext": "one",
        }],
    })
}

#[tokio::test]
async fn a_gateway_says_who_it_is() {
    let (app, ..) = scene().await;
    let info = app.hush_stranger(Method::GET, "/s2s/info", &Value::Null).await;
    assert_eq!((info.status, &info.json["node_id"]), (200, &"node-a.test".into()));
    assert_eq!(info.json["protocol_version"], "0.0.2");
    assert_eq!(info.json["signs_bodies"], true);
    let key = STANDARD.decode(info.json["public_key_b64"].as_str().unwrap());
    assert_eq!(key.unwrap().len(), 32);
    let alone = TestApp::start_for_hushnet().await;
    let info = alone.hush_stranger(Method::GET, "/s2s/info", &Value::Null).await;
    assert_eq!(info.status, 404, "{info:?}");
}

#[tokio::test]
async fn hn59_headers_are_missed_in_their_order() {
    let (app, b, ..) = scene().await;
    let path = "/s2s/users/alice/keys";
    for name in ["X-Node-ID", "X-Timestamp", "X-Nonce", "X-Node-Signature"] {
        let mut request = b.request(&app, &Method::GET, path, &Value::Null, Signs::Head);
        request.headers_mut().remove(name);
        let answer = app.call(request).await;
        let text = Value::from(format!("missing header: {name}"));
        assert_eq!((answer.status, &answer.json), (401, &text), "{answer:?}");
    }
    let answer = app.hush_stranger(Method::GET, path, &Value::Null).await;
    assert_eq!((answer.status, &answer.json), (401, &"missing header: X-Node-ID".into()));
}

#[tokio::test]
async fn each_header_is_checked() {
    let (app, b, ..) = scene().await;
    let now = sealpost::domain::clock::Clock::now(&*app.clock).as_seconds();
    for (name, value, status, text) in [
        ("x-timestamp", "now".to_owned(), 400, "X-Timestamp must be an integer"),
        ("x-timestamp", (now - 61).to_string(), 401, "timestamp outside 60-second window"),
        ("x-timestamp", (now + 1).to_string(), 401, "invalid node signature"),
        ("x-node-id", "node-x.test".to_owned(), 401, "peer node not found in registry"),
        ("x-node-id", "node-c.test".to_owned(), 401, "invalid node signature"),
        ("x-node-signature", "!".to_owned(), 400, "bad signature base64"),
        ("x-node-signature", "AAAA".to_owned(), 400, "signature must be 64 bytes"),
        ("x-nonce", "another".to_owned(), 401, "invalid node signature"),
    ] {
        let path = "/s2s/users/alice/keys";
        let mut request = b.request(&app, &Method::GET, path, &Value::Null, Signs::Head);
        request.headers_mut().insert(name, value.parse().unwrap());
        let answer = app.call(request).await;
        assert_eq!((answer.status, &answer.json), (status, &text.into()), "{name} {value}");
    }
}

#[tokio::test]
async fn a_request_is_good_once() {
    let (app, b, ..) = scene().await;
    let request = || {
        b.nonces.set(0);
        b.request(&app, &Method::GET, "/s2s/users/alice/devices", &Value::Null, Signs::Head)
    };
    let devices = app.call(request()).await;
    assert_eq!((devices.status, devices.list().len()), (200, 1), "{devices:?}");
    assert_eq!(devices.list()[0]["push_token"], Value::Null);
    let again = app.call(request()).await;
    assert_eq!((again.status, &again.json), (401, &"replayed nonce".into()));
}

#[tokio::test]
async fn a_path_may_be_signed_with_its_prefix() {
    let (app, b, ..) = scene().await;
    let mut request =
        b.request(&app, &Method::GET, "/hushnet/s2s/users/alice/keys", &Value::Null, Signs::Head);
    *request.uri_mut() = "/hushnet/s2s/users/alice/keys".parse().unwrap();
    let keys = app.call(request).await;
    assert_eq!((keys.status, keys.list().len()), (200, 1), "{keys:?}");
}

#[tokio::test]
async fn whoever_has_signed_a_body_is_held_to_it() {
    let (app, b, c, alice) = scene().await;
    let body = introductions("bob@node-b.test", &alice);
    let weak = b.post(&app, "/s2s/sessions", body.clone()).await;
    assert_eq!(weak.status, 200, "{weak:?}");
    let strong = b.request(&app, &Method::POST, "/s2s/sessions", &body, Signs::All);
    assert_eq!(app.call(strong).await.status, 200);
    let weak = b.post(&app, "/s2s/sessions", body.clone()).await;
    let text = Value::from("missing header: X-Node-Body-Signature");
    assert_eq!((weak.status, &weak.json), (401, &text));
    let strong = b.request(&app, &Method::POST, "/s2s/sessions", &body, Signs::All);
    let (head, _) = strong.into_parts();
    let other = axum::body::Body::from(introductions("eve@node-b.test", &alice).to_string());
    let forged = app.call(axum::http::Request::from_parts(head, other)).await;
    assert_eq!((forged.status, &forged.json), (401, &"invalid body signature".into()));
    let body = introductions("bob@node-c.test", &alice);
    assert_eq!(c.post(&app, "/s2s/sessions", body).await.status, 200, "nobody else is");
}

#[tokio::test]
async fn h23_a_gateway_speaks_for_its_own_members_alone() {
    let (app, b, _, alice) = scene().await;
    for (from, status) in [
        ("bob@node-b.test", 200),
        ("bob@node-c.test", 403),
        ("alice@node-a.test", 403),
        ("alice", 422),
        ("a@b@node-b.test", 422),
    ] {
        let answer = b.post(&app, "/s2s/sessions", introductions(from, &alice)).await;
        assert_eq!(answer.status, status, "{from}: {answer:?}");
    }
    let waiting = alice.get(&app, "/sessions/pending").await;
    assert_eq!(waiting.json["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn h23_a_device_elsewhere_is_none_of_those_here() {
    let (app, b, _, alice) = scene().await;
    let dave = member(&app, "dave").await;
    let mut body = introductions("dave@node-b.test", &alice);
    body["from_device_id"] = dave.device.clone().into();
    body["from_identity_pubkey"] = dave.identity_key().into();
    assert_eq!(b.post(&app, "/s2s/sessions", body).await.status, 200);
    let waiting = alice.get(&app, "/sessions/pending").await;
    let sender = waiting.json["sessions"][0]["sender_device_id"].as_str().unwrap().to_owned();
    assert_ne!(sender, dave.device);
    // Whoever signs with that key is still the one who is here.
    let chats = dave.get(&app, "/chats").await;
    assert_eq!((chats.status, chats.list().len()), (200, 0), "{chats:?}");
    let mut other = introductions("dave@node-b.test", &alice);
    other["from_device_id"] = dave.device.clone().into();
    assert_eq!(b.post(&app, "/s2s/sessions", other).await.status, 403, "another key for it");
}

#[tokio::test]
async fn a_message_comes_once_and_from_nobody_who_has_not_introduced_itself() {
    let (app, b, c, alice) = scene().await;
    let stranger = b.post(&app, "/s2s/messages", message("bob@node-b.test", &alice)).await;
    assert_eq!(stranger.status, 403, "{stranger:?}");
    b.post(&app, "/s2s/sessions", introductions("bob@node-b.test", &alice)).await;
    for status in ["delivered", "duplicate"] {
        let answer = b.post(&app, "/s2s/messages", message("bob@node-b.test", &alice)).await;
        let expected = json!({ "logical_msg_id": "one", "status": status });
        assert_eq!((answer.status, &answer.json), (200, &expected));
    }
    let other = c.post(&app, "/s2s/messages", message("bob@node-c.test", &alice)).await;
    assert_eq!(other.status, 403, "{other:?}");
    let pending = alice.get(&app, "/messages/pending").await;
    assert_eq!(pending.list().len(), 1);
    let chats = alice.get(&app, "/chats").await;
    assert_eq!(chats.list()[0]["partner_federated_address"], "bob@node-b.test");
}

#[tokio::test]
async fn what_is_for_nobody_here_is_refused() {
    let (app, b, _, alice) = scene().await;
    let from = "bob@node-b.test";
    b.post(&app, "/s2s/sessions", introductions(from, &alice)).await;
    let mut unknown = message(from, &alice);
    unknown["to_user"] = "nobody".into();
    let unknown = b.post(&app, "/s2s/messages", unknown).await;
    let text = "user not found or not local to this node";
    assert_eq!((unknown.status, &unknown.json["error"]), (404, &text.into()));
    let dave = member(&app, "dave").await;
    let mut others = introductions(from, &alice);
    others["sessions_init"][0]["recipient_device_id"] = dave.device.clone().into();
    assert_eq!(b.post(&app, "/s2s/sessions", others).await.status, 404);
    // Members of other gateways are nobody here.
    assert_eq!(b.get(&app, "/s2s/users/bob/keys").await.status, 404);
}

#[tokio::test]
async fn a_number_is_forgotten_when_no_such_request_is_taken_any_more() {
    let (app, b, ..) = scene().await;
    assert_eq!(b.get(&app, "/s2s/users/alice/devices").await.status, 200);
    app.clock.advance(Duration::from_secs(119));
    let now = sealpost::domain::clock::Clock::now(&*app.clock);
    let store = app.gateway().store.clone();
    assert_eq!(store.forget_nonces(now, 9).await.unwrap(), 0);
    app.clock.advance(Duration::from_secs(1));
    let now = sealpost::domain::clock::Clock::now(&*app.clock);
    assert_eq!(store.forget_nonces(now, 9).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_refused_leaves_nobody_behind() {
    let (app, b, _, alice) = scene().await;
    let gone = "22222222-2222-4222-8222-222222222222";
    let (mut unknown, mut message) =
        (introductions("bob@node-b.test", &alice), message("bob@node-b.test", &alice));
    unknown["sessions_init"][0]["recipient_device_id"] = gone.into();
    assert_eq!(b.post(&app, "/s2s/sessions", unknown.clone()).await.status, 404);
    unknown["sessions_init"] = json!([]);
    assert_eq!(b.post(&app, "/s2s/sessions", unknown).await.status, 200);
    assert_eq!(b.post(&app, "/s2s/messages", message.clone()).await.status, 403);
    message["payloads"][0]["to_device_id"] = gone.into();
    assert_eq!(b.post(&app, "/s2s/messages", message).await.status, 404);
    let bob = MemberName::parse("bob").unwrap();
    let named = app.gateway().store.member_named(&bob, Some("node-b.test")).await.unwrap();
    assert_eq!(named, None);
}

#[tokio::test]
async fn texts_that_no_database_takes_are_refused() {
    let (app, b, _, alice) = scene().await;
    let from = "bob@node-b.test";
    for key in ["a\0".to_owned(), "bob's key".to_owned(), "A".repeat(100_000)] {
        let mut body = introductions(from, &alice);
        body["from_identity_pubkey"] = key.into();
        let refused = b.post(&app, "/s2s/sessions", body).await;
        assert_eq!(refused.status, 422, "{refused:?}");
    }
    assert_eq!(b.post(&app, "/s2s/sessions", introductions(from, &alice)).await.status, 200);
    let mut body = message(from, &alice);
    body["logical_msg_id"] = "a\0".into();
    assert_eq!(b.post(&app, "/s2s/messages", body).await.status, 422);
}

#[tokio::test]
async fn somebody_elsewhere_looks_like_nobody_here() {
    let (app, b, _, alice) = scene().await;
    let introduced = introductions("alice@node-b.test", &alice);
    assert_eq!(b.post(&app, "/s2s/sessions", introduced).await.status, 200);
    let waiting = alice.get(&app, "/sessions/pending").await;
    let sender = waiting.json["sessions"][0]["sender_device_id"].as_str().unwrap().to_owned();
    let path = format!("/devices/{sender}/user");
    let owner = app.hush_stranger(Method::GET, &path, &Value::Null).await;
    assert_eq!(owner.json["username"], "alice@node-b.test", "{owner:?}");
}

#[tokio::test]
async fn a_gateway_is_the_same_in_capitals() {
    let (app, b, _, alice) = scene().await;
    let body = introductions("bob@NODE-B.test", &alice);
    assert_eq!(b.post(&app, "/s2s/sessions", body).await.status, 200);
    let keys = alice.get(&app, "/s2s/federated/alice/NODE-A.Test/keys").await;
    assert_eq!((keys.status, keys.list().len()), (200, 1), "{keys:?}");
}

#[tokio::test]
async fn a_device_that_is_one_of_too_many_takes_the_place_of_the_first() {
    let (app, b, _, alice) = scene().await;
    for n in 0..101 {
        let mut body = introductions("bob@node-b.test", &alice);
        body["from_device_id"] = format!("11111111-1111-4111-8111-{n:012}").into();
        body["from_identity_pubkey"] = key_of(&format!("bob {n}")).into();
        body["sessions_init"][0]["ephemeral_pubkey"] = format!("ephemeral {n}").into();
        let introduced = b.post(&app, "/s2s/sessions", body).await;
        assert_eq!(introduced.status, 200, "{n} {introduced:?}");
    }
    let (store, bob) = (app.gateway().store.clone(), MemberName::parse("bob").unwrap());
    let bob = store.member_named(&bob, Some("node-b.test")).await.unwrap().unwrap();
    let devices = &store.member(bob).await.unwrap().unwrap().devices;
    assert_eq!((devices.len(), devices[99].identity_key.clone()), (100, key_of("bob 100")));
}

#[tokio::test]
async fn whoever_has_to_signs_bodies_from_the_first_request_on() {
    let (b, c) = (Node::new("node-b.test", 1), Node::new("node-c.test", 2));
    let strict = Peer { require_body_signatures: true, ..b.peer() };
    let app = gateway("node-a.test", vec![strict, c.peer()]).await;
    member(&app, "alice").await;
    let path = "/s2s/users/alice/devices";
    let text = Value::from("missing header: X-Node-Body-Signature");
    let weak = b.get(&app, path).await;
    assert_eq!((weak.status, &weak.json), (401, &text));
    let strong = b.request(&app, &Method::GET, path, &Value::Null, Signs::All);
    assert_eq!(app.call(strong).await.status, 200);
    assert_eq!(c.get(&app, path).await.status, 200);
    let app = gateway_with(Federation {
        node_id: "node-a.test".to_owned(),
        peers: vec![c.peer()],
        require_body_signatures: true,
        ..Federation::default()
    })
    .await;
    assert_eq!(c.get(&app, path).await.status, 401);
}

#[tokio::test]
async fn a_gateway_that_says_that_it_signs_bodies_is_held_to_it() {
    let (listener, b) = (listener().await, Node::new("node-b.test", 1));
    let at = peer("node-b.test", &listener);
    let public_key_b64 = b.peer().public_key_b64;
    let info = json!({ "node_id": b.id, "public_key_b64": public_key_b64, "signs_bodies": true });
    serve(listener, Router::new().route("/hushnet/s2s/info", get(async move || Json(info))));
    let app = gateway("node-a.test", vec![at]).await;
    member(&app, "alice").await;
    // A head alone, as somebody would have it who got another request of that gateway.
    let weak = b.get(&app, "/s2s/users/alice/devices").await;
    let text = Value::from("missing header: X-Node-Body-Signature");
    assert_eq!((weak.status, &weak.json), (401, &text));
}
