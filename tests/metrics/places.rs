//! Where metrics are shown, and to whom.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::text::{Page, read};
use crate::harness::TestApp;
use crate::program;

const TOKEN: &str = "a-token-of-some-length";

#[tokio::test]
async fn clients_do_not_find_them() {
    let app = TestApp::start_with(|config| {
        config.metrics.listen = "127.0.0.1:0".into();
    })
    .await;
    assert_eq!(read(app.router(), None).await.0, 404);
}

#[tokio::test]
async fn without_a_setting_there_is_no_address_for_them() {
    let mut app = TestApp::start().await;
    assert_eq!(app.bind().await.metrics_address(), None);
}

#[tokio::test]
async fn at_their_own_address_there_is_nothing_else() {
    let app = TestApp::start().await;
    let router = app.app().metrics_router();
    let (status, text) = read(router.clone(), None).await;
    assert_eq!(status, 200);
    assert!(Page::parse(&text).names().any(|name| name == "sealpost_build_info"));
    for path in ["/", "/healthz", "/me", "/admin/v1/status"] {
        let request = axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_where_there_is_one() {
    let app = TestApp::start_with(|config| config.metrics.token = TOKEN.into()).await;
    let status = async |shown: Option<&str>| read(app.app().metrics_router(), shown).await.0;
    assert_eq!(status(Some(&format!("Bearer {TOKEN}"))).await, 200);
    assert_eq!(status(Some(&format!("bearer {TOKEN}"))).await, 200);
    for wrong in [None, Some(""), Some(TOKEN), Some("Bearer "), Some("Bearer a-token")] {
        assert_eq!(status(wrong).await, 401, "{wrong:?}");
    }
    assert_eq!(read(app.admin_router(), None).await.0, 200, "who may open the socket may ask");
}

#[test]
fn the_program_serves_them_where_the_operator_says() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings =
        [("SEALPOST_METRICS__LISTEN", "127.0.0.1:0"), ("SEALPOST_METRICS__TOKEN", TOKEN)];
    let gateway = program::Program::serve_with(&data, "127.0.0.1:0", &settings);
    let lock = std::fs::read_to_string(data.join("gateway.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let mut stream = TcpStream::connect(lock["metrics_address"].as_str().unwrap()).unwrap();
    let head = format!(
        "GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-type: application/openmetrics-text"), "{answer}");
    assert!(answer.contains("\nprocess_start_time_seconds "), "{answer}");
    drop(gateway);
}
