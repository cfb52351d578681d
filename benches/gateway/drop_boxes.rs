//! Drop boxes of the key service: reading one of a hundred messages over HTTP, beside the store's
//! own range read in the same round.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sealpost::app::App;
use sealpost::config::Config;
use sealpost::domain::clock::{Clock, SystemClock};
use sealpost::domain::dropbox::message::NewDropMessage;
use sealpost::domain::dropbox::{
    AfterReading, BoxNumber, BoxToken, CreatedBox, DropId, Form, NewDropBox, Put, PutOutcome,
    ReadDrop, Room, SecretDigest, Taking,
};
use sealpost::domain::ports::Store;
use sealpost::sdk::base64url;
use serde_json::Value;
use tokio::runtime::Builder;

use super::arguments::Arguments;
use super::gateway_process::Gateway;
use super::load::Connection;
use super::measure::{Measured, Rounds};
use super::numbers::{count, float};
use super::process::own_cpu;
use super::store::{Copy, Template};
use super::table::promise;

const SETTINGS: [(&str, &str); 1] = [("SEALPOST_DIALECTS__KEYSERVICE__ENABLED", "true")];

/// Connections of the clients, and readers of the store at a time.
const CONNECTIONS: usize = 16;
const BOXES: usize = 64;
const MESSAGES: usize = 100;

/// Bytes of one encrypted message, and of its key.
const MESSAGE_BYTES: usize = 1024;
const KEY_BYTES: usize = 92;

/// What proves the owner of every box here.
const AUTH_KEY: [u8; 32] = [7; 32];

/// Measures reading.
pub async fn measure(template: &Template, arguments: &Arguments) -> String {
    let reads = count(1_000.0 * arguments.scale).max(BOXES);
    let copy = template.copy().await;
    let boxes = fill(&copy).await;
    let (mut over_http, mut in_store) = (Rounds::default(), Rounds::default());
    for round in 0..arguments.rounds {
        for is_http in [round % 2 == 0, round % 2 == 1] {
            let came_to = match is_http {
                true => fetch(&copy, &boxes, reads).await,
                false => read(&copy, &boxes, reads).await,
            };
            (if is_http { &mut over_http } else { &mut in_store }).0.push(came_to);
        }
    }
    let mut text = format!(
        "### Drop boxes\n\n\
         {MESSAGES} messages of {MESSAGE_BYTES} bytes in each of {BOXES} boxes; {CONNECTIONS} \
         connections, each reading one whole box at a time. CPU in seconds for 1,000 messages.\n\n\
         | | reads/s | msg/s | ± | p50 ms | p99 ms | CPU |\n|---|---:|---:|---:|---:|---:|---:|\n"
    );
    for (what, it) in [("the store's range read", &in_store), ("over HTTP", &over_http)] {
        text += &format!(
            "| {what} | {:.0} | {:.0} | {:.0} % | {:.2} | {:.2} | {:.4} |\n",
            it.requests(),
            it.messages(),
            it.spread() * 100.0,
            it.percentile(50),
            it.percentile(99),
            it.cpu(),
        );
    }
    text += "\n| | measured | promised | |\n|---|---:|---:|---|\n";
    promise(
        &mut text,
        "drop boxes: reading over HTTP of the store's",
        over_http.ratio(&in_store),
        0.5,
    );
    text
}

/// A box that can be read.
#[derive(Clone, Copy)]
struct Filled {
    token: BoxToken,
    number: BoxNumber,
}

/// Makes the boxes and what is in them.
async fn fill(copy: &Copy) -> Vec<Filled> {
    let app = open(&copy.config()).await;
    let mut boxes = Vec::new();
    for place in 0..BOXES {
        boxes.push(fill_one(&*app.gateway().store, u8::try_from(place).expect("few boxes")).await);
    }
    app.close().await;
    boxes
}

async fn fill_one(store: &dyn Store, place: u8) -> Filled {
    let now = SystemClock.now();
    let ends_at = now.plus(Duration::from_secs(24 * 60 * 60));
    let token = BoxToken::two([place; 16]);
    let new = NewDropBox {
        token,
        public_key: vec![1; 44],
        private_key: Some(vec![2; 76]),
        kdf: Some("pbkdf2-sha256:i=600000:AAAAAAAAAAAAAAAAAAAAAA".to_owned()),
        secret: Some(SecretDigest::of(&AUTH_KEY)),
        created_at: now,
        release_at: None,
        lock_at: ends_at,
        ends_at,
        after_reading: AfterReading::default(),
        notify: None,
    };
    let CreatedBox::New(made) = store.create_drop_box(new).await.expect("a box") else {
        panic!("a new database has no boxes");
    };
    let message = |number: usize| NewDropMessage {
        id: DropId(
            [[place; 8], (number as u64).to_be_bytes()].concat().try_into().expect("16 bytes"),
        ),
        form: Form::Sealed,
        encryption_key: vec![3; KEY_BYTES],
        data: vec![4; MESSAGE_BYTES],
        hash: None,
        name: Vec::new(),
        file: None,
        created_at: now,
        ends_at,
    };
    let put = Put {
        to: made.number,
        messages: (0..MESSAGES).map(message).collect(),
        now,
        room: Room { messages: 1_000, bytes: 1 << 30 },
    };
    let outcome = store.put_drop_messages(put).await.expect("messages");
    assert!(matches!(outcome, PutOutcome::Stored(_)), "{outcome:?}");
    Filled { token, number: made.number }
}

