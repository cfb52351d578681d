//! HushNet's members: sending beside a gateway that commits every message alone, empty fetches after
//! many deliveries, and signed requests where many devices are on file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::sdk::keys::SigningKey;
use serde_json::{Value, json};

use super::arguments::Arguments;
use super::gateway_process::Gateway;
use super::load::{Clients, Connection, Outcome};
use super::measure::{Measured, Rounds};
use super::members_crowd;
use super::numbers::{count, float, percentile};
use super::store::{Copy, Template};
use super::table::{bound, promise};

const SETTINGS: [(&str, &str); 2] = [
    ("SEALPOST_DIALECTS__HUSHNET__ENABLED", "true"),
    ("SEALPOST_DIALECTS__HUSHNET__LIMITS", "relaxed"),
];

const CONNECTIONS: usize = 64;
const SENDERS: usize = 4;
const PEOPLE: usize = 64;

/// Devices of the one whose deliveries are counted.
const DEVICES: usize = 16;

/// Devices that sign requests in both databases.
const SAME: usize = 100;

/// Messages whose signatures are made at a time: they are good for half a minute.
const AT_ONCE: usize = 10_000;

/// How much less is delivered on the first day.
const LESS: usize = 20;

/// Turns of each side, of which the first is not counted, and fetches for each device in a turn.
const TURNS: usize = 17;
const FETCHES: usize = 8;

/// A device, with what it needs to sign.
struct Device {
    user: String,
    id: String,
    key: SigningKey,
}

/// Measures all three.
pub async fn measure(template: &Template, database: &str, arguments: &Arguments) -> String {
    let sent = sending(template, database, arguments).await;
    let fetched = fetching(template, arguments.deliveries()).await;
    let signed = signing(template, arguments).await;
    format!("### HushNet\n\n{sent}\n{fetched}\n{signed}")
}

/// Sending, with commits that many share and with one for each.
async fn sending(template: &Template, database: &str, arguments: &Arguments) -> String {
    let measured = count(12_000.0 * arguments.scale).max(100);
    let (mut shared, mut alone) = (Rounds::default(), Rounds::default());
    for round in 0..arguments.rounds {
        for is_alone in [round % 2 == 1, round % 2 == 0] {
            let came_to = send(template, is_alone, measured).await;
            (if is_alone { &mut alone } else { &mut shared }).0.push(came_to);
        }
    }
    let mut text = format!(
        "{CONNECTIONS} connections, one message a request, for one device; CPU in seconds for 1,000 \
         messages.\n\n\
         | commits | req/s | ± | p50 ms | p99 ms | CPU | MiB | msg/commit |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    for (what, it) in [("shared", &shared), ("one for each message", &alone)] {
        text += &format!(
            "| {what} | {:.0} | {:.0} % | {:.2} | {:.2} | {:.4} | {:.0} | {:.0} |\n",
            it.requests(),
            it.spread() * 100.0,
            it.percentile(50),
            it.percentile(99),
            it.cpu(),
            it.peak_memory(),
            it.group(),
        );
    }
    text += "\n| | measured | promised | |\n|---|---:|---:|---|\n";
    let least = if database == "SQLite" { 3.0 } else { 2.0 };
    promise(&mut text, "HushNet: shared commits of one for each", shared.ratio(&alone), least);
    text
}

async fn send(template: &Template, is_alone: bool, measured: usize) -> Measured {
    let copy = template.used_copy().await;
    let gateway = match is_alone {
        true => Gateway::serve_alone_with(&copy, &SETTINGS),
        false => Gateway::serve_with(&copy, &SETTINGS),
    };
    let mut connection = Connection::open(gateway.process.address()).await;
    let mut pairs = Vec::new();
    for sender in 0..SENDERS {
        let from = Arc::new(enrol(&mut connection, &format!("sender {sender}")).await);
        for place in 0..PEOPLE / SENDERS {
            let to = enrol(&mut connection, &format!("reader {sender} {place}")).await;
            let chat = befriend(&mut connection, &from, &to).await;
            pairs.push((from.clone(), to, chat));
        }
    }
    let message = |place: usize| {
        let (from, to, chat) = &pairs[place % pairs.len()];
        message(from, to, chat, &[&to.id], place)
    };
    let warm: Arc<[Bytes]> = (0..measured / 5 + 1).map(message).collect();
    let all: Arc<[Bytes]> = (measured..measured * 2).map(message).collect();
    let mut clients = Clients::connect(gateway.process.address(), CONNECTIONS).await;
    all_sent(&clients.run(&warm).await);
    let groups = gateway.status().await.commit_groups;
    let (cpu, server_cpu) = (gateway.process.cpu(), copy.server_cpu());
    let outcome = clients.run(&all).await;
    let (cpu, server_cpu) = (gateway.process.cpu() - cpu, copy.server_cpu() - server_cpu);
    let groups = gateway.status().await.commit_groups - groups;
    all_sent(&outcome);
    let peak_memory = gateway.process.peak_memory();
    drop(clients);
    gateway.process.stop();
    let groups = usize::try_from(groups).expect("a small number");
    Measured { cpu, server_cpu, groups, peak_memory, ..Measured::of(&outcome, 1) }
}

