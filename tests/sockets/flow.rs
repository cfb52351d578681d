//! Messages that flow while the sockets are idle, and the echo that they are compared with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;
use http_body_util::BodyExt as _;
use hyper::client::conn::http1::SendRequest;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sealpost::sdk::base64url;
use sealpost::sdk::checksum::session_checksum;
use sealpost::sdk::conversation::contact_conversation_id;
use sealpost::sdk::envelope::{self, Recipient};
use sealpost::sdk::ids::MessageId;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, interval_at};

use super::cast::{Cast, Device};
use super::client::Socket;
use crate::harness::connection::connect;

/// Messages a second, over so many connections.
const RATE: u32 = 500;
const CONNECTIONS: u32 = 20;

/// A message, and when its way began.
pub struct Sent {
    pub message: MessageId,
    pub posted: Instant,
    pub answered: Instant,
}

/// Posts messages to anybody for a while.
pub async fn run(address: SocketAddr, cast: Arc<Cast>, time: Duration) -> Vec<Sent> {
    let posters = (0..CONNECTIONS)
        .map(|number| tokio::spawn(post_for(address, cast.clone(), time, u64::from(number))));
    let sent = join_all(posters).await.into_iter();
    sent.flat_map(|sent| sent.expect("a poster does not panic")).collect()
}

async fn post_for(address: SocketAddr, cast: Arc<Cast>, time: Duration, seed: u64) -> Vec<Sent> {
    let mut connection = connect(address).await;
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut sent = Vec::new();
    // One after the other: all in the same moment would measure how long a queue is.
    let turn = Duration::from_secs(1) / RATE;
    let first = Instant::now() + turn * u32::try_from(seed).expect("a few connections");
    let mut tick = interval_at(first.into(), turn * CONNECTIONS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let start = Instant::now();
    while start.elapsed() < time {
        tick.tick().await;
        let index = usize::try_from(rng.next_u32()).expect("32 bits") % cast.devices.len();
        let message = MessageId::random(&mut rng);
        let body = seal(&cast.bot, &cast.devices[index], message, &mut rng);
        let posted = Instant::now();
        post(&mut connection, &cast.bot, body).await;
        sent.push(Sent { message, posted, answered: Instant::now() });
    }
    sent
}

fn seal(from: &Device, to: &Device, message: MessageId, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let recipient = Recipient { session: to.session, key: to.key.verifying_key().agreement_key() };
    let secret = from.key.agreement_secret();
    let sealed = envelope::seal(&[7; 1024], &secret, &[recipient], None, rng);
    let item = json!([{
        "conversation_id": contact_conversation_id(from.user, to.user),
        "recipient_id": to.user,
        "message_id": message,
        "category": "ENCRYPTED_TEXT",
        "data_base64": base64url::encode(&sealed.expect("good keys")),
        "checksum": session_checksum([to.session]).to_string(),
    }]);
    item.to_string().into_bytes()
}

async fn post(connection: &mut SendRequest<Body>, from: &Device, body: Vec<u8>) {
    let token = from.token("POST", "/encrypted_messages", &body);
    let request = Request::post("/encrypted_messages")
        .header("Host", "gateway")
        .header("Authorization", format!("Bearer {token}"))
        .body(Body::from(body))
        .expect("a request");
    let answer = connection.send_request(request).await.expect("the gateway answers");
    let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(answer["data"][0]["state"], "SUCCESS", "{answer}");
}

/// How long a frame takes that the gateway only reads, refuses and answers, again and again.
pub async fn echo(mut socket: Socket, time: Duration) -> Vec<Duration> {
    let mut took = Vec::new();
    let mut tick = interval(Duration::from_millis(10));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let start = Instant::now();
    while start.elapsed() < time {
        tick.tick().await;
        let sent = Instant::now();
        let answer = socket.ask(json!({"id": "echo", "action": "NOTHING_WE_KNOW"})).await;
        took.push(sent.elapsed());
        assert_eq!(answer["id"], "echo", "{answer}");
    }
    took
}
