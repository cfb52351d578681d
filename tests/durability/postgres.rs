//! The server of the database is killed while a gateway works with it, and is started again.

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

use super::actors::{Actor, Posted};
use super::http::Connection;
use super::stream::{Cast, LARGEST_BATCH, Ledger, check_inboxes};
use super::{CONNECTIONS, say, seed, setting, spin};
use crate::program::{self, Program, pause};

/// How long the gateway may take to work again once the server is back.
const PATIENCE: Duration = Duration::from_secs(60);

/// Before a refused batch is sent again; a client would wait for the second that it was told.
const PAUSE: Duration = Duration::from_millis(50);

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

/// Posts until it is told to stop, each batch again and again until it is answered `SUCCESS`.
struct Poster {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    thread: JoinHandle<(Ledger, u64)>,
}

impl Poster {
    fn start(address: SocketAddr, cast: &Cast, seed: u64) -> Self {
        let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, counted, cast) = (stop.clone(), answers.clone(), cast.clone());
        let work = move || {
            let mut bot = Actor::connect(address, &cast.bot, seed).expect("the gateway listens");
            let (mut ledger, mut refusals) = (Ledger::default(), 0);
            while !told.load(Ordering::SeqCst) {
                let size = usize::try_from(1 + bot.below(LARGEST_BATCH)).expect("a small number");
                let batch = bot.batch(size, &cast.devices);
                while let Posted::Refused = bot.try_post(&batch).expect("the gateway answers") {
                    refusals += 1;
                    pause(PAUSE);
                }
                ledger.promised.extend(&batch.messages);
                ledger.sent.push(batch);
                counted.fetch_add(1, Ordering::SeqCst);
            }
            (ledger, refusals)
        };
        Self { stop, answers, thread: std::thread::spawn(work) }
    }

    fn answers(&self) -> u64 {
        self.answers.load(Ordering::SeqCst)
    }
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
    let settings = [("SEALPOST_DATABASE__URL", server.url.as_str())];
    let gateway = Program::serve_with(&data, "127.0.0.1:0", &settings);
    let bot = program::create_bot(&data, "bot");
    let cast = Cast { bot, devices: program::create_user(&data, "person", 2) };
    let address = gateway.address();

    let mut all = BTreeSet::new();
    for round in 1..=rounds {
        let poster = |_| Poster::start(address, &cast, rng.next_u64());
        let posters: Vec<_> = (0..CONNECTIONS).map(poster).collect();
        let answers = || posters.iter().map(Poster::answers).sum::<u64>();
        let enough = 1 + rng.next_u64() % 60;
        wait_until("posts are answered", || answers() >= enough);
        spin(rng.next_u64() % 20_000);

        server.kill();
        wait_until("/readyz says that the database is gone", || {
            let (status, retry_after) = readiness(address);
            assert!(status == 200 || (status == 503 && retry_after.is_some()), "{status}");
            status == 503
        });
        server.restart();
        wait_until("/readyz is good again", || readiness(address).0 == 200);
        for poster in &posters {
            let before = poster.answers();
            wait_until("every connection posts again", || poster.answers() > before);
        }

        let (mut ledger, mut refusals) = (Ledger::default(), 0);
        posters.iter().for_each(|poster| poster.stop.store(true, Ordering::SeqCst));
        for poster in posters {
            let (part, refused) = poster.thread.join().expect("200 or 503 and nothing else");
            ledger.merge(part);
            refusals += refused;
        }
        let found = check_inboxes(address, &cast, &ledger, rng.next_u64());
        assert!(all.is_disjoint(&ledger.promised), "ids are drawn once");
        all.extend(ledger.promised);
        say(&format!(
            "  round {round}: {} answered SUCCESS and there once, after {refusals} answers of 503",
            found.promised
        ));
        assert_eq!(
            (found.unanswered, found.resent),
            (0, 0),
            "all were posted until they were kept"
        );
    }
    gateway.stop();
}
