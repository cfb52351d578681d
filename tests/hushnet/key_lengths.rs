//! Texts of keys are short, wherever they come in.

use axum::http::Method;
use serde_json::{Value, json};

use super::people::{introduction, raw, text};
use crate::harness::TestApp;
use crate::harness::hush::HushDevice;

/// One byte more than a key may have; far less than what no index takes.
fn long() -> String {
    "x".repeat(257)
}

/// A prekey that is too long, and really signed.
fn long_prekey(device: &HushDevice) -> (String, String) {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let bytes = [7; 256];
    (STANDARD.encode(bytes), STANDARD.encode(device.key.sign(&bytes)))
}

fn names(answer: &str, field: &str) -> bool {
    answer.contains(field) && answer.contains("256")
}

#[tokio::test]
async fn a_device_is_not_enrolled_with_a_key_that_is_too_long() {
    let app = TestApp::start_for_hushnet().await;
    let (user, token) = app.hush_user("alice").await;
    let device = HushDevice::new(&app, "alice", &user);
    let path = format!("/users/{user}/devices");
    let (key, signature) = long_prekey(&device);
    for (member, value, field) in [
        ("one_time_prekeys", json!([{ "key": long() }]), "one_time_prekeys"),
        ("prekey_pubkey", json!(long()), "prekey_pubkey"),
        ("signed_prekey", json!({ "key": key, "signature": signature }), "signed_prekey.key"),
    ] {
        let mut body = device.enrolment(&token, 2);
        body[member] = value;
        let refused = app.hush_stranger(Method::POST, &path, &body).await;
        assert_eq!(refused.status, 422, "{field}: {refused:?}");
        assert!(names(refused.json["error"].as_str().unwrap(), field), "{refused:?}");
    }
    let mut body = device.enrolment(&token, 2);
    body["identity_pubkey"] = json!(long());
    let refused = app.hush_stranger(Method::POST, &path, &body).await;
    assert_eq!(refused.status, 401, "as the original has it: {refused:?}");
    let enrolled = app.hush_stranger(Method::POST, &path, &device.enrolment(&token, 2)).await;
    assert_eq!(enrolled.status, 201, "the token was not used up: {enrolled:?}");
}

#[tokio::test]
async fn nor_is_one_as_the_documentation_has_it() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let second = HushDevice::new(&app, "alice", &alice.user);
    let (key, signature) = long_prekey(&second);
    for (changes, field) in [
        (json!({ "one_time_prekeys": [long()] }), "one_time_prekeys"),
        (json!({ "prekey_pubkey": long() }), "prekey_pubkey"),
        (json!({ "signed_prekey_pub": key, "signed_prekey_sig": signature }), "signed_prekey_pub"),
    ] {
        let mut body = second.documented_enrolment(2);
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        let refused = alice.post(&app, "/devices", body).await;
        assert_eq!(refused.status, 400, "{field}: {refused:?}");
        assert!(names(refused.json["error"].as_str().unwrap(), field), "{refused:?}");
    }
}

#[tokio::test]
async fn a_device_refills_and_replaces_with_keys_that_are_short() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let path = format!("/devices/{}/prekeys", alice.device);
    let refused = alice.post(&app, &path, json!({ "one_time_prekeys": ["short", long()] })).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(names(refused.json["error"].as_str().unwrap(), "one_time_prekeys"), "{refused:?}");
    let path = format!("/devices/{}/signed-prekey", alice.device);
    let (key, signature) = long_prekey(&alice);
    let body = json!({ "signed_prekey_pub": key, "signed_prekey_sig": signature });
    let refused = alice.put(&app, &path, body).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(names(refused.json["error"].as_str().unwrap(), "signed_prekey_pub"), "{refused:?}");
    let listed = alice.get(&app, &format!("/devices/{}", alice.user)).await;
    assert_eq!(listed.json[0]["one_time_prekeys"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn an_introduction_has_short_keys_in_either_contract() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    for field in ["ephemeral_pubkey", "sender_prekey_pub", "otpk_used"] {
        let mut body = introduction(&bob, &[&bob.device], "");
        body["sessions_init"][0][field] = json!(long());
        let (status, answer) =
            text(&app, raw(&alice, Method::POST, "/sessions", &body.to_string())).await;
        assert_eq!(status, 422, "{answer}");
        assert!(names(&answer, field), "{answer}");
        let mut body = json!({
            "sender_device_id": alice.device,
            "recipient_device_id": bob.device,
            "ephemeral_pubkey": "base64_encoded_ephemeral_key",
            "sender_prekey_pub": "base64_encoded_sender_prekey",
            "otpk_used": "",
            "ciphertext": "base64_encoded_initial_message",
        });
        body[field] = json!(long());
        let refused = alice.post(&app, "/sessions", body).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(names(refused.json["error"].as_str().unwrap(), field), "{refused:?}");
    }
    let waiting: Value = bob.get(&app, "/sessions/pending").await.json;
    assert_eq!(waiting, json!({ "sessions": [] }));
}
