//! Fetching and acknowledging: readers take page after page, and acknowledge each.

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
const PEOPLE: usize = 64;
const DEVICES: usize = 4;
const CONNECTIONS: usize = 16;

/// All that a reader needs of a message to acknowledge it.
#[derive(Deserialize)]
struct Waiting {
    message_id: MessageId,
}

/// What one round came to.
#[derive(Default)]
struct Read {
    seconds: f64,
    rows: usize,
    fetches: Vec<Duration>,
    acknowledgements: Vec<Duration>,
    cpu: f64,
    own_cpu: f64,
    peak_memory: f64,
    /// Empty fetches: where nothing was ever delivered, and after all of it.
    empty: [Vec<Duration>; 2],
}

/// Measures reading; `messages` wait for each device at the start.
pub async fn measure(template: &Template, rounds: usize, messages: usize) -> String {
    let mut all = Vec::new();
    for _ in 0..rounds {
        all.push(round(template, messages).await);
    }
    let speed = |it: &Read| float(it.rows) / it.seconds;
    let time = |of: fn(&Read) -> &Vec<Duration>, percent| {
        percentile(&all.iter().flat_map(|it| of(it).iter().copied()).collect::<Vec<_>>(), percent)
    };
    let cpu = |of: fn(&Read) -> f64| median(all.iter().map(|it| of(it) / float(it.rows) * 1e3));
    let empty = [time(|it| &it.empty[0], 50), time(|it| &it.empty[1], 50)];
    let mut text = format!(
        "### Fetching and acknowledging\n\n{} devices read {messages} messages each over \
         {CONNECTIONS} connections, in pages of 100.\n\n\
         | rows/s | fetch p50 ms | p99 | acknowledge p50 ms | p99 | CPU for 1,000 rows | clients' \
         CPU | MiB |\n|---:|---:|---:|---:|---:|---:|---:|---:|\n\
         | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.4} | {:.4} | {:.0} |\n\n\
         | | measured | promised | |\n|---|---:|---:|---|\n",
        PEOPLE * DEVICES,
        median(all.iter().map(speed)),
        time(|it| &it.fetches, 50),
        time(|it| &it.fetches, 99),
        time(|it| &it.acknowledgements, 50),
        time(|it| &it.acknowledgements, 99),
        cpu(|it| it.cpu),
        cpu(|it| it.own_cpu),
        median(all.iter().map(|it| it.peak_memory)),
    );
    let delivered = PEOPLE * DEVICES * messages;
    let what = format!("an empty fetch after {delivered} delivered messages, of the first ones");
    super::table::bound(&mut text, &what, empty[1] / empty[0], 1.2);
    text
}

async fn round(template: &Template, messages: usize) -> Read {
    let copy = template.copy().await;
    let people = &template.scene.recipients(DEVICES)[..PEOPLE];
    let tokens: Vec<String> =
        people.iter().flat_map(|person| &person.devices).map(|it| it.token.clone()).collect();
    let mut read = Read::default();

    // Only the first recipients: those that the requests of this shape go to in turn.
    let shape = Shape::new(1, PEOPLE, DEVICES);
    let rows = Prepared::new_for(&template.scene, &shape, messages, 11, PEOPLE).rows;
    copy.floor(&Arc::new(rows), 1000).await;

    let gateway = Gateway::serve(&copy);
    let (start, cpu, own) = (Instant::now(), gateway.process.cpu(), own_cpu());
    let shares = tokens.chunks(tokens.len().div_ceil(CONNECTIONS)).map(<[String]>::to_vec);
    let readers = shares.map(|share| tokio::spawn(drain(gateway.process.address(), share)));
    for reader in readers.collect::<Vec<_>>() {
        let (rows, fetches, acknowledgements) = reader.await.expect("a reader does not panic");
        read.rows += rows;
        read.fetches.extend(fetches);
        read.acknowledgements.extend(acknowledgements);
    }
    read.seconds = start.elapsed().as_secs_f64();
    read.cpu = gateway.process.cpu() - cpu;
    read.own_cpu = own_cpu() - own;
    assert_eq!(read.rows, PEOPLE * DEVICES * messages, "each message comes once to each device");
    read.empty = empty_fetches(template, &gateway, &tokens).await;
    read.peak_memory = gateway.process.peak_memory();
    gateway.process.stop();
    assert_eq!(copy.stored().await.slots, 0, "what was acknowledged is gone");
    read
}

/// Reads the inboxes of some devices to their end, one after the other.
async fn drain(
    address: std::net::SocketAddr,
    tokens: Vec<String>,
) -> (usize, Vec<Duration>, Vec<Duration>) {
    let mut connection = Connection::open(address).await;
    let (mut rows, mut fetches, mut acknowledgements) = (0, Vec::new(), Vec::new());
    for token in tokens {
        let fetch = http("GET", "/inbox", &token, b"");
        loop {
            let start = Instant::now();
            let page = connection.ask(&fetch).await;
            let took = start.elapsed();
            let page: Vec<Waiting> = data(&page);
            if page.is_empty() {
                break;
            }
            fetches.push(took);
            rows += page.len();
            let status = AcknowledgementStatus::Read;
            let message = |it: &Waiting| Acknowledgement { message_id: it.message_id, status };
            let list: Vec<_> = page.iter().map(message).collect();
            let body = serde_json::to_vec(&list).expect("plain data");
            let request = http("POST", "/acknowledgements", &token, &body);
            let start = Instant::now();
            let answer = connection.ask(&request).await;
            acknowledgements.push(start.elapsed());
            assert_eq!(answer.status, 200, "an acknowledgement is taken");
        }
    }
    (rows, fetches, acknowledgements)
}

/// Fetches that find nothing, in turns from a gateway that has never delivered anything and from one
/// that has.
async fn empty_fetches(
    template: &Template,
    gateway: &Gateway,
    tokens: &[String],
) -> [Vec<Duration>; 2] {
    let copy = template.other_copy().await;
    let fresh = Gateway::serve(&copy);
    let mut connections = [
        Connection::open(fresh.process.address()).await,
        Connection::open(gateway.process.address()).await,
    ];
    let mut times = [Vec::new(), Vec::new()];
    // The first turn warms what is remembered of the tokens.
    for turn in 0..8 {
        for token in tokens {
            let request = http("GET", "/inbox", token, b"");
            for (connection, times) in connections.iter_mut().zip(&mut times) {
                let start = Instant::now();
                let page: Vec<Waiting> = data(&connection.ask(&request).await);
                assert!(page.is_empty(), "nothing waits");
                times.extend((turn > 0).then(|| start.elapsed()));
            }
        }
    }
    drop(connections);
    fresh.process.stop();
    times
}

fn data(answer: &Answer) -> Vec<Waiting> {
    let text = || String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{}", text());
    let data = serde_json::from_slice::<Data<Vec<Waiting>>>(&answer.body);
    data.unwrap_or_else(|error| panic!("{error}: {}", text())).data
}
