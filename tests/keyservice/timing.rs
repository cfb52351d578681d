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

use crate::harness::TestApp;
use crate::harness::dropbox::RawBox;

/// How many, unless the environment says otherwise.
fn count(variable: &str, otherwise: usize) -> usize {
    env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

async fn start() -> TestApp {
    TestApp::start_for_boxes_with(|it| {
        (it.wrong_secrets, it.wrong_secrets_in_all) = (0, 0);
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

#[tokio::test]
async fn an_unknown_token_and_a_wrong_key_are_refused_in_the_same_time() {
    let app = start().await;
    let box_ = app.raw_box(1).await;
    box_.gets(&app, "x").await;
    let nobody = RawBox { token: "0123456789abcdef0123456789abcdef".to_owned(), ..box_.clone() };
    let (mut wrong, mut unknown) = (Vec::new(), Vec::new());
    for number in 0..count("SEALPOST_TIMING_TRIES", 60) {
        for (box_, times) in [(&box_, &mut wrong), (&nobody, &mut unknown)] {
            let request = box_.asks_with(&guess(number), Method::GET, "/Service", "");
            let (status, seconds) = timed(&app, request).await;
            assert_eq!(status, 404);
            times.push(seconds);
        }
    }
    let tries = wrong.len();
    let t = welch(&wrong, &unknown).abs();
    // Not `eprintln!`, which the test runner swallows.
    let said = writeln!(std::io::stderr(), "wrong key, unknown token, {tries} each: |t| = {t:.2}");
    said.unwrap();
}

#[tokio::test]
async fn no_guess_is_accepted() {
    let app = start().await;
    let box_ = app.raw_box(1).await;
    box_.gets(&app, "x").await;
    let guesses = count("SEALPOST_GUESSES", 500);
    let asked = stream::iter(0..guesses).map(|number| {
        let request = box_.asks_with(&guess(number), Method::GET, "/Service", "");
        timed(&app, request)
    });
    let refused =
        asked.buffer_unordered(64).filter(|(status, _)| std::future::ready(*status == 404));
    assert_eq!(refused.count().await, guesses);
}

#[test]
fn the_statistic_tells_samples_apart() {
    let sample = |base: f64| (0..50_i32).map(|i| base + f64::from(i % 5)).collect::<Vec<_>>();
    assert!(welch(&sample(10.0), &sample(10.0)).abs() < 0.001);
    assert!(welch(&sample(10.0), &sample(13.0)).abs() > 9.0);
}
