//! A client of the sockets, with everything that a phone has to do itself.

use std::time::Duration;

use aes::{Aes256Dec, Block};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use futures_util::{SinkExt, StreamExt};
use hmac::{Hmac, KeyInit, Mac};
use prost::Message as _;
use sealpost::dialect::textsecure::envelope::Envelope;
use sealpost::dialect::textsecure::socket::protobuf::{Frame, Request, Response};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::TestApp;
use crate::harness::phone::Phone;

/// How long a test waits for a frame that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open socket.
pub struct Line {
    stream: WebSocketStream<TcpStream>,
    /// What messages are encrypted under.
    key: [u8; 52],
}

/// What came.
#[derive(Debug)]
pub enum Came {
    Json(Value),
    Frame(Frame),
    /// The socket is closed, with this code and reason.
    Closed(Option<(u16, String)>),
}

/// A message as a phone reads it.
#[derive(Debug)]
pub struct Delivered {
    /// By what it is acknowledged.
    pub id: u64,
    pub envelope: Envelope,
}

impl Delivered {
    pub fn text(&self) -> String {
        String::from_utf8(self.envelope.message.clone().unwrap().to_vec()).unwrap()
    }
}

/// A value in a query.
pub fn encoded(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

impl TestApp {
    /// A socket of the first kind.
    pub async fn json_socket(&self, phone: &Phone) -> Line {
        self.device_socket(phone, "user").await
    }

    /// A socket of the later kind.
    pub async fn protobuf_socket(&self, phone: &Phone) -> Line {
        self.device_socket(phone, "login").await
    }

    async fn device_socket(&self, phone: &Phone, name: &str) -> Line {
        let (login, password) = (encoded(&phone.login()), encoded(&phone.password));
        let path = format!("/v1/websocket/?{name}={login}&password={password}");
        let line = self.open_socket(&path).await.unwrap();
        Line { key: phone.signalling_key, ..line }
    }

    /// A socket at some path, or the status of the refusal.
    pub async fn open_socket(&self, path: &str) -> Result<Line, u16> {
        let address = self.socket_address().await;
        let request = http::Request::get(format!("ws://{address}{path}"))
            .header("Host", &address)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key())
            .body(())
            .unwrap();
        let stream = TcpStream::connect(&address).await.unwrap();
        match client_async(request, stream).await {
            Ok((stream, _)) => Ok(Line { stream, key: [0; 52] }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("no socket: {error}"),
        }
    }
}

impl Line {
    pub async fn send(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    pub async fn say(&mut self, json: Value) {
        self.send(Message::Text(json.to_string().into())).await;
    }

    /// Asks for something under an id, or without one.
    pub async fn ask(&mut self, verb: &str, path: &str, id: Option<u64>) {
        let (verb, path) = (Some(verb.to_owned()), Some(path.to_owned()));
        let request = Some(Request { verb, path, body: None, id });
        self.send_frame(Frame { kind: Some(1), request, response: None }).await;
    }

    pub async fn answer(&mut self, id: u64, status: u32) {
        let message = Some("OK".to_owned());
        let response = Some(Response { id: Some(id), status: Some(status), message, body: None });
        self.send_frame(Frame { kind: Some(2), request: None, response }).await;
    }

    async fn send_frame(&mut self, frame: Frame) {
        self.send(Message::Binary(frame.encode_to_vec().into())).await;
    }

    /// What comes next.
    pub async fn next(&mut self) -> Came {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("nothing came") {
                Some(Ok(Message::Text(text))) => {
                    return Came::Json(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Binary(frame))) => {
                    return Came::Frame(Frame::decode(frame).unwrap());
                }
                Some(Ok(Message::Close(frame))) => {
                    let told = frame.map(|it| (it.code.into(), it.reason.to_string()));
                    return Came::Closed(told);
                }
                None | Some(Err(_)) => return Came::Closed(None),
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next request of the gateway.
    pub async fn request(&mut self) -> Request {
        match self.next().await {
            Came::Frame(Frame { kind: Some(1), request: Some(request), response: None }) => request,
            other => panic!("no request: {other:?}"),
        }
    }

    /// The next message, in either language.
    pub async fn message(&mut self) -> Delivered {
        let (id, sealed) = match self.next().await {
            Came::Json(json) => {
                assert_eq!(json.as_object().unwrap().len(), 2, "{json}");
                let text = json["message"].as_str().unwrap_or_else(|| panic!("{json}"));
                (json["id"].as_u64().unwrap(), STANDARD.decode(text).expect("padded base64"))
            }
            Came::Frame(Frame { kind: Some(1), request: Some(request), response: None }) => {
                let (verb, path) = (request.verb.as_deref(), request.path.as_deref());
                assert_eq!((verb, path), (Some("PUT"), Some("/api/v1/message")));
                (request.id.unwrap(), request.body.unwrap().to_vec())
            }
            other => panic!("no message: {other:?}"),
        };
        let envelope = Envelope::decode(Bytes::from(decrypt(&self.key, &sealed))).unwrap();
        Delivered { id, envelope }
    }

    /// The texts of the next messages, unacknowledged.
    pub async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.message().await.text());
        }
        texts
    }

    /// Whether the next that comes is the answer to a ping, in the first kind of socket.
    pub async fn pong(&mut self) -> bool {
        self.say(json!({"type": 2})).await;
        matches!(self.next().await, Came::Json(json) if json == json!({"type": 3}))
    }

    /// The status of the answer that comes next, and its id.
    pub async fn response(&mut self) -> (Option<u64>, Option<u32>) {
        match self.next().await {
            Came::Frame(Frame { kind: Some(2), request: None, response: Some(response) }) => {
                (response.id, response.status)
            }
            other => panic!("no answer: {other:?}"),
        }
    }

    /// Whether the next that comes is the answer to a question, in the later kind of socket.
    pub async fn is_quiet(&mut self) -> bool {
        self.ask("GET", "/v1/keepalive", Some(99)).await;
        self.response().await == (Some(99), Some(200))
    }

    /// Reads to the end and returns code and reason of the good-bye.
    pub async fn closed(&mut self) -> Option<(u16, String)> {
        loop {
            if let Came::Closed(told) = self.next().await {
                return told;
            }
        }
    }

    pub async fn close_code(&mut self) -> Option<u16> {
        self.closed().await.map(|(code, _)| code)
    }
}

/// What stands under a signalling key, as the first clients read it.
pub fn decrypt(key: &[u8; 52], sealed: &[u8]) -> Vec<u8> {
    let (signed, tag) = sealed.split_at(sealed.len() - 10);
    let mut mac_key = [0; 64];
    mac_key[..20].copy_from_slice(&key[32..]);
    let mac = <Hmac<Sha256> as KeyInit>::new((&mac_key).into()).chain_update(signed).finalize();
    assert_eq!(&mac.into_bytes()[..10], tag, "the MAC is right");
    assert_eq!(signed[0], 1, "the version");
    let iv: [u8; 16] = signed[1..17].try_into().unwrap();
    let cipher_key: [u8; 32] = key[..32].try_into().unwrap();
    let mut plain = signed[17..].to_vec();
    let (blocks, rest) = Block::slice_as_chunks_mut(&mut plain);
    assert!(rest.is_empty(), "whole blocks");
    cbc::Decryptor::<Aes256Dec>::new(&cipher_key.into(), &iv.into()).decrypt_blocks(blocks);
    let padding = usize::from(*plain.last().unwrap());
    plain.truncate(plain.len() - padding);
    plain
}
