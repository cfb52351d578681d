//! The limits that the documentation recommends.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use sealpost::config::dialects::hushnet::Limits;
use sealpost::http::peer::Peer;
use serde_json::{Value, json};

use super::people::{message, pair};
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

#[tokio::test]
async fn a_device_sends_sixty_messages_a_minute() {
    let app = documented().await;
    let (alice, bob, chat) = pair(&app).await;
    for number in 0..60 {
        let new = message(&chat, &bob, &[&bob.device], &number.to_string());
        assert_eq!(alice.post(&app, "/messages", new).await.status, 200);
    }
    let one_more = || message(&chat, &bob, &[&bob.device], "one more");
    let refused = alice.post(&app, "/messages", one_more()).await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (429, &"1".parse().unwrap()));
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(alice.post(&app, "/messages", one_more()).await.status, 200);
}

/// A gateway that lets each account ask three times a minute, and an address fail twice.
async fn narrow() -> TestApp {
    TestApp::start_with(|config| {
        config.dialects.hushnet.enabled = true;
        config.dialects.hushnet.limits = Limits::Relaxed;
        config.limits.rate.account_requests = 3;
        config.limits.rate.address_strangers = 2;
    })
    .await
}

#[tokio::test]
async fn who_claims_the_key_of_somebody_else_costs_them_nothing() {
    let app = narrow().await;
    let alice = app.hush_member("alice").await;
    let claim = |kind: &'static str, body: String| {
        let request = alice.strongly(&Method::POST, "/messages", b"another body");
        request.header("content-type", kind).body(Body::from(body)).unwrap()
    };
    for (address, kind, size, expected) in [
        (1, "text/plain", 1, 415),
        (1, "application/json", 3_000_000, 413),
        (1, "application/json", 1, 429),
        (2, "application/json", 1, 401),
        (2, "text/plain", 1, 415),
        (2, "application/json", 3_000_000, 429),
    ] {
        let refused = from(&app, address, claim(kind, "x".repeat(size))).await;
        assert_eq!(refused.status, expected, "{kind} {size}: {refused:?}");
    }
    for expected in [200, 200, 200, 429] {
        assert_eq!(alice.get(&app, "/chats").await.status, expected);
    }
}

#[tokio::test]
async fn what_needs_no_credentials_is_not_counted_as_if_they_were_bad() {
    let app = narrow().await;
    let alice = app.hush_member("alice").await;
    let devices = format!("{PREFIX}/users/{}/devices", alice.user);
    for _ in 0..5 {
        for path in [&devices, "/hushnet/users"] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            assert_eq!(from(&app, 1, request).await.status, 200);
        }
    }
    assert_eq!(from(&app, 1, creation("bob")).await.status, 201);
    let signed = alice.request(Method::GET, "/chats", &Value::Null);
    assert_eq!(from(&app, 1, signed).await.status, 200);
}

#[tokio::test]
async fn what_is_too_much_or_cannot_be_done_now_says_when_to_come_back() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    let stranger = app.lock_database().await;
    let refused = from(&app, 1, creation("bob")).await;
    stranger.let_go().await;
    assert_eq!((refused.status, &refused.json["code"]), (503, &"UNAVAILABLE".into()));
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    assert_eq!(alice.get(&app, "/chats").await.status, 200);
}
