//! Devices that are new.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::hush::HushDevice;
use crate::harness::{Answer, TestApp};

const BAD_TOKEN: &str = "Wrong or expired enrollment token for user";

async fn enrol(app: &TestApp, device: &HushDevice, body: &Value) -> Answer {
    let path = format!("/users/{}/devices", device.user);
    app.hush_stranger(Method::POST, &path, body).await
}

async fn devices(app: &TestApp, user: &str) -> Vec<Value> {
    let path = format!("/users/{user}/devices");
    let listed = app.hush_stranger(Method::GET, &path, &Value::Null).await;
    listed.json.as_array().unwrap().clone()
}

#[tokio::test]
async fn hn11_a_token_enrols_a_device() {
    let app = TestApp::start_for_hushnet().await;
    let (user, token) = app.hush_user("alice").await;
    let device = HushDevice::new(&app, "alice", &user);
    let body = device.enrolment(&token, 2);
    let enrolled = app.hush_stranger(Method::POST, "/users/whatever/devices", &body).await;
    assert_eq!(enrolled.status, 201, "{enrolled:?}");
    let expected = json!({
        "id": enrolled.json["id"],
        "user_id": user,
        "identity_pubkey": body["identity_pubkey"],
        "prekey_pubkey": body["prekey_pubkey"],
        "signed_prekey_pub": body["signed_prekey"]["key"],
        "signed_prekey_sig": body["signed_prekey"]["signature"],
        "one_time_prekeys": device.one_time_keys(2),
        "device_label": "alice's device",
        "push_token": null,
        "last_seen": null,
        "created_at": "2026-01-02T03:04:05",
    });
    assert_eq!(enrolled.json, expected);
    assert_eq!(device.get(&app, "/chats").await.status, 200);
}

#[tokio::test]
async fn hn13_a_token_that_is_old_or_not_ours_enrols_nobody() {
    let app = TestApp::start_for_hushnet().await;
    let (user, token) = app.hush_user("alice").await;
    let (_, other) = app.hush_user("bob").await;
    let device = HushDevice::new(&app, "alice", &user);
    for bad in ["", "any string", &other, &token.replace('.', "x")] {
        let refused = enrol(&app, &device, &device.enrolment(bad, 1)).await;
        assert_eq!((refused.status, &refused.json["error"]), (401, &BAD_TOKEN.into()), "{bad}");
    }
    app.clock.advance(Duration::from_secs(300));
    let late = enrol(&app, &device, &device.enrolment(&token, 1)).await;
    assert_eq!((late.status, &late.json["error"]), (401, &BAD_TOKEN.into()));
    assert_eq!(devices(&app, &user).await, Vec::<Value>::new());
}

#[tokio::test]
async fn hn15_a_token_is_used_once_however_many_try() {
    let app = TestApp::start_for_hushnet().await;
    let (user, token) = app.hush_user("alice").await;
    let tries = (0..8).map(|_| {
        let device = HushDevice::new(&app, "alice", &user);
        let body = device.enrolment(&token, 1);
        let app = &app;
        async move { enrol(app, &device, &body).await.status }
    });
    let mut statuses = futures_util::future::join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401, 401, 401, 401, 401, 401, 401]);
    assert_eq!(devices(&app, &user).await.len(), 1);
}

#[tokio::test]
async fn hn17_the_identity_key_has_to_have_signed_the_prekey() {
    let app = TestApp::start_for_hushnet().await;
    let (user, token) = app.hush_user("alice").await;
    let device = HushDevice::new(&app, "alice", &user);
    let mut body = device.enrolment(&token, 1);
    body["signed_prekey"]["key"] = device.made_up_key("another").into();
    let refused = enrol(&app, &device, &body).await;
    assert_eq!((refused.status, &refused.json["error"]), (401, &"Signature check failed.".into()));
    let right = enrol(&app, &device, &device.enrolment(&token, 1)).await;
    assert_eq!(right.status, 201, "the token was not used up: {right:?}");
}

