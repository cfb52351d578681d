//! The server of the database is killed while bots post and devices read, and is started again.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::sdk::ids::MessageId;
use sealpost::sdk::keystore::Keystore;

use super::actors::{Actor, Posted};
use super::http::Connection;
use super::reader::Reader;
use super::stream::{Cast, LARGEST_BATCH, Ledger, check_rest};
use super::{say, seed, setting, spin};
use crate::program::{self, Program, pause};

/// How long the gateway may take to work again once the server is back.
const PATIENCE: Duration = Duration::from_secs(60);

/// Before a refused request is sent again; a client would wait for the second that it was told.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a message is held for a device that has fetched it.
const LEASE: Duration = Duration::from_secs(1);

/// Connections that post at the same time.
const POSTERS: u64 = 16;

/// A server of its own, which does not outlive the test.
struct Server {
    folder: PathBuf,
    url: String,
}

impl Server {
    fn start(folder: PathBuf) -> Self {
        let output = script("start", &folder);
        let url = String::from_utf8(output.stdout).expect("a URL").trim().to_owned();
        Self { folder, url }
    }

    fn kill(&self) {
        script("kill", &self.folder);
    }

    fn restart(&self) {
        script("restart", &self.folder);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        script("remove", &self.folder);
    }
}

fn script(order: &str, folder: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres.sh");
    let output = Command::new(script).arg(order).arg(folder).output().expect("the script runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/postgres.sh {order} failed: {errors}");
    output
}

/// Somebody at a connection of their own until they are told to stop.
struct Worker<T> {
    stop: Arc<AtomicBool>,
    /// Answers of success.
    answers: Arc<AtomicU64>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Worker<T> {
    fn start(work: impl FnOnce(&AtomicBool, &AtomicU64) -> T + Send + 'static) -> Self {
        let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, counted) = (stop.clone(), answers.clone());
        Self { stop, answers, thread: std::thread::spawn(move || work(&told, &counted)) }
    }

    fn answers(&self) -> u64 {
        self.answers.load(Ordering::SeqCst)
    }
}

/// Tells all of them to stop before it waits for one.
fn end<T>(workers: Vec<Worker<T>>) -> Vec<T> {
    workers.iter().for_each(|worker| worker.stop.store(true, Ordering::SeqCst));
    let join = |worker: Worker<T>| worker.thread.join().expect("200 or 503 and nothing else");
    workers.into_iter().map(join).collect()
}

/// Posts, each batch again and again until it is answered `SUCCESS`, and counts the refusals.
fn poster(address: SocketAddr, cast: &Cast, seed: u64) -> Worker<(Ledger, u64)> {
    let cast = cast.clone();
    Worker::start(move |stop, answers| {
        let mut bot = Actor::connect(address, &cast.bot, seed).expect("the gateway listens");
        let (mut ledger, mut refusals) = (Ledger::default(), 0);
        while !stop.load(Ordering::SeqCst) {
            let size = usize::try_from(1 + bot.below(LARGEST_BATCH)).expect("a small number");
            let batch = bot.batch(size, &cast.devices);
            while let Posted::Refused = bot.try_post(&batch).expect("the gateway answers") {
                refusals += 1;
                pause(PAUSE);
            }
            ledger.promised.extend(&batch.messages);
            ledger.sent.push(batch);
            answers.fetch_add(1, Ordering::SeqCst);
        }
        (ledger, refusals)
    })
}

/// Fetches and acknowledges, and counts the refusals.
fn reader(
    address: SocketAddr,
    bot: &Keystore,
    device: &Keystore,
    seed: u64,
) -> Worker<(Reader, u64)> {
    let (bot, device) = (bot.clone(), device.clone());
    Worker::start(move |stop, answers| {
        let mut device = Actor::connect(address, &device, seed).expect("the gateway listens");
        let (mut reader, mut refusals) = (Reader::default(), 0);
        while !stop.load(Ordering::SeqCst) || !reader.is_even() {
            if reader.turn(&mut device, &bot).expect("the gateway answers").is_some() {
                answers.fetch_add(1, Ordering::SeqCst);
            } else {
                refusals += 1;
                pause(PAUSE);
            }
        }
        (reader, refusals)
    })
}

/// Looks until something is so, and fails when that takes too long.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = SystemClock.now().plus(PATIENCE);
    while !is_so() {
        assert!(SystemClock.now() < deadline, "{what}: not within {PATIENCE:?}");
        pause(Duration::from_millis(5));
    }
}

