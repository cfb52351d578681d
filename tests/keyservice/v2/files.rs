//! `/Service/File`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tower::ServiceExt;

use crate::harness::TestApp;
use crate::harness::dropbox::{RawBox, b64, from, sealed, two};

/// Status, headers as text, and bytes of a file.
async fn fetched(app: &TestApp, box_: &RawBox, id: &str) -> (u16, String, Bytes) {
    let request = box_.owner_asks(Method::GET, "/Service/File", &format!("&messageid={id}"));
    let response = app.router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), format!("{:?}", parts.headers), bytes)
}

#[tokio::test]
async fn a_file_comes_back_byte_for_byte() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let pieces: Vec<_> = bytes.chunks(70_000).map(Bytes::copy_from_slice).collect();
    let body = Body::from_stream(stream::iter(pieces).map(Ok::<_, std::io::Error>));
    let left = app.call(box_.put_file(body)).await;
    assert_eq!((left.status, &left.json["length"]), (201, &json!(bytes.len())), "{left:?}");
    let page = box_.reads(&app).await;
    let listed = &page.json["messages"][0];
    assert_eq!((&listed["kind"], &listed["name"]), (&json!("file"), &json!(sealed("cat.png"))));
    assert_eq!((&listed["length"], listed.get("message")), (&json!(bytes.len()), None));
    let (status, headers, back) = fetched(&app, &box_, listed["messageid"].as_str().unwrap()).await;
    assert_eq!(status, 200, "{headers}");
    assert!(headers.contains(&format!("\"content-length\": \"{}\"", bytes.len())), "{headers}");
    for harmless in ["application/octet-stream", "nosniff", "attachment", "sandbox", "no-store"] {
        assert!(headers.contains(harmless), "{harmless}: {headers}");
    }
    assert!(back == bytes);
}

#[tokio::test]
async fn nobody_else_gets_a_file() {
    let app = TestApp::start_for_boxes().await;
    let (box_, other) = (app.raw_box(1).await, app.raw_box(2).await);
    let id = box_.gets_file(&app, vec![1; 64]).await;
    let query = format!("&messageid={id}");
    let wrong = box_.asks_with(&[9; 32], Method::GET, "/Service/File", &query);
    assert_eq!(app.call(wrong).await.status, 404);
    assert_eq!(fetched(&app, &other, &id).await.0, 404, "it is in another box");
    let text = box_.gets(&app, "x").await;
    assert_eq!(fetched(&app, &box_, &text).await.0, 404, "that is no file");
    assert_eq!(fetched(&app, &box_, "").await.0, 400);
}

#[tokio::test]
async fn a_file_that_is_too_large_or_too_small_is_not_kept() {
    let app = TestApp::start_for_boxes_with(|it| it.file_bytes = 2048).await;
    let box_ = app.raw_box(1).await;
    let large = app.call(box_.put_file(vec![1; 2049])).await;
    assert_eq!(large.status, 413, "{large:?}");
    let pieces = stream::repeat(Bytes::from(vec![1; 1024])).take(3).map(Ok::<_, std::io::Error>);
    let large = app.call(box_.put_file(Body::from_stream(pieces))).await;
    assert_eq!(large.status, 413, "{large:?}");
    for small in [0, 22] {
        let refused = app.call(box_.put_file(vec![1; small])).await;
        assert_eq!((refused.status, &refused.json["field"]), (400, &json!("body")), "{small}");
    }
    assert_eq!(app.call(box_.put_file(vec![1; 2048])).await.status, 201);
    assert_eq!(box_.reads(&app).await.list_of("messages").len(), 1);
}

#[tokio::test]
async fn what_is_said_of_a_file_is_refused_by_name_before_it_comes() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let (key, name) = (b64(&[7; 92]), sealed("cat.png"));
    let long = b64(&[0; 1025]);
    for (key, name, status, field) in [
        ("", name.as_str(), 400, json!("encryptionkey")),
        (key.as_str(), "", 400, json!("name")),
        (key.as_str(), "x", 400, json!("name")),
        (key.as_str(), long.as_str(), 413, json!("name")),
    ] {
        let target = format!("/Service/File?token={}&encryptionkey={key}&name={name}", box_.token);
        let endless = stream::repeat(Bytes::from(vec![1; 1024])).map(Ok::<_, std::io::Error>);
        let request = two(Method::PUT, &target).body(Body::from_stream(endless)).unwrap();
        let refused = app.call(request).await;
        assert_eq!((refused.status, &refused.json["field"]), (status, &field), "{refused:?}");
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let pieces = [Ok(Bytes::from(vec![1; 4096])), Err(std::io::Error::other("gone"))];
    let refused = app.call(box_.put_file(Body::from_stream(stream::iter(pieces)))).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(box_.reads(&app).await.list_of("messages").len(), 0);
}

