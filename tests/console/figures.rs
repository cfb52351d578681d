//! What the console says happened.

use std::time::Duration;

use serde_json::json;

use super::world::{logs_in, reads, start};
use crate::harness::TestApp;

/// Lets five seconds pass, and has the console take a reading.
async fn step(app: &TestApp) {
    app.clock.advance(Duration::from_secs(5));
    app.app().console().unwrap().figures.take().await;
}

#[tokio::test]
async fn figures_are_what_happened_in_each_step() {
    let app = start().await;
    let cookie = logs_in(&app).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    step(&app).await;
    let before = reads(&app, &cookie, "/figures").await.json;
    let last = before["points"].as_array().unwrap().last().map_or(json!(0), |it| it["at"].clone());
    for number in 1..=5 {
        bot.sends(&app, &anna, number, "news").await;
    }
    let stale = bot.seal(anna.user, &anna.recipients()[..1], 6, "for one of two");
    bot.send(&app, &[stale]).await;
    anna.devices[0].receives(&app).await;
    step(&app).await;

    let after = reads(&app, &cookie, &format!("/figures?since={last}")).await.json;
    let [point] = &after["points"].as_array().unwrap()[..] else { panic!("{after}") };
    assert_eq!((&after["step_seconds"], &point["stored"]), (&json!(5), &json!(1.0)));
    assert_eq!((&point["delivered"], &point["acknowledged"]), (&json!(1.0), &json!(1.0)));
    assert_eq!(point["answered"], json!(1.6), "six posts, a look, an acknowledgement: {point}");
    assert_eq!(point["stale_percent"], json!(16.667));
    assert!(point["storing_p50"].is_number() && point["sockets"].is_u64(), "{point}");
}

#[tokio::test]
async fn what_operators_ask_is_no_clients_traffic() {
    let app = start().await;
    let cookie = logs_in(&app).await;
    step(&app).await;
    for _ in 0..10 {
        reads(&app, &cookie, "/admin/v1/status").await;
        reads(&app, "", "/settings").await;
    }
    step(&app).await;
    let figures = reads(&app, &cookie, "/figures").await.json;
    let point = figures["points"].as_array().unwrap().last().unwrap();
    assert_eq!((&point["answered"], &point["refused"]), (&json!(0.0), &json!(0.0)));
}
