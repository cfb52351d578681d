//! How a phone talks to the gateway: over a real connection, and by any of three ways to be told.

use std::collections::VecDeque;

use axum::body::Body;
use axum::http::{Method, Request, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::harness::TestApp;
use crate::harness::phone::{Phone, request};
use crate::textsecure::socket_client::Line;

/// How a phone learns what has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    JsonSocket,
    ProtobufSocket,
    Pull,
}

/// A way that is open.
pub enum Mailbox {
    Json(Line),
    Protobuf(Line),
    /// What was pulled and not looked at.
    Pull(VecDeque<Value>),
}

/// An envelope that a phone got.
#[derive(Debug)]
pub struct Arrived {
    pub kind: i32,
    pub source: String,
    pub device: u32,
    pub relay: Option<String>,
    pub timestamp: u64,
    pub message: Option<Vec<u8>>,
}

/// Sends one request over a connection of its own; the status and the body.
pub async fn call(address: &str, mut request: Request<Body>) -> (u16, Bytes) {
    request.headers_mut().insert("host", address.parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.unwrap().to_bytes())
}

/// Asks a gateway as a phone; an answer without a body is null.
pub async fn ask(
    app: &TestApp,
    phone: &Phone,
    method: Method,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let request = request(method, path, Some(&phone.authorization()), body);
    let (status, body) = call(&app.socket_address().await, request).await;
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// Goes to an address that a gateway has given, for the bytes of a file.
pub async fn go(method: Method, location: &str, body: Vec<u8>) -> Bytes {
    let uri: Uri = location.parse().unwrap();
    let request = Request::builder().method(method).uri(uri.path_and_query().unwrap().as_str());
    let request = request.header("content-type", "application/octet-stream");
    let request = request.body(Body::from(body)).unwrap();
    let (status, body) = call(uri.authority().unwrap().as_str(), request).await;
    assert_eq!(status, 200, "{location}");
    body
}

impl Mailbox {
    pub async fn open(app: &TestApp, phone: &Phone, way: Way) -> Self {
        match way {
            Way::JsonSocket => Self::Json(app.json_socket(phone).await),
            Way::ProtobufSocket => Self::Protobuf(app.protobuf_socket(phone).await),
            Way::Pull => Self::Pull(VecDeque::new()),
        }
    }

    /// What comes next; it is acknowledged.
    pub async fn next(&mut self, app: &TestApp, phone: &Phone) -> Arrived {
        match self {
            Self::Json(line) => {
                let (id, arrived) = shown(line).await;
                line.say(json!({ "type": 1, "id": id })).await;
                arrived
            }
            Self::Protobuf(line) => {
                let (id, arrived) = shown(line).await;
                line.answer(id, 200).await;
                arrived
            }
            Self::Pull(waiting) => pulled(waiting, app, phone).await,
        }
    }
}

/// What comes over a socket, opened under the phone's own signalling key.
async fn shown(line: &mut Line) -> (u64, Arrived) {
    let delivered = line.message().await;
    let envelope = delivered.envelope;
    let arrived = Arrived {
        kind: envelope.kind.unwrap(),
        source: envelope.source.clone().unwrap(),
        device: envelope.source_device.unwrap(),
        relay: envelope.relay.clone(),
        timestamp: envelope.timestamp.unwrap(),
        message: envelope.message.as_ref().map(|it| it.to_vec()),
    };
    (delivered.id, arrived)
}

async fn pulled(waiting: &mut VecDeque<Value>, app: &TestApp, phone: &Phone) -> Arrived {
    if waiting.is_empty() {
        let (_, page) = ask(app, phone, Method::GET, "/v1/messages/", &Value::Null).await;
        waiting.extend(page["messages"].as_array().unwrap().clone());
    }
    let json = waiting.pop_front().expect("something waits");
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    let number = |name: &str| json[name].as_u64().unwrap();
    let arrived = Arrived {
        kind: i32::try_from(number("type")).unwrap(),
        source: text("source").unwrap(),
        device: u32::try_from(number("sourceDevice")).unwrap(),
        relay: text("relay"),
        timestamp: number("timestamp"),
        message: text("message").map(|it| STANDARD.decode(it).unwrap()),
    };
    let path = format!("/v1/messages/{}/{}", arrived.source, arrived.timestamp);
    assert_eq!(ask(app, phone, Method::DELETE, &path, &Value::Null).await.0, 204);
    arrived
}
