//! A client of the sockets.

use std::time::Duration;

use axum::http::{HeaderMap, Method};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::TestApp;
use crate::harness::hush::{HushDevice, PREFIX};

/// How long a test waits for a frame that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open socket.
#[derive(Debug)]
pub struct Line(WebSocketStream<TcpStream>);

/// Why a socket did not open.
#[derive(Debug, PartialEq, Eq)]
pub struct NoLine {
    pub status: u16,
    pub body: String,
}

impl TestApp {
    /// A socket at this path of the gateway's address.
    pub async fn hush_line(&self, path: &str, headers: &HeaderMap) -> Result<Line, NoLine> {
        let address = self.socket_address().await;
        let mut request = http::Request::get(format!("ws://{address}{path}"))
            .header("Host", &address)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let stream = TcpStream::connect(&address).await.unwrap();
        match client_async(request.body(()).unwrap(), stream).await {
            Ok((stream, _)) => Ok(Line(stream)),
            Err(Error::Http(answer)) => {
                let body = answer.body().clone().unwrap_or_default();
                let status = answer.status().as_u16();
                Err(NoLine { status, body: String::from_utf8(body).unwrap() })
            }
            Err(error) => panic!("no socket: {error}"),
        }
    }

    /// The socket that the app opens: at the root, and without credentials.
    pub async fn app_line(&self, device: &HushDevice) -> Line {
        self.hush_line(&format!("/ws/{}", device.user), &HeaderMap::new()).await.unwrap()
    }

    /// The socket of the documentation.
    pub async fn documented_line(&self, device: &HushDevice) -> Line {
        let path = format!("{PREFIX}/ws?user_id={}", device.user);
        self.hush_line(&path, &HeaderMap::new()).await.unwrap()
    }
}

/// The headers of a signed handshake; `path` is below the dialect's prefix.
pub fn signed(device: &HushDevice, path: &str) -> HeaderMap {
    device.request(Method::GET, path, &Value::Null).headers().clone()
}

impl Line {
    pub async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub async fn next(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.0.next()).await.expect("nothing came").transpose().ok().flatten()
    }

    /// The text of the next event.
    pub async fn text(&mut self) -> String {
        loop {
            match self.next().await {
                Some(Message::Text(text)) => return text.to_string(),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("no event: {other:?}"),
            }
        }
    }

    pub async fn event(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// Whether nothing but the answer to a ping comes next.
    pub async fn is_quiet(&mut self) -> bool {
        self.send(Message::Ping(b"?".as_slice().into())).await;
        self.next().await == Some(Message::Pong(b"?".as_slice().into()))
    }

    /// Reads to the end and returns the code of the good-bye.
    pub async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.next().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(_) => {}
                None => return None,
            }
        }
    }
}
