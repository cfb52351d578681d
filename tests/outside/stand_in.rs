//! Somebody who is asked: notes what came in and answers what the test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Version};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sealpost::config::dialects::textsecure::PushServices;
use sealpost::domain::clock::{TestClock, Timestamp};
use sealpost::domain::limits::Networks;
use sealpost::outside::client::{Client, ClientSettings, Protocol};
use sealpost::outside::push::{Means, Services, VapidKey};
use sealpost::outside::reach::Reach;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::harness::entropy::TestEntropy;

/// 2026-01-02T03:04:05Z.
pub const NOW: i64 = 1_767_323_045;

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

type Reply = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// A server on loopback that answers 200 unless it was told otherwise.
#[derive(Clone, Default)]
pub struct StandIn {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    /// What it says that it is.
    discovery: Arc<Mutex<&'static str>>,
    came: Arc<Notify>,
}

impl StandIn {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stand_in = Self { url, ..Self::default() };
        *stand_in.discovery.lock().unwrap() = r#"{"unifiedpush":{"version":1}}"#;
        let router = Router::new().fallback(note).with_state(stand_in.clone());
        // Ends with the runtime of the test.
        tokio::spawn(async move { axum::serve(listener, router).await });
        stand_in
    }

    /// What the next request that has no reply yet gets.
    pub fn replies(&self, status: u16, body: impl Into<Vec<u8>>) {
        self.replies_with(status, &[], body);
    }

    pub fn replies_with(
        &self,
        status: u16,
        headers: &[(&'static str, &str)],
        body: impl Into<Vec<u8>>,
    ) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.replies.lock().unwrap().push_back((status, headers, body.into()));
    }

    /// A server that is none for UnifiedPush.
    pub fn is_something_else(&self) {
        *self.discovery.lock().unwrap() = "<html>";
    }

    /// What came in so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What came in, once it is so many requests.
    pub async fn wait_for(&self, count: usize) -> Vec<Seen> {
        let enough = async {
            loop {
                let came = self.came.notified();
                let seen = self.seen();
                if seen.len() >= count {
                    return seen;
                }
                came.await;
            }
        };
        timeout(Duration::from_secs(20), enough).await.expect("a request in time")
    }

    /// The only request that came in.
    pub fn only(&self) -> Seen {
        let [seen] = <[Seen; 1]>::try_from(self.seen()).expect("one request");
        seen
    }
}

async fn note(State(stand_in): State<StandIn>, request: Request) -> Response {
    if request.method() == Method::GET {
        return Response::new(Body::from(stand_in.discovery.lock().unwrap().to_owned()));
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let body = to_bytes(body, 1 << 20).await.unwrap().to_vec();
    let seen = Seen { path, version: parts.version, headers: parts.headers, body };
    stand_in.seen.lock().unwrap().push(seen);
    stand_in.came.notify_waiters();
    let reply = stand_in.replies.lock().unwrap().pop_front();
    let (status, headers, body) = reply.unwrap_or((200, Vec::new(), Vec::new()));
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap()
}

/// A client that may ask loopback.
pub fn client(protocol: Protocol) -> Client {
    client_within("127.0.0.0/8", protocol, Duration::from_secs(20))
}

pub fn client_within(private: &str, protocol: Protocol, patience: Duration) -> Client {
    let reach = Reach::with(Networks::parse(private).unwrap());
    Client::new(&ClientSettings { reach, protocol, at_once: 4, patience }).unwrap()
}

pub fn clock() -> Arc<TestClock> {
    Arc::new(TestClock::at(Timestamp::from_micros(NOW * 1_000_000)))
}

/// The services that these settings name, on loopback.
pub fn services(settings: &PushServices, clock: &Arc<TestClock>) -> Services {
    let means = Means {
        services: client(Protocol::Any),
        services_http2: client(Protocol::Http2),
        endpoints: client(Protocol::Any),
        vapid: VapidKey::from_bytes(&VapidKey::generate().unwrap()).unwrap(),
        contact: "https://gateway.example".to_owned(),
        clock: clock.clone(),
        entropy: Arc::new(TestEntropy::new(1)),
    };
    Services::open(settings, means).unwrap()
}

/// Header and claims of a token, and what is needed to check its signature.
pub fn token(text: &str) -> (Value, Value, String, Vec<u8>) {
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let bytes = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
    let json = |part| serde_json::from_slice(&bytes(part)).unwrap();
    (json(header), json(claims), signed.to_owned(), bytes(signature))
}
