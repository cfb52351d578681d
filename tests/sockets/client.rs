//! A client's end of a socket, small enough for ten thousand of them in one process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use sealpost::sdk::ids::MessageId;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::cast::Device;
use crate::harness::blaze::{gunzip, gzip};

/// What readers saw.
#[derive(Clone)]
pub struct Tally {
    events: mpsc::UnboundedSender<Event>,
    pings: Arc<AtomicU64>,
}

/// Something that a reader saw.
#[derive(Debug)]
pub enum Event {
    Arrived { message: MessageId, at: Instant },
    Closed { reason: String },
}

impl Tally {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (events, receiver) = mpsc::unbounded_channel();
        (Self { events, pings: Arc::default() }, receiver)
    }

    pub fn pings(&self) -> u64 {
        self.pings.load(Ordering::Relaxed)
    }

    fn note(&self, event: Event) {
        // Nobody listens any more once the proof is over.
        let _ = self.events.send(event);
    }
}

/// An open socket that has asked for its messages.
pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub async fn open(address: SocketAddr, device: &Device) -> Self {
        let mut request = format!("ws://{address}/").into_client_request().expect("an address");
        let headers = request.headers_mut();
        let token = device.token("GET", "/", b"");
        headers.insert("Authorization", format!("Bearer {token}").parse().expect("ASCII"));
        headers.insert("Sec-WebSocket-Protocol", "Mixin-Blaze-1".parse().expect("ASCII"));
        let stream = TcpStream::connect(address).await.expect("the gateway listens");
        let config = WebSocketConfig::default().read_buffer_size(1024).write_buffer_size(0);
        let opened = client_async_with_config(request, stream, Some(config)).await;
        let mut socket = Self(opened.expect("the gateway takes the socket").0);
        let answer = socket.ask(json!({"id": "1", "action": "LIST_PENDING_MESSAGES"})).await;
        assert!(answer.get("error").is_none(), "{answer}");
        socket
    }

    /// Sends a frame and returns the next one that comes.
    pub async fn ask(&mut self, frame: Value) -> Value {
        self.send(&frame).await;
        loop {
            let message = self.0.next().await.expect("the socket is open").expect("a frame");
            if let Message::Binary(bytes) = message {
                return gunzip(&bytes);
            }
        }
    }

    async fn send(&mut self, frame: &Value) {
        self.0
            .send(Message::binary(gzip(frame.to_string().as_bytes())))
            .await
            .expect("the gateway reads");
    }

    /// Acknowledges whatever comes, and notes it, until the socket ends.
    pub async fn read_on(mut self, tally: Tally) {
        while let Some(message) = self.0.next().await {
            match message {
                Ok(Message::Binary(bytes)) => {
                    let frame = gunzip(&bytes);
                    if frame["action"] == "CREATE_MESSAGE" {
                        self.take(&frame["data"], &tally).await;
                    }
                }
                Ok(Message::Ping(_)) => {
                    tally.pings.fetch_add(1, Ordering::Relaxed);
                    // The library has queued the pong.
                    if let Err(error) = self.0.flush().await {
                        return tally.note(Event::Closed { reason: error.to_string() });
                    }
                }
                Ok(Message::Close(frame)) => {
                    return tally.note(Event::Closed { reason: format!("{frame:?}") });
                }
                Ok(_) => {}
                Err(error) => return tally.note(Event::Closed { reason: error.to_string() }),
            }
        }
    }

    async fn take(&mut self, data: &Value, tally: &Tally) {
        let at = Instant::now();
        let id = data["message_id"].as_str().unwrap_or_default();
        let message = MessageId::parse(id).expect("a message has an id");
        let params = json!({"message_id": message, "status": "READ"});
        let action = "ACKNOWLEDGE_MESSAGE_RECEIPT";
        self.send(&json!({"id": id, "action": action, "params": params})).await;
        tally.note(Event::Arrived { message, at });
    }
}
