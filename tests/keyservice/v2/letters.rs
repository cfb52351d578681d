//! Letters, which are gone once they were read.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::TestApp;
use crate::harness::app::Answer;
use crate::harness::dropbox::{b64, sealed, two, two_with};

const KEY: [u8; 32] = [3; 32];

fn letter() -> Value {
    json!({ "message": sealed("burn this"), "authdigest": b64(&Sha256::digest(KEY)) })
}

async fn left(app: &TestApp) -> String {
    let left = app.call(two_with(Method::POST, "/Service/SelfDestruct", &letter())).await;
    assert_eq!(left.status, 201, "{left:?}");
    left.json["messageid"].as_str().unwrap().to_owned()
}

async fn taken(app: &TestApp, id: &str, key: &[u8; 32]) -> Answer {
    let request = two(Method::POST, "/SelfDestruct/Take").header("authkey", b64(key));
    let body = Body::from(json!({ "messageid": id }).to_string());
    app.call(request.header("content-type", "application/json").body(body).unwrap()).await
}

#[tokio::test]
async fn a_letter_is_read_once() {
    let app = TestApp::start_for_boxes().await;
    let answer = app.call(two_with(Method::POST, "/Service/SelfDestruct", &letter())).await;
    let id = answer.json["messageid"].as_str().unwrap_or_default();
    let expected = json!({
        "messageid": id, "expiresat": "2026-01-09T03:04:05Z", "mailed": false,
    });
    assert_eq!((answer.status, &answer.json), (201, &expected));
    let first = taken(&app, id, &KEY).await;
    let expected = json!({ "message": sealed("burn this"), "createdat": "2026-01-02T03:04:05Z" });
    assert_eq!((first.status, &first.json), (200, &expected));
    assert_eq!(taken(&app, id, &KEY).await.status, 404);
}

#[tokio::test]
async fn eight_readers_at_once_get_it_once() {
    let app = TestApp::start_for_boxes().await;
    let id = left(&app).await;
    let readers = (0..8).map(|_| taken(&app, &id, &KEY));
    let answers = futures_util::future::join_all(readers).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1, "{answers:?}");
}

#[tokio::test]
async fn looking_at_the_link_or_having_a_wrong_key_destroys_nothing() {
    let app = TestApp::start_for_boxes().await;
    let id = left(&app).await;
    for method in [Method::GET, Method::HEAD] {
        let request = Request::builder().method(method).uri("/selfdestruct/read");
        assert_eq!(app.answer(request.body(Body::empty()).unwrap()).await.status, 200);
    }
    let wrong = taken(&app, &id, &[4; 32]).await;
    let unknown = taken(&app, "0123456789abcdef0123456789abcdef", &KEY).await;
    assert_eq!((wrong.status, unknown.status), (404, 404));
    assert_eq!(wrong.json["detail"], unknown.json["detail"]);
    assert_eq!(taken(&app, &id, &KEY).await.status, 200);
}

#[tokio::test]
async fn a_letter_that_nobody_reads_is_over_some_day() {
    let app = TestApp::start_for_boxes().await;
    let mut short = letter();
    short["expiresin"] = json!(60);
    let answer = app.call(two_with(Method::POST, "/Service/SelfDestruct", &short)).await;
    let id = answer.json["messageid"].as_str().unwrap();
    app.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(taken(&app, id, &KEY).await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_by_name() {
    let app = TestApp::start_for_boxes().await;
    for (member, value) in [
        ("message", json!(b64(&[0; 27]))),
        ("message", Value::Null),
        ("authdigest", json!(b64(&[0; 31]))),
        ("email", json!("anna@example.org")),
        ("expiresin", json!(59)),
        ("expiresin", json!(2_592_001)),
        ("expiresin", json!("soon")),
    ] {
        let mut body = letter();
        body[member] = value.clone();
        let refused = app.call(two_with(Method::POST, "/Service/SelfDestruct", &body)).await;
        let problem = (refused.status, refused.json["field"].as_str());
        assert_eq!(problem, (400, Some(member)), "{member} {value}: {refused:?}");
    }
    assert_eq!(taken(&app, "1", &KEY).await.status, 400);
    let keyless =
        two_with(Method::POST, "/SelfDestruct/Take", &json!({ "messageid": "0".repeat(32) }));
    assert_eq!(app.call(keyless).await.json["field"], "authkey");
}
