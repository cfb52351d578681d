//! What happens is counted once, under what became of it.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use super::text::Page;
use crate::harness::{Actor, TestApp, postgres};

fn messages(page: &Page, outcome: &str) -> f64 {
    page.value(&format!("sealpost_messages_total{{dialect=\"mixin\",outcome=\"{outcome}\"}}"))
}

fn stage(page: &Page, stage: &str) -> f64 {
    page.value(&format!("sealpost_stage_seconds_count{{stage=\"{stage}\"}}"))
}

/// Reads all that waits and acknowledges it; returns how much it was.
async fn read_and_acknowledge(app: &TestApp, phone: &Actor) -> usize {
    let inbox = phone.get(app, "/inbox").await;
    let done: Vec<_> = (inbox.list().iter())
        .map(|message| json!({"message_id": message["message_id"], "status": "READ"}))
        .collect();
    let answer = phone.post(app, "/acknowledgements", &json!(done)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    done.len()
}

#[tokio::test]
async fn a_message_is_counted_under_what_became_of_it() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let good = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let stale = bot.seal(anna.user, &anna.recipients()[..1], 2, "hello");
    let mut bad = bot.seal(anna.user, &anna.recipients(), 3, "hello");
    bad["category"] = json!("NO_SUCH_THING");
    let mut unreadable = good.clone();
    unreadable["message_id"] = json!(7);
    bot.send(&app, &[good.clone(), stale, bad, unreadable]).await;
    bot.send(&app, &[good]).await;

    let page = Page::of(&app).await;
    let counted = ["accepted", "duplicate", "stale_sessions", "rejected", "deferred"]
        .map(|outcome| messages(&page, outcome));
    assert_eq!(counted, [1.0, 1.0, 1.0, 2.0, 0.0]);
}

#[tokio::test]
async fn every_stage_of_a_messages_way_has_its_time_taken() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    let before = Page::of(&app).await;
    assert_eq!((stage(&before, "deliver"), stage(&before, "acknowledge")), (0.0, 0.0));
    assert_eq!(read_and_acknowledge(&app, &anna.devices[0]).await, 1);

    let page = Page::of(&app).await;
    for name in ["validate", "commit", "deliver", "acknowledge"] {
        assert_eq!(stage(&page, name), 1.0, "{name}");
    }
    assert!(stage(&page, "auth") >= 3.0, "sending, reading, acknowledging");
    assert_eq!(page.value("sealpost_acknowledged_messages_total"), 1.0);
    assert!(page.value("sealpost_commit_groups_total") >= 2.0);
    let (groups, requests) = ("sealpost_commit_groups_total", "sealpost_commit_requests_total");
    assert!(page.value(requests) >= page.value(groups));
}

#[tokio::test]
async fn the_time_of_a_delivery_begins_when_the_message_was_accepted() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    app.clock.advance(std::time::Duration::from_secs(30));
    anna.devices[0].get(&app, "/inbox").await;
    // Nobody acknowledges, so it comes again.
    app.clock.advance(std::time::Duration::from_secs(120));
    anna.devices[0].get(&app, "/inbox").await;

    let page = Page::of(&app).await;
    assert_eq!(page.value("sealpost_stage_seconds_sum{stage=\"deliver\"}"), 30.0);
    assert_eq!(stage(&page, "deliver"), 1.0, "the first time alone");
    assert_eq!(page.value("sealpost_redelivered_messages_total"), 1.0);
}

#[tokio::test]
async fn answers_are_counted_by_route_and_by_their_true_status() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    let nobody = format!("/users/{}", bot.session);
    // The hosted API answers errors with 202, and so does this dialect to signed tokens.
    assert_eq!(bot.get(&app, &nobody).await.status, 202);
    bot.get(&app, "/me").await;
    let stray = Request::builder().method(Method::GET).uri("/no/such/path");
    app.answer(stray.body(Body::empty()).unwrap()).await;

    let page = Page::of(&app).await;
    for sample in [
        "sealpost_requests_total{route=\"/users/{id}\",status=\"4xx\"}",
        "sealpost_requests_total{route=\"/me\",status=\"2xx\"}",
        "sealpost_requests_total{route=\"unknown\",status=\"4xx\"}",
    ] {
        assert_eq!(page.value(sample), 1.0, "{sample}");
    }
    assert_eq!(page.find("sealpost_requests_total{route=\"/users/{id}\",status=\"2xx\"}"), None);
}

#[tokio::test]
async fn no_label_has_a_value_that_somebody_chose() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    let odd = Request::builder().method("ODD").uri("/odd-path?odd-query");
    app.answer(odd.header("x-request-id", "odd-id").body(Body::empty()).unwrap()).await;
    bot.get(&app, &format!("/users/{}", anna.user)).await;

    let page = Page::of(&app).await;
    let chosen = [bot.user.to_string(), anna.user.to_string(), "odd".to_owned(), "ODD".to_owned()];
    for value in page.label_values() {
        assert!(chosen.iter().all(|word| !value.contains(word)), "{value}");
    }
}

#[tokio::test]
async fn a_limit_that_was_reached_is_counted() {
    let app = TestApp::start_with(|config| config.limits.rate.account_messages = 1).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    let item = bot.seal(anna.user, &anna.recipients(), 2, "hello");
    assert_eq!(bot.send(&app, &[item]).await.status, 429);

    let page = Page::of(&app).await;
    assert_eq!(page.value("sealpost_limited_total{limit=\"messages\"}"), 1.0);
    assert_eq!(page.value("sealpost_limited_total{limit=\"requests\"}"), 0.0);
    assert_eq!(page.value("sealpost_overload_answers_total{status=\"429\"}"), 1.0);
}

#[tokio::test]
async fn what_the_database_does_not_take_is_counted() {
    let app = TestApp::start_with(|config| config.storage.busy_seconds = 0).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    let before = Page::of(&app).await.value("sealpost_commit_failures_total");
    let stranger = app.lock_database().await;
    let item = bot.seal(anna.user, &anna.recipients(), 2, "hello");
    assert_eq!(bot.send(&app, &[item]).await.status, 503);
    stranger.let_go().await;

    let page = Page::of(&app).await;
    assert_eq!(page.value("sealpost_overload_answers_total{status=\"503\"}"), 1.0);
    let failures = page.value("sealpost_commit_failures_total") - before;
    // On a server that request fails at its first look, before there is anything to commit.
    assert_eq!(failures > 0.0, !postgres::is_asked_for(), "{failures}");
    assert_eq!(messages(&page, "accepted"), 1.0);
}
