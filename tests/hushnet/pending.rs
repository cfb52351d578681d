//! Fetching: nothing is lost, and nothing goes before its reader has it.

use std::collections::HashSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tower::ServiceExt;

use super::people::{fetched, logical_ids, message, pair, raw, send};
use crate::harness::TestApp;
use crate::harness::hush::{HushDevice, PREFIX};

/// Begins an answer and throws it away after so many pieces.
async fn cut_off(app: &TestApp, request: Request<Body>, pieces: usize) {
    let mut response = app.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    for _ in 0..pieces {
        response.body_mut().frame().await.unwrap().unwrap();
    }
}

/// Asks until something waits: what was thrown away is given back beside all requests.
async fn fetched_in_the_end(app: &TestApp, reader: &HushDevice) -> Vec<String> {
    loop {
        let ids = fetched(app, reader).await;
        if !ids.is_empty() {
            return ids;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_next_look_takes_what_an_earlier_answer_held() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    send(&app, &chat, &alice, &bob, "m-1").await;
    send(&app, &chat, &alice, &bob, "m-2").await;
    assert_eq!(fetched(&app, &bob).await, ["m-1", "m-2"]);
    send(&app, &chat, &alice, &bob, "m-3").await;
    assert_eq!(fetched(&app, &bob).await, ["m-3"]);
    app.clock.advance(Duration::from_secs(3600));
    assert_eq!(fetched(&app, &bob).await, Vec::<String>::new());
}

#[tokio::test]
async fn hn51_an_answer_that_was_cut_off_comes_again() {
    for pieces in [0, 1] {
        let app = TestApp::start_for_hushnet().await;
        let (alice, bob, chat) = pair(&app).await;
        send(&app, &chat, &alice, &bob, "m-1").await;
        cut_off(&app, raw(&bob, Method::GET, "/messages/pending", ""), pieces).await;
        assert_eq!(fetched_in_the_end(&app, &bob).await, ["m-1"]);
        assert_eq!(fetched(&app, &bob).await, Vec::<String>::new(), "{pieces}");
    }
}

#[tokio::test]
async fn a_look_takes_only_what_a_written_answer_held() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    for number in 1..=3 {
        send(&app, &chat, &alice, &bob, &format!("m-{number}")).await;
    }
    let limited = |limit| raw(&bob, Method::GET, &format!("/messages/pending?limit={limit}"), "");
    let begun = app.router().oneshot(limited(1)).await.unwrap();
    let second = app.call(limited(1)).await;
    assert_eq!(logical_ids(&second), ["m-2"]);
    assert_eq!(fetched(&app, &bob).await, ["m-3"], "the second was taken, the first is held");
    drop(begun);
    assert_eq!(fetched_in_the_end(&app, &bob).await, ["m-1"]);
    app.clock.advance(Duration::from_secs(61));
    assert_eq!(fetched(&app, &bob).await, Vec::<String>::new());
}

#[tokio::test]
async fn after_a_restart_what_was_not_taken_comes_again() {
    let mut app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    send(&app, &chat, &alice, &bob, "m-1").await;
    assert_eq!(fetched(&app, &bob).await, ["m-1"]);
    app.restart().await;
    app.clock.advance(Duration::from_secs(61));
    assert_eq!(fetched(&app, &bob).await, ["m-1"]);
    assert_eq!(fetched(&app, &bob).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_connection_that_ends_within_an_answer_loses_nothing() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let large = "x".repeat(100_000);
    for number in 0..100 {
        let mut body = message(&chat, &bob, &[&bob.device], &format!("m-{number}"));
        body["payloads"][0]["ciphertext"] = json!(large);
        assert_eq!(alice.post(&app, "/messages", body).await.status, 200);
    }
    let address = app.listen().await;
    // What the system takes for the client counts as written: that has to be less than the answer, also
    // where it remembers connections to this address that were fast.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8192).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let signed = bob.signed_at(Request::get("/"), &bob.now().to_string());
    let mut request = format!("GET {PREFIX}/messages/pending HTTP/1.1\r\nhost: x\r\n");
    for (name, value) in signed.headers_ref().unwrap() {
        request.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 10_000]).await.unwrap();
    drop(stream);
    // The clock stands still, so no lease runs out: what was cut off was given back.
    let mut seen = HashSet::new();
    for _ in 0..500 {
        for id in fetched(&app, &bob).await {
            assert!(seen.insert(id.clone()), "{id} came twice");
        }
        if seen.len() == 100 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("only {} of 100 came", seen.len());
}

#[tokio::test]
async fn eight_readers_at_once_get_each_message_once() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let count = 200;
    let sending = async {
        for number in 0..count {
            send(&app, &chat, &alice, &bob, &format!("m-{number}")).await;
        }
    };
    let read = async || {
        let mut ids = Vec::new();
        for _ in 0..40 {
            ids.extend(fetched(&app, &bob).await);
            tokio::task::yield_now().await;
        }
        ids
    };
    let readers = futures_util::future::join_all((0..8).map(|_| read()));
    let ((), all) = tokio::join!(sending, readers);
    let mut all: Vec<_> = all.into_iter().flatten().collect();
    all.extend(fetched(&app, &bob).await);
    all.extend(fetched(&app, &bob).await);
    assert_eq!(all.len(), count);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), count);
}

#[tokio::test]
async fn a_reader_may_ask_for_few_or_for_later_ones() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    for number in 1..=4 {
        app.clock.advance(Duration::from_secs(1));
        send(&app, &chat, &alice, &bob, &format!("m-{number}")).await;
    }
    let first = bob.get(&app, "/messages/pending?limit=2").await;
    assert_eq!(logical_ids(&first), ["m-1", "m-2"]);
    let third = bob.get(&app, "/messages/pending?limit=1").await;
    let after = third.json[0]["created_at"].as_str().unwrap().to_owned();
    app.clock.advance(Duration::from_millis(10));
    send(&app, &chat, &alice, &bob, "m-5").await;
    let later = bob.get(&app, &format!("/messages/pending?after={after}")).await;
    assert_eq!(logical_ids(&later), ["m-4", "m-5"]);
    for wrong in ["limit=0", "limit=x", "after=yesterday"] {
        let answer = bob.get(&app, &format!("/messages/pending?{wrong}")).await;
        assert_eq!(answer.status, 422, "{answer:?}");
    }
}

#[tokio::test]
async fn more_than_a_page_comes_in_one_answer() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    for number in 0..250 {
        send(&app, &chat, &alice, &bob, &format!("m-{number}")).await;
    }
    assert_eq!(fetched(&app, &bob).await.len(), 250);
}
