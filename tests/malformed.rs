//! What no client should send: bodies made up from the OpenAPI document and its opposites by the
//! PyPI package `schemathesis`, and mutated frames on sockets.
//!
//! Whatever comes, the gateway answers or closes: no panic, no status 500, no socket left behind,
//! and no answer that the document does not allow.
//! `scripts/prove.sh malformed` sends 200,000, an ordinary test run 5,000.

mod frames;
mod mutation;
mod raw;

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use sealpost::admin::client::AdminClient;
use sealpost::sdk::keystore::Keystore;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::program::{self, Program};

/// Sockets that send at the same time.
const SOCKETS: u64 = 8;

/// Of all that is sent, so much goes over sockets.
const FRAMES_SHARE: u64 = 60;

fn say(text: &str) {
    // Not `eprintln!`, which the test runner swallows.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

/// What schemathesis looks at in every answer: no status of 500 or more; a status, a media type and
/// a body that the document describes.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance";

/// Everything is allowed, so that every path is reached, and nothing is refused for being too much.
const SETTINGS: [(&str, &str); 21] = [
    ("SEALPOST_DIALECTS__MIXIN__PLAIN_MESSAGES", "allow"),
    ("SEALPOST_DIALECTS__MIXIN__SIGN_UP", "open"),
    ("SEALPOST_DIALECTS__TEXTSECURE__ENABLED", "true"),
    ("SEALPOST_DIALECTS__TEXTSECURE__CODES__DEV_TRANSPORT", "true"),
    ("SEALPOST_DIALECTS__TEXTSECURE__LIMITS__ATTACHMENTS_AT_ONCE", "0"),
    ("SEALPOST_DIALECTS__TEXTSECURE__LIMITS__LINK_CODES_AT_ONCE", "0"),
    ("SEALPOST_DIALECTS__TEXTSECURE__LIMITS__MESSAGES_AT_ONCE", "0"),
    ("SEALPOST_DIALECTS__TEXTSECURE__LIMITS__PREKEYS_AT_ONCE", "0"),
    ("SEALPOST_DIALECTS__HUSHNET__ENABLED", "true"),
    ("SEALPOST_DIALECTS__HUSHNET__LIMITS", "relaxed"),
    ("SEALPOST_DIALECTS__KEYSERVICE__ENABLED", "true"),
    ("SEALPOST_DIALECTS__KEYSERVICE__V1", "true"),
    ("SEALPOST_DIALECTS__KEYSERVICE__MADE_PER_MINUTE", "0"),
    ("SEALPOST_DIALECTS__KEYSERVICE__WRONG_SECRETS_IN_ALL", "0"),
    ("SEALPOST_LIMITS__RATE__ACCOUNT_REQUESTS", "0"),
    ("SEALPOST_LIMITS__RATE__ACCOUNT_SOCKETS", "0"),
    ("SEALPOST_LIMITS__RATE__ADDRESS_SOCKETS", "0"),
    ("SEALPOST_LIMITS__SOCKETS_PER_SESSION", "200"),
    ("SEALPOST_TELEMETRY__LOG_LEVEL", "info"),
    ("SEALPOST_DIALECTS__MIXIN__LONGEST_POLL_SECONDS", "1"),
    ("RUST_BACKTRACE", "1"),
];

struct Scene {
    _folder: tempfile::TempDir,
    data: std::path::PathBuf,
    gateway: Program,
    bot: Keystore,
    person: Keystore,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        let bot = program::create_bot(&data, "bot");
        let person = program::create_user(&data, "person", 1).remove(0);
        let gateway = Program::serve_with(&data, "127.0.0.1:0", &SETTINGS);
        Self { _folder: folder, data, gateway, bot, person }
    }

    /// What must hold in the end.
    async fn check(self) {
        let operator = AdminClient::Socket(self.data.join("admin.sock"));
        let emptied = async {
            loop {
                let status: Value = operator.get("/admin/v1/status").await.expect("it lives");
                let sockets = status["sockets"].as_u64().expect("a number of sockets");
                if sockets == 0 {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(40), emptied).await.expect("no socket is left behind");
        let log = fs::read_to_string(self.data.with_extension("stderr")).unwrap_or_default();
        for bad in ["panic", "ERROR"] {
            let line = log.lines().find(|line| line.contains(bad));
            assert!(line.is_none(), "the log says {line:?}");
        }
        self.gateway.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_frames_are_answered_or_end_their_socket() {
    let count = setting("SEALPOST_MALFORMED", 5000) * FRAMES_SHARE / 100;
    let seed = setting("SEALPOST_SEED", 1);
    let scene = Scene::new();
    let address = scene.gateway.address();
    let senders = (0..SOCKETS).map(|number| {
        let (bot, person) = (scene.bot.clone(), scene.person.clone());
        tokio::spawn(frames::send(address, bot, person, count / SOCKETS, seed + number))
    });
    let mut seen = frames::Seen::default();
    for sender in join_all(senders).await {
        seen.add(&sender.expect("a sender does not panic"));
    }
    say(&format!("malformed frames, SEALPOST_SEED={seed}: {seen}"));
    assert_eq!(seen.server_errors, 0, "a frame was answered with a status of 500 or more");
    let raw = raw::send(address, &scene.bot, (count / 20).max(20), seed).await;
    say(&format!("malformed bytes below the frames: {raw} connections ended"));
    scene.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Python packages, which scripts/test.sh installs"]
async fn malformed_requests_get_answers_that_the_document_allows() {
    let count = setting("SEALPOST_MALFORMED", 5000) * (100 - FRAMES_SHARE) / 100;
    let seed = setting("SEALPOST_SEED", 1);
    let scene = Scene::new();
    let (address, data) = (scene.gateway.address(), scene.data.clone());
    let made_up =
        tokio::task::spawn_blocking(move || schemathesis(address, &data, count, seed)).await;
    let made_up = made_up.expect("no panic");
    say(&format!("malformed requests, SEALPOST_SEED={seed}: {made_up} made up from the document"));
    assert!(made_up >= count / 2, "only {made_up} requests were made up, not {count}");
    scene.check().await;
}

/// Runs the package against a gateway; returns how many requests it made up.
fn schemathesis(address: SocketAddr, data: &Path, count: u64, seed: u64) -> u64 {
    let python = std::env::var_os("SEALPOST_INTEROP_PYTHON")
        .expect("scripts/test.sh sets SEALPOST_INTEROP_PYTHON; run that, or set it");
    let operations = sealpost::app::openapi_document("").paths.paths.len() as u64;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/malformed");
    let phases = std::env::var("SEALPOST_PHASES").unwrap_or_else(|_| "fuzzing".to_owned());
    let output = Command::new(python)
        .args(["-m", "schemathesis.cli", "run"])
        .arg(format!("http://{address}/openapi.yaml"))
        .args(["--url", &format!("http://{address}"), "--checks", CHECKS])
        .args(["--phases", &phases, "--mode", "all", "--workers", "2"])
        .args(["--max-examples", &(count / operations).max(5).to_string()])
        .args(["--seed", &seed.to_string(), "--request-timeout", "30", "--suppress-health-check"])
        .args(["all", "--generation-database", "none", "--continue-on-failure"])
        // What it remembers stays in the temporary folder.
        .current_dir(data.parent().expect("a folder around the data"))
        .env("PYTHONPATH", &folder)
        .env("SCHEMATHESIS_HOOKS", "signing")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SEALPOST_KEYSTORE", data.with_file_name("bot.json"))
        .env("SEALPOST_GATEWAY", format!("http://{address}"))
        .stdin(Stdio::null())
        .output()
        .expect("Python starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "schemathesis found something:\n{text}\n{errors}");
    let made_up =
        text.lines().find_map(|line| line.trim().split_once(" generated")?.0.parse().ok());
    made_up.unwrap_or_else(|| panic!("schemathesis says nothing of its cases:\n{text}"))
}
