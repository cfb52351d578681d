//! Fetching and acknowledging: readers take page after page, and acknowledge each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealpost::sdk::ids::MessageId;
use sealpost::sdk::types::{Acknowledgement, AcknowledgementStatus, Data};
use serde::Deserialize;

use super::gateway_process::Gateway;
use super::load::{Answer, Connection};
use super::numbers::{float, median, percentile};
use super::process::own_cpu;
use super::requests::{Prepared, http};
use super::shape::Shape;
use super::store::Template;

/// Recipients whose devices read, and devices of each.
pub const PEOPLE: usize = 64;
pub const DEVICES: usize = 4;
pub const CONNECTIONS: usize = 16;

/// All that a reader needs of a message to acknowledge it.
#[derive(Deserialize)]
pub struct Waiting {
    message_id: MessageId,
}

/// What readers came to.
#[derive(Default)]
pub struct Read {
    pub rows: usize,
    fetches: Vec<Duration>,
    acknowledgements: Vec<Duration>,
}

/// What one round came to.
struct Round {
    read: Read,
    seconds: f64,
    cpu: f64,
    server_cpu: f64,
    own_cpu: f64,
    peak_memory: f64,
}

/// Measures reading; `messages` wait for each device at the start.
pub async fn measure(template: &Template, rounds: usize, messages: usize) -> String {
    let mut all = Vec::new();
    for _ in 0..rounds {
        all.push(round(template, messages).await);
    }
    let time = |of: fn(&Read) -> &Vec<Duration>, percent| {
        let times = all.iter().flat_map(|it| of(&it.read).iter().copied());
        percentile(&times.collect::<Vec<_>>(), percent)
    };
    let each = |of: fn(&Round) -> f64| median(all.iter().map(|it| of(it) / float(it.read.rows)));
    format!(
        "### Fetching and acknowledging\n\n{} devices read {messages} messages each over \
         {CONNECTIONS} connections, in pages of 100. CPU in seconds for 1,000 rows.\n\n\
         | rows/s | fetch p50 ms | p99 | acknowledge p50 ms | p99 | CPU | PostgreSQL's CPU | clients' \
         CPU | MiB |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n\
         | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.4} | {:.4} | {:.4} | {:.0} |\n",
        PEOPLE * DEVICES,
        1.0 / each(|it| it.seconds),
        time(|it| &it.fetches, 50),
        time(|it| &it.fetches, 99),
        time(|it| &it.acknowledgements, 50),
        time(|it| &it.acknowledgements, 99),
        each(|it| it.cpu * 1e3),
        each(|it| it.server_cpu * 1e3),
        each(|it| it.own_cpu * 1e3),
        median(all.iter().map(|it| it.peak_memory)),
    )
}

async fn round(template: &Template, messages: usize) -> Round {
    let copy = template.copy().await;
    let tokens = tokens(template);

    // Only the first recipients: those that the requests of this shape go to in turn.
    let shape = Shape::new(1, PEOPLE, DEVICES);
    let rows = Prepared::new_for(&template.scene, &shape, messages, 11, PEOPLE).rows;
    copy.floor(&Arc::new(rows), 1000, CONNECTIONS).await;
    rustix::fs::sync();

    let gateway = Gateway::serve(&copy);
    let (start, own_before) = (Instant::now(), own_cpu());
    let (cpu, server_cpu) = (gateway.process.cpu(), copy.server_cpu());
    let read = drain(gateway.process.address(), &tokens).await;
    let (seconds, own_cpu) = (start.elapsed().as_secs_f64(), own_cpu() - own_before);
    let (cpu, server_cpu) = (gateway.process.cpu() - cpu, copy.server_cpu() - server_cpu);
    assert_eq!(read.rows, PEOPLE * DEVICES * messages, "each message comes once to each device");
    let peak_memory = gateway.process.peak_memory();
    gateway.process.stop();
    assert_eq!(copy.stored().await.slots, 0, "what was acknowledged is gone");
    Round { read, seconds, cpu, server_cpu, own_cpu, peak_memory }
}

/// What the readers' devices show.
pub fn tokens(template: &Template) -> Vec<String> {
    let people = &template.scene.recipients(DEVICES)[..PEOPLE];
    people.iter().flat_map(|person| &person.devices).map(|it| it.token.clone()).collect()
}

/// Reads the inboxes of devices to their end, over several connections.
pub async fn drain(address: SocketAddr, tokens: &[String]) -> Read {
    let shares = tokens.chunks(tokens.len().div_ceil(CONNECTIONS)).map(<[String]>::to_vec);
    let readers = shares.map(|share| tokio::spawn(drain_some(address, share)));
    let mut all = Read::default();
    for reader in readers.collect::<Vec<_>>() {
        let read = reader.await.expect("a reader does not panic");
        all.rows += read.rows;
        all.fetches.extend(read.fetches);
        all.acknowledgements.extend(read.acknowledgements);
    }
    all
}

/// One device after the other.
async fn drain_some(address: SocketAddr, tokens: Vec<String>) -> Read {
    let mut connection = Connection::open(address).await;
    let mut read = Read::default();
    for token in tokens {
        let fetch = http("GET", "/inbox", &token, b"");
        loop {
            let start = Instant::now();
            let page = connection.ask(&fetch).await;
            let took = start.elapsed();
            let page = data(&page);
            if page.is_empty() {
                break;
            }
            read.fetches.push(took);
            read.rows += page.len();
            let status = AcknowledgementStatus::Read;
            let message = |it: &Waiting| Acknowledgement { message_id: it.message_id, status };
            let list: Vec<_> = page.iter().map(message).collect();
            let body = serde_json::to_vec(&list).expect("plain data");
            let request = http("POST", "/acknowledgements", &token, &body);
            let start = Instant::now();
            let answer = connection.ask(&request).await;
            read.acknowledgements.push(start.elapsed());
            assert_eq!(answer.status, 200, "an acknowledgement is taken");
        }
    }
    read
}

/// A page of an inbox.
pub fn data(answer: &Answer) -> Vec<Waiting> {
    let text = || String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{}", text());
    let data = serde_json::from_slice::<Data<Vec<Waiting>>>(&answer.body);
    data.unwrap_or_else(|error| panic!("{error}: {}", text())).data
}
