//! A gateway that is told to stop answers those who wait, and is gone in time.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::harness::TestApp;

#[tokio::test]
async fn waiting_readers_are_answered_and_do_not_hold_it_up() {
    let mut app = TestApp::start().await;
    let anna = app.person("Anna", 3).await;
    let bound = app.bind().await;
    let address = bound.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let app = &app;

    let readers = anna.devices.iter().map(|phone| async move {
        let token = phone.token("GET", "/inbox?wait=60", b"");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /inbox?wait=60 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    });
    let stop = async {
        while app.hub_sessions() < anna.devices.len() {
            tokio::task::yield_now().await;
        }
        stop.send(()).unwrap();
        Instant::now()
    };
    let serve = async {
        app.run(bound, async { stopped.await.unwrap() }).await;
        Instant::now()
    };
    let readers = futures_util::future::join_all(readers);
    let (answers, began, ended) = tokio::join!(readers, stop, serve);
    for answer in answers {
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with(r#"{"data":[]}"#), "{answer}");
    }
    assert!(ended - began < Duration::from_secs(5), "{:?}", ended - began);
}
