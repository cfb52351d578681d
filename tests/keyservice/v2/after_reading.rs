//! What goes once it was read.

use axum::http::Method;
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;

use crate::harness::TestApp;

#[tokio::test]
async fn eight_readers_at_once_get_each_message_once() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box_with(1, json!({ "deletemessagesafterreading": true })).await;
    let mut expected = Vec::new();
    for number in 0..40 {
        expected.push(format!("text {number:02}"));
        box_.gets(&app, &expected[number]).await;
    }
    let mut read: Vec<_> = join_all((0..8).map(|_| box_.texts(&app))).await.concat();
    read.sort();
    assert_eq!(read, expected);
    assert_eq!(box_.texts(&app).await, [""; 0]);
}

#[tokio::test]
async fn what_a_page_leaves_out_is_still_there() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box_with(1, json!({ "deletemessagesafterreading": true })).await;
    for text in ["first", "second", "third"] {
        box_.gets(&app, text).await;
    }
    let page = app.call(box_.owner_asks(Method::GET, "/Service", "&limit=2")).await;
    assert_eq!((page.list_of("messages").len(), &page.json["more"]), (2, &json!(true)));
    let last = page.json["messages"][1]["messageid"].as_str().unwrap();
    let rest = app.call(box_.owner_asks(Method::GET, "/Service", &format!("&after={last}"))).await;
    assert_eq!((rest.list_of("messages").len(), &rest.json["more"]), (1, &json!(false)));
}

#[tokio::test]
async fn cb45_a_box_that_goes_after_reading_takes_no_more_and_is_gone_in_an_hour() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box_with(1, json!({ "deletekeyafterreading": true })).await;
    box_.gets(&app, "x").await;
    let file = box_.gets_file(&app, vec![1; 64]).await;
    assert_eq!(box_.texts(&app).await, ["x"]);
    app.clock.advance(Duration::from_secs(1));
    let late = app.call(box_.put("too late")).await;
    assert_eq!((late.status, &late.json["field"]), (403, &json!("token")), "{late:?}");
    assert_eq!(app.call(box_.put_file(vec![1; 64])).await.status, 403);
    let query = format!("&messageid={file}");
    let fetched = app.answer(box_.owner_asks(Method::GET, "/Service/File", &query)).await;
    assert_eq!(fetched.status, 200, "its files can be fetched for a while");
    app.clock.advance(Duration::from_secs(60 * 60));
    assert_eq!(box_.reads(&app).await.status, 404);
}

#[tokio::test]
async fn a_box_of_which_not_all_was_read_stays() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box_with(1, json!({ "deletekeyafterreading": true })).await;
    box_.gets(&app, "first").await;
    box_.gets(&app, "second").await;
    app.call(box_.owner_asks(Method::GET, "/Service", "&limit=1")).await;
    app.clock.advance(Duration::from_secs(2 * 60 * 60));
    assert_eq!(box_.texts(&app).await, ["first", "second"]);
}
