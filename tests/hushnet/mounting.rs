//! Where HushNet is spoken.

use axum::http::{Method, Request};
use sealpost::domain::account::Dialect;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::harness::TestApp;
use crate::harness::hush::with_body;

#[tokio::test]
async fn by_default_it_is_not_spoken() {
    let app = TestApp::start().await;
    let request = Request::get("/hushnet/health");
    let answer = app.answer(with_body(request, String::new())).await;
    assert_eq!((answer.status, &answer.json["error"]["status"]), (404, &404.into()), "{answer:?}");
}

#[tokio::test]
async fn hn01_the_root_greets() {
    let app = TestApp::start_for_hushnet().await;
    // The app asks for the path without a slash at its end.
    let bare = app.answer(with_body(Request::get("/hushnet"), String::new())).await;
    let answer = app.hush_stranger(Method::GET, "/", &Value::Null).await;
    assert_eq!((bare.status, &bare.json), (200, &answer.json), "{bare:?}");
    assert_eq!((answer.status, &answer.json["status"]), (200, &"healthy".into()), "{answer:?}");
    assert_eq!(answer.json["message"], "Welcome to the HushNet API");
    assert!(answer.json["version"].is_string());
    let health = app.hush_stranger(Method::GET, "/health", &Value::Null).await;
    assert_eq!((health.status, &health.json), (200, &json!({ "status": "ok" })));
}

#[tokio::test]
async fn what_is_unknown_has_no_body_as_the_original_has_it() {
    let app = TestApp::start_for_hushnet().await;
    for path in ["/nothing", "/users/x/y/z"] {
        let answer = app.hush_stranger(Method::GET, path, &Value::Null).await;
        assert_eq!((answer.status, answer.json.as_str()), (404, Some("")), "{path}");
    }
    let answer = app.hush_stranger(Method::PUT, "/health", &Value::Null).await;
    assert_eq!((answer.status, answer.json.as_str()), (405, Some("")), "{answer:?}");
    assert!(answer.headers.contains_key("allow"));
    let mixin = app.answer(with_body(Request::get("/me"), String::new())).await;
    assert_eq!(mixin.json["error"]["status"], 401, "{mixin:?}");
}

#[tokio::test]
async fn an_address_of_its_own_has_nothing_else() {
    let mut app = TestApp::start_for_hushnet_with(|it| it.listen = "127.0.0.1:0".to_owned()).await;
    let bound = app.bind().await;
    let (everybody, own) = (bound.address(), bound.own_address(Dialect::HushNet).unwrap());
    assert_eq!(bound.own_address(Dialect::TextSecure), None);
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = app.run(bound, async { drop(stopped.await) });
    let ask = async {
        let head = async |address, path: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer.split("\r\n").next().unwrap_or_default().to_owned()
        };
        assert_eq!(head(own, "/health").await, "HTTP/1.1 200 OK");
        assert_eq!(head(own, "/healthz").await, "HTTP/1.1 404 Not Found");
        assert_eq!(head(everybody, "/hushnet/health").await, "HTTP/1.1 404 Not Found");
        stop.send(()).unwrap();
    };
    tokio::join!(serve, ask);
}
