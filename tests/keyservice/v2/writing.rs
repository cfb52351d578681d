//! `PUT /Service`.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::dropbox::{b64, sealed, two, two_with};

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
                "deletemessagesafterreading": false,
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

#[tokio::test]
async fn a_body_repeats_what_the_query_says_and_contradicts_neither_it_nor_itself() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let rest = format!(
        r#""message":"{}","encryptionkey":"{}","n":[[1],{{"a":2}}]"#,
        sealed("x"),
        b64(&[7; 92])
    );
    let token = &box_.token;
    for (members, status) in [
        (format!(r#""v":2,"token":"{token}""#), 201),
        (format!(r#""v":"2","TOKEN":"{token}""#), 201),
        (format!(r#""v":1,"token":"{token}""#), 400),
        (r#""token":"0123456789abcdef0123456789abcdef""#.to_owned(), 400),
        (format!(r#""a":1,"a":2,"token":"{token}""#), 400),
    ] {
        let target = format!("/Service?v=2&token={token}");
        let request = two(Method::PUT, &target).body(Body::from(format!("{{{members},{rest}}}")));
        let answer = app.call(request.unwrap()).await;
        assert_eq!(answer.status, status, "{members}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_file_has_the_time_of_any_other() {
    let app = TestApp::start_for_boxes().await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let drip = stream::repeat(()).then(|()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, io::Error>(Bytes::from_static(b" "))
    });
    let answer =
        app.call(two(Method::PUT, "/Service").body(Body::from_stream(drip)).unwrap()).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
}