/// The gateway's own store, as it opens it.
async fn open(config: &Config) -> App {
    App::open_here(config).await.expect("a gateway in its folder")
}

/// Reads through the gateway.
async fn fetch(copy: &Copy, boxes: &[Filled], reads: usize) -> Measured {
    let gateway = Gateway::serve_with(copy, &SETTINGS);
    let address = gateway.process.address();
    let whole = read_once(address, boxes).await;
    fetch_in_turns(address, &whole, reads / 5 + 1).await;
    let (cpu, server_cpu) = (gateway.process.cpu(), copy.server_cpu());
    let start = Instant::now();
    let times = fetch_in_turns(address, &whole, reads).await;
    let seconds = start.elapsed().as_secs_f64();
    let (cpu, server_cpu) = (gateway.process.cpu() - cpu, copy.server_cpu() - server_cpu);
    gateway.process.stop();
    let (requests, messages) = (times.len(), times.len() * MESSAGES);
    Measured { seconds, requests, messages, times, cpu, server_cpu, ..Measured::default() }
}

/// Each client asks for one box after the other. Answers are not kept: memory for all of them would
/// cost more than reading them.
async fn fetch_in_turns(address: SocketAddr, boxes: &Arc<[Whole]>, reads: usize) -> Vec<Duration> {
    let clients = (0..CONNECTIONS).map(|client| {
        let boxes = boxes.clone();
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            let mut times = Vec::new();
            for place in (client..reads).step_by(CONNECTIONS) {
                let Whole { request, length } = &boxes[place % boxes.len()];
                let start = Instant::now();
                let answer = connection.ask_for_length(request).await;
                times.push(start.elapsed());
                assert_eq!(answer, (200, *length), "all of the box");
            }
            times
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.expect("a client does not panic"));
    }
    times
}

fn request(token: BoxToken) -> Bytes {
    let key = base64url::encode(&AUTH_KEY);
    let head = format!(
        "GET /Service?v=2&token={token}&limit={MESSAGES} HTTP/1.1\r\nhost: gateway\r\n\
         authkey: {key}\r\n\r\n"
    );
    head.into()
}

/// A box as it is asked for, and how long the answer is that has all of it.
struct Whole {
    request: Bytes,
    length: usize,
}

/// Reads every box once and insists that every answer holds every message.
async fn read_once(address: SocketAddr, boxes: &[Filled]) -> Arc<[Whole]> {
    let mut connection = Connection::open(address).await;
    let mut whole = Vec::new();
    for filled in boxes {
        let request = request(filled.token);
        let answer = connection.ask(&request).await;
        let text = || String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "{}", text());
        let page: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let found = page["messages"].as_array().map_or(0, Vec::len);
        assert_eq!(found, MESSAGES, "{}", text());
        whole.push(Whole { request, length: answer.body.len() });
    }
    whole.into()
}

/// Reads from the store alone, with as many threads as the gateway has.
async fn read(copy: &Copy, boxes: &[Filled], reads: usize) -> Measured {
    let (config, boxes) = (copy.config(), boxes.to_vec());
    let work = move || {
        let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(read_all(&config, &boxes, reads))
    };
    let work = std::thread::spawn(work);
    tokio::task::spawn_blocking(move || work.join().expect("the floor does not panic"))
        .await
        .expect("the floor does not panic")
}

async fn read_all(config: &Config, boxes: &[Filled], reads: usize) -> Measured {
    let app = open(config).await;
    let store = app.gateway().store.clone();
    read_in_turns(&store, boxes, reads / 5 + 1).await;
    let (cpu, start) = (own_cpu(), Instant::now());
    let times = read_in_turns(&store, boxes, reads).await;
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), own_cpu() - cpu);
    app.close().await;
    let (requests, messages) = (times.len(), times.len() * MESSAGES);
    Measured { seconds, requests, messages, times, cpu, ..Measured::default() }
}

async fn read_in_turns(store: &Arc<dyn Store>, boxes: &[Filled], reads: usize) -> Vec<Duration> {
    let readers = (0..CONNECTIONS).map(|reader| {
        let (store, boxes) = (store.clone(), boxes.to_vec());
        tokio::spawn(async move {
            let mut times = Vec::new();
            for place in (reader..reads).step_by(CONNECTIONS) {
                let start = Instant::now();
                read_one(&*store, boxes[place % boxes.len()].number).await;
                times.push(start.elapsed());
            }
            times
        })
    });
    let readers: Vec<_> = readers.collect();
    let mut times = Vec::new();
    for reader in readers {
        times.extend(reader.await.expect("a reader does not panic"));
    }
    times
}

async fn read_one(store: &dyn Store, from: BoxNumber) {
    let limit = u32::try_from(MESSAGES).expect("few messages");
    let (now, taking) = (SystemClock.now(), Taking::Nothing);
    let read = ReadDrop { from, after: 0, now, limit, bytes: u64::MAX, taking, ending: None };
    let page = store.drop_messages(read).await.expect("a page");
    assert_eq!(page.messages.len(), MESSAGES, "all of the box");
}

/// Seconds that all of this should take.
pub fn expected(arguments: &Arguments) -> f64 {
    float(arguments.rounds) * (2.0 + 3.0 * arguments.scale) + 10.0
}
