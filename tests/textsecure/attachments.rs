//! Attachments: a number for a file, and signed addresses for its bytes.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::letters::{ANNA, BERT, retry_after, unlimited_with};
use crate::harness::phone::{Phone, request};
use crate::harness::{Answer, TestApp};

/// A request that says by which host it came.
async fn get(app: &TestApp, phone: &Phone, path: &str) -> Answer {
    let mut request = request(Method::GET, path, Some(&phone.authorization()), &Value::Null);
    request.headers_mut().insert("host", "gateway.test".parse().unwrap());
    app.call(request).await
}

/// Opens an attachment; its number and where it is uploaded.
async fn open(app: &TestApp, phone: &Phone) -> (u64, String) {
    let answer = get(app, phone, "/v1/attachments/").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let id = answer.json["id"].as_u64().unwrap();
    assert_eq!(answer.json["idString"], id.to_string());
    (id, answer.json["location"].as_str().unwrap().to_owned())
}

async fn locate(app: &TestApp, phone: &Phone, id: u64) -> String {
    let answer = get(app, phone, &format!("/v1/attachments/{id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["location"].as_str().unwrap().to_owned()
}

/// Goes to a signed address, as the protocol's clients do.
async fn go(app: &TestApp, method: Method, url: &str, body: &[u8]) -> (u16, Bytes) {
    let path = url.strip_prefix("http://gateway.test").unwrap_or(url);
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/octet-stream");
    let request = request.body(Body::from(body.to_vec())).unwrap();
    let response = app.router().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn a_file_goes_up_and_comes_down_under_its_number() {
    let app = TestApp::start_for_phones().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let (id, upload) = open(&app, &anna).await;
    let view = locate(&app, &bert, id).await;
    for url in [&upload, &view] {
        let path = url.split('?').next().unwrap();
        assert_eq!(path, format!("http://gateway.test/blobs/{id}"));
    }
    assert_eq!(go(&app, Method::GET, &view, b"").await.0, 404, "nothing was uploaded yet");
    assert_eq!(go(&app, Method::PUT, &upload, b"sealed bytes").await, (200, Bytes::new()));
    assert_eq!(go(&app, Method::PUT, &upload, b"other bytes").await.0, 409);
    assert_eq!(go(&app, Method::GET, &view, b"").await, (200, Bytes::from("sealed bytes")));
}

#[tokio::test]
async fn an_address_is_good_for_what_it_says_alone() {
    let app = TestApp::start_for_phones().await;
    let anna = app.phone(ANNA).await;
    let (id, upload) = open(&app, &anna).await;
    let (other, _) = open(&app, &anna).await;
    let view = locate(&app, &anna, id).await;
    let tampered = upload.replace("signature=", "signature=A");
    let moved = upload.replace(&format!("/{id}?"), &format!("/{other}?"));
    let uuid = format!("/00000000-0000-0000-{:04x}-{:012x}?", id >> 48, id & 0xffff_ffff_ffff);
    let renamed = upload.replace(&format!("/{id}?"), &uuid);
    for url in [&view, &tampered, &moved, &renamed] {
        assert_eq!(go(&app, Method::PUT, url, b"bytes").await.0, 403, "{url}");
    }
    assert_eq!(go(&app, Method::GET, &upload, b"").await.0, 403);
    app.clock.advance(Duration::from_secs(60 * 60));
    assert_eq!(go(&app, Method::PUT, &upload, b"bytes").await.0, 403, "it has expired");
}

#[tokio::test]
async fn an_address_for_reading_is_good_for_an_hour() {
    let app = TestApp::start_for_phones().await;
    let anna = app.phone(ANNA).await;
    let (id, upload) = open(&app, &anna).await;
    let view = locate(&app, &anna, id).await;
    assert_eq!(go(&app, Method::PUT, &upload, b"bytes").await.0, 200);
    app.clock.advance(Duration::from_secs(60 * 60 - 1));
    assert_eq!(go(&app, Method::GET, &view, b"").await.0, 200);
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(go(&app, Method::GET, &view, b"").await.0, 403, "it has expired");
    let tampered = locate(&app, &anna, id).await.replace("signature=", "signature=A");
    assert_eq!(go(&app, Method::GET, &tampered, b"").await.0, 403);
}

#[tokio::test]
async fn a_file_that_is_too_large_may_be_tried_later_and_pages_may_read_it() {
    let app = unlimited_with(|config| config.attachments.max_bytes = 1024).await;
    let anna = app.phone(ANNA).await;
    let (_, upload) = open(&app, &anna).await;
    let path = upload.strip_prefix("http://gateway.test").unwrap();
    let ask = async |method, body: Vec<u8>| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("origin", "https://page.example");
        let request = request.header("access-control-request-method", "PUT");
        let response = app.router().oneshot(request.body(Body::from(body)).unwrap()).await;
        response.unwrap()
    };
    let refused = ask(Method::PUT, vec![0; 1025]).await;
    assert_eq!(refused.status(), 413);
    assert_eq!(refused.headers()["retry-after"], "60");
    assert_eq!(refused.headers()["access-control-allow-origin"], "*");
    let asked = ask(Method::OPTIONS, Vec::new()).await;
    assert_eq!(asked.status(), 200);
    let allowed = asked.headers()["access-control-allow-methods"].to_str().unwrap();
    assert!(allowed.contains("PUT"), "{allowed}");
}

#[tokio::test]
async fn pages_of_others_read_no_file_where_no_phone_is_served() {
    let app = TestApp::start().await;
    let request = Request::get("/blobs/1").header("origin", "https://page.example");
    let answer = app.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn what_is_no_number_is_not_found() {
    let app = TestApp::start_for_phones().await;
    let anna = app.phone(ANNA).await;
    for path in ["x", "-1", "01", "9223372036854775808", "1?relay=there"] {
        let answer = get(&app, &anna, &format!("/v1/attachments/{path}")).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let unknown = locate(&app, &anna, 1).await;
    assert_eq!(go(&app, Method::GET, &unknown, b"").await.0, 404, "it shows at the address");
    let wrong = Phone { password: "wrong".into(), ..anna };
    assert_eq!(get(&app, &wrong, "/v1/attachments").await.status, 401);
    assert_eq!(get(&app, &wrong, "/v1/attachments/1").await.status, 401);
}

#[tokio::test]
async fn new_attachments_are_limited_for_each_phone() {
    let app = TestApp::start_for_phones_with(|phones| {
        phones.limits.attachments_at_once = 2;
        phones.limits.attachments_an_hour = 60;
    })
    .await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    for _ in 0..2 {
        open(&app, &anna).await;
    }
    let answer = get(&app, &anna, "/v1/attachments").await;
    assert_eq!((answer.status, retry_after(&answer)), (413, 60));
    open(&app, &bert).await;
    locate(&app, &anna, 1).await;
}