#[tokio::test]
async fn a_file_that_its_box_has_no_room_for_is_let_go_of() {
    let app = TestApp::start_for_boxes_with(|it| it.box_messages = 1).await;
    let box_ = app.raw_box(1).await;
    box_.gets(&app, "x").await;
    let refused = app.call(box_.put_file(vec![1; 64])).await;
    assert_eq!((refused.status, &refused.json["code"]), (413, &json!("box_full")), "{refused:?}");
    assert!(refused.json["detail"].as_str().unwrap().contains("number of messages"));
    app.boxes().sweep(100).await.unwrap();
    assert_eq!(app.files_in_boxes(), 0);
}

#[tokio::test]
async fn a_file_that_goes_after_reading_can_be_fetched_again_for_an_hour() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box_with(1, json!({ "deletemessagesafterreading": true })).await;
    let bytes = vec![5; 200_000];
    let id = box_.gets_file(&app, bytes.clone()).await;
    app.clock.advance(Duration::from_secs(2 * 60 * 60));
    for _ in 0..2 {
        let page = box_.reads(&app).await;
        assert_eq!(page.list_of("messages").len(), 1, "a list takes no files");
    }
    for minutes in [20, 40] {
        let (status, headers, back) = fetched(&app, &box_, &id).await;
        assert!(status == 200 && back == bytes, "{headers}");
        assert!(headers.contains("\"content-length\": \"200000\""), "{headers}");
        app.clock.advance(Duration::from_secs(minutes * 60));
    }
    assert_eq!(fetched(&app, &box_, &id).await.0, 404, "counted from the first time");
    assert_eq!(box_.reads(&app).await.list_of("messages").len(), 0);
}

#[tokio::test]
async fn whoever_breaks_off_before_the_last_byte_takes_nothing() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box_with(1, json!({ "deletemessagesafterreading": true })).await;
    let id = box_.gets_file(&app, vec![5; 32 * 1024 * 1024]).await;
    let address = app.socket_address().await;
    let head = format!(
        "GET /Service/File?v=2&token={}&messageid={id} HTTP/1.1\r\nhost: x\r\nauthkey: {}\r\n\
         connection: close\r\n\r\n",
        box_.token,
        b64(&box_.key)
    );
    let mut half = TcpStream::connect(&address).await.unwrap();
    half.write_all(head.as_bytes()).await.unwrap();
    half.read_exact(&mut vec![0; 1024 * 1024]).await.unwrap();
    drop(half);
    app.clock.advance(Duration::from_secs(2 * 60 * 60));
    assert_eq!(fetched(&app, &box_, &id).await.0, 200);
}

#[tokio::test]
async fn bytes_that_were_not_announced_are_paid_for_as_they_come() {
    let app = TestApp::start_with(|config| {
        config.dialects.keyservice.enabled = true;
        config.dialects.keyservice.file_bytes = 1 << 20;
        config.limits.rate.address_bytes = 2 << 20;
    })
    .await;
    let box_ = app.raw_box(1).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let send = |pieces: usize| {
        let sent = sent.clone();
        let pieces = stream::iter(0..pieces).map(move |_| {
            sent.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from(vec![1; 64 * 1024]))
        });
        from("203.0.113.1", box_.put_file(Body::from_stream(pieces)))
    };
    assert_eq!(app.call(send(16)).await.status, 201);
    assert_eq!(app.call(send(8)).await.status, 201);
    let refused = app.call(send(16)).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(sent.load(Ordering::Relaxed) < 40, "the rest was not asked for");
    let other = from("198.51.100.1", box_.put_file(vec![1; 64]));
    assert_eq!(app.call(other).await.status, 201);
}

#[tokio::test]
async fn one_network_leaves_places_for_uploads_to_others() {
    let app = TestApp::start_with(|config| {
        config.dialects.keyservice.enabled = true;
        config.attachments.uploads = 4;
    })
    .await;
    let box_ = app.raw_box(1).await;
    let (begun, begins) = oneshot::channel();
    let mut begun = Some(begun);
    let endless = stream::poll_fn(move |_| {
        begun.take().map(|begun| begun.send(()));
        Poll::<Option<std::io::Result<Bytes>>>::Pending
    });
    let slow = app.call(from("203.0.113.1", box_.put_file(Body::from_stream(endless))));
    let others = async {
        begins.await.unwrap();
        let upload = |address| app.call(from(address, box_.put_file(vec![1; 64])));
        assert_eq!(upload("203.0.113.1").await.status, 503, "a quarter is one");
        assert_eq!(upload("198.51.100.1").await.status, 201);
    };
    tokio::select! {
        answer = slow => panic!("{answer:?}"),
        () = others => {}
    }
}
