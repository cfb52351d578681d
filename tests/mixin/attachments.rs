//! Attachments: an encrypted file goes up once, and comes down to whoever has its address.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use sealpost::config::Config;
use serde_json::json;
use tower::ServiceExt;

use crate::harness::{Actor, Answer, TestApp, contract};

struct Blob {
    status: u16,
    headers: HeaderMap,
    bytes: Bytes,
}

/// Asks for a signed URL as any HTTP client would, without a credential.
async fn ask(
    app: &TestApp,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Blob {
    let path = url.strip_prefix("http://gateway.test").unwrap_or(url);
    let mut request = Request::builder().method(method.clone()).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app.router().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let status = parts.status.as_u16();
    let answer = Answer { status, headers: parts.headers.clone(), json: json!("bytes") };
    contract::check(&method, path, &answer);
    Blob { status, headers: parts.headers, bytes }
}

async fn put(app: &TestApp, url: &str, bytes: &[u8]) -> Blob {
    let headers = [("content-type", "application/octet-stream"), ("x-amz-acl", "public-read")];
    ask(app, Method::PUT, url, &headers, Body::from(bytes.to_vec())).await
}

async fn get(app: &TestApp, url: &str) -> Blob {
    ask(app, Method::GET, url, &[], Body::empty()).await
}

/// A request that says by which host it came.
async fn call(app: &TestApp, bot: &Actor, method: Method, path: &str) -> Answer {
    let mut request = bot.request(method, path, Vec::new());
    request.headers_mut().insert("host", "gateway.test".parse().unwrap());
    app.call(request).await
}

struct Opened {
    id: String,
    upload: String,
    view: String,
}

async fn open(app: &TestApp, bot: &Actor) -> Opened {
    let answer = call(app, bot, Method::POST, "/attachments").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let text = |name: &str| answer.json["data"][name].as_str().unwrap().to_owned();
    assert_eq!((text("type").as_str(), text("created_at").is_empty()), ("attachment", false));
    Opened { id: text("attachment_id"), upload: text("upload_url"), view: text("view_url") }
}

async fn setting_with(change: impl FnOnce(&mut Config)) -> (TestApp, Actor, Actor) {
    let app = TestApp::start_with(change).await;
    let bot = app.bot("news").await;
    let anna = app.person("Anna", 1).await.devices.remove(0);
    (app, bot, anna)
}

async fn setting() -> (TestApp, Actor, Actor) {
    setting_with(|_| ()).await
}

/// The reason of a problem document.
fn detail(blob: &Blob) -> String {
    let document: serde_json::Value = serde_json::from_slice(&blob.bytes).unwrap();
    document["detail"].as_str().unwrap().to_owned()
}

/// Every file below the folder of attachments.
fn files(app: &TestApp) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&app.data().join("blobs"), &mut found);
    found
}

#[tokio::test]
async fn a_file_goes_up_and_comes_down_to_whoever_knows_its_id() {
    let (app, bot, anna) = setting().await;
    let opened = open(&app, &bot).await;
    assert_eq!(get(&app, &opened.view).await.status, 404, "nothing was uploaded yet");
    assert_eq!(put(&app, &opened.upload, b"sealed bytes").await.status, 200);

    let found = call(&app, &anna, Method::GET, &format!("/attachments/{}", opened.id)).await;
    assert!(found.json["data"].get("upload_url").is_none(), "{found:?}");
    let view = found.json["data"]["view_url"].as_str().unwrap();
    let blob = get(&app, view).await;
    assert_eq!((blob.status, &blob.bytes[..]), (200, &b"sealed bytes"[..]));
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-length", "12"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", "attachment"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(blob.headers[name], value, "{name}");
    }
}

#[tokio::test]
async fn the_upload_address_is_for_the_owner_until_the_upload_is_done() {
    let (app, bot, anna) = setting().await;
    let opened = open(&app, &bot).await;
    let path = format!("/attachments/{}", opened.id);
    let shown = async |who: &Actor| {
        let answer = call(&app, who, Method::GET, &path).await;
        answer.json["data"].get("upload_url").cloned()
    };
    assert_eq!(shown(&bot).await, Some(json!(opened.upload)));
    assert_eq!(shown(&anna).await, None);
    put(&app, &opened.upload, b"bytes").await;
    assert_eq!(shown(&bot).await, None);
    let unknown = bot.get(&app, "/attachments/00000000-0000-4000-8000-000000000001").await;
    assert_eq!(unknown.json["error"]["status"], 422, "no `Host`: {unknown:?}");
    let path = "/attachments/00000000-0000-4000-8000-000000000001";
    let unknown = call(&app, &bot, Method::GET, path).await;
    assert_eq!(unknown.json["error"]["status"], 404);
    let malformed = call(&app, &bot, Method::GET, "/attachments/x").await;
    assert_eq!(malformed.json["error"]["status"], 422);
}