/// The status of `/readyz`, and when to come again.
fn readiness(address: SocketAddr) -> (u16, Option<u64>) {
    let mut connection = Connection::open(address).expect("the gateway listens");
    let answer = connection.request("GET", "/readyz", "", b"").expect("the gateway answers");
    (answer.status, answer.retry_after)
}

/// What the connections of a round know at its end.
#[derive(Default)]
struct Known {
    ledger: Ledger,
    /// What each device has acknowledged with success.
    acknowledged: Vec<BTreeSet<MessageId>>,
    fetched: usize,
    again: usize,
    refusals: u64,
}

/// Posts, fetches and acknowledges while the server is killed and started again.
fn round(server: &Server, address: SocketAddr, cast: &Cast, rng: &mut ChaCha20Rng) -> Known {
    let posters: Vec<_> = (0..POSTERS).map(|_| poster(address, cast, rng.next_u64())).collect();
    let devices = cast.devices.iter();
    let readers: Vec<_> =
        devices.map(|device| reader(address, &cast.bot, device, rng.next_u64())).collect();
    let enough = 1 + rng.next_u64() % 60;
    wait_until("posts are answered", || posters.iter().map(Worker::answers).sum::<u64>() >= enough);
    wait_until("every device reads", || readers.iter().all(|reader| reader.answers() > 0));
    spin(rng.next_u64() % 20_000);

    server.kill();
    wait_until("/readyz says that the database is gone", || {
        let (status, retry_after) = readiness(address);
        assert!(status == 200 || (status == 503 && retry_after.is_some()), "{status}");
        status == 503
    });
    server.restart();
    wait_until("/readyz is good again", || readiness(address).0 == 200);
    wait_until_again("every connection posts again", &posters);
    wait_until_again("every device reads again", &readers);

    let mut known = Known::default();
    for (ledger, refusals) in end(posters) {
        known.ledger.merge(ledger);
        known.refusals += refusals;
    }
    for (reader, refusals) in end(readers) {
        known.acknowledged.push(reader.acknowledged);
        known.fetched += reader.fetched;
        known.again += reader.again;
        known.refusals += refusals;
    }
    known
}

fn wait_until_again<T: Send + 'static>(what: &str, workers: &[Worker<T>]) {
    for worker in workers {
        let before = worker.answers();
        wait_until(what, || worker.answers() > before);
    }
}

#[test]
#[ignore = "needs PostgreSQL's programs, which scripts/test.sh installs"]
fn what_was_answered_success_survives_kill_9_of_postgresql() {
    let rounds = setting("SEALPOST_POSTGRES_KILLS", 2);
    let seed = seed();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The server may have to run as somebody else, who must get through to its own folder.
    let passable = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(folder.path(), passable).expect("a folder of ours");
    let server = Server::start(folder.path().join("server"));
    say(&format!("kill -9 of PostgreSQL, {rounds} rounds, SEALPOST_SEED={seed}"));

    let data = folder.path().join("data");
    let lease = LEASE.as_secs().to_string();
    let settings = [
        ("SEALPOST_DATABASE__URL", server.url.as_str()),
        ("SEALPOST_LIMITS__LEASE_SECONDS", lease.as_str()),
    ];
    let gateway = Program::serve_with(&data, "127.0.0.1:0", &settings);
    let bot = program::create_bot(&data, "bot");
    let cast = Cast { bot, devices: program::create_user(&data, "person", 2) };
    let address = gateway.address();

    let mut all = BTreeSet::new();
    for number in 1..=rounds {
        let Known { ledger, acknowledged, fetched, again, refusals } =
            round(&server, address, &cast, &mut rng);
        // What was held when the server died is free by then.
        pause(LEASE);
        let found = check_rest(address, &cast, &ledger, &acknowledged, rng.next_u64());
        assert!(all.is_disjoint(&ledger.promised), "ids are drawn once");
        all.extend(ledger.promised);
        let gone = acknowledged.iter().map(BTreeSet::len).sum::<usize>();
        say(&format!(
            "  round {number}: {} answered SUCCESS and there once, {fetched} fetched, {gone} \
             acknowledged and {again} received again unacknowledged in the meantime, after \
             {refusals} answers of 503",
            found.promised
        ));
        assert!(gone > 0, "a round without an acknowledgement proves nothing");
        assert_eq!(
            (found.unanswered, found.resent),
            (0, 0),
            "all were posted until they were kept"
        );
    }
    gateway.stop();
}
