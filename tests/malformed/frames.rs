//! Frames that begin as good ones.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::sdk::base64url;
use sealpost::sdk::checksum::session_checksum;
use sealpost::sdk::conversation::contact_conversation_id;
use sealpost::sdk::envelope::{self, Recipient};
use sealpost::sdk::ids::MessageId;
use sealpost::sdk::keystore::Keystore;
use sealpost::sdk::token::{self, RequestClaims};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::mutation::{below, mutate, spoil_bytes};
use crate::harness::blaze::{gunzip, gzip};

/// How long the gateway may take to say something about a frame.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of the frames.
#[derive(Default)]
pub struct Seen {
    sent: u64,
    answered: u64,
    refused: u64,
    closed: u64,
    pub server_errors: u64,
}

impl Seen {
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.refused += other.refused;
        self.closed += other.closed;
        self.server_errors += other.server_errors;
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, answered, refused, closed, server_errors } = self;
        write!(
            f,
            "{sent} sent, {answered} answered, {refused} refused, {closed} sockets closed, "
        )?;
        write!(f, "{server_errors} server errors")
    }
}

/// A token for opening a socket.
pub fn socket_token(keystore: &Keystore, jti: u64) -> String {
    let now = SystemClock.now().as_seconds();
    let claims = RequestClaims {
        uid: keystore.user_id,
        sid: keystore.session_id,
        iat: now,
        exp: now + 3600,
        jti: jti.to_string(),
        sig: token::body_digest("GET", "/", b""),
        scp: "FULL".to_owned(),
    };
    token::sign(&claims, &keystore.session_private_key).expect("a key that signs")
}

async fn connect(address: SocketAddr, bot: &Keystore, jti: u64) -> WebSocketStream<TcpStream> {
    let mut request = format!("ws://{address}/").into_client_request().expect("an address");
    let headers = request.headers_mut();
    let token = socket_token(bot, jti);
    headers.insert("Authorization", format!("Bearer {token}").parse().expect("ASCII"));
    headers.insert("Sec-WebSocket-Protocol", "Mixin-Blaze-1".parse().expect("ASCII"));
    let stream = TcpStream::connect(address).await.expect("the gateway listens");
    client_async(request, stream).await.expect("the gateway still takes sockets").0
}

/// Sends `count` frames and waits for an answer, or the end of the socket, after each.
pub async fn send(
    address: SocketAddr,
    bot: Keystore,
    person: Keystore,
    count: u64,
    seed: u64,
) -> Seen {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut seen = Seen::default();
    let mut socket = connect(address, &bot, rng.next_u64()).await;
    for _ in 0..count {
        let frame = bad_frame(&bot, &person, &mut rng);
        seen.sent += 1;
        if socket.send(frame).await.is_err() || !answered(&mut socket, &mut seen).await {
            seen.closed += 1;
            socket = connect(address, &bot, rng.next_u64()).await;
        }
    }
    // Some clients say good-bye, some just go.
    if seed.is_multiple_of(2) {
        let _ = socket.close(None).await;
    }
    seen
}

/// Waits for an answer; false when the socket is closed instead.
async fn answered(socket: &mut WebSocketStream<TcpStream>, seen: &mut Seen) -> bool {
    loop {
        let message = timeout(PATIENCE, socket.next()).await;
        match message.expect("the gateway says something about every frame") {
            Some(Ok(Message::Binary(bytes))) => {
                let frame = gunzip(&bytes);
                if !comes_by_itself(&frame) {
                    note(&frame, seen);
                    return true;
                }
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return false,
            Some(Ok(_)) => {}
        }
    }
}

/// Messages, under their own id, and receipts. An answer to a frame that was good after all has a
/// source, too.
fn comes_by_itself(frame: &Value) -> bool {
    let data = &frame["data"];
    let is_receipt = frame["action"] == "ACKNOWLEDGE_MESSAGE_RECEIPT";
    data.is_object() && (is_receipt || frame["id"] == data["message_id"])
}

fn note(frame: &Value, seen: &mut Seen) {
    match frame["error"]["status"].as_u64() {
        None => seen.answered += 1,
        Some(status) => {
            seen.refused += 1;
            seen.server_errors += u64::from(status >= 500);
        }
    }
}

fn bad_frame(bot: &Keystore, person: &Keystore, rng: &mut ChaCha20Rng) -> Message {
    let mut frame = good_frame(bot, person, rng);
    for _ in 0..=below(rng, 3) {
        mutate(&mut frame, rng);
    }
    let mut text = frame.to_string().into_bytes();
    match below(rng, 12) {
        0 => return Message::text(frame.to_string()),
        1 => return Message::binary(text),
        2 => spoil_bytes(&mut text, rng),
        _ => {}
    }
    let mut zipped = gzip(&text);
    if below(rng, 8) == 0 {
        spoil_bytes(&mut zipped, rng);
    }
    Message::binary(zipped)
}

fn good_frame(bot: &Keystore, person: &Keystore, rng: &mut ChaCha20Rng) -> Value {
    let id = MessageId::random(rng);
    let acknowledgement = json!({"message_id": MessageId::random(rng), "status": "READ"});
    let (action, params) = match below(rng, 6) {
        0 => ("LIST_PENDING_MESSAGES", json!({"offset": "2026-01-01T00:00:00Z"})),
        1 => ("ACKNOWLEDGE_MESSAGE_RECEIPT", acknowledgement),
        2 => ("ACKNOWLEDGE_MESSAGE_RECEIPTS", json!({"messages": [acknowledgement]})),
        3 => ("CREATE_MESSAGES", json!({"messages": [item(bot, person, rng)]})),
        4 => ("CREATE_CALL", json!({})),
        _ => ("CREATE_MESSAGE", item(bot, person, rng)),
    };
    json!({"id": id, "action": action, "params": params})
}

fn item(bot: &Keystore, person: &Keystore, rng: &mut ChaCha20Rng) -> Value {
    let key = person.session_private_key.verifying_key().agreement_key();
    let recipient = Recipient { session: person.session_id, key };
    let secret = bot.session_private_key.agreement_secret();
    let sealed = envelope::seal(b"malformed", &secret, &[recipient], None, rng);
    let category = ["ENCRYPTED_TEXT", "PLAIN_TEXT", "MESSAGE_RECALL"][below(rng, 3)];
    json!({
        "conversation_id": contact_conversation_id(bot.user_id, person.user_id),
        "recipient_id": person.user_id,
        "message_id": MessageId::random(rng),
        "category": category,
        "data_base64": base64url::encode(&sealed.expect("good keys")),
        "checksum": session_checksum([person.session_id]).to_string(),
        "recipient_sessions": [{"session_id": person.session_id}],
        "silent": false,
        "expire_in": 0,
    })
}
