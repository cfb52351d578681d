//! Clients that other people's generators make of `openapi.yaml`, against the real program: an API
//! token, a batch with a list of sessions that is old and one that is not, the inbox, an error.
//!
//! Each is a script or a program in `tests/clients/` that has nothing of its own for HTTP. Sealing is not what is
//! looked at here, so it asks for that, a line of JSON for each question and one for each answer:
//!
//! | question | answer |
//! |---|---|
//! | `{"begin": NAME}` | `url`, `token` and `people`: the `user` and the `conversation` of each |
//! | `{"sign_in": USER}` | nothing; that person has one more device |
//! | `{"seal": SESSIONS}` | `data_base64` and `checksum` of a text for them |
//! | `{"open": DATA}` | the `text` |
//! | `{"say": TEXT}` | none: it is a part of the story |
//!
//! Ignored in a bare `cargo test`, because they need packages: `scripts/test.sh` installs those below
//! `target` and runs these too.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sealpost::sdk::base64url;
use sealpost::sdk::checksum::session_checksum;
use sealpost::sdk::client::{Bot, Device, Text};
use sealpost::sdk::conversation::contact_conversation_id;
use sealpost::sdk::envelope::{self, Recipient};
use sealpost::sdk::keystore::Keystore;
use sealpost::sdk::types::SessionInfo;
use serde_json::{Value, json};

use crate::program::{self, Program};

/// What every client says when all goes well.
const STORY: [&str; 7] = [
    "generated",
    "2 sessions",
    "FAILED stale_sessions 2, SUCCESS accepted 1",
    "SUCCESS accepted 2",
    "good evening",
    "0 left",
    "404: 404",
];

/// What the clients send.
const TEXT: &str = "from a generated client";

/// A gateway with a bot, for which the client speaks, and two people.
struct Scene {
    folder: tempfile::TempDir,
    gateway: Program,
    bot: Keystore,
    people: [Keystore; 2],
    /// The devices of people that signed in while the client was at work.
    newcomers: Vec<Keystore>,
    rng: ChaCha20Rng,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        let bot = program::create_bot(&data, "generated");
        let people = ["anna", "ben"].map(|name| program::create_user(&data, name, 1).remove(0));
        let gateway = Program::serve(&data);
        let rng = ChaCha20Rng::seed_from_u64(1);
        Self { folder, gateway, bot, people, newcomers: Vec::new(), rng }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn url(&self) -> String {
        format!("http://{}", self.gateway.address())
    }

    fn device(&self, keystore: &Keystore) -> Device {
        let bot = Bot::builder(keystore.clone()).base_url(self.url()).build();
        bot.expect("a keystore that was just made").into()
    }

    /// Answers one question.
    fn answer(&mut self, question: &Value) -> Value {
        let (word, about) = question.as_object().expect("a question").iter().next().expect("one");
        match word.as_str() {
            "begin" => self.begin(),
            "sign_in" => self.sign_in(about.as_str().expect("a user")),
            "seal" => self.seal(about),
            "open" => self.open(about.as_str().expect("a text")),
            _ => panic!("nobody knows what {question} means"),
        }
    }

    fn begin(&self) -> Value {
        let file = self.folder.path().join("generated.json");
        let file = file.to_str().expect("a path in Unicode");
        let token = program::run(
            &self.data(),
            &["bot", "token", "--keystore", file, "--scopes", "send,receive,read"],
        );
        let people = self.people.iter().map(|person| {
            let conversation = contact_conversation_id(self.bot.user_id, person.user_id);
            json!({ "user": person.user_id, "conversation": conversation })
        });
        json!({
            "url": self.url(),
            "token": String::from_utf8_lossy(&token.stdout).trim(),
            "people": people.collect::<Vec<_>>(),
        })
    }

    fn sign_in(&mut self, user: &str) -> Value {
        let file = self.folder.path().join("newcomer.json");
        let path = file.to_str().expect("a path in Unicode");
        program::run(&self.data(), &["session", "add", user, "--out", path]);
        self.newcomers.push(Keystore::from_file(&file).expect("a keystore that the SDK reads"));
        json!({})
    }

    fn seal(&mut self, sessions: &Value) -> Value {
        let sessions: Vec<SessionInfo> =
            serde_json::from_value(sessions.clone()).expect("sessions");
        let recipients: Vec<_> = sessions
            .iter()
            .map(|it| Recipient { session: it.session_id, key: it.agreement_key().expect("a key") })
            .collect();
        let secret = self.bot.session_private_key.agreement_secret();
        let sealed = envelope::seal(TEXT.as_bytes(), &secret, &recipients, None, &mut self.rng);
        json!({
            "data_base64": base64url::encode(&sealed.expect("good keys")),
            "checksum": session_checksum(sessions.iter().map(|it| it.session_id)),
        })
    }

    fn open(&self, data: &str) -> Value {
        let sealed = base64url::decode(data).expect("base64");
        let secret = self.bot.session_private_key.agreement_secret();
        let text = envelope::open(&sealed, self.bot.session_id, &secret, None);
        json!({ "text": String::from_utf8(text.expect("a slot of ours")).expect("a text") })
    }

