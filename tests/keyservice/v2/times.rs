//! When a box opens, locks and ends.

use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::dropbox::two;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn before_the_release_date_its_owner_alone_is_told_when() {
    let app = TestApp::start_for_boxes().await;
    let tomorrow = json!({ "releasedate": "2026-01-03T03:04:05Z" });
    let box_ = app.raw_box_with(1, tomorrow.clone()).await;
    let id = box_.gets(&app, "x").await;
    let early = box_.reads(&app).await;
    assert_eq!((early.status, &early.json["field"]), (403, &json!("releasedate")), "{early:?}");
    assert_eq!(early.json["releasedate"], tomorrow["releasedate"]);
    let query = format!("&messageid={id}");
    for (method, path) in [(Method::GET, "/Service/File"), (Method::DELETE, "/Service")] {
        let early = app.call(box_.owner_asks(method, path, &query)).await;
        assert_eq!(early.json["releasedate"], tomorrow["releasedate"], "{early:?}");
    }
    let wrong = app.call(box_.asks_with(&[9; 32], Method::GET, "/Service", "")).await;
    assert_eq!(wrong.status, 404, "{wrong:?}");
    app.clock.advance(DAY);
    assert_eq!(box_.texts(&app).await, ["x"]);
}

#[tokio::test]
async fn from_the_lock_date_on_nothing_can_be_left() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box_with(1, json!({ "lockdate": "2026-01-03T03:04:05Z" })).await;
    box_.gets(&app, "in time").await;
    app.clock.advance(DAY);
    let late = app.call(box_.put("too late")).await;
    assert_eq!((late.status, &late.json["field"]), (403, &json!("token")), "{late:?}");
    assert_eq!(box_.texts(&app).await, ["in time"]);
}

#[tokio::test]
async fn what_is_over_is_gone_at_once_and_swept_away_later() {
    let app = TestApp::start_for_boxes_with(|it| it.message_life_days = 1).await;
    let box_ = app.raw_box(1).await;
    box_.gets(&app, "x").await;
    box_.gets_file(&app, vec![1; 64]).await;
    let folder = app.data().join("dropbox-files");
    assert_eq!(files_below(&folder), 1);
    app.clock.advance(DAY);
    assert_eq!(box_.reads(&app).await.list_of("messages").len(), 0);
    while app.boxes().sweep(100).await.unwrap() {}
    while app.boxes().sweep(100).await.unwrap() {}
    assert_eq!(files_below(&folder), 0);
    app.clock.advance(59 * DAY);
    let target = format!("/Service?token={}", box_.token);
    let record = app.call(two(Method::GET, &target).body(Body::empty()).unwrap()).await;
    assert_eq!(record.status, 404, "the box is over too: {record:?}");
    assert!(!app.boxes().sweep(100).await.unwrap());
    assert_eq!(app.raw_box(1).await.token, box_.token, "its token is free again");
}

/// The files below a folder, what is being written included.
fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}
