//! HTTP/1.1 on a loopback port, as little of it as the client needs.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// A request as it came in.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query.
    pub(super) path: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// What becomes of a request.
pub(super) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// The connection closes without an answer.
    HangUp,
    /// The connection stays open and silent.
    Silence,
    /// The connection becomes a WebSocket, which this serves.
    Socket(Box<dyn FnOnce(ServerSocket) -> BoxFuture<'static, ()> + Send>),
}

/// The gateway's end of a socket.
pub(super) type ServerSocket = WebSocketStream<BufStream<TcpStream>>;

/// Listens and answers every request by `respond`, for as long as the runtime lives.
pub(super) async fn listen<F>(respond: impl Fn(Request) -> F + Send + Sync + 'static) -> SocketAddr
where
    F: Future<Output = Reply> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let respond = Arc::new(respond);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let respond = Arc::clone(&respond);
            tokio::spawn(async move { serve(stream, &*respond).await });
        }
    });
    address
}

async fn serve<F: Future<Output = Reply>>(stream: TcpStream, respond: &impl Fn(Request) -> F) {
    let mut stream = BufStream::new(stream);
    while let Some(request) = read(&mut stream).await {
        let key = request.headers.get("sec-websocket-key").cloned().unwrap_or_default();
        match respond(request).await {
            Reply::HangUp => return,
            Reply::Silence => std::future::pending().await,
            Reply::Socket(serve) => {
                let accept = derive_accept_key(key.as_bytes());
                let head = format!(
                    "HTTP/1.1 101 -\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                     sec-websocket-protocol: Mixin-Blaze-1\r\nsec-websocket-accept: {accept}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                return serve(WebSocketStream::from_raw_socket(stream, Role::Server, None).await)
                    .await;
            }
            Reply::Answer { status, headers, body } => {
                let mut text = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    text.push_str(&format!("{name}: {value}\r\n"));
                }
                text.push_str("\r\n");
                let answer = [text.as_bytes(), &body].concat();
                if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn read(stream: &mut BufStream<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { method, path, headers, body })
}