    /// Runs a client to its end; returns what it said.
    fn story(&mut self, client: &mut Command) -> Vec<String> {
        let mut client =
            client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the client starts");
        let mut input = client.stdin.take().expect("piped");
        let output = BufReader::new(client.stdout.take().expect("piped"));
        let mut story = Vec::new();
        for line in output.lines().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).expect("a line of JSON");
            match line["say"].as_str() {
                Some(text) => story.push(text.to_owned()),
                None => writeln!(input, "{}", self.answer(&line)).expect("the client listens"),
            }
        }
        let status = client.wait().expect("the client was started here");
        assert!(status.success(), "the client ended with {status} after {story:?}");
        story
    }

    /// All devices have what the client sent, once.
    async fn check(self) {
        for keystore in self.people.iter().chain(&self.newcomers) {
            let device = self.device(keystore);
            let mut messages = device.account().messages();
            let message = messages.next().await.expect("a message").expect("one of ours");
            assert_eq!(message.text(), Some(TEXT));
            assert_eq!(message.sender, self.bot.user_id);
            messages.close().await.expect("it is acknowledged");
        }
        self.gateway.stop();
    }
}

/// Greets the bot, runs a client, and looks at what it did.
async fn tells_its_story(mut client: Command) {
    let mut scene = Scene::new();
    let ben = scene.device(&scene.people[1]);
    let greeting = ben.account().send(&scene.bot.user_id, Text::new("good evening"));
    greeting.await.expect("it is sent");
    let work = tokio::task::spawn_blocking(move || (scene.story(&mut client), scene));
    let (story, scene) = work.await.expect("no panic");
    assert_eq!(story, STORY);
    scene.check().await;
}

/// A file of the project.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What `scripts/test.sh` says of something that it installed.
fn installed(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.unwrap_or_else(|| panic!("scripts/test.sh sets {variable}; run that, or set it")).into()
}

/// Runs a generator, or a compiler, to its end.
fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}:\n{said}\n{errors}", output.status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js and npm packages, which scripts/test.sh installs"]
async fn a_client_by_openapi_typescript_and_openapi_fetch_works() {
    let folder = installed("SEALPOST_CLIENTS_NODE");
    let node = || {
        let mut node = Command::new(installed("SEALPOST_NODE"));
        node.current_dir(&folder);
        node
    };
    for name in ["client.ts", "tsconfig.json"] {
        let to = folder.join(name);
        fs::copy(file("tests/clients/node").join(name), to).expect("a file is copied");
    }
    run(node()
        .arg("node_modules/openapi-typescript/bin/cli.js")
        .arg(file("openapi.yaml"))
        .args(["--output", "api.d.ts"]));
    run(node().args(["node_modules/typescript/bin/tsc", "--project", "."]));
    let mut client = node();
    client.arg("client.js");
    tells_its_story(client).await;
}

/// The client in Python, generated of a document into a folder.
fn python_client(document: &Path, folder: &Path) -> Command {
    let python = installed("SEALPOST_CLIENTS_PYTHON");
    run(Command::new(&python)
        .args(["-m", "openapi_python_client", "generate", "--fail-on-warning", "--overwrite"])
        .arg("--path")
        .arg(document)
        .arg("--config")
        .arg(file("tests/clients/python/generator.yaml"))
        .arg("--output-path")
        .arg(folder));
    let mut client = Command::new(python);
    client
        .arg(file("tests/clients/python/client.py"))
        .env("PYTHONPATH", folder)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Python packages, which scripts/test.sh installs"]
async fn a_client_by_openapi_python_client_works() {
    let made = tempfile::tempdir().expect("a temporary folder");
    tells_its_story(python_client(&file("openapi.yaml"), made.path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Python packages, which scripts/test.sh installs"]
async fn a_client_of_the_document_in_version_3_0_works_as_well() {
    let made = tempfile::tempdir().expect("a temporary folder");
    let document = made.path().join("openapi.json");
    let reduced = sealpost::app::openapi_reduced("").document;
    fs::write(&document, reduced.to_string()).expect("a file is written");
    tells_its_story(python_client(&document, &made.path().join("client"))).await;
}

/// The client in Rust: a package of its own, built beside what it is tried against.
fn rust_client() -> Command {
    let target = Path::new(env!("CARGO_BIN_EXE_sealpost")).parent().and_then(Path::parent);
    let target = target.expect("a target folder").join("clients-rust");
    fs::create_dir_all(&target).expect("a folder is made");
    let document = target.join("openapi-3.0.json");
    let reduced = sealpost::app::openapi_reduced("").document.to_string();
    // A file that is written again is one that has changed, and makes the generator work again.
    if fs::read_to_string(&document).ok().as_deref() != Some(&reduced) {
        fs::write(&document, reduced).expect("a file is written");
    }
    run(Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--manifest-path"])
        .arg(file("tests/clients/rust/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("SEALPOST_OPENAPI", &document));
    Command::new(target.join("debug/sealpost-client-by-progenitor"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a generator, which takes a minute and packages that cargo fetches"]
async fn a_client_by_progenitor_works() {
    tells_its_story(rust_client()).await;
}
