//! Users: made, listed, looked up, logged in, deleted.

use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;

use crate::harness::hush::{HushDevice, PREFIX, with_body};
use crate::harness::{Answer, TestApp};

const NOBODY: &str = "00000000-0000-4000-8000-000000000001";

fn named(name: &str) -> Value {
    json!({ "username": name })
}

async fn create(app: &TestApp, name: &str) -> Answer {
    app.hush_stranger(Method::POST, "/users/create", &named(name)).await
}

#[tokio::test]
async fn hn03_a_new_name_is_a_user_with_a_token() {
    let app = TestApp::start_for_hushnet().await;
    let created = create(&app, "alice").await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.json["user"]["username"], "alice");
    assert_eq!(created.json["user"]["created_at"], "2026-01-02T03:04:05");
    assert_eq!(created.json["enrollment_token"].as_str().unwrap().split('.').count(), 3);
    let again = create(&app, "alice").await;
    assert_eq!((again.status, &again.json["error"]), (409, &"User already exists".into()));
}

#[tokio::test]
async fn hn05_a_name_that_cannot_be_used_is_refused_with_the_reason() {
    let app = TestApp::start_for_hushnet().await;
    for bad in ["", "a\u{7}b", "a@b", &"x".repeat(1_000_000)] {
        let refused = create(&app, bad).await;
        let text = refused.json["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!((refused.status, text.starts_with("username: ")), (422, true), "{text}");
    }
}

#[tokio::test]
async fn hn07_bodies_are_refused_as_the_original_does() {
    let app = TestApp::start_for_hushnet_with(|_| ()).await;
    let post = |body: String, kind: &'static str| {
        let request = Request::post(format!("{PREFIX}/users/create")).header("content-type", kind);
        app.call(request.body(body.into()).unwrap())
    };
    for (body, kind, status, text) in [
        ("x".repeat(3_000_000), "application/json", 413, "length limit exceeded"),
        ("{".to_owned(), "application/json", 400, "Failed to parse the request body as JSON"),
        ("{\"username\":7}".to_owned(), "application/json", 422, "type: username: invalid type"),
        ("{}".to_owned(), "text/plain", 415, "Content-Type: application/json"),
    ] {
        let refused = post(body, kind).await;
        let found = refused.json.as_str().unwrap_or_else(|| panic!("no text: {refused:?}"));
        assert_eq!((refused.status, found.contains(text)), (status, true), "{found}");
    }
}

