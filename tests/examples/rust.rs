//! What `sdk-examples/rust` has beside the commands of every language, as it was built with the tests.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use sealpost::sdk::client::{Bot, Incoming, Messages, Text};
use sealpost::sdk::keystore::Keystore;

use super::RUST;
use super::command::Running;
use super::stage::{Stage, play};
use crate::program::Program;
use crate::walkthrough::programs;

/// A program of the examples beside a gateway.
fn start(stage: &Stage, name: &str, arguments: &[&str]) -> Running {
    Running::start(&RUST, stage.folder(), &stage.url(), name, arguments)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in Unicode")
}

/// Waits for the text, past whatever else comes.
async fn comes(messages: &mut Messages, text: &str) -> Incoming {
    loop {
        let message = messages.next().await.expect("a message").expect("one that opens");
        if message.text() == Some(text) {
            return message;
        }
    }
}

#[test]
#[ignore = "needs the Rust examples, which `cargo test --workspace` builds and scripts/test.sh runs"]
fn group_bot_greets_and_answers() {
    let stage = Stage::open();
    let anna = stage.person("anna", 1).remove(0);
    let bot = stage.folder().join("bot.json");
    let program = start(&stage, "group_bot", &[text(&bot), "Release", &anna.user_id.to_string()]);
    assert!(program.line().contains(": Delivered"));
    play(async {
        let phone = stage.client(&anna);
        let mut messages = phone.messages();
        let greeting = comes(&mut messages, "Hello! Ask me anything.").await;
        phone.reply(&greeting, Text::new("when?")).await.expect("an answer");
        comes(&mut messages, "You said: when?").await;
        messages.close().await.expect("it is acknowledged");
    });
    drop(program);
    stage.close();
}

#[test]
#[ignore = "needs the Rust examples, which `cargo test --workspace` builds and scripts/test.sh runs"]
fn conversation_refresh_seals_again_for_who_is_there_now() {
    let stage = Stage::open();
    let anna = stage.person("anna", 1).remove(0);
    let bot = Keystore::from_file(stage.folder().join("bot.json")).expect("a keystore");
    let mut group = None;
    play(async {
        let bot: Bot = stage.client(&bot);
        let made = bot.create_group("Release", &[anna.user_id]).await.expect("a group");
        group = Some(made.conversation_id.to_string());
    });
    let phone = stage.folder().join("anna/device-1.json");
    let group = group.expect("it was made");
    let mut program = start(&stage, "conversation_refresh", &[text(&phone), &group]);
    assert_eq!(program.line(), "Release: 1 sessions");
    assert!(program.line().starts_with("Add somebody or sign a device in now"));
    Stage::sign_in(&stage.data(), anna.user_id);
    program.enter();
    let said = program.end_well();
    assert_eq!(
        said,
        ["the list was old: 1 sessions more, 0 fewer; sealing again", "reached 2 sessions"]
    );
    stage.close();
}

/// Runs `drop_box` with somebody who knows the passphrase.
fn drop_box(arguments: &[&str]) -> String {
    let mut program = Command::new(programs().join("drop_box"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = program.stdin.take().expect("piped");
    // Who leaves a text is not asked for a passphrase, and may be done already.
    let _ = input.write_all(b"seven tall ships sail by at noon\n");
    drop(input);
    let output = program.wait_with_output().expect("the program was started here");
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
#[ignore = "needs the Rust examples, which `cargo test --workspace` builds and scripts/test.sh runs"]
fn drop_box_keeps_a_text_for_whoever_knows_the_passphrase() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let enabled = [("SEALPOST_DIALECTS__KEYSERVICE__ENABLED", "true")];
    let gateway = Program::serve_with(&folder.path().join("data"), "127.0.0.1:0", &enabled);
    let link = drop_box(&[&format!("http://{}", gateway.address())]);
    assert!(drop_box(&[&link, "the cat sleeps"]).starts_with("it is in, as "));
    assert!(drop_box(&[&link]).ends_with(": the cat sleeps"));
    gateway.stop();
}
