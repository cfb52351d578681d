//! `POST /Service`.

use axum::http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::TestApp;
use crate::harness::dropbox::{KDF, b64, makings, two, two_with};

const DAY: &str = "2026-01-03T03:04:05Z";

#[tokio::test]
async fn a_token_follows_from_public_key_and_kdf() {
    let app = TestApp::start_for_boxes().await;
    let made = app.call(two_with(Method::POST, "/Service", &makings(1))).await;
    assert_eq!(made.status, 201, "{made:?}");
    let spki = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x6e\x03\x21\x00"[..], &[0x11; 32]].concat();
    let hashed = [&b"sealpost drop box 2 token\n"[..], &spki, KDF.as_bytes()].concat();
    let digest = Sha256::digest(hashed);
    let token: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        made.json,
        json!({
            "token": token,
            "createdat": "2026-01-02T03:04:05Z",
            "releasedate": null,
            "lockdate": "2026-02-01T03:04:05Z",
            "expiresat": "2026-03-03T03:04:05Z",
            "deletemessagesafterreading": false,
            "deletekeyafterreading": false,
        })
    );
}

#[tokio::test]
async fn the_same_request_again_finds_the_same_box() {
    let app = TestApp::start_for_boxes().await;
    let made = app.call(two_with(Method::POST, "/Service", &makings(1))).await;
    app.clock.advance(std::time::Duration::from_secs(60));
    let again = app.call(two_with(Method::POST, "/Service", &makings(1))).await;
    assert_eq!((again.status, &again.json), (200, &made.json), "{again:?}");
}

#[tokio::test]
async fn another_box_of_the_same_key_is_refused() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    for (member, value) in [
        ("authdigest", json!(b64(&[1; 32]))),
        ("privatekey", json!(b64(&[2; 76]))),
        ("releasedate", json!(DAY)),
        ("lockdate", json!(DAY)),
        ("deletekeyafterreading", json!(true)),
    ] {
        let mut other = makings(1);
        other[member] = value;
        let refused = app.call(two_with(Method::POST, "/Service", &other)).await;
        assert_eq!((refused.status, &refused.json["code"]), (409, &json!("conflict")), "{member}");
    }
    assert_eq!(box_.reads(&app).await.status, 200, "it is still its first owner's");
}

#[tokio::test]
async fn names_may_be_of_either_case() {
    let app = TestApp::start_for_boxes().await;
    let mut body = json!({});
    for (name, value) in makings(1).as_object().unwrap() {
        body[name.to_uppercase()] = value.clone();
    }
    let made = app.call(two_with(Method::POST, "/Service", &body)).await;
    assert_eq!(made.status, 201, "{made:?}");
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_by_name() {
    let app = TestApp::start_for_boxes().await;
    let low_order = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x6e\x03\x21\x00"[..], &[0; 32]].concat();
    for (member, value) in [
        ("publickey", Value::Null),
        ("publickey", json!("%%%")),
        ("publickey", json!(b64(&[9; 32]))),
        ("publickey", json!(b64(&[9; 44]))),
        ("publickey", json!(b64(&low_order))),
        ("kdf", Value::Null),
        ("kdf", json!(7)),
        ("kdf", json!("argon2id:m=8,t=1,p=1:AAECAwQFBgcICQoLDA0ODw")),
        ("privatekey", json!(b64(&[1; 75]))),
        ("privatekey", json!(format!("{}=", b64(&[1; 76])))),
        ("authdigest", json!(b64(&[1; 31]))),
        ("releasedate", json!("tomorrow")),
        ("releasedate", json!("2099-01-01T00:00:00Z")),
        ("lockdate", json!("2026-01-01T00:00:00Z")),
        ("lockdate", json!(7)),
        ("deletekeyafterreading", json!("yes")),
        ("email", json!("nobody")),
        ("email", json!("anna@example.org")),
        ("authkey", json!(b64(&[1; 32]))),
    ] {
        let mut body = makings(1);
        body[member] = value.clone();
        let refused = app.call(two_with(Method::POST, "/Service", &body)).await;
        let problem = (refused.status, refused.json["field"].as_str());
        assert_eq!(problem, (400, Some(member)), "{member} {value}: {refused:?}");
        assert_eq!(refused.headers["content-type"], "application/problem+json");
    }
    let made = app.call(two_with(Method::POST, "/Service", &makings(1))).await;
    assert_eq!(made.status, 201, "nothing was made before: {made:?}");
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let app = TestApp::start_for_boxes().await;
    for (content_type, body) in [
        ("application/json", "[]"),
        ("application/json", "{"),
        ("application/x-www-form-urlencoded", "passphrase=x"),
        ("application/json", r#"{"kdf":"a","KDF":"b"}"#),
    ] {
        let request = two(Method::POST, "/Service").header("content-type", content_type);
        let refused = app.call(request.body(body.into()).unwrap()).await;
        assert_eq!((refused.status, &refused.json["code"]), (400, &json!("malformed")), "{body}");
    }
    let long = "x".repeat(3 * 1024 * 1024);
    let request = two_with(Method::POST, "/Service", &json!({ "kdf": long }));
    assert_eq!(app.call(request).await.status, 413);
}