#[tokio::test]
async fn urls_begin_as_configured() {
    let (app, bot, _) = setting_with(|config| {
        config.http.public_url = "https://gateway.example/x".into();
    })
    .await;
    let opened = open(&app, &bot).await;
    assert!(opened.upload.starts_with("https://gateway.example/x/blobs/"), "{}", opened.upload);
    assert!(opened.view.starts_with("https://gateway.example/x/blobs/"), "{}", opened.view);
}

#[tokio::test]
async fn a_url_is_good_for_nothing_else() {
    let (app, bot, _) = setting().await;
    let (opened, other) = (open(&app, &bot).await, open(&app, &bot).await);
    let upload = &opened.upload;
    let (_, query) = upload.split_once('?').unwrap();
    for (method, url) in [
        (Method::PUT, opened.view.clone()),
        (Method::GET, upload.clone()),
        (Method::HEAD, upload.clone()),
        (Method::PUT, upload.replace(&opened.id, &other.id)),
        (Method::PUT, upload.replace("size=1", "size=2")),
        (Method::PUT, upload.replace("expires=", "expires=1")),
        (Method::PUT, upload.replace("signature=", "signature=A")),
        (Method::PUT, format!("/blobs/{}", opened.id)),
        (Method::PUT, format!("/blobs/..%2f..%2fgateway.lock?{query}")),
        (Method::PUT, format!("/blobs/%2e%2e?{query}")),
        (Method::PUT, format!("/blobs/{}%00?{query}", opened.id)),
        (Method::GET, format!("/blobs/..%2f..%2fsealpost.db?{query}")),
    ] {
        let blob = ask(&app, method.clone(), &url, &[], Body::from("x")).await;
        assert_eq!(blob.status, 403, "{method} {url}");
        if method != Method::HEAD {
            assert!(detail(&blob).contains("signature does not fit"), "{}", detail(&blob));
        }
    }
    let foreign = ask(&app, Method::DELETE, upload, &[], Body::empty()).await;
    assert_eq!(foreign.status, 405);
    assert!(files(&app).is_empty());
}

#[tokio::test]
async fn a_url_expires_and_says_so() {
    let (app, bot, _) = setting().await;
    let opened = open(&app, &bot).await;
    app.clock.advance(Duration::from_secs(3599));
    assert_eq!(put(&app, &opened.upload, b"bytes").await.status, 200);
    app.clock.advance(Duration::from_secs(1));
    let late = put(&app, &opened.upload, b"bytes").await;
    assert_eq!(late.status, 403);
    assert!(detail(&late).contains("has expired"), "{}", detail(&late));
    app.clock.advance(Duration::from_secs(23 * 3600));
    assert_eq!(get(&app, &opened.view).await.status, 403);
    let path = format!("/attachments/{}", opened.id);
    let fresh = call(&app, &bot, Method::GET, &path).await;
    let fresh = fresh.json["data"]["view_url"].as_str().unwrap();
    assert_eq!(get(&app, fresh).await.status, 200);
}

#[tokio::test]
async fn a_file_is_written_once_and_the_same_bytes_again_are_welcome() {
    let (mut app, bot, _) = setting().await;
    let opened = open(&app, &bot).await;
    for _ in ["the first time", "again"] {
        assert_eq!(put(&app, &opened.upload, b"first").await.status, 200);
    }
    app.restart().await;
    assert_eq!(put(&app, &opened.upload, b"first").await.status, 200);
    for other in [&b"other"[..], b"longer", b"fir"] {
        let refused = put(&app, &opened.upload, other).await;
        assert_eq!(refused.status, 409, "{}", detail(&refused));
    }
    assert_eq!(&get(&app, &opened.view).await.bytes[..], b"first");
    assert_eq!(files(&app).len(), 1);
}

