//! `GET /Service`.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::dropbox::{KDF, RawBox, b64, two};

#[tokio::test]
async fn whoever_knows_the_token_learns_what_writers_need_and_no_more() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    box_.gets(&app, "x").await;
    let target = format!("/Service?token={}", box_.token);
    let record = app.call(two(Method::GET, &target).body(Body::empty()).unwrap()).await;
    assert_eq!(
        (record.status, &record.json),
        (
            200,
            &json!({
                "token": box_.token,
                "publickey": box_.made_of["publickey"],
                "kdf": KDF,
                "releasedate": null,
                "lockdate": "2026-02-01T03:04:05Z",
                "expiresat": "2026-03-03T03:04:05Z",
            })
        )
    );
    assert_eq!(record.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn the_token_may_be_a_header() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let request = two(Method::GET, "/Service").header("token", &box_.token);
    assert_eq!(app.call(request.body(Body::empty()).unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_wrong_key_and_an_unknown_token_look_alike() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let nobody = RawBox { token: "0123456789abcdef0123456789abcdef".to_owned(), ..box_.clone() };
    let wrong = app.call(box_.asks_with(&[9; 32], Method::GET, "/Service", "")).await;
    let unknown = nobody.reads(&app).await;
    let without_id = |mut json: serde_json::Value| {
        json["request_id"] = json!("");
        json
    };
    assert_eq!((wrong.status, unknown.status), (404, 404));
    assert_eq!(without_id(wrong.json), without_id(unknown.json));
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_400_and_never_stands_in_the_query() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let target = format!("/Service?token={}", box_.token);
    for bad in ["", "x", &b64(&[1; 31]), &b64(&[1; 33]), &format!("{}=", b64(&[1; 32]))] {
        let request = two(Method::GET, &target).header("authkey", bad);
        let refused = app.call(request.body(Body::empty()).unwrap()).await;
        assert_eq!((refused.status, &refused.json["field"]), (400, &json!("authkey")), "{bad}");
    }
    let target = format!("{target}&authkey={}", b64(&box_.key));
    let refused = app.call(two(Method::GET, &target).body(Body::empty()).unwrap()).await;
    assert_eq!((refused.status, &refused.json["field"]), (400, &json!("authkey")), "{refused:?}");
}

#[tokio::test]
async fn a_large_box_is_read_page_by_page() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    for number in 0..5 {
        box_.gets(&app, &format!("text {number}")).await;
    }
    let (mut after, mut read) = (String::new(), Vec::new());
    for expected in [(2, true), (2, true), (1, false)] {
        let page =
            app.call(box_.owner_asks(Method::GET, "/Service", &format!("&limit=2{after}"))).await;
        let messages = page.json["messages"].as_array().unwrap();
        assert_eq!((messages.len(), page.json["more"] == true), expected, "{page:?}");
        let last = messages.last().unwrap()["messageid"].as_str().unwrap();
        after = format!("&after={last}");
        read.extend(messages.iter().map(|message| message["message"].clone()));
    }
    read.dedup();
    assert_eq!(read.len(), 5);
    for bad in ["&limit=0", "&limit=1001", "&limit=x", "&after=1"] {
        let refused = app.call(box_.owner_asks(Method::GET, "/Service", bad)).await;
        assert_eq!(refused.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn an_answer_has_an_end_in_bytes_too() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    for _ in 0..4 {
        box_.gets(&app, &"x".repeat(600 * 1024)).await;
    }
    let page = box_.reads(&app).await;
    assert_eq!((page.list_of("messages").len(), &page.json["more"]), (2, &json!(true)));
}

#[tokio::test]
async fn a_list_says_whether_its_texts_are_gone() {
    let app = TestApp::start_for_boxes().await;
    for (number, goes) in [(1, false), (2, true)] {
        let more = json!({ "deletemessagesafterreading": goes });
        let page = app.raw_box_with(number, more).await.reads(&app).await;
        assert_eq!(page.json["deletemessagesafterreading"], goes);
        for (header, value) in [
            ("content-type", "application/json"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(page.headers[header], value, "{page:?}");
        }
    }
}

#[tokio::test]
async fn a_request_of_many_members_is_refused_before_anything_is_looked_for() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let many = "&a".repeat(30_000);
    let refused = app.call(box_.owner_asks(Method::GET, "/Service", &many)).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(app.call(box_.owner_asks(Method::GET, "/Service", "&a&b&c")).await.status, 200);
}
