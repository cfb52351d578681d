//! Phones beside bots: a message for both devices of a phone in the words of the TextSecure
//! protocol, and one for two sessions of somebody in Mixin's.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sealpost::domain::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};
use sha2::Sha256;

use super::accept::Effort;
use super::arguments::Arguments;
use super::gateway_process::Gateway;
use super::load::{Clients, Connection, Outcome};
use super::measure::{Measured, Rounds, all_stored};
use super::numbers::{count, float};
use super::requests::Prepared;
use super::shape::Shape;
use super::store::Template;

/// What both send: one message a request, for two devices.
pub const SHAPE: Shape = Shape::new(64, 1, 2);

const NAME: &str = "64 × 1 × 2, TextSecure";

const SENDERS: u64 = 4;

/// Who gets messages, of either kind: a password takes a while to be written down.
const PEOPLE: usize = 64;

/// Bytes that a device gets; bots send as many for all devices together.
const TEXT: usize = 1024;

const TOKEN_KEY: &str = "3a078586eea8971155f5c1ebd73c8c923cbec1c3ed22a54722e4e88321dc749f";

const SETTINGS: [(&str, &str); 6] = [
    ("SEALPOST_DIALECTS__TEXTSECURE__ENABLED", "true"),
    ("SEALPOST_DIALECTS__TEXTSECURE__REGISTRATION_TOKEN_KEY", TOKEN_KEY),
    ("SEALPOST_DIALECTS__TEXTSECURE__LIMITS__REGISTRATIONS_AT_ONCE", "0"),
    ("SEALPOST_DIALECTS__TEXTSECURE__LIMITS__LINK_CODES_AT_ONCE", "0"),
    ("SEALPOST_DIALECTS__TEXTSECURE__LIMITS__LINKS_AT_ONCE", "0"),
    ("SEALPOST_DIALECTS__TEXTSECURE__LIMITS__MESSAGES_AT_ONCE", "0"),
];

/// What both came to.
pub struct Compared {
    bots: Rounds,
    phones: Rounds,
}

/// Whether somebody asks for it.
pub fn is_wanted(arguments: &Arguments) -> bool {
    arguments.shape.as_deref().is_none_or(|shape| NAME.starts_with(shape))
}

/// Measures both in turns.
pub async fn measure(template: &Template, effort: Effort) -> Compared {
    let measured = count(float(SHAPE.requests()) * effort.scale).max(1);
    let warm = measured / 5 + 1;
    let bots = Prepared::new_for(&template.scene, &SHAPE, warm + measured, 8, PEOPLE);
    let bots = bots.requests(&template.scene, SHAPE.credential);
    let mut compared = Compared { bots: Rounds::default(), phones: Rounds::default() };
    for round in 0..effort.rounds {
        for phones in [round % 2 == 1, round % 2 == 0] {
            let came_to = through(template, (!phones).then_some(&bots), (warm, measured)).await;
            let rounds = if phones { &mut compared.phones } else { &mut compared.bots };
            rounds.0.push(came_to);
        }
    }
    compared
}

/// One round: of these requests, or of messages to phones that register first.
async fn through(
    template: &Template,
    bots: Option<&Arc<[Bytes]>>,
    (warm, measured): (usize, usize),
) -> Measured {
    let copy = template.used_copy().await;
    let gateway = Gateway::serve_with(&copy, &SETTINGS);
    let address = gateway.process.address();
    let all = match bots {
        Some(all) => all.clone(),
        None => messages(address, warm + measured).await,
    };
    let (warm, measured): (Arc<[Bytes]>, Arc<[Bytes]>) = (all[..warm].into(), all[warm..].into());
    let check = |outcome: &Outcome| match bots {
        Some(_) => all_stored(outcome, 1),
        None => all_sent(outcome),
    };
    let mut clients = Clients::connect(address, SHAPE.connections).await;
    check(&clients.run(&warm).await);
    let groups = gateway.status().await.commit_groups;
    let (cpu, server_cpu) = (gateway.process.cpu(), copy.server_cpu());
    let outcome = clients.run(&measured).await;
    let (cpu, server_cpu) = (gateway.process.cpu() - cpu, copy.server_cpu() - server_cpu);
    let groups = gateway.status().await.commit_groups - groups;
    check(&outcome);
    let peak_memory = gateway.process.peak_memory();
    drop(clients);
    gateway.process.stop();
    let groups = usize::try_from(groups).expect("a small number");
    Measured { cpu, server_cpu, groups, peak_memory, ..Measured::of(&outcome, 1) }
}

