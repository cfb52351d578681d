//! The npm package `@mixin.dev/mixin-node-sdk`, unmodified, against the real program.
//!
//! Ignored in a bare `cargo test`, because it needs Node.js and packages: `scripts/test.sh` installs
//! those below `target` and runs this too.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use sealpost::sdk::keystore::Keystore;
use serde_json::{Value, json};

use crate::program::{self, Program};

const PLAIN: (&str, &str) = ("SEALPOST_DIALECTS__MIXIN__PLAIN_MESSAGES", "allow");

/// What the script says when all went well, in order; `restart` asks for another gateway.
const STORY: [&str; 12] = [
    "profiles",
    "contact conversation",
    "pending, then live",
    "receipts",
    "a batch, in order",
    "a stale checksum: typed error 20140",
    "somebody unknown: typed error 404",
    "an outsider: typed error 403",
    "a group",
    "an attachment",
    "what was not acknowledged comes again after a restart, and nothing else",
    "nothing is left",
];

/// The folder with the script and its packages.
fn folder() -> PathBuf {
    let folder = std::env::var_os("SEALPOST_INTEROP_NODE");
    folder.expect("scripts/test.sh sets SEALPOST_INTEROP_NODE; run that, or set it").into()
}

fn node() -> Command {
    Command::new(std::env::var_os("SEALPOST_NODE").unwrap_or_else(|| "node".into()))
}

/// As the SDK's own users keep it.
fn keystore(keystore: &Keystore) -> Value {
    let text = keystore.to_json().expect("a good keystore");
    serde_json::from_str(&text).expect("a keystore is JSON")
}

/// The script, and the lines that it says.
struct Script {
    child: Child,
    input: ChildStdin,
}

impl Script {
    fn start(folder: &Path, arguments: &Value) -> (Self, impl Iterator<Item = String> + use<>) {
        let mut child = node()
            .arg(folder.join("bot.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js 20 or newer is installed");
        let input = child.stdin.take().expect("piped");
        let output = child.stdout.take().expect("piped");
        let mut script = Self { child, input };
        script.tell(&arguments.to_string());
        (script, BufReader::new(output).lines().map_while(Result::ok))
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the script listens");
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs Node.js and npm packages, which scripts/test.sh installs"]
fn the_public_node_sdk_works_unmodified() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let data = data.path().join("data");
    let bot = program::create_bot(&data, "bot");
    let person = program::create_user(&data, "person", 1).remove(0);
    let mut gateway = Program::serve_with(&data, "127.0.0.1:0", &[PLAIN]);
    let address = gateway.address().to_string();
    let (mut script, lines) = Script::start(
        &folder(),
        &json!({
            "url": format!("http://{address}"),
            "socket": format!("ws://{address}"),
            "bot": keystore(&bot),
            "person": keystore(&person),
        }),
    );
    let mut story = Vec::new();
    for line in lines {
        if line == "restart" {
            gateway.stop();
            gateway = Program::serve_with(&data, &address, &[PLAIN]);
            script.tell("restarted");
        } else if line != "done" {
            story.push(line);
        }
    }
    let status = script.child.wait().expect("the script was started here");
    assert!(status.success(), "the script ended with {status} after {story:?}");
    assert_eq!(story, STORY);
    gateway.stop();
}
