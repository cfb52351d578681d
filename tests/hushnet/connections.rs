//! Whether a device has read an answer: what its connections tell about that.

use std::time::Duration;

use axum::http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::people::{fetched, pair, send};
use crate::harness::TestApp;
use crate::harness::hush::{HushDevice, PREFIX};

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.socket_address().await).await.unwrap()
}

/// Asks for what waits, without reading the answer.
async fn ask(stream: &mut TcpStream, device: &HushDevice) {
    let signed = device.signed_at(Request::get("/"), &device.now().to_string());
    let mut request = format!("GET {PREFIX}/messages/pending HTTP/1.1\r\nhost: x\r\n");
    for (name, value) in signed.headers_ref().unwrap() {
        request.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
}

/// Asks, and reads all of the answer; whether it holds a message.
async fn gets_something(stream: &mut TcpStream, device: &HushDevice) -> bool {
    ask(stream, device).await;
    let mut text = String::new();
    while !(text.ends_with("\r\n\r\n[]") || text.ends_with("\r\n0\r\n\r\n")) {
        let mut piece = [0; 4096];
        let size = stream.read(&mut piece).await.unwrap();
        assert_ne!(size, 0, "{text}");
        text.push_str(str::from_utf8(&piece[..size]).unwrap());
    }
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    text.contains("logical_msg_id")
}

#[tokio::test]
async fn an_answer_that_nobody_reads_comes_again() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    send(&app, &chat, &alice, &bob, "m-1").await;
    let mut first = connect(&app).await;
    ask(&mut first, &bob).await;
    first.readable().await.unwrap();
    let mut second = connect(&app).await;
    assert!(!gets_something(&mut second, &bob).await, "it is held");
    app.clock.advance(Duration::from_secs(61));
    assert!(gets_something(&mut second, &bob).await, "it was never read");
    assert!(!gets_something(&mut second, &bob).await);
    app.clock.advance(Duration::from_secs(61));
    assert!(!gets_something(&mut second, &bob).await, "who asks again has read what came before");
    drop(first);
}

#[tokio::test]
async fn what_came_twice_does_not_come_a_third_time() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    send(&app, &chat, &alice, &bob, "m-1").await;
    let mut connections = Vec::new();
    for expected in [true, true, false] {
        let mut stream = connect(&app).await;
        assert_eq!(gets_something(&mut stream, &bob).await, expected);
        connections.push(stream);
        app.clock.advance(Duration::from_secs(61));
    }
}

#[tokio::test]
async fn who_hangs_up_after_an_answer_has_read_it() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let id = send(&app, &chat, &alice, &bob, "m-1").await;
    let mut stream = connect(&app).await;
    assert!(gets_something(&mut stream, &bob).await);
    drop(stream);
    // Until the gateway has seen that it hung up.
    for _ in 0..500 {
        assert_eq!(fetched(&app, &bob).await, Vec::<String>::new());
        let receipts = alice.get(&app, &format!("/messages/{id}/receipts")).await;
        if receipts.json.as_array().is_some_and(|list| list.len() == 1) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it was not taken");
}
