//! The limits that the documentation recommends.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use sealpost::config::dialects::hushnet::Limits;
use sealpost::http::peer::Peer;
use serde_json::{Value, json};

use crate::harness::hush::{HushDevice, PREFIX, with_body};
use crate::harness::{Answer, TestApp};

async fn documented() -> TestApp {
    TestApp::start_for_hushnet_with(|it| it.limits = Limits::Documented).await
}

async fn from(app: &TestApp, last: u8, mut request: Request<Body>) -> Answer {
    request.extensions_mut().insert(Peer(IpAddr::from([203, 0, 113, last])));
    app.call(request).await
}

fn creation(name: &str) -> Request<Body> {
    let body = json!({ "username": name }).to_string();
    with_body(Request::post(format!("{PREFIX}/users/create")), body)
}

#[tokio::test]
async fn an_address_authenticates_five_times_a_minute() {
    let app = documented().await;
    for number in 0..5 {
        assert_eq!(from(&app, 1, creation(&format!("user {number}"))).await.status, 201);
    }
    let refused = from(&app, 1, creation("one more")).await;
    assert_eq!((refused.status, &refused.json["code"]), (429, &"RATE_LIMITED".into()));
    assert_eq!(refused.headers["retry-after"], "12");
    assert_eq!(from(&app, 2, creation("elsewhere")).await.status, 201);
    app.clock.advance(Duration::from_secs(12));
    assert_eq!(from(&app, 1, creation("one more")).await.status, 201);
}

#[tokio::test]
async fn bad_signatures_count_and_good_ones_do_not() {
    let app = documented().await;
    let alice = app.hush_member("alice").await;
    let nobody = HushDevice::new(&app, "nobody", "x");
    for expected in [401, 401, 401, 401, 401, 429] {
        let request = nobody.request(Method::GET, "/chats", &Value::Null);
        assert_eq!(from(&app, 1, request).await.status, expected);
    }
    let good = alice.request(Method::GET, "/chats", &Value::Null);
    assert_eq!(from(&app, 1, good).await.status, 200);
}

#[tokio::test]
async fn a_device_asks_a_hundred_times_a_minute() {
    let app = documented().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    for _ in 0..100 {
        assert_eq!(alice.get(&app, "/chats").await.status, 200);
    }
    assert_eq!(alice.get(&app, "/chats").await.status, 429);
    assert_eq!(bob.get(&app, "/chats").await.status, 200);
}

#[tokio::test]
async fn relaxed_ones_leave_it_to_the_gateways_own() {
    let app = TestApp::start_for_hushnet().await;
    for number in 0..8 {
        assert_eq!(from(&app, 1, creation(&format!("user {number}"))).await.status, 201);
    }
}
