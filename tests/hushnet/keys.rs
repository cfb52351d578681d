//! Prekeys, and devices as their owners change them.

use std::collections::HashSet;

use axum::body::Body;
use axum::http::{Method, Request};
use futures_util::future::join_all;
use sealpost::http::peer::Peer;
use serde_json::{Value, json};

use super::people::introduction;
use crate::harness::hush::{HushDevice, PREFIX};
use crate::harness::{Answer, TestApp};

async fn take(app: &TestApp, device: &HushDevice) -> Answer {
    app.hush_stranger(Method::GET, &format!("/users/{}/keys", device.user), &Value::Null).await
}

#[tokio::test]
async fn hn23_fifty_who_ask_at_once_share_five_keys() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let answers = join_all((0..50).map(|_| take(&app, &alice))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let keys: Vec<Value> = answers
        .iter()
        .flat_map(|answer| answer.json[0]["one_time_prekeys"].as_array().unwrap().clone())
        .collect();
    let distinct: HashSet<_> = keys.iter().map(Value::to_string).collect();
    assert_eq!((keys.len(), distinct.len()), (5, 5));
    let bundle = &answers[0].json[0];
    assert_eq!(bundle["device_id"], alice.device);
    assert_eq!(bundle["identity_pubkey"], alice.identity_key());
}

#[tokio::test]
async fn nobody_has_no_keys_and_no_devices() {
    let app = TestApp::start_for_hushnet().await;
    let nobody = HushDevice::new(&app, "nobody", "00000000-0000-4000-8000-000000000001");
    assert_eq!(take(&app, &nobody).await.json, json!([]));
    let path = format!("/users/{}/devices", nobody.user);
    assert_eq!(app.hush_stranger(Method::GET, &path, &Value::Null).await.json, json!([]));
    let path = format!("/devices/{}/user", nobody.user);
    let unknown = app.hush_stranger(Method::GET, &path, &Value::Null).await;
    assert_eq!(
        (unknown.status, &unknown.json["error"]),
        (404, &"User not found for device".into())
    );
}

#[tokio::test]
async fn the_documents_keys_are_asked_for_by_name() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let found = bob.get(&app, "/devices/keys/alice").await;
    let (signed, signature) = alice.signed_prekey("signed");
    let expected = json!({
        "user_id": alice.user,
        "username": "alice",
        "devices": [{
            "device_id": alice.device,
            "identity_pubkey": alice.identity_key(),
            "prekey_pubkey": alice.made_up_key("agreement"),
            "signed_prekey_pub": signed,
            "signed_prekey_sig": signature,
            "one_time_prekey": alice.one_time_keys(1)[0],
        }],
    });
    assert_eq!((found.status, found.json), (200, expected));
    let second = bob.get(&app, "/devices/keys/alice").await;
    assert_eq!(second.json["devices"][0]["one_time_prekey"], alice.one_time_keys(2)[1]);
    let unknown = bob.get(&app, "/devices/keys/carl").await;
    assert_eq!((unknown.status, &unknown.json["code"]), (404, &"USER_NOT_FOUND".into()));
    let stranger = app.hush_stranger(Method::GET, "/devices/keys/alice", &Value::Null).await;
    assert_eq!((stranger.status, &stranger.json["code"]), (401, &"MISSING_X_IDENTITY_KEY".into()));
}

#[tokio::test]
async fn a_device_leaves_more_prekeys_and_another_signed_one() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let path = format!("/devices/{}/prekeys", alice.device);
    let keys = json!({ "one_time_prekeys": alice.one_time_keys(7) });
    let refilled = alice.post(&app, &path, keys.clone()).await;
    assert_eq!((refilled.status, &refilled.json), (200, &json!({ "count": 7 })));
    assert_eq!(bob.post(&app, &path, keys).await.status, 403);
    let many: Vec<_> = (0..101).map(|number| format!("key{number}")).collect();
    let refused = alice.post(&app, &path, json!({ "one_time_prekeys": many })).await;
    assert_eq!((refused.status, &refused.json["code"]), (422, &"VALIDATION_FAILED".into()));
    let path = format!("/devices/{}/signed-prekey", alice.device);
    let (key, signature) = alice.signed_prekey("another");
    let body = json!({ "signed_prekey_pub": key, "signed_prekey_sig": signature });
    assert_eq!(alice.put(&app, &path, body.clone()).await.status, 204);
    assert_eq!(take(&app, &alice).await.json[0]["signed_prekey_pub"], key);
    let forged = json!({ "signed_prekey_pub": key, "signed_prekey_sig": "AAAA" });
    assert_eq!(alice.put(&app, &path, forged).await.status, 422);
    assert_eq!(bob.put(&app, &path, body).await.status, 403);
}

