//! One socket of a device; a task reads it, so that frames are taken when they come.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sealpost::sdk::token;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::Actor;
use crate::harness::blaze::{gunzip, gzip};

/// No answer takes longer on any machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An open socket.
pub struct Socket {
    sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    frames: mpsc::UnboundedReceiver<Value>,
    reader: JoinHandle<()>,
    /// Frames that came before the answer that was waited for.
    kept: Vec<Value>,
}

impl Socket {
    /// Opens a socket and asks for what waits.
    pub async fn open(address: SocketAddr, actor: &Actor, name: &str) -> Self {
        let mut request = format!("ws://{address}/").into_client_request().expect("an address");
        let mut claims = actor.claims("GET", "/", b"");
        // The clock jumps, and the socket shall outlive that.
        claims.exp += 30 * 24 * 3600;
        let token = token::sign(&claims, &actor.key).expect("a key that signs");
        let headers = request.headers_mut();
        headers.insert("Authorization", format!("Bearer {token}").parse().expect("ASCII"));
        headers.insert("Sec-WebSocket-Protocol", "Mixin-Blaze-1".parse().expect("ASCII"));
        let stream = TcpStream::connect(address).await.expect("the gateway listens");
        let (socket, _) = client_async(request, stream).await.expect("the gateway takes it");
        let (sink, stream) = socket.split();
        let (sender, frames) = mpsc::unbounded_channel();
        let reader = tokio::spawn(read(stream, sender));
        let mut socket = Self { sink, frames, reader, kept: Vec::new() };
        let answer = socket.ask(name, "LIST_PENDING_MESSAGES", Value::Null).await;
        assert!(answer.is_some_and(|answer| answer["error"].is_null()));
        socket
    }

    /// Sends a request and waits for its answer; `None` when the socket ends before.
    pub async fn ask(&mut self, id: &str, action: &str, params: Value) -> Option<Value> {
        let frame = json!({"id": id, "action": action, "params": params});
        self.sink.send(Message::binary(gzip(frame.to_string().as_bytes()))).await.ok()?;
        loop {
            let frame = timeout(PATIENCE, self.frames.recv()).await.expect("an answer in time")?;
            let is_push = frame["data"]["source"].is_string();
            if frame["id"] == id && !is_push {
                return Some(frame);
            }
            self.kept.push(frame);
        }
    }

    /// The frames that came by themselves so far.
    pub fn take(&mut self) -> Vec<Value> {
        let mut frames = std::mem::take(&mut self.kept);
        while let Ok(frame) = self.frames.try_recv() {
            frames.push(frame);
        }
        frames
    }

    /// The next frame that comes by itself; `None` when the socket ends or nothing comes for long.
    pub async fn next(&mut self) -> Option<Value> {
        if !self.kept.is_empty() {
            return Some(self.kept.remove(0));
        }
        timeout(PATIENCE, self.frames.recv()).await.ok()?
    }

    /// Says good-bye, and reads what comes before the other side does.
    pub async fn close(mut self) -> Vec<Value> {
        let _ = self.sink.close().await;
        let _ = timeout(PATIENCE, &mut self.reader).await;
        self.take()
    }
}

impl Drop for Socket {
    /// Breaks off.
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(
    mut stream: SplitStream<WebSocketStream<TcpStream>>,
    frames: mpsc::UnboundedSender<Value>,
) {
    while let Some(Ok(message)) = stream.next().await {
        if let Message::Binary(bytes) = message {
            // Nobody may be interested any more.
            let _ = frames.send(gunzip(&bytes));
        }
    }
}
