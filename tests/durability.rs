//! Whatever was answered SUCCESS is there afterwards, once: after a kill, and after a power cut.
//!
//! These run the real program. Progress goes straight to standard error, so that the numbers show
//! in every run.

mod actors;
mod commits;
mod disk;
mod http;
mod postgres;
mod reader;
mod strace_log;
mod stream;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::sdk::ids::MessageId;
use sealpost::sdk::types::{Data, Receipt, ReceiptState};

use crate::program::{self, Program};
use actors::Actor;
use disk::{Disk, Unsynced};
use strace_log::{Call, Event};
use stream::{Cast, LARGEST_BATCH, Ledger, Stream, check_inboxes};

/// Connections that post at the same time.
const CONNECTIONS: u64 = 4;

/// A data directory with a bot and a person with two devices, and no gateway on it.
fn new_gateway_data(folder: &Path) -> (PathBuf, Cast) {
    let data = folder.join("data");
    let bot = program::create_bot(&data, "bot");
    let devices = program::create_user(&data, "person", 2);
    (data, Cast { bot, devices })
}

fn say(text: &str) {
    // Not `eprintln!`, which the test runner swallows.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A number from the environment, for longer runs and for repeating one.
fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

fn seed() -> u64 {
    setting("SEALPOST_SEED", SystemClock.now().as_micros().unsigned_abs())
}

#[test]
fn what_was_answered_success_survives_kill_9() {
    let rounds = setting("SEALPOST_KILLS", 10);
    let seed = seed();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, cast) = new_gateway_data(folder.path());
    say(&format!("kill -9, {rounds} rounds, SEALPOST_SEED={seed}"));

    let mut gateway = Program::serve(&data);
    for round in 1..=rounds {
        let stream = Stream::start(gateway.address(), &cast, CONNECTIONS, rng.next_u64());
        stream.wait_for(1 + rng.next_u64() % 60);
        // Anywhere between two answers, not always right behind one.
        spin(rng.next_u64() % 20_000);
        gateway.kill();
        let ledger = stream.end();

        gateway = Program::serve(&data);
        let found = check_inboxes(gateway.address(), &cast, &ledger, rng.next_u64());
        say(&format!(
            "  round {round}: {} answered SUCCESS and there once, {} there without an answer, \
             {} sent again",
            found.promised, found.unanswered, found.resent
        ));
        assert!(found.promised > 0, "a round without an answer proves nothing");
    }
    gateway.stop();
}

/// Lets some time pass without giving the processor to the gateway on purpose.
fn spin(micros: u64) {
    let until = SystemClock.now().plus(std::time::Duration::from_micros(micros));
    while SystemClock.now() < until {
        std::hint::spin_loop();
    }
}

/// The messages that the gateway's answers in a log promise to keep.
fn promised(events: &[Event]) -> BTreeSet<MessageId> {
    let answers = events.iter().filter_map(|event| match &event.call {
        Call::Answer { bytes } => Some(bytes),
        _ => None,
    });
    let receipts = answers.flat_map(|bytes| {
        let body = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| &bytes[at + 4..]);
        let body = body.expect("an answer with a body, in one piece");
        let answer: Data<Vec<Receipt>> = serde_json::from_slice(body).expect("a list of receipts");
        answer.data
    });
    let stored = receipts.filter(|receipt| receipt.state == ReceiptState::Success);
    stored.map(|receipt| MessageId::parse(&receipt.message_id).expect("an id")).collect()
}

/// Moments at which a power cut hurts most: a group has been written and is about to be synced.
fn moments(events: &[Event], wal: &Path, count: usize, rng: &mut ChaCha20Rng) -> Vec<usize> {
    let syncs = (0..events.len())
        .filter(|at| matches!(&events[*at].call, Call::Sync { path } if path == wal));
    let syncs: Vec<_> = syncs.collect();
    let mut any =
        || syncs[usize::try_from(rng.next_u64() % 1_000_000).expect("small") % syncs.len()];
    (0..count).map(|_| any()).collect()
}

#[test]
fn every_commit_is_synced_before_its_answer_and_survives_without_the_unsynced_writes() {
    let seed = seed();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, cast) = new_gateway_data(folder.path());
    let before = Disk::of(&data).expect("the files of the database");
    let log = folder.path().join("strace.log");
    let wal = data.join("sealpost.db-wal");

    let gateway = Program::serve_traced(&data, &log);
    let mut ledger = Ledger::default();
    let one_by_one = 20;
    let mut bot = Actor::connect(gateway.address(), &cast.bot, seed).expect("it listens");
    for _ in 0..one_by_one {
        let batch = bot.batch(3, &cast.devices);
        assert!(ledger.post(&mut bot, batch), "the gateway answers until it is killed");
    }
    let stream = Stream::start(gateway.address(), &cast, CONNECTIONS, seed.wrapping_add(1));
    stream.wait_for(60);
    gateway.kill();
    ledger.merge(stream.end());

    let log = fs::read_to_string(&log).expect("the log that strace wrote");
    let events = strace_log::read(&log, &data).expect("every call is understood");
    let counts = commits::check(&events, &wal, one_by_one)
        .unwrap_or_else(|breach| panic!("SEALPOST_SEED={seed}: {breach}"));
    say(&format!(
        "power cut, SEALPOST_SEED={seed}: {} commits, {} syncs of the write-ahead log, {} answers",
        counts.commits, counts.syncs, counts.answers
    ));
    assert!(counts.answers >= one_by_one + 60, "the log shows the answers: {counts:?}");
    assert!(counts.commits >= one_by_one, "the log shows the commits: {counts:?}");
    // The kill may come between an answer and the log's word that it is out: one a connection.
    let unseen = ledger.promised.difference(&promised(&events)).count() as u64;
    assert!(
        unseen <= CONNECTIONS * LARGEST_BATCH,
        "the log shows the answers; {unseen} are not in it"
    );

    let mut cuts = moments(&events, &wal, 6, &mut rng);
    cuts.push(events.len());
    for (number, cut) in cuts.into_iter().enumerate() {
        let mut disk = before.clone();
        disk.replay(&events[..cut]);
        ledger.promised = promised(&events[..cut]);
        for (kind, unsynced) in
            [("lost", Unsynced::Lost), ("half", Unsynced::Half { from: cut % 2 })]
        {
            let rebuilt = folder.path().join(format!("{kind}-{number}"));
            disk.write_to(&rebuilt, unsynced).expect("a folder to write to");
            let gateway = Program::serve(&rebuilt);
            let found = check_inboxes(gateway.address(), &cast, &ledger, seed);
            say(&format!(
                "  call {cut}, {} unsynced writes {kind}: {} answered SUCCESS and there once, {} \
                 there without an answer, {} sent again",
                disk.unsynced(),
                found.promised,
                found.unanswered,
                found.resent
            ));
            gateway.stop();
        }
    }
}