#[tokio::test]
async fn of_two_uploads_at_once_one_wins_and_nothing_is_mixed() {
    let (app, bot, _) = setting().await;
    for _ in 0..10 {
        let opened = open(&app, &bot).await;
        let (one, other) = (vec![1; 600_000], vec![2; 600_000]);
        let (first, second) =
            tokio::join!(put(&app, &opened.upload, &one), put(&app, &opened.upload, &other));
        let mut statuses = [first.status, second.status];
        let winner = if first.status == 200 { &one } else { &other };
        assert_eq!(&get(&app, &opened.view).await.bytes[..], winner);
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_or_is_too_large_leaves_nothing_and_can_be_repeated() {
    let (app, bot, _) = setting_with(|config| config.attachments.max_bytes = 100_000).await;
    let opened = open(&app, &bot).await;
    let piece = || Ok(Bytes::from(vec![7; 60_000]));
    let broken = [piece(), Err(std::io::Error::other("gone"))];
    let broken = Body::from_stream(stream::iter(broken));
    assert_eq!(ask(&app, Method::PUT, &opened.upload, &[], broken).await.status, 400);
    let endless = Body::from_stream(stream::repeat_with(piece).take(1000));
    assert_eq!(ask(&app, Method::PUT, &opened.upload, &[], endless).await.status, 413);
    assert_eq!(put(&app, &opened.upload, &vec![7; 100_001]).await.status, 413);
    assert_eq!(put(&app, &opened.upload, b"").await.status, 422);
    assert!(files(&app).is_empty());
    assert_eq!(put(&app, &opened.upload, &vec![7; 100_000]).await.status, 200);
}

#[tokio::test]
async fn an_account_keeps_only_so_many_bytes() {
    let (app, bot, anna) = setting_with(|config| config.attachments.account_bytes = 1000).await;
    let (first, second, third) =
        (open(&app, &bot).await, open(&app, &bot).await, open(&app, &bot).await);
    assert_eq!(put(&app, &first.upload, &[1; 600]).await.status, 200);
    let refused = put(&app, &second.upload, &[2; 401]).await;
    assert_eq!(refused.status, 413);
    assert!(detail(&refused).contains("is 1001, the limit is 1000"), "{}", detail(&refused));
    assert_eq!(put(&app, &second.upload, &[2; 400]).await.status, 200);
    // Without an announced length it turns out at the end, and the attachment is over.
    let unannounced = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"x"))]);
    let unannounced = Body::from_stream(unannounced);
    assert_eq!(ask(&app, Method::PUT, &third.upload, &[], unannounced).await.status, 413);
    assert_eq!(files(&app).len(), 2, "what has no room takes none");
    let full = call(&app, &bot, Method::POST, "/attachments").await;
    assert_eq!(full.json["error"]["status"], 413, "{full:?}");
    open(&app, &anna).await;
    app.clock.advance(Duration::from_secs(30 * 24 * 3600));
    app.files().sweep(100).await.unwrap();
    open(&app, &bot).await;
}

#[tokio::test]
async fn an_account_keeps_only_so_many_files() {
    let (app, bot, anna) = setting_with(|config| config.attachments.account_files = 2).await;
    let mut opened = Vec::new();
    for _ in 0..3 {
        opened.push(open(&app, &bot).await);
    }
    for one in &opened[..2] {
        assert_eq!(put(&app, &one.upload, b"x").await.status, 200);
    }
    let refused = put(&app, &opened[2].upload, b"x").await;
    assert_eq!(refused.status, 413);
    assert!(detail(&refused).contains("is 3, the limit is 2"), "{}", detail(&refused));
    assert_eq!(files(&app).len(), 2);
    let full = call(&app, &bot, Method::POST, "/attachments").await;
    assert_eq!(full.json["error"]["status"], 413, "{full:?}");
    open(&app, &anna).await;
}

