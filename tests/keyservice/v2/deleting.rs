//! `DELETE /Service`.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::dropbox::b64;

#[tokio::test]
async fn its_owner_deletes_one_message() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let first = box_.gets(&app, "first").await;
    box_.gets(&app, "second").await;
    let query = format!("&messageid={first}");
    let deleted = app.call(box_.owner_asks(Method::DELETE, "/Service", &query)).await;
    assert_eq!((deleted.status, &deleted.json), (200, &json!({ "deleted": "message" })));
    assert_eq!(box_.texts(&app).await, ["second"]);
    let again = app.call(box_.owner_asks(Method::DELETE, "/Service", &query)).await;
    assert_eq!(again.status, 404, "{again:?}");
}

#[tokio::test]
async fn its_owner_deletes_the_box_and_all_that_is_in_it() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    box_.gets(&app, "x").await;
    box_.gets_file(&app, vec![1; 64]).await;
    let deleted = app.call(box_.owner_asks(Method::DELETE, "/Service", "")).await;
    assert_eq!((deleted.status, &deleted.json), (200, &json!({ "deleted": "box" })));
    assert_eq!(box_.reads(&app).await.status, 404);
    assert_eq!(app.call(box_.put("x")).await.status, 404);
}

#[tokio::test]
async fn an_id_that_cannot_be_one_never_deletes_the_box() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    box_.gets(&app, "x").await;
    for query in ["&messageid=", "&messageid", "&messageid=null", "&MESSAGEID=1"] {
        let refused = app.call(box_.owner_asks(Method::DELETE, "/Service", query)).await;
        assert_eq!((refused.status, &refused.json["field"]), (400, &json!("messageid")), "{query}");
    }
    for body in
        [json!({ "messageid": null }), json!({ "messageid": "" }), json!({ "messageID": 7 })]
    {
        let request = Request::delete(format!("/Service?v=2&token={}", box_.token))
            .header("authkey", b64(&box_.key))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        assert_eq!(app.call(request).await.status, 400, "{body}");
    }
    assert_eq!(box_.texts(&app).await, ["x"]);
}

#[tokio::test]
async fn nobody_else_deletes_anything() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let query = format!("&messageid={}", box_.gets(&app, "x").await);
    for query in ["", query.as_str()] {
        let request = box_.asks_with(&[9; 32], Method::DELETE, "/Service", query);
        assert_eq!(app.call(request).await.status, 404);
    }
    let target = format!("/Service?v=2&token={}", box_.token);
    let keyless = app.call(Request::delete(target).body(Body::empty()).unwrap()).await;
    assert_eq!((keyless.status, &keyless.json["field"]), (400, &json!("authkey")), "{keyless:?}");
    assert_eq!(box_.texts(&app).await, ["x"]);
}

#[tokio::test]
async fn a_name_that_is_spelt_wrong_never_deletes_the_box() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let id = box_.gets(&app, "x").await;
    for name in ["id", "message_id", "messageId2"] {
        let query = format!("&{name}={id}");
        let refused = app.call(box_.owner_asks(Method::DELETE, "/Service", &query)).await;
        let field = json!(name.to_ascii_lowercase());
        assert_eq!((refused.status, &refused.json["field"]), (400, &field), "{refused:?}");
        let body = json!({ name: id }).to_string();
        let target = format!("/Service?v=2&token={}", box_.token);
        let request = Request::delete(target).header("authkey", b64(&box_.key));
        let refused = app.call(request.body(Body::from(body)).unwrap()).await;
        assert_eq!((refused.status, &refused.json["field"]), (400, &field), "{refused:?}");
    }
    assert_eq!(box_.texts(&app).await, ["x"]);
}
