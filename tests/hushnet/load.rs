//! Nothing is lost, however sending and reading fall together. `scripts/prove.sh hushnet` does it
//! for a minute each.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use super::running::{Client, Running};

const SENDERS: usize = 4;

/// So many are promised when it runs for a minute.
const MANY: usize = 10_000;

/// How often each message came, by its sender's own id.
type Came = BTreeMap<String, usize>;

/// Four that write to one, at a gateway that lets everybody go as fast as they can.
struct Scene {
    gateway: Running,
    reader: Client,
    writing: JoinSet<usize>,
}

impl Scene {
    /// Lets all of them write for the time of a proof; each answer is looked at.
    async fn begin() -> Self {
        let gateway = Running::start();
        let mut reader = gateway.member("reader").await;
        let mut senders = Vec::new();
        for number in 0..SENDERS {
            let mut sender = gateway.member(&format!("sender {number}")).await;
            let chat = sender.befriend(&mut reader).await;
            senders.push((sender, chat));
        }
        let end = Instant::now() + Duration::from_secs(seconds());
        let mut writing = JoinSet::new();
        for (number, (mut sender, chat)) in senders.into_iter().enumerate() {
            let (user, device) = (reader.user.clone(), reader.device.clone());
            writing.spawn(async move {
                let mut sent = 0;
                while Instant::now() < end {
                    sender.send(&chat, (&user, &device), &format!("{number}-{sent}")).await;
                    sent += 1;
                }
                sent
            });
        }
        Self { gateway, reader, writing }
    }

    /// How many those have sent that are done by now.
    fn done(&mut self) -> usize {
        let mut sent = 0;
        while let Some(done) = self.writing.try_join_next() {
            sent += done.unwrap();
        }
        sent
    }
}

/// One look at what waits; returns how many there were.
async fn look(reader: &mut Client, came: &mut Came) -> usize {
    let (status, answer) = reader.ask(Method::GET, "/messages/pending", &Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    let messages = answer.as_array().unwrap();
    for message in messages {
        let logical = message["logical_msg_id"].as_str().unwrap().to_owned();
        *came.entry(logical).or_default() += 1;
    }
    messages.len()
}

fn seconds() -> u64 {
    let text = std::env::var("SEALPOST_HUSHNET_SECONDS").ok();
    text.map_or(1, |text| text.parse().expect("SEALPOST_HUSHNET_SECONDS is a number"))
}

/// Each message came, once; when it took a minute, there were many.
fn expect_all(who: &str, sent: usize, came: &Came) {
    let told = format!("{who}: {sent} messages, {} came", came.len());
    // Not `eprintln!`, which the test runner swallows.
    let _ = writeln!(std::io::stderr(), "{told}");
    assert_eq!(came.len(), sent, "{told}");
    let twice: Vec<_> = came.iter().filter(|(_, count)| **count != 1).take(9).collect();
    assert!(twice.is_empty(), "came more than once: {twice:?}");
    assert!(sent > 0 && (seconds() < 60 || sent >= MANY), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hn49_four_senders_and_a_polling_reader_lose_nothing() {
    let mut scene = Scene::begin().await;
    let (mut sent, mut came) = (0, Came::new());
    loop {
        sent += scene.done();
        let is_over = scene.writing.is_empty();
        if look(&mut scene.reader, &mut came).await == 0 && is_over {
            break;
        }
    }
    expect_all("four senders and a polling reader", sent, &came);
    scene.gateway.program.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hn49_four_senders_and_a_reader_that_looks_when_it_is_told_lose_nothing() {
    let mut scene = Scene::begin().await;
    let mut line = scene.reader.listen().await;
    let (mut sent, mut came) = (0, Came::new());
    // What was sent before the socket was open.
    look(&mut scene.reader, &mut came).await;
    while !scene.writing.is_empty() || came.len() < sent {
        // Nothing but an event makes it look.
        let event = line.event().await;
        if event["event_type"] == "message" {
            look(&mut scene.reader, &mut came).await;
        }
        sent += scene.done();
    }
    expect_all("four senders and a reader on events", sent, &came);
    drop(line);
    scene.gateway.program.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_readers_at_once_get_each_message_once() {
    let mut scene = Scene::begin().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut reading = JoinSet::new();
    for _ in 0..8 {
        let (mut reader, is_over) = (scene.reader.again().await, is_over.clone());
        reading.spawn(async move {
            let mut came = Came::new();
            loop {
                let was_over = is_over.load(Ordering::SeqCst);
                if look(&mut reader, &mut came).await == 0 && was_over {
                    return came;
                }
            }
        });
    }
    let mut sent = 0;
    while let Some(done) = scene.writing.join_next().await {
        sent += done.unwrap();
    }
    is_over.store(true, Ordering::SeqCst);
    let mut all = Came::new();
    while let Some(came) = reading.join_next().await {
        for (logical, count) in came.unwrap() {
            *all.entry(logical).or_default() += count;
        }
    }
    expect_all("four senders and eight readers", sent, &all);
    scene.gateway.program.stop();
}
