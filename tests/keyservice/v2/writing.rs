//! `PUT /Service`.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::dropbox::{b64, sealed, two_with};

#[tokio::test]
async fn whoever_knows_the_token_leaves_a_text_and_its_owner_reads_it() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let left = app.call(box_.put("the cat sleeps")).await;
    let id = left.json["messageid"].clone();
    assert_eq!(
        (left.status, &left.json),
        (
            201,
            &json!({
                "messageid": id,
                "createdat": "2026-01-02T03:04:05Z",
                "expiresat": "2026-03-03T03:04:05Z",
            })
        )
    );
    let page = box_.reads(&app).await;
    assert_eq!(
        (page.status, &page.json),
        (
            200,
            &json!({
                "privatekey": box_.made_of["privatekey"],
                "messages": [{
                    "messageid": id,
                    "kind": "message",
                    "createdat": "2026-01-02T03:04:05Z",
                    "expiresat": "2026-03-03T03:04:05Z",
                    "encryptionkey": b64(&[7; 92]),
                    "message": sealed("the cat sleeps"),
                }],
                "more": false,
            })
        )
    );
}

#[tokio::test]
async fn nothing_is_left_in_a_box_that_there_is_not() {
    let app = TestApp::start_for_boxes().await;
    let mut nobody = app.raw_box(1).await;
    nobody.token = "0123456789abcdef0123456789abcdef".to_owned();
    assert_eq!(app.call(nobody.put("x")).await.status, 404);
    assert_eq!(app.call(nobody.put_file(vec![1; 64])).await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_by_name() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    for (member, value) in [
        ("token", Value::Null),
        ("token", json!("0123456789abcdef")),
        ("token", json!(box_.token.to_uppercase().replace('0', "A"))),
        ("message", Value::Null),
        ("message", json!("=")),
        ("message", json!(b64(&[0; 27]))),
        ("encryptionkey", json!(b64(&[0; 91]))),
        ("encryptionkey", Value::Null),
    ] {
        let mut body = json!({
            "token": box_.token, "message": sealed("x"), "encryptionkey": b64(&[7; 92]),
        });
        body[member] = value.clone();
        let refused = app.call(two_with(Method::PUT, "/Service", &body)).await;
        let problem = (refused.status, refused.json["field"].as_str());
        assert_eq!(problem, (400, Some(member)), "{member} {value}: {refused:?}");
    }
    assert_eq!(box_.texts(&app).await, [""; 0]);
}

#[tokio::test]
async fn a_message_that_is_too_large_and_a_box_that_is_full_are_413() {
    let app = TestApp::start_for_boxes_with(|it| {
        (it.message_bytes, it.box_messages) = (1024, 2);
    })
    .await;
    let box_ = app.raw_box(1).await;
    let large = app.call(box_.put(&"x".repeat(1000))).await;
    assert_eq!((large.status, &large.json["limit"]), (413, &json!(1024)), "{large:?}");
    box_.gets(&app, "first").await;
    box_.gets(&app, "second").await;
    assert_eq!(app.call(box_.put("third")).await.status, 413);
    assert_eq!(box_.texts(&app).await, ["first", "second"]);
}
