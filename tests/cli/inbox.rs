//! `inbox tail`: what waits, and what is acknowledged.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::world::{Place, Served, text};

/// A bot, Anna's device, and a gateway.
struct Scene {
    place: Place,
    served: Served,
    anna: String,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        let served = place.serve();
        place.good(&["bot", "create", "Echo", "--out", "bot.json"]);
        let made = place.good(&["user", "create", "Anna", "--out-dir", "anna", "--json"]);
        let made: Value = serde_json::from_str(&made).unwrap();
        let anna = text(&made, "user_id").to_owned();
        Self { place, served, anna }
    }

    fn send(&self, text: &str) {
        self.place.good(&["bot", "send", "bot.json", "--to", &self.anna, text]);
    }

    fn tail(&self, options: &[&str]) -> String {
        self.place.good(&[&["inbox", "tail", "anna/device-1.json"], options].concat())
    }

    /// How many messages wait for Anna's device, held or not.
    fn waiting(&self) -> u64 {
        let listed = self.place.good(&["session", "list", &self.anna, "--json"]);
        let session: Value = serde_json::from_str(&listed).unwrap();
        session["waiting"].as_u64().unwrap()
    }
}

#[test]
fn what_was_shown_waits_on_unless_it_was_to_be_acknowledged() {
    let scene = Scene::new();
    scene.send("one");
    scene.send("two");
    let shown = scene.tail(&["--peek"]);
    let texts: Vec<_> = shown.lines().map(|line| line.rsplit("  ").next().unwrap()).collect();
    assert_eq!(texts, ["one", "two"]);
    assert_eq!(scene.waiting(), 2);
    // Held for the reader before.
    assert_eq!(scene.tail(&["--ack"]), "");
    scene.send("three");
    assert!(scene.tail(&["--once", "--ack"]).ends_with("three\n"));
    assert_eq!(scene.waiting(), 2);
}

#[test]
fn what_others_wrote_does_nothing_to_the_terminal() {
    let scene = Scene::new();
    scene.send("\u{1b}[2J\u{202e}gone\nnext");
    let shown = scene.tail(&[]);
    assert_eq!(shown.lines().count(), 1);
    assert!(shown.ends_with("\\u{1b}[2J\\u{202e}gone\\nnext\n"), "{shown}");
}

#[test]
fn a_program_gets_an_object_with_the_proof_of_the_sender() {
    let scene = Scene::new();
    scene.send("for programs");
    let shown: Value = serde_json::from_str(&scene.tail(&["--json"])).unwrap();
    assert_eq!(shown["text"], "for programs");
    assert_eq!(shown["proof"], "live_session");
    assert_eq!(shown["category"], "ENCRYPTED_TEXT");
}

#[test]
fn following_shows_what_comes_and_acknowledges_it() {
    let scene = Scene::new();
    scene.send("before");
    let arguments = ["inbox", "tail", "anna/device-1.json", "--follow", "--ack"];
    let mut command = scene.place.command(&arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().ends_with("  before"));
    scene.send("while it listens");
    assert!(lines.next().unwrap().unwrap().ends_with("  while it listens"));
    let stopped = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
    assert!(stopped.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(scene.waiting(), 0);
    drop(scene.served);
}