/// Empty fetches on the first day, and after so many deliveries.
async fn fetching(template: &Template, deliveries: usize) -> String {
    let (used_copy, fresh_copy) = (template.copy().await, template.other_copy().await);
    let fresh = Reader::after(&fresh_copy, deliveries / LESS).await;
    let used = Reader::after(&used_copy, deliveries).await;
    let mut times = [Vec::new(), Vec::new()];
    for turn in 0..TURNS {
        for (reader, times) in [&fresh, &used].into_iter().zip(&mut times) {
            let took = reader.fetch_nothing().await;
            if turn > 0 {
                times.extend(took);
            }
        }
    }
    let [before, after] = times.each_ref().map(|times| percentile(times, 50));
    let mut text = format!(
        "Empty fetches of {DEVICES} devices, in turns with a gateway that has delivered {}:\n\n\
         | deliveries | p50 ms | p99 ms |\n|---|---:|---:|\n",
        fresh.delivered
    );
    for (reader, times) in [&fresh, &used].into_iter().zip(&times) {
        let (half, most) = (percentile(times, 50), percentile(times, 99));
        text += &format!("| {} | {half:.3} | {most:.3} |\n", reader.delivered);
    }
    text += "\n| | measured | promised | |\n|---|---:|---:|---|\n";
    bound(&mut text, "HushNet: time of an empty fetch later", after / before, 1.1);
    fresh.gateway.process.stop();
    used.gateway.process.stop();
    text
}

/// A member whose devices have fetched much.
struct Reader {
    gateway: Gateway,
    devices: Vec<Device>,
    delivered: usize,
}

impl Reader {
    async fn after(copy: &Copy, deliveries: usize) -> Self {
        let gateway = Gateway::serve_with(copy, &SETTINGS);
        let address = gateway.process.address();
        let mut connection = Connection::open(address).await;
        let from = enrol(&mut connection, "sender").await;
        let mut devices = vec![enrol(&mut connection, "reader").await];
        for number in 1..DEVICES {
            let device = link(&mut connection, &devices[0], number).await;
            devices.push(device);
        }
        let chat = befriend(&mut connection, &from, &devices[0]).await;
        let ids: Vec<_> = devices.iter().map(|device| device.id.as_str()).collect();
        let messages = deliveries.div_ceil(DEVICES);
        let mut clients = Clients::connect(address, CONNECTIONS).await;
        for first in (0..messages).step_by(AT_ONCE) {
            let places = first..messages.min(first + AT_ONCE);
            let part: Arc<[Bytes]> =
                places.map(|place| message(&from, &devices[0], &chat, &ids, place)).collect();
            all_sent(&clients.run(&part).await);
        }
        let mut delivered = 0;
        for device in &devices {
            loop {
                let path = "/messages/pending";
                let answer = ask(&mut connection, "GET", path, Some(device), &Value::Null).await;
                match answer.as_array().map_or(0, Vec::len) {
                    0 => break,
                    found => delivered += found,
                }
            }
        }
        assert_eq!(delivered, messages * DEVICES, "each message comes once to each device");
        Self { gateway, devices, delivered }
    }