fn all_sent(outcome: &Outcome) {
    for answer in &outcome.answers {
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!((answer.status, &*text), (200, r#"{"needsSync":false}"#));
    }
}

/// Registers phones, and makes messages from some of them to both devices of the others.
async fn messages(address: SocketAddr, requests: usize) -> Arc<[Bytes]> {
    let mut connection = Connection::open(address).await;
    let (senders, people) = (14_150_000_000..14_150_000_000 + SENDERS, 14_160_000_000_u64..);
    let senders: Vec<String> = senders.map(|number| format!("+{number}")).collect();
    let people: Vec<String> = people.take(PEOPLE).map(|number| format!("+{number}")).collect();
    for number in senders.iter().chain(&people) {
        register(&mut connection, number).await;
    }
    for number in &people {
        link(&mut connection, number).await;
    }
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let mut part = |device: u32| {
        let mut text = [0; TEXT];
        rng.fill_bytes(&mut text);
        json!({
            "type": 1, "destinationDeviceId": device, "destinationRegistrationId": 222,
            "body": STANDARD.encode(text),
        })
    };
    let message = |place: usize| {
        let path = format!("/v1/messages/{}", people[place % people.len()]);
        request(
            "PUT",
            &path,
            &senders[place % senders.len()],
            &json!({ "messages": [part(1), part(2)] }),
        )
    };
    (0..requests).map(message).collect()
}

async fn register(connection: &mut Connection, number: &str) {
    let token = format!("{number}:{}", SystemClock.now().as_seconds());
    let key: Vec<u8> = (0..32)
        .map(|place| u8::from_str_radix(&TOKEN_KEY[2 * place..2 * place + 2], 16))
        .collect::<Result<_, _>>()
        .expect("a key in hex");
    let mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
    let mac = mac.chain_update(&token).finalize().into_bytes();
    let hex = mac[..10].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    ask(connection, "PUT", &format!("/v1/accounts/token/{token}:{hex}"), number, &attributes())
        .await;
}

async fn link(connection: &mut Connection, number: &str) {
    let path = "/v1/devices/provisioning/code";
    let given = ask(connection, "GET", path, number, &Value::Null).await;
    let code = given["verificationCode"].as_str().expect("a code").to_owned();
    ask(connection, "PUT", &format!("/v1/devices/{code}"), number, &attributes()).await;
}

fn attributes() -> Value {
    json!({
        "signalingKey": STANDARD.encode([7; 52]), "fetchesMessages": true, "registrationId": 222,
    })
}

async fn ask(
    connection: &mut Connection,
    method: &str,
    path: &str,
    number: &str,
    body: &Value,
) -> Value {
    let answer = connection.ask(&request(method, path, number, body)).await;
    let text = String::from_utf8_lossy(&answer.body);
    assert!([200, 204].contains(&answer.status), "{method}: {} {text}", answer.status);
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// A request of a number's first device, in one piece.
fn request(method: &str, path: &str, number: &str, body: &Value) -> Bytes {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let credential = STANDARD.encode(format!("{number}:a password"));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Basic {credential}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into()
}

impl Compared {
    /// Rows of a table of their own.
    pub fn rows(&self) -> String {
        let mut text = String::from(
            "### Messages to phones\n\n\
             64 connections, one message a request, for two devices; CPU in seconds for 1,000 \
             messages.\n\n\
             | what | req/s | ± | p50 ms | p99 ms | CPU | PostgreSQL's CPU | MiB | msg/commit |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for (what, it) in [("Mixin", &self.bots), ("TextSecure", &self.phones)] {
            let _ = writeln!(
                text,
                "| {what} | {:.0} | {:.0} % | {:.2} | {:.2} | {:.4} | {:.4} | {:.0} | {:.0} |",
                it.requests(),
                it.spread() * 100.0,
                it.percentile(50),
                it.percentile(99),
                it.cpu(),
                it.server_cpu(),
                it.peak_memory(),
                it.group(),
            );
        }
        text
    }

    /// What is promised, in the table of promises.
    pub fn promise(&self, text: &mut String) {
        let what = "TextSecure: message PUT to a two-device account, one message a request, \
                    64 connections: of the Mixin path at 64 × 1 × 2";
        super::table::promise(text, what, self.phones.ratio(&self.bots), 0.6);
    }
}
