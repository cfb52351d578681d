//! What one thing that goes wrong must not take with it.

use std::fs;
use std::path::Path;

use axum::http::Method;
use tower::ServiceExt;

use super::world::{
    Key, Reply, ask, form, gateway, gateway_with, query, recorded_key, recorded_key_with,
};
use crate::harness::TestApp;

const UNREADABLE: &str = "(This file cannot be read.)";

/// Removes the bytes of all files.
fn lose_files(app: &TestApp) {
    fn lose(folder: &Path) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => lose(&entry.path()),
                false => fs::remove_file(entry.path()).unwrap(),
            }
        }
    }
    lose(&app.data().join("dropbox-files"));
}

async fn from(app: &TestApp, key: &Key, after: &str) -> Reply {
    let members = [("token", &*key.token), ("passphrase", super::world::PASSPHRASE)];
    let members = [members.as_slice(), &[("after", after)]].concat();
    ask(app, query(Method::GET, "/Service", &members)).await
}

#[tokio::test]
async fn a_lost_file_is_marked_and_the_rest_is_read() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets_files(&app, &[("a.txt", b"file")]).await;
    key.gets(&app, "text").await;
    lose_files(&app);
    assert_eq!(key.opens(&app).await.data(), [UNREADABLE, "text"]);
    let fetched = key.fetches(&app).await.data();
    assert_eq!((fetched.len(), &*fetched[0]), (2, UNREADABLE));
}

#[tokio::test]
async fn nothing_is_taken_while_its_answer_has_no_place() {
    let app = TestApp::start_with(|config| {
        config.attachments.downloads = 1;
        let settings = &mut config.dialects.keyservice;
        (settings.enabled, settings.v1) = (true, true);
    })
    .await;
    let key = recorded_key_with(&app, &[("deletemessagesafterreading", "true")]).await;
    key.gets_files(&app, &[("a.txt", b"file")]).await;
    let other = recorded_key(&app).await;
    other.gets_files(&app, &[("b.txt", &[7; 4 * 1024 * 1024])]).await;
    let read = other.opens(&app).await.json();
    let ticket = read[0]["TemporaryDownloadId"].as_str().unwrap();
    let download = query(Method::GET, "/Home/GetFile", &[("fileId", ticket)]);
    let slow = app.router().oneshot(download).await.unwrap();
    assert_eq!(slow.status(), 200);
    let refused = key.fetches(&app).await;
    assert_eq!(refused.error().0, 503);
    assert!(refused.headers.contains_key("retry-after"));
    drop(slow);
    for _ in 0..100 {
        let read = key.fetches(&app).await;
        if read.status != 503 {
            assert_eq!(read.data().len(), 1);
            return;
        }
    }
    panic!("the place stays taken");
}

#[tokio::test]
async fn a_page_of_texts_that_grow_is_cut_and_goes_on() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let text = "a".repeat(900_000);
    for _ in 0..3 {
        key.gets(&app, &text).await;
    }
    let first = key.opens(&app).await;
    assert_eq!(first.headers["x-more-messages"], "true");
    assert_eq!(first.data().len(), 2);
    let second = from(&app, &key, "2").await;
    assert!(!second.headers.contains_key("x-more-messages"));
    assert!(second.data() == [text], "another text");
}

#[tokio::test]
async fn what_goes_once_it_was_read_is_not_cut() {
    let app = gateway().await;
    let key = recorded_key_with(&app, &[("deletemessagesafterreading", "true")]).await;
    let text = "a".repeat(900_000);
    for _ in 0..3 {
        key.gets(&app, &text).await;
    }
    let all = key.opens(&app).await;
    assert!(!all.headers.contains_key("x-more-messages"));
    assert_eq!(all.data().len(), 3);
}

#[tokio::test]
async fn a_box_that_goes_is_not_gone_for_having_been_empty() {
    let app = gateway().await;
    let key = recorded_key_with(&app, &[("deletekeyafterreading", "true")]).await;
    assert_eq!(key.opens(&app).await.status, 304);
    key.gets(&app, "later").await;
    assert_eq!(key.opens(&app).await.data(), ["later"]);
    assert_eq!(key.opens(&app).await.error().0, 404);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_by_what_is_announced() {
    let app = gateway_with(|settings| {
        (settings.message_bytes, settings.file_bytes) = (1024, 64 * 1024);
    })
    .await;
    let key = recorded_key(&app).await;
    key.gets_files(&app, &[("a.bin", &[7; 16 * 1024])]).await;
    let large = super::world::multipart(
        Method::PUT,
        &format!("/Service?token={}", key.token),
        &[super::world::Part::File("a.bin", &[7; 200 * 1024])],
    );
    let (status, text) = ask(&app, large).await.error();
    assert!(status == 413 && text.contains("the body's size"), "{text}");
}

#[tokio::test]
async fn a_blank_version_in_a_body_is_the_first() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let sent = |version| {
        form(Method::PUT, "/Service", &[("token", &key.token), ("message", "x"), ("v", version)])
    };
    for version in ["", " ", "1"] {
        assert_eq!(ask(&app, sent(version)).await.status, 200, "{version:?}");
    }
    assert_eq!(ask(&app, sent("2")).await.error().0, 400);
}