#[tokio::test]
async fn hn19_a_key_that_is_on_file_cannot_be_taken_over() {
    let app = TestApp::start_for_hushnet().await;
    let victim = app.hush_member("victim").await;
    let (user, token) = app.hush_user("mallory").await;
    let mut body = victim.enrolment(&token, 1);
    body["user_id"] = user.into();
    let refused = enrol(&app, &victim, &body).await;
    assert_eq!((refused.status, &refused.json["error"]), (409, &"Device already exists".into()));
    let own = victim.get(&app, &format!("/devices/{}", victim.user)).await;
    assert_eq!(own.json[0]["id"], victim.device);
    let mut second = app.hush_link(&victim, 1).await;
    second.is_strong = true;
    let ended = second.delete(&app, &format!("/devices/{}", victim.device)).await;
    assert_eq!(ended.status, 204, "{ended:?}");
    let last = second.delete(&app, &format!("/devices/{}", second.device)).await;
    assert_eq!((last.status, &last.json["code"]), (409, &"CONFLICT".into()), "{last:?}");
    let text = last.json["error"].as_str().unwrap_or_default();
    assert!(text.contains("DELETE /users/{id}"), "{text}");
    let refused = enrol(&app, &victim, &body).await;
    assert_eq!(refused.status, 409, "a key is good for one device, for ever: {refused:?}");
}

#[tokio::test]
async fn hn21_a_long_token_makes_nothing() {
    let app = TestApp::start_for_hushnet().await;
    let (user, _) = app.hush_user("alice").await;
    let device = HushDevice::new(&app, "alice", &user);
    let refused = enrol(&app, &device, &device.enrolment(&"x".repeat(9000), 1)).await;
    assert_eq!((refused.status, &refused.json["error"]), (401, &BAD_TOKEN.into()));
    assert_eq!(devices(&app, &user).await, Vec::<Value>::new());
}

#[tokio::test]
async fn hn25_push_tokens_are_told_nobody_and_the_list_is_the_newest_first() {
    let app = TestApp::start_for_hushnet().await;
    let first = app.hush_member("alice").await;
    app.clock.advance(Duration::from_secs(1));
    let second = app.hush_link(&first, 0).await;
    let listed = devices(&app, &first.user).await;
    assert_eq!((&listed[0]["id"], &listed[1]["id"]), (&json!(second.device), &json!(first.device)));
    assert!(listed.iter().all(|device| device["push_token"].is_null()), "{listed:?}");
    // The app takes the first key whatever there is.
    assert_eq!(listed[0]["one_time_prekeys"], json!([null]));
    assert_eq!(listed[1]["one_time_prekeys"], json!(first.one_time_keys(5)));
}

