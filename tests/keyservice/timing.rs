//! Whether somebody without a secret can tell anything apart by time, and how many guesses are
//! accepted. No test fails on a time: |t| is printed, for whoever runs the long proof.

use std::env;
use std::io::Write;

use axum::body::Body;
use axum::http::{Method, Request};
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tower::ServiceExt;

use super::v1::world::{Key, recorded_key};
use crate::harness::TestApp;
use crate::harness::dropbox::RawBox;

/// How many, unless the environment says otherwise.
fn count(variable: &str, otherwise: usize) -> usize {
    env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

async fn start(v1: bool) -> TestApp {
    TestApp::start_for_boxes_with(|it| {
        (it.wrong_secrets, it.wrong_secrets_in_all, it.v1) = (0, 0, v1);
    })
    .await
}

/// The status of an answer, and the seconds that it took.
async fn timed(app: &TestApp, request: Request<Body>) -> (u16, f64) {
    let router = app.router();
    let began = Instant::now();
    let status = router.oneshot(request).await.unwrap().status().as_u16();
    (status, began.elapsed().as_secs_f64())
}

/// Welch's t of two samples.
fn welch(left: &[f64], right: &[f64]) -> f64 {
    let moments = |sample: &[f64]| {
        let size = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / size;
        let squares: f64 = sample.iter().map(|value| (value - mean).powi(2)).sum();
        (mean, squares / (size - 1.0) / size)
    };
    let ((left, left_error), (right, right_error)) = (moments(left), moments(right));
    (left - right) / (left_error + right_error).sqrt()
}

/// A key that differs with each number.
fn guess(number: usize) -> [u8; 32] {
    Sha256::digest(number.to_le_bytes()).into()
}

/// A request of version 2 with a wrong key.
fn wrong_key(box_: &RawBox, number: usize) -> Request<Body> {
    box_.asks_with(&guess(number), Method::GET, "/Service", "")
}

/// A request of version 1 with a wrong passphrase.
fn wrong_passphrase(key: &Key, number: usize) -> Request<Body> {
    key.asks(Method::GET, "passphrase", &number.to_string())
}

/// Asks in turn with a wrong secret and for nobody; says how well time tells them apart.
async fn compare(
    app: &TestApp,
    what: &str,
    wrong: impl Fn(usize) -> Request<Body>,
    unknown: impl Fn(usize) -> Request<Body>,
) {
    let (mut of_wrong, mut of_unknown) = (Vec::new(), Vec::new());
    for number in 0..count("SEALPOST_TIMING_TRIES", 60) {
        for (request, times) in [(wrong(number), &mut of_wrong), (unknown(number), &mut of_unknown)]
        {
            let (status, seconds) = timed(app, request).await;
            assert_eq!(status, 404);
            times.push(seconds);
        }
    }
    let (tries, t) = (of_wrong.len(), welch(&of_wrong, &of_unknown).abs());
    // Not `eprintln!`, which the test runner swallows.
    let said = writeln!(std::io::stderr(), "{what}, unknown token, {tries} each: |t| = {t:.2}");
    said.unwrap();
}

#[tokio::test]
async fn an_unknown_token_and_a_wrong_key_are_refused_in_the_same_time() {
    let app = start(false).await;
    let box_ = app.raw_box(1).await;
    box_.gets(&app, "x").await;
    let nobody = RawBox { token: "0123456789abcdef0123456789abcdef".to_owned(), ..box_.clone() };
    let unknown = |number| wrong_key(&nobody, number);
    compare(&app, "wrong key", |number| wrong_key(&box_, number), unknown).await;
}

#[tokio::test]
async fn an_unknown_token_and_a_wrong_passphrase_are_refused_in_the_same_time() {
    let app = start(true).await;
    let key = recorded_key(&app).await;
    key.gets(&app, "x").await;
    let nobody = Key { token: "0123456789abcdef".to_owned(), hash: key.hash.clone() };
    let unknown = |number| wrong_passphrase(&nobody, number);
    compare(&app, "wrong passphrase", |number| wrong_passphrase(&key, number), unknown).await;
}

/// How many of the guesses are refused as they should be, and how many there were.
async fn refused(app: &TestApp, guess: impl Fn(usize) -> Request<Body>) -> (usize, usize) {
    let guesses = count("SEALPOST_GUESSES", 500);
    let asked = stream::iter(0..guesses).map(|number| timed(app, guess(number)));
    let refused =
        asked.buffer_unordered(64).filter(|(status, _)| std::future::ready(*status == 404));
    (refused.count().await, guesses)
}

#[tokio::test]
async fn no_guess_of_a_key_is_accepted() {
    let app = start(false).await;
    let box_ = app.raw_box(1).await;
    box_.gets(&app, "x").await;
    let (refused, guesses) = refused(&app, |number| wrong_key(&box_, number)).await;
    assert_eq!(refused, guesses);
    assert_eq!(box_.texts(&app).await, ["x"], "its owner still reads");
}

#[tokio::test]
async fn no_guess_of_a_passphrase_is_accepted() {
    let app = start(true).await;
    let key = recorded_key(&app).await;
    key.gets(&app, "x").await;
    let (refused, guesses) = refused(&app, |number| wrong_passphrase(&key, number)).await;
    assert_eq!(refused, guesses);
    assert_eq!(key.opens(&app).await.data(), ["x"], "its owner still reads");
}

#[test]
fn the_statistic_tells_samples_apart() {
    let sample = |base: f64| (0..50_i32).map(|i| base + f64::from(i % 5)).collect::<Vec<_>>();
    assert!(welch(&sample(10.0), &sample(10.0)).abs() < 0.001);
    assert!(welch(&sample(10.0), &sample(13.0)).abs() > 9.0);
}
