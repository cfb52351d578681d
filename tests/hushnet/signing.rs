//! Requests that are signed: the order of checks, and their texts.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::people::raw;
use crate::harness::hush::{HushDevice, PREFIX};
use crate::harness::{Answer, TestApp};

/// A path of the server's contract that wants a signature.
const SIGNED: &str = "/chats";

async fn at(app: &TestApp, device: &HushDevice, timestamp: &str) -> Answer {
    let request = device.signed_at(Request::get(format!("{PREFIX}{SIGNED}")), timestamp);
    app.call(request.body(Body::empty()).unwrap()).await
}

async fn with(app: &TestApp, key: &str, timestamp: i64, signature: &str) -> (u16, String) {
    let request = Request::get(format!("{PREFIX}{SIGNED}"))
        .header("x-identity-key", key)
        .header("x-timestamp", timestamp)
        .header("x-signature", signature);
    let answer = app.call(request.body(Body::empty()).unwrap()).await;
    (answer.status, answer.json.as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn hn27_a_signature_is_good_for_thirty_seconds_each_way() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    for (offset, expected) in [(-29, 200), (-31, 401), (29, 200), (31, 401)] {
        let answer = at(&app, &alice, &(alice.now() + offset).to_string()).await;
        assert_eq!(answer.status, expected, "{offset}: {answer:?}");
    }
    let early = at(&app, &alice, "0").await;
    assert_eq!(early.json, "Expired timestamp");
    let odd = at(&app, &alice, &format!("+000{}", alice.now())).await;
    assert_eq!(odd.status, 200, "{odd:?}");
}

#[tokio::test]
async fn hn29_what_is_wrong_is_named_in_the_original_order() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let (key, now) = (alice.identity_key(), alice.now());
    let good = STANDARD.encode(alice.key.sign(now.to_string().as_bytes()));
    let wrong = STANDARD.encode([1; 64]);
    for (key, signature, expected) in [
        ("!", "!", (400, "Bad signature b64")),
        ("!", &STANDARD.encode([1; 63]), (400, "Signature must be 64 bytes")),
        ("!", &wrong, (400, "Bad pubkey b64")),
        ("AAAA", &wrong, (400, "Bad pubkey length")),
        (&key, &wrong, (401, "Signature mismatch")),
    ] {
        let found = with(&app, key, now, signature).await;
        assert_eq!((found.0, found.1.as_str()), expected);
    }
    assert_eq!(with(&app, &key, now, &good).await.0, 200);
    let bare = app.hush_stranger(Method::GET, SIGNED, &Value::Null).await;
    assert_eq!((bare.status, &bare.json), (401, &"Missing X-Identity-Key".into()));
}

#[tokio::test]
async fn hn31_a_good_signature_of_nobody_is_unknown() {
    let app = TestApp::start_for_hushnet().await;
    let nobody = HushDevice::new(&app, "nobody", "x");
    let refused = nobody.get(&app, SIGNED).await;
    assert_eq!((refused.status, &refused.json), (401, &"Unknown device".into()));
}

#[tokio::test]
async fn a_bad_signature_hides_a_bad_body_and_has_the_shape_that_the_body_asks_for() {
    let app = TestApp::start_for_hushnet().await;
    let nobody = HushDevice::new(&app, "nobody", "x");
    let server = nobody.post(&app, "/sessions", json!({ "sessions_init": 7 })).await;
    assert_eq!((server.status, &server.json), (401, &"Unknown device".into()));
    let document = nobody.post(&app, "/sessions", json!({ "recipient_device_id": 7 })).await;
    assert_eq!((document.status, &document.json["code"]), (401, &"UNKNOWN_DEVICE".into()));
    let ours = nobody.post(&app, "/messages/ack", json!({})).await;
    assert_eq!((ours.status, &ours.json["code"]), (401, &"UNKNOWN_DEVICE".into()));
}

#[tokio::test]
async fn the_same_weak_headers_work_again_on_any_path() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let first = alice.get(&app, "/chats").await;
    let second = alice.get(&app, "/messages/pending").await;
    assert_eq!((first.status, second.status), (200, 200));
}