#[tokio::test]
async fn a_part_can_be_asked_for() {
    let (app, bot, _) = setting().await;
    let opened = open(&app, &bot).await;
    let etag = put(&app, &opened.upload, b"0123456789").await.headers["etag"].clone();
    let etag = etag.to_str().unwrap();
    for (headers, status, bytes, range) in [
        (&[("range", "bytes=2-4")][..], 206, "234", "bytes 2-4/10"),
        (&[("range", "bytes=8-")], 206, "89", "bytes 8-9/10"),
        (&[("range", "bytes=-3")], 206, "789", "bytes 7-9/10"),
        (&[("range", "bytes=10-")], 416, "", "bytes */10"),
        (&[("range", "bytes=0-1,4-5")], 200, "0123456789", ""),
        (&[("range", "bytes=2-4"), ("if-range", etag)], 206, "234", "bytes 2-4/10"),
        (&[("range", "bytes=2-4"), ("if-range", "\"other\"")], 200, "0123456789", ""),
        (&[("if-none-match", etag)], 304, "", ""),
        (&[("if-none-match", "\"other\"")], 200, "0123456789", ""),
    ] {
        let blob = ask(&app, Method::GET, &opened.view, headers, Body::empty()).await;
        assert_eq!((blob.status, &blob.bytes[..]), (status, bytes.as_bytes()), "{headers:?}");
        let found = blob.headers.get("content-range").map_or("", |value| value.to_str().unwrap());
        assert_eq!(found, range, "{headers:?}");
    }
    let range = [("range", "bytes=2-4")];
    let head = ask(&app, Method::HEAD, &opened.view, &range, Body::empty()).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert_eq!(head.headers["content-length"], "10");
    assert_eq!(head.headers["etag"], etag);
}

#[tokio::test]
async fn what_is_over_is_removed_with_its_file() {
    let (app, bot, _) = setting().await;
    let (kept, never_uploaded) = (open(&app, &bot).await, open(&app, &bot).await);
    put(&app, &kept.upload, b"bytes").await;
    let sweep = async || while app.files().sweep(1).await.unwrap() {};
    app.clock.advance(Duration::from_secs(29 * 24 * 3600));
    sweep().await;
    let status = async |opened: &Opened| {
        let path = format!("/attachments/{}", opened.id);
        call(&app, &bot, Method::GET, &path).await.json["error"]["status"].clone()
    };
    assert_eq!(status(&never_uploaded).await, 404);
    assert_eq!((status(&kept).await, files(&app).len()), (json!(null), 1));
    app.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(status(&kept).await, 404, "before it is swept");
    sweep().await;
    assert!(files(&app).is_empty());
}

#[tokio::test]
async fn files_that_a_crash_left_are_found_and_finished_or_removed() {
    let (app, bot, _) = setting().await;
    let opened = open(&app, &bot).await;
    put(&app, &opened.upload, b"bytes").await;
    let [file] = files(&app).try_into().unwrap();
    // As if the row had gone before the file: a stray, in the part that its id begins with.
    let stray = file.with_file_name(format!("{}-0000-4000-8000-000000000000", &opened.id[..8]));
    std::fs::copy(&file, &stray).unwrap();
    for part in 0..256 {
        app.files().remove_strays(part).await.unwrap();
    }
    assert_eq!(files(&app), std::slice::from_ref(&file));

    // As if the file had been written, and the row not noted.
    let unfinished = open(&app, &bot).await;
    let place = file.parent().unwrap().with_file_name(&unfinished.id[..2]);
    std::fs::create_dir_all(&place).unwrap();
    std::fs::copy(&file, place.join(&unfinished.id)).unwrap();
    assert_eq!(put(&app, &unfinished.upload, b"other").await.status, 409);
    assert_eq!(put(&app, &unfinished.upload, b"bytes").await.status, 200);
    assert_eq!(&get(&app, &unfinished.view).await.bytes[..], b"bytes");
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_claims_nothing() {
    let (app, bot, _) = setting_with(|config| config.attachments.keep_free_bytes = 1 << 50).await;
    let opened = open(&app, &bot).await;
    let refused = put(&app, &opened.upload, b"bytes").await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (503, &"1".parse().unwrap()));
    assert!(files(&app).is_empty());
    assert_eq!(get(&app, &opened.view).await.status, 404);
}

#[tokio::test]
async fn an_api_token_needs_its_scopes() {
    use sealpost::domain::session::{Scope, Scopes};
    let (app, bot, _) = setting().await;
    let session = app.gateway().live_session(bot.session).await.unwrap().unwrap().session;
    let scopes = Scopes::of(&[Scope::Receive]);
    let life = Duration::from_secs(3600);
    let token = app.gateway().create_api_token(session.id, scopes, life).await.unwrap();
    for (method, path) in [
        (Method::POST, "/attachments"),
        (Method::GET, "/attachments/00000000-0000-4000-8000-000000000001"),
    ] {
        let request = crate::harness::actor::with_token(method, path, &token, Vec::new());
        assert_eq!(app.call(request).await.status, 403, "{path}");
    }
}
