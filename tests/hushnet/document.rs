//! What HushNet's documentation shows, request by request: its paths, its bodies, all of its answers
//! and its errors. Here is how people and devices begin; the rest is in the files below.

mod talking;

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::hush::{HushDevice, PREFIX, with_body};
use crate::harness::{Answer, TestApp};

/// When the clock of a test begins.
const START: &str = "2026-01-02T03:04:05Z";

const NOBODY: &str = "00000000-0000-4000-8000-000000000001";

/// What an error has to be, all of it.
fn refused(answer: &Answer, status: u16, code: &str) {
    let text = answer.json["error"].as_str().unwrap_or_default();
    assert!(!text.is_empty(), "{answer:?}");
    let expected = json!({ "error": text, "code": code, "status": status });
    assert_eq!((answer.status, &answer.json), (status, &expected));
}

/// A new user, as the documentation makes one: all of the answer.
async fn new_user(app: &TestApp, name: &str) -> Answer {
    app.hush_stranger(Method::POST, "/users", &json!({ "username": name })).await
}

/// Somebody whose first device has signed for itself.
async fn somebody(app: &TestApp, name: &str) -> HushDevice {
    let user = new_user(app, name).await;
    let mut device = HushDevice::new(app, name, user.json["id"].as_str().unwrap());
    let enrolled = device.post(app, "/devices", device.documented_enrolment(3)).await;
    assert_eq!(enrolled.status, 201, "{enrolled:?}");
    device.device = enrolled.json["id"].as_str().unwrap().to_owned();
    device
}

#[tokio::test]
async fn the_root_says_what_it_is() {
    let app = TestApp::start_for_hushnet().await;
    let answer = app.hush_stranger(Method::GET, "/", &Value::Null).await;
    let expected = json!({
        "message": "Welcome to the HushNet API",
        "version": env!("CARGO_PKG_VERSION"),
        "status": "healthy",
    });
    assert_eq!((answer.status, answer.json), (200, expected));
}

#[tokio::test]
async fn users_are_made_listed_and_looked_up() {
    let app = TestApp::start_for_hushnet().await;
    let made = new_user(&app, "alice").await;
    let id = made.json["id"].as_str().unwrap().to_owned();
    let alice = json!({ "id": id, "username": "alice", "created_at": START });
    assert_eq!((made.status, &made.json), (201, &alice));
    refused(&new_user(&app, "alice").await, 409, "USER_ALREADY_EXISTS");
    refused(&new_user(&app, "").await, 400, "BAD_REQUEST");
    refused(&new_user(&app, "a@b").await, 400, "BAD_REQUEST");

    let bob = somebody(&app, "bob").await;
    // Whoever has no device is shown to nobody.
    let device = HushDevice::new(&app, "alice", &id);
    let enrolled = device.post(&app, "/devices", device.documented_enrolment(1)).await;
    assert_eq!(enrolled.status, 201, "{enrolled:?}");
    let list = app.hush_stranger(Method::GET, "/users", &Value::Null).await;
    let listed: Vec<_> = list.json.as_array().unwrap().iter().map(|it| &it["username"]).collect();
    assert_eq!((list.status, listed), (200, vec![&json!("alice"), &json!("bob")]));
    // The server's clients ask for the same list, and they read a time without a zone.
    let time = START.trim_end_matches('Z');
    assert_eq!(list.json[0], json!({ "id": id, "username": "alice", "created_at": time }));

    let found = bob.get(&app, &format!("/users/{id}")).await;
    assert_eq!((found.status, found.json), (200, alice));
    refused(&bob.get(&app, &format!("/users/{NOBODY}")).await, 404, "USER_NOT_FOUND");
    let stranger = HushDevice::new(&app, "nobody", NOBODY);
    refused(&stranger.get(&app, &format!("/users/{id}")).await, 401, "UNKNOWN_DEVICE");
}