fn strong(
    device: &HushDevice,
    method: &Method,
    path: &str,
    signed: &str,
) -> axum::http::request::Builder {
    device.strongly(method, path, signed.as_bytes()).header("content-type", "application/json")
}

#[tokio::test]
async fn hn33_a_strong_signature_is_good_once_and_for_its_body_alone() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let path = format!("/devices/{}", alice.device);
    let body = json!({ "device_label": "tablet" }).to_string();
    let request = strong(&alice, &Method::PATCH, &path, &body).body(()).unwrap();
    let send = |body: &str| {
        let (parts, ()) = request.clone().into_parts();
        app.call(Request::from_parts(parts, Body::from(body.to_owned())))
    };
    let changed = send(&body.replace("tablet", "laptop")).await;
    assert_eq!((changed.status, &changed.json["code"]), (401, &"SIGNATURE_MISMATCH".into()));
    let good = send(&body).await;
    assert_eq!(good.status, 204, "{good:?}");
    let replayed = send(&body).await;
    assert_eq!((replayed.status, &replayed.json["code"]), (401, &"REPLAYED_NONCE".into()));
}

#[tokio::test]
async fn a_strong_signature_is_bound_to_method_path_and_query() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let signed = alice.strongly(&Method::GET, "/chats?limit=1", b"");
    let (mut parts, ()) = signed.body(()).unwrap().into_parts();
    parts.uri = format!("{PREFIX}/chats?limit=2").parse().unwrap();
    let moved = app.call(Request::from_parts(parts, Body::empty())).await;
    assert_eq!((moved.status, &moved.json), (401, &"Signature mismatch".into()));
    let signed = alice.strongly(&Method::GET, "/chats", b"").header("x-unrelated", "1");
    let good = app.call(signed.body(Body::empty()).unwrap()).await;
    assert_eq!(good.status, 200, "{good:?}");
}

#[tokio::test]
async fn who_has_signed_strongly_once_is_held_to_it() {
    let mut app = TestApp::start_for_hushnet().await;
    let mut alice = app.hush_member("alice").await;
    assert_eq!(alice.get(&app, SIGNED).await.status, 200);
    alice.is_strong = true;
    assert_eq!(alice.get(&app, SIGNED).await.status, 200);
    app.restart().await;
    assert_eq!(alice.get(&app, SIGNED).await.status, 200);
    alice.is_strong = false;
    let weak = alice.get(&app, SIGNED).await;
    assert_eq!((weak.status, &weak.json), (401, &"Strong signature required".into()));
    let weak = alice.post(&app, "/messages", json!({ "payloads": [] })).await;
    assert_eq!((weak.status, &weak.json), (401, &"Strong signature required".into()));
}

#[tokio::test]
async fn a_strong_signature_of_a_clock_that_is_ahead_is_good_once_whatever_restarts() {
    let mut app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    app.clock.advance(Duration::from_secs(100));
    let ahead = alice.strongly_at(alice.now() + 25, &Method::GET, SIGNED, b"").body(()).unwrap();
    let (parts, ()) = ahead.into_parts();
    let again = || Request::from_parts(parts.clone(), Body::empty());
    assert_eq!(app.call(again()).await.status, 200);
    app.clock.advance(Duration::from_secs(5));
    app.restart().await;
    app.clock.advance(Duration::from_secs(20));
    let replayed = app.call(again()).await;
    assert_eq!((replayed.status, &replayed.json), (401, &"Replayed nonce".into()));
}

#[tokio::test]
async fn strong_headers_are_checked_before_anything_else() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let change = |name: &'static str, value: &str| {
        let mut request = alice.strongly(&Method::GET, SIGNED, b"").body(Body::empty()).unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
        app.call(request)
    };
    for (name, value, status, text) in [
        ("x-nonce", "AAAA", 400, "Bad nonce"),
        ("x-signature-version", "3", 400, "Unknown signature version"),
        ("x-timestamp", "1", 401, "Expired timestamp"),
    ] {
        let refused = change(name, value).await;
        assert_eq!((refused.status, &refused.json), (status, &text.into()), "{name}");
    }
    let mut request = alice.strongly(&Method::GET, SIGNED, b"").body(Body::empty()).unwrap();
    request.headers_mut().remove("x-nonce");
    let refused = app.call(request).await;
    assert_eq!((refused.status, &refused.json), (401, &"Missing X-Nonce".into()));
}