async fn documented_user(app: &TestApp, name: &str) -> String {
    let created = app.hush_stranger(Method::POST, "/users", &json!({ "username": name })).await;
    assert_eq!(created.status, 201, "{created:?}");
    created.json["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_account_with_a_token_is_enrolled_by_nothing_else() {
    let app = TestApp::start_for_hushnet().await;
    let (user, token) = app.hush_user("alice").await;
    let intruder = HushDevice::new(&app, "mallory", &user);
    let refused = intruder.post(&app, "/devices", intruder.documented_enrolment(1)).await;
    assert_eq!((refused.status, &refused.json["code"]), (403, &"FORBIDDEN".into()), "{refused:?}");
    app.hush_device("alice", &user, &token, 1).await;
    assert_eq!(devices(&app, &user).await.len(), 1);
}

#[tokio::test]
async fn a_user_without_a_device_is_shown_to_nobody() {
    let app = TestApp::start_for_hushnet().await;
    let eve = app.hush_member("eve").await;
    documented_user(&app, "alice").await;
    app.hush_user("bob").await;
    let listed = app.hush_stranger(Method::GET, "/users", &Value::Null).await;
    assert_eq!(listed.json.as_array().unwrap().len(), 1, "{listed:?}");
    for name in ["alice", "bob"] {
        let found = eve.get(&app, &format!("/devices/keys/{name}")).await;
        assert_eq!(found.status, 404, "{found:?}");
        let login = json!({ "username": name, "identity_pubkey": eve.identity_key() });
        assert_eq!(app.hush_stranger(Method::POST, "/login", &login).await.status, 404);
    }
}

#[tokio::test]
async fn the_documents_first_device_signs_for_itself_for_ten_minutes() {
    let app = TestApp::start_for_hushnet().await;
    let user = documented_user(&app, "alice").await;
    let device = HushDevice::new(&app, "alice", &user);
    let enrolled = device.post(&app, "/devices", device.documented_enrolment(3)).await;
    let expected = json!({
        "id": enrolled.json["id"],
        "user_id": user,
        "identity_pubkey": device.identity_key(),
        "device_label": "alice's device",
        "created_at": "2026-01-02T03:04:05Z",
    });
    assert_eq!((enrolled.status, &enrolled.json), (201, &expected));
    let again = device.post(&app, "/devices", device.documented_enrolment(3)).await;
    assert_eq!((again.status, &again.json["code"]), (409, &"DEVICE_ALREADY_EXISTS".into()));
    let intruder = HushDevice::new(&app, "mallory", &user);
    let refused = intruder.post(&app, "/devices", intruder.documented_enrolment(1)).await;
    assert_eq!((refused.status, &refused.json["code"]), (403, &"FORBIDDEN".into()), "{refused:?}");
    let late = HushDevice::new(&app, "bob", &documented_user(&app, "bob").await);
    app.clock.advance(Duration::from_secs(601));
    let refused = late.post(&app, "/devices", late.documented_enrolment(1)).await;
    assert_eq!(refused.status, 403, "{refused:?}");
}

#[tokio::test]
async fn the_documents_further_devices_are_signed_for_by_one_that_is_there() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let further = app.hush_link(&alice, 2).await;
    let path = format!("/devices/{}", alice.user);
    let listed = further.get(&app, &path).await;
    assert_eq!(listed.json.as_array().unwrap().len(), 2, "{listed:?}");
    assert_eq!(listed.json[0]["created_at"], "2026-01-02T03:04:05Z");
    let foreign = HushDevice::new(&app, "alice", &alice.user);
    let refused = bob.post(&app, "/devices", foreign.documented_enrolment(1)).await;
    assert_eq!((refused.status, &refused.json["code"]), (403, &"FORBIDDEN".into()), "{refused:?}");
    let mut bad = foreign.documented_enrolment(1);
    bad["signed_prekey_sig"] = "x".into();
    let refused = alice.post(&app, "/devices", bad).await;
    assert_eq!(
        (refused.status, &refused.json["code"]),
        (400, &"BAD_REQUEST".into()),
        "{refused:?}"
    );
    let other_key = foreign.post(&app, "/devices", further.documented_enrolment(1)).await;
    assert_eq!((other_key.status, &other_key.json["code"]), (401, &"UNKNOWN_DEVICE".into()));
}

#[tokio::test]
async fn a_member_has_as_many_devices_as_it_may() {
    let app = TestApp::start_with(|config| {
        config.dialects.hushnet.enabled = true;
        config.limits.sessions_per_account = 2;
    })
    .await;
    let alice = app.hush_member("alice").await;
    app.hush_link(&alice, 0).await;
    let third = HushDevice::new(&app, "alice", &alice.user);
    let refused = alice.post(&app, "/devices", third.documented_enrolment(0)).await;
    assert_eq!((refused.status, &refused.json["code"]), (409, &"CONFLICT".into()), "{refused:?}");
}

#[tokio::test]
async fn whoever_signs_strongly_enrols_nobody_elses_key() {
    let app = TestApp::start_for_hushnet().await;
    let mut alice = app.hush_member("alice").await;
    // Of another gateway, where everybody may read all of it but the key itself.
    let bob = HushDevice::new(&app, "bob", &alice.user);
    let mut public = bob.documented_enrolment(1);
    public["identity_proof"] = bob.identity_proof("another user").into();
    let refused = alice.post(&app, "/devices", public.clone()).await;
    assert_eq!((refused.status, &refused.json["code"]), (400, &"BAD_REQUEST".into()));
    public.as_object_mut().unwrap().remove("identity_proof");
    alice.is_strong = true;
    assert_eq!(alice.get(&app, "/chats").await.status, 200);
    let refused = alice.post(&app, "/devices", public).await;
    assert_eq!((refused.status, &refused.json["code"]), (400, &"BAD_REQUEST".into()));
    let enrolled = alice.post(&app, "/devices", bob.documented_enrolment(1)).await;
    assert_eq!(enrolled.status, 201, "{enrolled:?}");

    let (user, token) = app.hush_user("carol").await;
    let carol = HushDevice::new(&app, "carol", &user);
    let mut body = carol.enrolment(&token, 1);
    body["identity_proof"] = carol.identity_proof(&alice.user).into();
    assert_eq!(enrol(&app, &carol, &body).await.status, 401);
    body["identity_proof"] = carol.identity_proof(&user).into();
    assert_eq!(enrol(&app, &carol, &body).await.status, 201);
}
