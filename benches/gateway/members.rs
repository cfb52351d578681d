//! HushNet's members: sending beside a gateway that commits every message alone, empty fetches after
//! many deliveries, and signed requests where many devices are on file ([`members_signing`]).

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

use super::arguments::Arguments;
use super::gateway_process::Gateway;
use super::load::{Clients, Connection, Outcome};
use super::measure::{Measured, Rounds};
use super::members_people::{Device, ask, befriend, enrol, link, message, request};
use super::members_signing;
use super::numbers::{count, float, percentile};
use super::store::{Copy, Template};
use super::table::{bound, promise};

/// Settings of every gateway here.
pub const SETTINGS: [(&str, &str); 2] = [
    ("SEALPOST_DIALECTS__HUSHNET__ENABLED", "true"),
    ("SEALPOST_DIALECTS__HUSHNET__LIMITS", "relaxed"),
];

/// Connections of the clients.
pub const CONNECTIONS: usize = 64;
const SENDERS: usize = 4;
const PEOPLE: usize = 64;

/// Devices of the one whose deliveries are counted.
const DEVICES: usize = 16;

/// Messages whose signatures are made at a time: they are good for half a minute.
const AT_ONCE: usize = 10_000;

/// How long the sweeper and the vacuum have.
const PATIENCE: Duration = Duration::from_secs(180);

/// Turns of each side, of which the first is not counted, and fetches for each device in a turn.
const TURNS: usize = 17;
const FETCHES: usize = 8;

/// Measures all three.
pub async fn measure(template: &Template, database: &str, arguments: &Arguments) -> String {
    let sent = sending(template, database, arguments).await;
    let fetched = fetching(template, arguments.deliveries()).await;
    let signed = members_signing::measure(template, arguments).await;
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

/// Empty fetches of devices to which nothing was ever delivered, and after so many deliveries.
async fn fetching(template: &Template, deliveries: usize) -> String {
    let fresh = Reader::after(template.other_copy(0).await, 0).await;
    let used = Reader::after(template.copy().await, deliveries).await;
    let at_once = compare(&fresh, &used).await;
    let left = used.swept().await;
    // Requests that come together open connections to the server, among which later ones take
    // turns, whatever was delivered.
    for reader in [&fresh, &used] {
        reader.fetch_together().await;
    }
    let later = compare(&fresh, &used).await;
    let (fresh, used) = (fresh.started_again(), used.started_again());
    let again = compare(&fresh, &used).await;
    let mut text = format!(
        "Empty fetches of {DEVICES} devices, one after the other, in turns with a gateway that has \
         delivered nothing: at once after {} deliveries, and later, when the sweeper and the \
         server's vacuum had had their time. {left} of the messages were left then. Before that \
         both gateways were asked for nothing over {CONNECTIONS} connections at the same time, so \
         that both have as many to the server. At last both were started again: what is left of the \
         difference is the database's.\n\n\
         | | nothing delivered, p50 ms | p99 | then, p50 ms | p99 |\n|---|---:|---:|---:|---:|\n",
        used.delivered
    );
    for (when, times) in [("at once", &at_once), ("later", &later), ("started again", &again)] {
        let cell =
            |times: &Vec<_>| format!("{:.3} | {:.3}", percentile(times, 50), percentile(times, 99));
        text += &format!("| {when} | {} | {} |\n", cell(&times[0]), cell(&times[1]));
    }
    text += "\n| | measured | promised | |\n|---|---:|---:|---|\n";
    let [before, after] = later.each_ref().map(|times| percentile(times, 50));
    bound(&mut text, "HushNet: time of an empty fetch later", after / before, 1.1);
    fresh.gateway.process.stop();
    used.gateway.process.stop();
    text
}

/// Fetches that find nothing, in turns from both gateways.
async fn compare(fresh: &Reader, used: &Reader) -> [Vec<Duration>; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for turn in 0..TURNS {
        for (reader, times) in [fresh, used].into_iter().zip(&mut times) {
            let took = reader.fetch_nothing().await;
            if turn > 0 {
                times.extend(took);
            }
        }
    }
    times
}

/// A member whose devices have fetched much.
struct Reader {
    copy: Copy,
    gateway: Gateway,
    devices: Vec<Device>,
    delivered: usize,
}

impl Reader {
    async fn after(copy: Copy, deliveries: usize) -> Self {
        let gateway = Gateway::serve_with(&copy, &SETTINGS);
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
        Self { copy, gateway, devices, delivered }
    }

    /// The same with a process that remembers nothing.
    fn started_again(self) -> Self {
        self.gateway.process.stop();
        Self { gateway: Gateway::serve_with(&self.copy, &SETTINGS), ..self }
    }

    /// Waits until the sweeper has removed what was read, and the server has cleaned up behind it;
    /// says how many messages are left.
    async fn swept(&self) -> i64 {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = self.copy.stored().await.payloads;
            if (left == 0 && self.copy.is_vacuumed().await) || Instant::now() > end {
                return left;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Fetches nothing over many connections at the same time.
    async fn fetch_together(&self) {
        let fetch = |place: usize| {
            let device = &self.devices[place % self.devices.len()];
            request("GET", "/messages/pending", Some(device), &Value::Null)
        };
        let all: Arc<[Bytes]> = (0..CONNECTIONS * FETCHES).map(fetch).collect();
        let mut clients = Clients::connect(self.gateway.process.address(), CONNECTIONS).await;
        let outcome = clients.run(&all).await;
        assert!(outcome.answers.iter().all(|answer| answer.body == b"[]"), "nothing waits");
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

fn all_sent(outcome: &Outcome) {
    for answer in &outcome.answers {
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.status == 200 && text.contains("\"true\""), "{} {text}", answer.status);
    }
}

/// Seconds that all of this should take.
pub fn expected(arguments: &Arguments) -> f64 {
    let rounds = float(arguments.rounds) * (1.0 + 16.0 * arguments.scale);
    let deliveries = float(arguments.deliveries()) * 60e-6;
    rounds * 4.0 + deliveries + float(arguments.size().accounts) * 20e-6 + 10.0
}