/// A request as the documentation has it, and one that both have.
fn documented() -> String {
    json!({ "chat_id": "x", "to_device_id": "y" }).to_string()
}

#[tokio::test]
async fn the_documents_requests_get_its_refusals_however_they_are_signed() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let (body, send) = (documented(), Method::POST);
    let changed = strong(&alice, &send, "/messages", "another").body(body.clone().into()).unwrap();
    let no_json = alice.strongly(&send, "/messages", body.as_bytes());
    let no_json = no_json.header("content-type", "text/plain").body(body.clone().into()).unwrap();
    for (request, status, code) in [
        (changed, 401, "SIGNATURE_MISMATCH"),
        (no_json, 415, "EXPECTED_REQUEST_WITH_CONTENT_TYPE_APPLICATION_JSON"),
    ] {
        let refused = app.call(request).await;
        let found = (refused.status, &refused.json["code"], &refused.json["status"]);
        assert_eq!(found, (status, &code.into(), &status.into()), "{refused:?}");
    }
    let (parts, ()) = strong(&alice, &send, "/messages", &body).body(()).unwrap().into_parts();
    let again = || Request::from_parts(parts.clone(), Body::from(body.clone()));
    assert_ne!(app.call(again()).await.status, 401);
    let replayed = app.call(again()).await;
    assert_eq!((replayed.status, &replayed.json["code"]), (401, &"REPLAYED_NONCE".into()));
}

#[tokio::test]
async fn the_documents_requests_are_told_what_is_wrong_with_their_headers() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let change = |name: &'static str, value: Option<&str>| {
        let mut request = alice.request(Method::POST, "/messages", &Value::Null);
        *request.body_mut() = documented().into();
        match value {
            Some(value) => drop(request.headers_mut().insert(name, value.parse().unwrap())),
            None => drop(request.headers_mut().remove(name)),
        }
        app.call(request)
    };
    for (name, value, status, code) in [
        ("x-identity-key", None, 401, "MISSING_X_IDENTITY_KEY"),
        ("x-signature", None, 401, "MISSING_X_SIGNATURE"),
        ("x-timestamp", None, 401, "MISSING_X_TIMESTAMP"),
        ("x-timestamp", Some("1"), 401, "EXPIRED_TIMESTAMP"),
        ("x-signature", Some("!"), 400, "BAD_SIGNATURE_B64"),
        ("x-signature", Some("AAAA"), 400, "SIGNATURE_MUST_BE_64_BYTES"),
        ("x-identity-key", Some("!"), 400, "BAD_PUBKEY_B64"),
        ("x-identity-key", Some("AAAA"), 400, "BAD_PUBKEY_LENGTH"),
    ] {
        let refused = change(name, value).await;
        let found = (refused.status, &refused.json["code"], &refused.json["status"]);
        assert_eq!(found, (status, &code.into(), &status.into()), "{name} {value:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_undone_wants_the_strong_signature() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let (device, user) = (format!("/devices/{}", alice.device), format!("/users/{}", alice.user));
    let prekey = format!("{device}/signed-prekey");
    let (key, signature) = alice.signed_prekey("another");
    let body = json!({ "signed_prekey_pub": key, "signed_prekey_sig": signature }).to_string();
    for (method, path, body) in [
        (Method::PUT, &prekey, body),
        (Method::DELETE, &device, String::new()),
        (Method::DELETE, &user, String::new()),
    ] {
        let refused = app.call(raw(&alice, method, path, &body)).await;
        let found = (refused.status, &refused.json["code"]);
        assert_eq!(found, (403, &"STRONG_SIGNATURE_REQUIRED".into()), "{path}: {refused:?}");
    }
    let path = format!("/users/{}/devices", alice.user);
    let listed = app.hush_stranger(Method::GET, &path, &Value::Null).await;
    assert_eq!(listed.json[0]["signed_prekey_pub"], alice.signed_prekey("signed").0);
    let known = format!("/devices/{}/user", bob.device);
    assert_eq!(app.hush_stranger(Method::GET, &known, &Value::Null).await.status, 200);
}
