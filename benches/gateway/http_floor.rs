//! What HTTP alone costs: a bare handler reads a body, parses it, and throws it away.

use std::borrow::Cow;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::any;
use serde::Deserialize;
use tokio::net::TcpListener;

use super::process::READY;

/// The members that a gateway has to look at.
#[derive(Deserialize)]
#[expect(dead_code, reason = "they are parsed and thrown away")]
struct Item<'a> {
    #[serde(borrow)]
    conversation_id: Cow<'a, str>,
    #[serde(borrow)]
    recipient_id: Cow<'a, str>,
    #[serde(borrow)]
    message_id: Cow<'a, str>,
    #[serde(borrow)]
    category: Cow<'a, str>,
    #[serde(borrow)]
    data_base64: Cow<'a, str>,
    #[serde(borrow)]
    checksum: Cow<'a, str>,
}

/// Serves until the process is told to end.
pub async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{READY}{}", listener.local_addr().expect("a socket that is bound"));
    let end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    let mut end = end.expect("signals can be watched");
    let app = Router::new().fallback(any(parse));
    let served = axum::serve(listener, app).with_graceful_shutdown(async move {
        end.recv().await;
    });
    served.await.expect("the listener works");
}

async fn parse(body: Bytes) -> Result<&'static str, StatusCode> {
    match serde_json::from_slice::<Vec<Item<'_>>>(&body) {
        Ok(items) => {
            std::hint::black_box(&items);
            Ok("{\"data\":[]}")
        }
        Err(_) => Err(StatusCode::BAD_REQUEST),
    }
}
