//! Files, in and out.

use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::http::Method;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use sealpost::dialect::keyservice::v1::crypto::{
    FileOpener, FillRng, PassKey, PrivateKey, open_pass,
};

use super::world::{Key, Part, Reply, ask, gateway, multipart, query, recorded, recorded_key};
use crate::harness::TestApp;

async fn ticket(app: &TestApp, key: &Key, index: usize) -> String {
    let read = key.opens(app).await.json();
    read[index]["TemporaryDownloadId"].as_str().unwrap().to_owned()
}

async fn download(app: &TestApp, ticket: &str) -> Reply {
    ask(app, query(Method::GET, "/Home/GetFile", &[("fileId", ticket)])).await
}

/// Bytes of which no two stretches are the same.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[tokio::test]
async fn a_large_file_comes_back_for_the_passphrase_and_for_the_hash() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let file = bytes(5 * 1024 * 1024);
    key.gets_files(&app, &[("caf\u{e9}.bin", &file)]).await;
    let ticket = ticket(&app, &key, 0).await;
    let got = download(&app, &ticket).await;
    assert_eq!(got.status, 200);
    assert!(got.bytes == file, "other bytes came back");
    let fetched = key.fetches(&app).await;
    assert_eq!(fetched.headers["content-type"], "application/json; charset=utf-8");
    let message = &fetched.json()[0];
    assert_eq!(message["IsFile"], true);
    let opened = opened(
        message["EncryptionKey"].as_str().unwrap(),
        message["MessageData"].as_str().unwrap(),
    );
    assert!(opened == ("caf\u{e9}.bin".to_owned(), file), "other bytes came back");
}

/// What its owner's program makes of a file that is read by hash.
fn opened(encryption_key: &str, data: &str) -> (String, Vec<u8>) {
    let key = PrivateKey::parse(&recorded("private_key_xml")).unwrap();
    let fill = |bytes: &mut [u8]| bytes.fill(7);
    let pass = open_pass(encryption_key, &key, &mut FillRng::new(&fill)).unwrap();
    let mut opener = FileOpener::new(&PassKey::derive(&pass));
    opener.push(BASE64.decode(data).unwrap().into());
    opener.end();
    let mut file = Vec::new();
    while let Some(piece) = opener.next_piece().unwrap() {
        file.extend_from_slice(&piece);
    }
    (opener.name().unwrap().to_owned(), file)
}

#[tokio::test]
async fn a_ticket_is_good_for_two_minutes_and_more_than_once() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets_files(&app, &[("a.txt", b"file"), ("empty.txt", b"")]).await;
    let (first, second) = (ticket(&app, &key, 0).await, ticket(&app, &key, 1).await);
    app.clock.advance(Duration::from_secs(119));
    for _ in 0..2 {
        assert_eq!(download(&app, &first).await.text(), "file");
    }
    assert_eq!(
        (download(&app, &second).await.status, download(&app, &second).await.bytes.len()),
        (200, 0)
    );
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(download(&app, &first).await.error().0, 404);
    assert_eq!(download(&app, "AAAA").await.error().0, 404);
    assert_eq!(download(&app, "").await.error(), (400, "fileid is required".to_owned()));
}

#[tokio::test]
async fn a_ticket_is_good_at_a_gateway_that_started_later() {
    let mut app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets_files(&app, &[("a.txt", b"file")]).await;
    let ticket = ticket(&app, &key, 0).await;
    app.restart().await;
    assert_eq!(download(&app, &ticket).await.text(), "file");
}

#[tokio::test]
async fn a_file_is_harmless_to_a_browser() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let name = "../\u{e9}vil<script>.html";
    key.gets_files(&app, &[(name, b"<script>alert(1)</script>")]).await;
    let got = download(&app, &ticket(&app, &key, 0).await).await;
    for (header, value) in [
        ("content-type", "application/octet-stream"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        (
            "content-disposition",
            "attachment; filename=\"_vil_script_.html\"; filename*=UTF-8''%C3%A9vil%3Cscript%3E.html",
        ),
    ] {
        assert_eq!(got.headers[header], value, "{header}");
    }
}

#[tokio::test]
async fn a_file_goes_with_its_message() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets_files(&app, &[("a.txt", b"file")]).await;
    let ticket = ticket(&app, &key, 0).await;
    assert_eq!(ask(&app, key.asks(Method::DELETE, "privatekeyhash", &key.hash)).await.status, 200);
    while app.boxes().sweep(100).await.unwrap() {}
    assert_eq!(download(&app, &ticket).await.error().0, 404);
}

#[tokio::test]
async fn a_file_of_a_refused_request_does_not_stay() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let parts = [Part::File("a.txt", b"file"), Part::Text("token", "0123456789abcdef")];
    let refused = ask(&app, multipart(Method::PUT, "/Service", &parts)).await;
    assert_eq!(refused.error().0, 404);
    while app.boxes().sweep(100).await.unwrap() {}
    let folder = app.data().join("dropbox-files");
    assert_eq!(count(&folder), 0);
    key.gets_files(&app, &[("a.txt", b"file")]).await;
    assert_eq!(count(&folder), 1, "what is kept would be found");
}

/// Files below a folder.
fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => count(&entry.path()),
            false => 1,
        })
        .sum()
}
