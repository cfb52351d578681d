//! Where the protocol is spoken.

use axum::http::Method;
use sealpost::domain::account::Dialect;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::letters::{ANNA, unlimited};
use crate::harness::TestApp;
use crate::harness::phone::request;

#[tokio::test]
async fn by_default_it_is_not_spoken() {
    let app = TestApp::start().await;
    let path = "/v1/accounts/sms/code/+14152222222";
    let answer = app.answer(request(Method::GET, path, None, &Value::Null)).await;
    assert_eq!((answer.status, &answer.json["error"]["status"]), (404, &404.into()), "{answer:?}");
    let key = app.data().join("vault.key");
    assert!(!key.exists(), "there is nothing to seal");
    assert!(TestApp::start_for_phones().await.data().join("vault.key").exists());
}

#[tokio::test]
async fn its_paths_are_its_own_even_for_sockets() {
    let app = TestApp::start_for_phones().await;
    for path in ["/v1", "/v1/", "/v1/nothing", "/v2/nothing"] {
        let answer = app.stranger(Method::GET, path, &Value::Null).await;
        assert_eq!((answer.status, answer.json.as_str()), (404, Some("")), "{path}");
        let mut socket = request(Method::GET, path, None, &Value::Null);
        socket.headers_mut().insert("upgrade", "websocket".parse().unwrap());
        let answer = app.answer(socket).await;
        assert_eq!((answer.status, answer.json.as_str()), (404, Some("")), "{path}");
    }
    let answer = app.stranger(Method::GET, "/me", &Value::Null).await;
    assert_eq!(answer.json["error"]["status"], 401, "{answer:?}");
}

#[tokio::test]
async fn what_takes_something_is_not_asked_by_head() {
    let app = unlimited().await;
    let anna = app.phone(ANNA).await;
    for path in [
        "/v1/accounts/sms/code/+14152222222",
        "/v1/attachments",
        "/v1/attachments/1",
        "/v1/devices/provisioning/code",
        "/v1/federation/key/+14152222222",
        "/v1/federation/key/+14152222222/*",
        "/v2/federation/key/+14152222222/1",
        "/v1/keys/+14152222222",
        "/v1/keys/+14152222222/1",
        "/v2/keys/+14152222222/*",
        "/v1/messages",
    ] {
        for path in [path.to_owned(), format!("{path}/")] {
            let head = request(Method::HEAD, &path, Some(&anna.authorization()), &Value::Null);
            assert_eq!(app.answer(head).await.status, 405, "{path}");
        }
    }
}

#[tokio::test]
async fn an_address_of_its_own_has_nothing_else() {
    let mut app = TestApp::start_for_phones_with(|it| it.listen = "127.0.0.1:0".to_owned()).await;
    let bound = app.bind().await;
    let (everybody, phones) = (bound.address(), bound.own_address(Dialect::TextSecure).unwrap());
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
        assert_eq!(head(phones, "/v1/directory/x").await, "HTTP/1.1 401 Unauthorized");
        assert_eq!(head(phones, "/healthz").await, "HTTP/1.1 404 Not Found");
        assert_eq!(head(everybody, "/healthz").await, "HTTP/1.1 200 OK");
        assert_eq!(head(everybody, "/v1/directory/x").await, "HTTP/1.1 404 Not Found");
        stop.send(()).unwrap();
    };
    tokio::join!(serve, ask);
}