#[tokio::test]
async fn hn09_an_unknown_user_is_not_found_or_null() {
    let path = format!("/users/{NOBODY}");
    let app = TestApp::start_for_hushnet().await;
    let unknown = app.hush_stranger(Method::GET, &path, &Value::Null).await;
    assert_eq!((unknown.status, &unknown.json["error"]), (404, &"User not found".into()));
    let app = TestApp::start_for_hushnet_with(|it| it.null_for_unknown_user = true).await;
    let unknown = app.hush_stranger(Method::GET, &path, &Value::Null).await;
    assert_eq!((unknown.status, &unknown.json), (200, &Value::Null));
    let bad = app.hush_stranger(Method::GET, "/users/7", &Value::Null).await;
    assert_eq!((bad.status, bad.json.is_string()), (400, true), "{bad:?}");
}

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let app = TestApp::start_for_hushnet().await;
    let mut ids = Vec::new();
    for name in ["anna", "bert", "carl"] {
        ids.push(app.hush_member(name).await.user);
    }
    let names = |answer: &Answer| {
        let users = answer.json.as_array().unwrap().iter();
        users.map(|user| user["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = app.hush_stranger(Method::GET, "/users", &Value::Null).await;
    assert_eq!(names(&all), ["anna", "bert", "carl"]);
    let path = format!("/users?limit=1&after={}", ids[0]);
    let one = app.hush_stranger(Method::GET, &path, &Value::Null).await;
    assert_eq!(names(&one), ["bert"]);
}

#[tokio::test]
async fn a_user_is_shown_in_the_shape_of_its_contract() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let path = format!("/users/{}", alice.user);
    let plain = app.hush_stranger(Method::GET, &path, &Value::Null).await;
    assert_eq!(plain.json["created_at"], "2026-01-02T03:04:05");
    let signed = alice.get(&app, &path).await;
    let expected = json!({
        "id": alice.user, "username": "alice", "created_at": "2026-01-02T03:04:05Z",
    });
    assert_eq!((signed.status, signed.json), (200, expected));
    let stranger = HushDevice::new(&app, "nobody", NOBODY);
    let refused = stranger.get(&app, &path).await;
    let expected = json!({ "error": "Unknown device", "code": "UNKNOWN_DEVICE", "status": 401 });
    assert_eq!((refused.status, refused.json), (401, expected));
}

#[tokio::test]
async fn the_documents_user_is_made_without_a_token() {
    let app = TestApp::start_for_hushnet().await;
    let created = app.hush_stranger(Method::POST, "/users", &named("alice")).await;
    assert_eq!((created.status, &created.json["username"]), (201, &"alice".into()), "{created:?}");
    assert_eq!(created.json["created_at"], "2026-01-02T03:04:05Z");
    let again = app.hush_stranger(Method::POST, "/users", &named("alice")).await;
    let expected =
        json!({ "error": "User already exists", "code": "USER_ALREADY_EXISTS", "status": 409 });
    assert_eq!((again.status, again.json), (409, expected));
    let bad = app.hush_stranger(Method::POST, "/users", &named("")).await;
    assert_eq!((bad.status, &bad.json["code"]), (400, &"BAD_REQUEST".into()), "{bad:?}");
}

#[tokio::test]
async fn a_name_without_a_device_is_free_again_after_ten_minutes() {
    let app = TestApp::start_for_hushnet().await;
    create(&app, "alice").await;
    app.hush_member("bob").await;
    app.clock.advance(Duration::from_secs(599));
    assert_eq!(create(&app, "alice").await.status, 409);
    app.clock.advance(Duration::from_secs(2));
    assert_eq!(create(&app, "alice").await.status, 201);
    assert_eq!(create(&app, "bob").await.status, 409);
}

fn login(device: &HushDevice, message: &[u8]) -> Value {
    json!({
        "identity_pubkey": device.identity_key(),
        "message": STANDARD.encode(message),
        "signature": STANDARD.encode(device.key.sign(message)),
    })
}

#[tokio::test]
async fn whoever_has_a_devices_key_logs_in() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let post = async |body: Value| app.hush_stranger(Method::POST, "/users/login", &body).await;
    let found = post(login(&alice, b"Login request")).await;
    assert_eq!((found.status, &found.json["id"]), (200, &alice.user.clone().into()), "{found:?}");
    let stranger = HushDevice::new(&app, "nobody", NOBODY);
    let unknown = post(login(&stranger, b"Login request")).await;
    assert_eq!((unknown.status, &unknown.json), (200, &Value::Null));
    let mut bad = login(&alice, b"Login request");
    bad["message"] = STANDARD.encode("another").into();
    let mut unreadable = login(&alice, b"Login request");
    unreadable["identity_pubkey"] = "no key".into();
    for body in [bad, unreadable] {
        let refused = post(body).await;
        assert_eq!((refused.status, &refused.json["error"]), (401, &"Invalid signature".into()));
    }
}

#[tokio::test]
async fn the_documents_login_looks_a_device_up() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let post = |name: &str, key: String| {
        let body = json!({ "username": name, "identity_pubkey": key });
        let request = Request::post(format!("{PREFIX}/login"));
        app.call(with_body(request, body.to_string()))
    };
    let found = post("alice", alice.identity_key()).await;
    let expected = json!({
        "user_id": alice.user, "device_id": alice.device, "username": "alice",
    });
    assert_eq!((found.status, found.json), (200, expected));
    let stranger = HushDevice::new(&app, "nobody", NOBODY);
    for (name, key, status, code) in [
        ("alice", bob.identity_key(), 401, "INVALID_CREDENTIALS"),
        ("alice", "x".to_owned(), 401, "INVALID_CREDENTIALS"),
        ("alice", stranger.identity_key(), 404, "DEVICE_NOT_FOUND"),
        ("carl", alice.identity_key(), 404, "USER_NOT_FOUND"),
    ] {
        let refused = post(name, key).await;
        assert_eq!((refused.status, &refused.json["code"]), (status, &code.into()), "{refused:?}");
    }
}

#[tokio::test]
async fn a_deleted_user_is_nobody_and_its_name_is_free() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let path = format!("/users/{}", alice.user);
    let foreign = bob.delete(&app, &path).await;
    assert_eq!((foreign.status, &foreign.json["code"]), (403, &"FORBIDDEN".into()), "{foreign:?}");
    let deleted = alice.delete(&app, &path).await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
    assert_eq!(app.hush_stranger(Method::GET, &path, &Value::Null).await.status, 404);
    assert_eq!(alice.get(&app, &path).await.status, 401);
    assert_eq!(create(&app, "alice").await.status, 201);
}