#[tokio::test]
async fn a_device_is_renamed_and_ended_by_its_owner() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let further = app.hush_link(&alice, 1).await;
    let path = format!("/devices/{}", further.device);
    let body = json!({ "device_label": "tablet" });
    assert_eq!(alice.patch(&app, &path, body.clone()).await.status, 204);
    assert_eq!(bob.patch(&app, &path, body).await.status, 404);
    let listed = alice.get(&app, &format!("/devices/{}", alice.user)).await;
    assert_eq!(listed.json[0]["device_label"], "tablet");
    let owner = format!("/devices/{}/user", further.device);
    let found = app.hush_stranger(Method::GET, &owner, &Value::Null).await;
    assert_eq!((found.status, &found.json["username"]), (200, &"alice".into()), "{found:?}");
    assert_eq!(bob.delete(&app, &path).await.status, 404);
    assert_eq!(alice.delete(&app, &path).await.status, 204);
    assert_eq!(further.get(&app, "/chats").await.json, "Unknown device");
    assert_eq!(app.hush_stranger(Method::GET, &owner, &Value::Null).await.status, 404);
    assert_eq!(alice.get(&app, "/chats").await.status, 200);
}

#[tokio::test]
async fn asking_for_the_head_alone_takes_nothing() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    for path in [
        format!("/users/{}/keys", alice.user),
        "/devices/keys/alice".to_owned(),
        "/users/federated/alice@here/keys".to_owned(),
        "/s2s/federated/alice/here/keys".to_owned(),
        "/s2s/users/alice/keys".to_owned(),
        "/messages/pending".to_owned(),
    ] {
        let refused = app.call(bob.request(Method::HEAD, &path, &Value::Null)).await;
        assert_eq!((refused.status, &refused.json), (405, &"".into()), "{path}");
        assert_eq!(refused.headers["allow"], "GET", "{path}");
    }
    assert_eq!(take(&app, &alice).await.json[0]["one_time_prekeys"][0], alice.one_time_keys(1)[0]);
}

#[tokio::test]
async fn an_address_gets_ten_of_a_users_prekeys_a_minute() {
    let app = TestApp::start_for_hushnet().await;
    let (user, token) = app.hush_user("alice").await;
    let alice = app.hush_device("alice", &user, &token, 20).await;
    let from = |last: u8| {
        let request = Request::get(format!("{PREFIX}/users/{user}/keys")).body(Body::empty());
        let mut request = request.unwrap();
        request.extensions_mut().insert(Peer([203, 0, 113, last].into()));
        app.call(request)
    };
    for _ in 0..10 {
        assert_eq!(from(1).await.json[0]["one_time_prekeys"].as_array().unwrap().len(), 1);
    }
    let beyond = from(1).await;
    assert_eq!((beyond.status, &beyond.json[0]["device_id"]), (200, &json!(alice.device)));
    assert_eq!(beyond.json[0]["one_time_prekeys"], json!([]));
    assert_eq!(from(2).await.json[0]["one_time_prekeys"][0], alice.one_time_keys(11)[10]);
}

#[tokio::test]
async fn a_prekey_that_was_given_out_is_used_once_and_its_owner_hears_when_none_is_left() {
    let app = TestApp::start_for_hushnet().await;
    let (user, token) = app.hush_user("alice").await;
    let alice = app.hush_device("alice", &user, &token, 1).await;
    let (bob, carl) = (app.hush_member("bob").await, app.hush_member("carl").await);
    let mut line = app.documented_line(&alice).await;
    let given = take(&app, &alice).await.json[0]["one_time_prekeys"][0].clone();
    let given = given.as_str().unwrap();
    let devices = format!("/users/{user}/devices");
    let listed = app.hush_stranger(Method::GET, &devices, &Value::Null).await;
    assert_eq!(listed.json[0]["one_time_prekeys"], json!([null]));
    let introduced = introduction(&alice, &[&alice.device], given);
    assert_eq!(bob.post(&app, "/sessions", introduced.clone()).await.status, 201);
    assert_eq!(line.event().await["type"], "session");
    assert_eq!(carl.post(&app, "/sessions", introduced).await.status, 409);
    assert_eq!(take(&app, &alice).await.json[0]["one_time_prekeys"], json!([]));
    assert_eq!(line.event().await, json!({ "type": "device", "user_id": user }));
}