    async fn fetch_nothing(&self) -> Vec<Duration> {
        let mut connection = Connection::open(self.gateway.process.address()).await;
        let mut times = Vec::new();
        for device in &self.devices {
            let request = request("GET", "/messages/pending", Some(device), &Value::Null);
            for _ in 0..FETCHES {
                let start = Instant::now();
                let answer = connection.ask(&request).await;
                times.push(start.elapsed());
                assert_eq!(answer.body, b"[]", "nothing waits");
            }
        }
        times
    }
}

/// Signed requests of the same devices, among few and among many.
async fn signing(template: &Template, arguments: &Arguments) -> String {
    let many = arguments.size().accounts;
    let (small, large) = (template.copy().await, template.other_copy().await);
    let (in_small, in_large) = (devices(&small).await, devices(&large).await);
    members_crowd::fill(&large, many).await;
    let requests = count(8_000.0 * arguments.scale).max(100);
    let mut all = [Rounds::default(), Rounds::default()];
    for round in 0..arguments.rounds {
        for place in [round % 2, (round + 1) % 2] {
            let (copy, devices) =
                if place == 0 { (&small, &in_small) } else { (&large, &in_large) };
            all[place].0.push(ask_signed(copy, devices, requests).await);
        }
    }
    let mut text = format!(
        "Signed requests of the same {SAME} devices over {CONNECTIONS} connections:\n\n\
         | devices on file | req/s | ± | p50 ms | p99 ms | CPU |\n|---|---:|---:|---:|---:|---:|\n"
    );
    for (devices, it) in [SAME, SAME + many].into_iter().zip(&all) {
        text += &format!(
            "| {devices} | {:.0} | {:.0} % | {:.2} | {:.2} | {:.4} |\n",
            it.requests(),
            it.spread() * 100.0,
            it.percentile(50),
            it.percentile(99),
            it.cpu(),
        );
    }
    text += "\n| | measured | promised | |\n|---|---:|---:|---|\n";
    let what = "HushNet: signed requests among many devices of those among few";
    promise(&mut text, what, all[1].ratio(&all[0]), 0.9);
    text
}

/// Enrols those who will sign.
async fn devices(copy: &Copy) -> Vec<Device> {
    let gateway = Gateway::serve_with(copy, &SETTINGS);
    let mut connection = Connection::open(gateway.process.address()).await;
    let mut devices = Vec::new();
    for number in 0..SAME {
        devices.push(enrol(&mut connection, &format!("device {number}")).await);
    }
    drop(connection);
    gateway.process.stop();
    devices
}

async fn ask_signed(copy: &Copy, devices: &[Device], requests: usize) -> Measured {
    rustix::fs::sync();
    let gateway = Gateway::serve_with(copy, &SETTINGS);
    let one = |place: usize| {
        let device = &devices[place % devices.len()];
        request("GET", "/sessions/pending", Some(device), &Value::Null)
    };
    let warm: Arc<[Bytes]> = (0..requests / 5 + 1).map(one).collect();
    let all: Arc<[Bytes]> = (0..requests).map(one).collect();
    let mut clients = Clients::connect(gateway.process.address(), CONNECTIONS).await;
    clients.run(&warm).await;
    let (cpu, server_cpu) = (gateway.process.cpu(), copy.server_cpu());
    let outcome = clients.run(&all).await;
    let (cpu, server_cpu) = (gateway.process.cpu() - cpu, copy.server_cpu() - server_cpu);
    assert!(outcome.answers.iter().all(|answer| answer.status == 200), "all are known");
    drop(clients);
    gateway.process.stop();
    Measured { cpu, server_cpu, ..Measured::of(&outcome, 1) }
}

fn all_sent(outcome: &Outcome) {
    for answer in &outcome.answers {
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.status == 200 && text.contains("\"true\""), "{} {text}", answer.status);
    }
}

/// A key that nobody else has.
fn key(name: &str) -> SigningKey {
    let mut seed = [0x68; 32];
    seed.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
    SigningKey::from_seed(&seed)
}

/// What a new device says of itself; the contracts differ in where they say it.
fn bundle(user: &str, key: &SigningKey) -> (Value, String, String) {
    let prekey = [0x70; 32];
    let body = json!({
        "user_id": user,
        "identity_pubkey": STANDARD.encode(key.verifying_key().to_bytes()),
        "prekey_pubkey": STANDARD.encode(prekey),
        "one_time_prekeys": [],
        "device_label": "bench",
        "push_token": "",
    });
    (body, STANDARD.encode(prekey), STANDARD.encode(key.sign(&prekey)))
}

