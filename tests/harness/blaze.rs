//! A client of the socket.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures_util::{SinkExt, StreamExt};
use sealpost::sdk::types::blaze::SUB_PROTOCOL;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::http::{HeaderMap, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::actor::Actor;
use super::app::TestApp;

/// How long a test waits for a frame that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open socket.
pub struct Blaze {
    stream: WebSocketStream<TcpStream>,
    /// What came while an answer was waited for.
    early: VecDeque<Value>,
    requests: u64,
    /// How long the binary frame was that was read last.
    last_frame: usize,
    /// The headers of the gateway's handshake.
    pub headers: HeaderMap,
}

/// Why a socket did not open: status, and the error object of the body.
#[derive(Debug)]
pub struct NoSocket {
    pub status: u16,
    pub error: Value,
}

impl TestApp {
    /// A socket of this session; nothing is delivered before [`Blaze::listen`].
    pub async fn socket(&self, actor: &Actor) -> Blaze {
        let token = actor.token("GET", "/", b"");
        self.connect("/", &[&format!("Bearer {token}")], &[SUB_PROTOCOL]).await.unwrap()
    }

    /// A socket at some path, with such `Authorization` headers and sub-protocols.
    pub async fn connect(
        &self,
        path: &str,
        authorization: &[&str],
        protocols: &[&str],
    ) -> Result<Blaze, NoSocket> {
        let address = self.socket_address().await;
        let mut request = Request::get(format!("ws://{address}{path}"))
            .header("Host", &address)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key());
        for value in authorization {
            request = request.header("Authorization", *value);
        }
        if !protocols.is_empty() {
            request = request.header("Sec-WebSocket-Protocol", protocols.join(", "));
        }
        let stream = TcpStream::connect(&address).await.unwrap();
        match client_async(request.body(()).unwrap(), stream).await {
            Ok((stream, answer)) => Ok(Blaze::new(stream, &answer)),
            Err(Error::Http(answer)) => Err(NoSocket::new(&answer)),
            // Some libraries, this one among them, refuse a handshake without the protocol that
            // they asked for. It cannot be told apart from others.
            Err(error) => panic!("no socket: {error}"),
        }
    }
}

impl NoSocket {
    fn new(answer: &Response<Option<Vec<u8>>>) -> Self {
        let body = answer.body().as_deref().unwrap_or_default();
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        Self { status: answer.status().as_u16(), error: json["error"].clone() }
    }
}

impl Blaze {
    fn new(stream: WebSocketStream<TcpStream>, answer: &Response<Option<Vec<u8>>>) -> Self {
        let headers = answer.headers().clone();
        Self { stream, early: VecDeque::new(), requests: 0, last_frame: 0, headers }
    }

    /// Sends a request; returns its id.
    pub async fn send(&mut self, action: &str, params: &Value) -> String {
        self.requests += 1;
        let id = format!("request-{}", self.requests);
        let mut request = json!({"id": id, "action": action});
        if !params.is_null() {
            request["params"] = params.clone();
        }
        self.send_bytes(&gzip(request.to_string().as_bytes())).await;
        id
    }

    /// Sends a binary frame as it is.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.send_message(Message::Binary(bytes.to_vec().into())).await;
    }

    /// Sends any kind of frame.
    pub async fn send_message(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// Sends a request and returns its answer; what comes before that is kept.
    pub async fn ask(&mut self, action: &str, params: &Value) -> Value {
        let id = self.send(action, params).await;
        loop {
            let frame = self.read().await.expect("closed before the answer");
            if frame["id"] == *id {
                assert_eq!(frame["action"], action, "{frame}");
                return frame;
            }
            self.early.push_back(frame);
        }
    }

    /// The next frame that is no answer; `None` when the gateway has closed the socket.
    pub async fn frame(&mut self) -> Option<Value> {
        match self.early.pop_front() {
            Some(frame) => Some(frame),
            None => self.read().await.ok(),
        }
    }

    /// Asks for what waits, and for what comes from now on.
    pub async fn listen(&mut self) {
        let answer = self.ask("LIST_PENDING_MESSAGES", &Value::Null).await;
        assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    }

    /// The next message that is delivered, without acknowledging it.
    pub async fn message(&mut self) -> Value {
        let frame = self.frame().await.expect("closed before a message");
        assert_eq!(frame["action"], "CREATE_MESSAGE", "{frame}");
        frame["data"].clone()
    }

    /// The next message, and how many bytes its frame had. For sockets on which nothing is asked
    /// between messages.
    pub async fn sized_message(&mut self) -> (Value, usize) {
        assert!(self.early.is_empty(), "read before, with another frame since");
        (self.message().await, self.last_frame)
    }

    /// The next messages, opened and acknowledged.
    pub async fn receives(&mut self, actor: &Actor, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..count {
            let message = self.message().await;
            texts.push(actor.open(&message));
            self.acknowledge(&message).await;
        }
        texts
    }

    pub async fn acknowledge(&mut self, message: &Value) {
        let params = json!({"message_id": message["message_id"], "status": "READ"});
        let answer = self.ask("ACKNOWLEDGE_MESSAGE_RECEIPT", &params).await;
        assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    }

    /// Whether nothing has come by the time at which a request is answered.
    pub async fn is_quiet(&mut self) -> bool {
        self.ask("NOTHING", &Value::Null).await;
        self.early.is_empty()
    }

    /// Reads to the end, throws everything away, and returns the code of the good-bye.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            match self.read().await {
                Ok(frame) => self.early.push_back(frame),
                Err(code) => return code,
            }
        }
    }

    /// Says good-bye and waits for the gateway to do the same.
    pub async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.stream.close(Some(frame)).await.unwrap();
        assert_eq!(self.closed().await, Some(1000), "a good-bye is answered (RFC 6455, 5.5.1)");
    }

    /// The next frame, or how the socket ended.
    async fn read(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let next = timeout(PATIENCE, self.stream.next()).await.expect("nothing came");
            match next {
                Some(Ok(Message::Binary(frame))) => {
                    self.last_frame = frame.len();
                    return Ok(gunzip(&frame));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| frame.code.into()));
                }
                None | Some(Err(_)) => return Err(None),
                Some(Ok(other)) => panic!("what is {other:?}?"),
            }
        }
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

pub fn gunzip(frame: &[u8]) -> Value {
    let mut json = Vec::new();
    GzDecoder::new(frame).read_to_end(&mut json).unwrap();
    serde_json::from_slice(&json).unwrap()
}
