//! `bot send`: a text, from an argument or a pipe, to every device of somebody.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use super::world::{Place, text};

/// A place with a bot's keystore in `bot.json` and one for each device of Anna in `anna/`.
fn with_anna(devices: &str) -> (Place, String) {
    let place = Place::new();
    place.good(&["bot", "create", "Echo", "--out", "bot.json"]);
    let create = ["user", "create", "Anna", "--out-dir", "anna", "--json", "--devices", devices];
    let made = place.good(&create);
    let made: Value = serde_json::from_str(&made).unwrap();
    let anna = text(&made, "user_id").to_owned();
    (place, anna)
}

/// The arguments with which the bot sends something to somebody, through the gateway at `url`.
fn sending<'a>(to: &'a str, url: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let start = ["bot", "send", "bot.json", "--to", to, "--url", url];
    [&start[..], rest].concat()
}

#[test]
fn a_text_goes_to_every_device_and_each_can_read_it() {
    let (place, anna) = with_anna("2");
    let served = place.serve();
    let sent = place.good(&sending(&anna, &served.url, &["good morning"]));
    assert!(sent.contains("stored for 2 devices"), "{sent}");
    for device in ["anna/device-1.json", "anna/device-2.json"] {
        let shown = place.good(&["inbox", "tail", device, "--url", &served.url]);
        assert!(shown.trim_end().ends_with("  good morning"), "{shown}");
        assert!(shown.contains(sent.split_whitespace().next().unwrap()), "{shown}");
    }
}

#[test]
fn a_pipe_is_read_without_the_line_break_at_its_end() {
    let (place, anna) = with_anna("1");
    let served = place.serve();
    let mut command = place.command(&sending(&anna, &served.url, &["-"]));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    assert!(child.wait().unwrap().success());
    let shown = place.good(&["inbox", "tail", "anna/device-1.json", "--url", &served.url]);
    assert!(shown.trim_end().ends_with("  one\\ntwo"), "{shown}");
}

#[test]
fn an_empty_text_is_refused() {
    let (place, anna) = with_anna("1");
    let done = place.run(&["bot", "send", "bot.json", "--to", &anna]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("the text is empty"), "{done:?}");
}

#[test]
fn the_receipt_is_one_object_for_programs() {
    let (place, anna) = with_anna("3");
    let served = place.serve();
    let id = "00000000-0000-4000-8000-0000000000aa";
    let arguments = sending(&anna, &served.url, &["--id", id, "--json", "hi"]);
    let receipt: Value = serde_json::from_str(&place.good(&arguments)).unwrap();
    assert_eq!(receipt["message_id"], id);
    assert_eq!(receipt["outcome"], "delivered");
    assert_eq!(receipt["sessions"].as_array().unwrap().len(), 3);
    assert_eq!(receipt["refreshed"], false);
    let again: Value = serde_json::from_str(&place.good(&arguments)).unwrap();
    assert_eq!(again["outcome"], "already_delivered");
}

#[test]
fn somebody_who_does_not_exist_is_a_failure() {
    let (place, _) = with_anna("1");
    let served = place.serve();
    let nobody = "00000000-0000-4000-8000-000000000001";
    let done = place.run(&sending(nobody, &served.url, &["hi"]));
    assert_eq!(done.code, 1);
    assert!(done.err.contains("there is no such account"), "{done:?}");
}

#[test]
fn somebody_who_is_signed_in_nowhere_can_be_tried_again_under_the_same_id() {
    let (place, anna) = with_anna("1");
    let served = place.serve();
    let listed = place.good(&["session", "list", &anna]);
    place.good(&["session", "revoke", listed.split_whitespace().next().unwrap()]);
    let id = "00000000-0000-4000-8000-0000000000ab";
    let done = place.run(&sending(&anna, &served.url, &["--id", id, "hi"]));
    assert_eq!(done.code, 1);
    assert!(done.err.contains(&format!("hint: try again later with --id {id}")), "{done:?}");
}