#[tokio::test]
async fn a_user_is_logged_in_by_name_and_key() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (somebody(&app, "alice").await, somebody(&app, "bob").await);
    let log_in = async |name: &str, key: String| {
        let body = json!({ "username": name, "identity_pubkey": key });
        app.hush_stranger(Method::POST, "/login", &body).await
    };
    let known = log_in("alice", alice.identity_key()).await;
    let expected = json!({ "user_id": alice.user, "device_id": alice.device, "username": "alice" });
    assert_eq!((known.status, known.json), (200, expected));
    refused(&log_in("alice", bob.identity_key()).await, 401, "INVALID_CREDENTIALS");
    refused(&log_in("carol", alice.identity_key()).await, 404, "USER_NOT_FOUND");
    let stranger = HushDevice::new(&app, "alice", NOBODY);
    refused(&log_in("alice", stranger.identity_key()).await, 404, "DEVICE_NOT_FOUND");
}

#[tokio::test]
async fn devices_are_registered_and_listed() {
    let app = TestApp::start_for_hushnet().await;
    let user = new_user(&app, "alice").await;
    let alice = HushDevice::new(&app, "alice", user.json["id"].as_str().unwrap());
    let keys = alice.documented_enrolment(3);

    let mut unsigned_key = keys.clone();
    unsigned_key["signed_prekey_sig"] = json!(STANDARD.encode([7; 64]));
    refused(&alice.post(&app, "/devices", unsigned_key).await, 400, "BAD_REQUEST");
    let unsigned = app.hush_stranger(Method::POST, "/devices", &keys).await;
    refused(&unsigned, 401, "MISSING_X_IDENTITY_KEY");

    let registered = alice.post(&app, "/devices", keys.clone()).await;
    let id = registered.json["id"].clone();
    let expected = json!({
        "id": id,
        "user_id": alice.user,
        "identity_pubkey": alice.identity_key(),
        "device_label": keys["device_label"],
        "created_at": START,
    });
    assert_eq!((registered.status, registered.json), (201, expected));
    let again = alice.post(&app, "/devices", keys.clone()).await;
    refused(&again, 409, "DEVICE_ALREADY_EXISTS");

    let bob = somebody(&app, "bob").await;
    let listed = bob.get(&app, &format!("/devices/{}", alice.user)).await;
    let expected = json!([{
        "id": id,
        "user_id": alice.user,
        "identity_pubkey": keys["identity_pubkey"],
        "prekey_pubkey": keys["prekey_pubkey"],
        "signed_prekey_pub": keys["signed_prekey_pub"],
        "signed_prekey_sig": keys["signed_prekey_sig"],
        "one_time_prekeys": keys["one_time_prekeys"],
        "device_label": keys["device_label"],
        "push_token": null,
        "last_seen": null,
        "created_at": START,
    }]);
    assert_eq!((listed.status, listed.json), (200, expected));
    refused(&bob.get(&app, &format!("/devices/{NOBODY}")).await, 404, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_prekey_is_consumed_when_it_is_retrieved() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (somebody(&app, "alice").await, somebody(&app, "bob").await);
    let keys = bob.documented_enrolment(3);
    let given = async || alice.get(&app, "/devices/keys/bob").await;
    for place in 0..4 {
        let bundle = given().await;
        let expected = json!({
            "user_id": bob.user,
            "username": "bob",
            "devices": [{
                "device_id": bob.device,
                "identity_pubkey": keys["identity_pubkey"],
                "prekey_pubkey": keys["prekey_pubkey"],
                "signed_prekey_pub": keys["signed_prekey_pub"],
                "signed_prekey_sig": keys["signed_prekey_sig"],
                "one_time_prekey": keys["one_time_prekeys"][place],
            }],
        });
        assert_eq!((bundle.status, bundle.json), (200, expected), "there are three, then none");
    }
    refused(&alice.get(&app, "/devices/keys/carol").await, 404, "USER_NOT_FOUND");
    let unsigned = app.hush_stranger(Method::GET, "/devices/keys/bob", &Value::Null).await;
    refused(&unsigned, 401, "MISSING_X_IDENTITY_KEY");
}

/// The three headers, of which one is left out or another text.
fn signed_with(device: &HushDevice, path: &str, name: &str, text: Option<&str>) -> Request<Body> {
    let mut request = device.request(Method::GET, path, &Value::Null);
    let headers = request.headers_mut();
    headers.remove(name);
    if let Some(text) = text {
        headers.insert(name.parse::<HeaderName>().unwrap(), text.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn each_way_to_sign_badly_has_its_error() {
    let app = TestApp::start_for_hushnet().await;
    let alice = somebody(&app, "alice").await;
    let path = format!("/chats?user_id={}", alice.user);
    let (short, no_point) =
        (STANDARD.encode([1; 31]), STANDARD.encode([&[2][..], &[0; 31]].concat()));
    let (signature, other) = (STANDARD.encode([1; 63]), STANDARD.encode([1; 64]));
    let late = (alice.now() - 31).to_string();
    for (name, text, status, error, code) in [
        ("x-identity-key", None, 401, "Missing X-Identity-Key", "MISSING_X_IDENTITY_KEY"),
        ("x-signature", None, 401, "Missing X-Signature", "MISSING_X_SIGNATURE"),
        ("x-timestamp", None, 401, "Missing X-Timestamp", "MISSING_X_TIMESTAMP"),
        ("x-timestamp", Some(&*late), 401, "Expired timestamp", "EXPIRED_TIMESTAMP"),
        ("x-signature", Some(&*other), 401, "Signature mismatch", "SIGNATURE_MISMATCH"),
        ("x-signature", Some("no base64"), 400, "Bad signature b64", "BAD_SIGNATURE_B64"),
        (
            "x-signature",
            Some(&*signature),
            400,
            "Signature must be 64 bytes",
            "SIGNATURE_MUST_BE_64_BYTES",
        ),
        ("x-identity-key", Some("no base64"), 400, "Bad pubkey b64", "BAD_PUBKEY_B64"),
        ("x-identity-key", Some(&*short), 400, "Bad pubkey length", "BAD_PUBKEY_LENGTH"),
        ("x-identity-key", Some(&*no_point), 400, "Bad pubkey", "BAD_PUBKEY"),
    ] {
        let answer = app.call(signed_with(&alice, &path, name, text)).await;
        refused(&answer, status, code);
        assert_eq!(answer.json["error"], error);
    }
    let stranger = HushDevice::new(&app, "nobody", NOBODY);
    let unknown = stranger.get(&app, &path).await;
    refused(&unknown, 401, "UNKNOWN_DEVICE");
    assert_eq!(unknown.json["error"], "Unknown device");
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(alice.get(&app, &path).await.status, 200);
}

#[tokio::test]
async fn bodies_and_ids_that_cannot_be_read_have_their_errors() {
    let app = TestApp::start_for_hushnet().await;
    let alice = somebody(&app, "alice").await;
    let post = |kind: &'static str, body: &str| {
        let request = Request::post(format!("{PREFIX}/users")).header("content-type", kind);
        app.call(request.body(body.to_owned().into()).unwrap())
    };
    refused(&post("application/json", "{").await, 400, "BAD_REQUEST");
    refused(&post("application/json", "{\"username\":7}").await, 422, "VALIDATION_FAILED");
    let other = post("text/plain", "{}").await;
    assert_eq!((other.status, &other.json["status"]), (415, &json!(415)), "{other:?}");
    let no_id = alice.get(&app, "/devices/x").await;
    assert_eq!((no_id.status, &no_id.json["status"]), (400, &json!(400)), "{no_id:?}");
    refused(&alice.get(&app, "/chats?user_id=x").await, 400, "BAD_REQUEST");
    let nowhere = app.call(with_body(Request::get(format!("{PREFIX}/nowhere")), String::new()));
    assert_eq!(nowhere.await.status, 404);
}