async fn enrol(connection: &mut Connection, name: &str) -> Device {
    let created =
        ask(connection, "POST", "/users/create", None, &json!({ "username": name })).await;
    let user = text(&created["user"]["id"]);
    let key = key(name);
    let (mut body, prekey, signature) = bundle(&user, &key);
    body["signed_prekey"] = json!({ "key": prekey, "signature": signature });
    body["enrollment_token"] = created["enrollment_token"].clone();
    let device = ask(connection, "POST", &format!("/users/{user}/devices"), None, &body).await;
    Device { user, id: text(&device["id"]), key }
}

/// A further device of somebody.
async fn link(connection: &mut Connection, first: &Device, number: usize) -> Device {
    let key = key(&format!("further {number}"));
    let (mut body, prekey, signature) = bundle(&first.user, &key);
    body["signed_prekey_pub"] = prekey.into();
    body["signed_prekey_sig"] = signature.into();
    let device = ask(connection, "POST", "/devices", Some(first), &body).await;
    Device { user: first.user.clone(), id: text(&device["id"]), key }
}

/// Introduces two devices to each other; returns the chat of their members.
async fn befriend(connection: &mut Connection, from: &Device, to: &Device) -> String {
    let introduction = json!({
        "recipient_user_id": to.user,
        "sessions_init": [{
            "recipient_device_id": to.id, "ephemeral_pubkey": "AA==", "sender_prekey_pub": "AA==",
            "otpk_used": "", "ciphertext": "AA==",
        }],
    });
    ask(connection, "POST", "/sessions", Some(from), &introduction).await;
    let waiting = ask(connection, "GET", "/sessions/pending", Some(to), &Value::Null).await;
    let confirmation = json!({
        "pending_session_id": waiting["sessions"][0]["id"],
        "sender_device_id": from.id, "receiver_device_id": to.id,
    });
    ask(connection, "POST", "/sessions/confirm", Some(to), &confirmation).await;
    let chats = ask(connection, "GET", "/chats", Some(to), &Value::Null).await;
    text(&chats[0]["id"])
}

/// A message to devices of somebody.
fn message(
    from: &Device,
    to: &Device,
    chat: &str,
    devices: &[impl AsRef<str>],
    place: usize,
) -> Bytes {
    let payload = |device: &_| {
        json!({
            "to_device_id": AsRef::<str>::as_ref(device),
            "header": { "ratchet_pub": STANDARD.encode([7; 32]), "counter": place },
            "ciphertext": STANDARD.encode([9; 256]),
        })
    };
    let payloads: Vec<_> = devices.iter().map(payload).collect();
    let body = json!({
        "chat_id": chat, "logical_msg_id": place.to_string(), "to_user_id": to.user,
        "payloads": payloads,
    });
    request("POST", "/messages", Some(from), &body)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

async fn ask(
    connection: &mut Connection,
    method: &str,
    path: &str,
    device: Option<&Device>,
    body: &Value,
) -> Value {
    let answer = connection.ask(&request(method, path, device, body)).await;
    let told = String::from_utf8_lossy(&answer.body);
    assert!((200..300).contains(&answer.status), "{method} {path}: {} {told}", answer.status);
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// A request in one piece, signed now.
fn request(method: &str, path: &str, device: Option<&Device>, body: &Value) -> Bytes {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut head = format!("{method} /hushnet{path} HTTP/1.1\r\nhost: gateway\r\n");
    if let Some(Device { key, .. }) = device {
        let now = SystemClock.now().as_seconds().to_string();
        let signature = STANDARD.encode(key.sign(now.as_bytes()));
        let key = STANDARD.encode(key.verifying_key().to_bytes());
        head +=
            &format!("x-identity-key: {key}\r\nx-timestamp: {now}\r\nx-signature: {signature}\r\n");
    }
    let length = body.len();
    head += &format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    (head + &body).into()
}

/// Seconds that all of this should take.
pub fn expected(arguments: &Arguments) -> f64 {
    let rounds = float(arguments.rounds) * (1.0 + 6.0 * arguments.scale);
    let deliveries = float(arguments.deliveries()) * 1.1 * 60e-6;
    rounds * 4.0 + deliveries + float(arguments.size().accounts) * 20e-6 + 10.0
}
