//! Nothing is lost, however sending and reading fall together. `scripts/prove.sh hushnet` does it
//! for a minute each.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sealpost::config::dialects::hushnet::Limits;
use sealpost::config::rate::Rate;
use tokio::task::JoinSet;

use super::people::{befriend, message};
use crate::harness::TestApp;
use crate::harness::hush::HushDevice;

const SENDERS: usize = 4;

/// So many are promised when it runs for a minute.
const MANY: usize = 10_000;

/// How often each message came, by its sender's own id.
type Came = BTreeMap<String, usize>;

/// Four that write to one.
struct Scene {
    app: Arc<TestApp>,
    /// With their chats.
    senders: Vec<(Arc<HushDevice>, String)>,
    reader: Arc<HushDevice>,
}

/// A gateway that lets everybody go as fast as they can.
pub async fn unlimited() -> TestApp {
    TestApp::start_with(|config| {
        config.dialects.hushnet.enabled = true;
        config.dialects.hushnet.limits = Limits::Relaxed;
        config.limits.rate = Rate {
            account_requests: 0,
            account_messages: 0,
            account_bytes: 0,
            account_sockets: 0,
            address_requests: 0,
            address_messages: 0,
            address_bytes: 0,
            address_sockets: 0,
            address_strangers: 0,
        };
    })
    .await
}

impl Scene {
    async fn new() -> Self {
        let app = unlimited().await;
        let reader = app.hush_member("reader").await;
        let mut senders = Vec::new();
        for number in 0..SENDERS {
            let sender = app.hush_member(&format!("sender {number}")).await;
            let chat = befriend(&app, &sender, &reader).await;
            senders.push((Arc::new(sender), chat));
        }
        Self { app: Arc::new(app), senders, reader: Arc::new(reader) }
    }

    /// Lets all write until then; each answer is looked at.
    fn write_until(&self, end: Instant) -> JoinSet<usize> {
        let mut writing = JoinSet::new();
        for (number, (sender, chat)) in self.senders.iter().cloned().enumerate() {
            let (app, reader) = (self.app.clone(), self.reader.clone());
            writing.spawn(async move {
                let mut sent = 0;
                while Instant::now() < end {
                    let logical = format!("{number}-{sent}");
                    let body = message(&chat, &reader, &[&reader.device], &logical);
                    let answer = sender.post(&app, "/messages", body).await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    sent += 1;
                }
                sent
            });
        }
        writing
    }

    /// One look at what waits; returns how many there were.
    async fn look(&self, came: &mut Came) -> usize {
        look(&self.app, &self.reader, came).await
    }
}

async fn look(app: &TestApp, reader: &HushDevice, came: &mut Came) -> usize {
    let answer = reader.get(app, "/messages/pending").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let messages = answer.json.as_array().unwrap();
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
fn expect_all(sent: usize, came: &Came) {
    let told = format!("{sent} messages, {} came", came.len());
    // Not `eprintln!`, which the test runner swallows.
    let _ = writeln!(std::io::stderr(), "{told}");
    assert_eq!(came.len(), sent, "{told}");
    let twice: Vec<_> = came.iter().filter(|(_, count)| **count != 1).take(9).collect();
    assert!(twice.is_empty(), "came more than once: {twice:?}");
    assert!(sent > 0 && (seconds() < 60 || sent >= MANY), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hn49_four_senders_and_a_polling_reader_lose_nothing() {
    let scene = Scene::new().await;
    let mut writing = scene.write_until(Instant::now() + Duration::from_secs(seconds()));
    let (mut sent, mut came) = (0, Came::new());
    loop {
        while let Some(done) = writing.try_join_next() {
            sent += done.unwrap();
        }
        let is_over = writing.is_empty();
        if scene.look(&mut came).await == 0 && is_over {
            break;
        }
    }
    expect_all(sent, &came);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hn49_four_senders_and_a_reader_that_looks_when_it_is_told_lose_nothing() {
    let scene = Scene::new().await;
    let mut line = scene.app.app_line(&scene.reader).await;
    let mut writing = scene.write_until(Instant::now() + Duration::from_secs(seconds()));
    let (mut sent, mut came) = (0, Came::new());
    while !writing.is_empty() || came.len() < sent {
        // Nothing but an event makes it look.
        let event = line.event().await;
        if event["event_type"] == "message" {
            scene.look(&mut came).await;
        }
        while let Some(done) = writing.try_join_next() {
            sent += done.unwrap();
        }
    }
    expect_all(sent, &came);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_readers_at_once_get_each_message_once() {
    let scene = Scene::new().await;
    let mut writing = scene.write_until(Instant::now() + Duration::from_secs(seconds()));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut reading = JoinSet::new();
    for _ in 0..8 {
        let (app, reader, is_over) = (scene.app.clone(), scene.reader.clone(), is_over.clone());
        reading.spawn(async move {
            let mut came = Came::new();
            loop {
                let was_over = is_over.load(Ordering::SeqCst);
                if look(&app, &reader, &mut came).await == 0 && was_over {
                    return came;
                }
            }
        });
    }
    let mut sent = 0;
    while let Some(done) = writing.join_next().await {
        sent += done.unwrap();
    }
    is_over.store(true, Ordering::SeqCst);
    let mut all = Came::new();
    while let Some(came) = reading.join_next().await {
        for (logical, count) in came.unwrap() {
            *all.entry(logical).or_default() += count;
        }
    }
    expect_all(sent, &all);
}
