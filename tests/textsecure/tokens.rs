//! Registering by the operator's word, without a code.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sealpost::domain::clock::Clock;
use sha2::Sha256;

use crate::harness::{Phone, TestApp};

const NUMBER: &str = "+14152222222";
const KEY: &str = "3a078586eea8971155f5c1ebd73c8c923cbec1c3ed22a54722e4e88321dc749f";

/// A token as a script of the operator's makes it.
fn token(number: &str, seconds: i64) -> String {
    let key: Vec<u8> =
        (0..32).map(|n| u8::from_str_radix(&KEY[2 * n..2 * n + 2], 16).unwrap()).collect();
    let signed = format!("{number}:{seconds}");
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).unwrap().chain_update(&signed);
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    format!("{signed}:{hex}")
}

async fn app() -> TestApp {
    TestApp::start_for_phones_with(|it| it.registration_token_key = KEY.into()).await
}

async fn register(app: &TestApp, phone: &Phone, token: &str) -> u16 {
    phone.put(app, &format!("/v1/accounts/token/{token}"), phone.attributes()).await.status
}

#[test]
fn the_vector_is_that_of_the_first_server() {
    assert_eq!(token(NUMBER, 1_415_906_573), "+14152222222:1415906573:af4f046107c21721224a");
}

#[tokio::test]
async fn a_token_registers_its_number() {
    let app = app().await;
    let phone = Phone::new(NUMBER);
    let token = token(NUMBER, app.clock.now().as_seconds());
    app.clock.advance(Duration::from_secs(10_480));
    assert_eq!(register(&app, &phone, &token).await, 204);
    assert_eq!(phone.get(&app, "/v1/devices").await.status, 200);
}

#[tokio::test]
async fn a_token_is_good_for_its_number_for_a_day() {
    let app = app().await;
    let now = app.clock.now().as_seconds();
    let other = Phone::new("+14152222223");
    assert_eq!(register(&app, &other, &token(NUMBER, now)).await, 403);
    for (seconds, status) in [(86_400, 403), (86_399, 204), (-86_400, 403), (-86_399, 204)] {
        app.clock.advance(Duration::from_secs(60));
        let now = app.clock.now().as_seconds();
        let token = token(NUMBER, now - seconds);
        assert_eq!(register(&app, &Phone::new(NUMBER), &token).await, status, "{seconds}");
    }
    app.clock.advance(Duration::from_secs(60));
    let forged = token(NUMBER, now).replace(":17", ":18");
    assert_eq!(register(&app, &Phone::new(NUMBER), &forged).await, 403);
}

#[tokio::test]
async fn tries_are_counted_together_with_those_by_code() {
    let app = app().await;
    let phone = Phone::new(NUMBER);
    assert_eq!(register(&app, &phone, "x").await, 403);
    let path = "/v1/accounts/code/111111";
    assert_eq!(phone.put(&app, path, phone.attributes()).await.status, 403);
    let good = token(NUMBER, app.clock.now().as_seconds());
    assert_eq!(register(&app, &phone, &good).await, 413);
    app.clock.advance(Duration::from_secs(30));
    assert_eq!(register(&app, &phone, &good).await, 204);
}

#[tokio::test]
async fn without_a_key_there_are_no_tokens() {
    let app = TestApp::start_for_phones().await;
    let token = token(NUMBER, app.clock.now().as_seconds());
    assert_eq!(register(&app, &Phone::new(NUMBER), &token).await, 403);
}
