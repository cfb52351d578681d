//! What to do next, said with each of the usual failures.

use std::fs;

use super::world::{Done, Place};

fn hint(done: &Done) -> &str {
    assert_eq!(done.code, 1, "{done:?}");
    let hint = done.err.lines().find_map(|line| line.strip_prefix("hint: "));
    hint.unwrap_or_else(|| panic!("no hint: {done:?}"))
}

#[test]
fn a_taken_port_can_be_found_or_changed() {
    let place = Place::new();
    let served = place.serve();
    let address = served.url.strip_prefix("http://").unwrap();
    let done = place.run(&["serve", "--listen", address, "--data", "other"]);
    assert!(hint(&done).contains("--listen"), "{done:?}");
}

#[test]
fn a_directory_in_use_names_the_ways_out() {
    let place = Place::new();
    let served = place.serve();
    let done = place.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(hint(&done).contains(&format!("kill {}", served.pid())), "{done:?}");
    assert!(hint(&done).contains("--data"), "{done:?}");
}

#[test]
fn a_data_directory_that_cannot_be_made_names_another_way() {
    let place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    let done = place.run(&["migrate", "--data", "file/data"]);
    assert!(hint(&done).contains("name another place"), "{done:?}");
}

#[test]
fn a_keystore_that_is_missing_or_is_none_says_where_they_come_from() {
    let place = Place::new();
    let to = ["--to", "00000000-0000-4000-8000-000000000001", "hi"];
    let send = |file| place.run(&[&["bot", "send", file], &to[..]].concat());
    assert!(hint(&send("missing.json")).contains("sealpost bot create NAME --out FILE"));
    fs::write(place.path("broken.json"), "{}").unwrap();
    assert!(hint(&send("broken.json")).contains("sealpost session add"));
}

#[test]
fn a_gateway_that_does_not_run_says_how_to_start_one() {
    let place = Place::new();
    place.good(&["bot", "create", "Echo", "--out", "bot.json", "--url", "http://127.0.0.1:9"]);
    let done = place.run(&["inbox", "tail", "bot.json"]);
    assert!(hint(&done).contains("is the gateway at http://127.0.0.1:9 running?"), "{done:?}");
}

#[test]
fn a_revoked_session_says_how_to_get_another_one() {
    let place = Place::new();
    let served = place.serve();
    place.good(&["bot", "create", "Echo", "--out", "bot.json"]);
    let keystore = fs::read_to_string(place.path("bot.json")).unwrap();
    let keystore: serde_json::Value = serde_json::from_str(&keystore).unwrap();
    place.good(&["session", "revoke", keystore["session_id"].as_str().unwrap()]);
    let done = place.run(&["inbox", "tail", "bot.json", "--url", &served.url]);
    let account = keystore["app_id"].as_str().unwrap();
    assert!(hint(&done).contains(&format!("sealpost session add {account}")), "{done:?}");
}

#[test]
fn a_setting_that_cannot_be_used_says_what_to_do_with_it() {
    let place = Place::new();
    let done = Done::of(place.command(&["migrate"]).env("SEALPOST_LISTEN", "nowhere"));
    assert!(hint(&done).contains("leave it out for the default"), "{done:?}");
    let done = place.run(&["migrate", "--config", "missing.toml"]);
    assert!(hint(&done).contains("no file is needed"), "{done:?}");
}

#[test]
fn a_file_that_exists_is_kept_and_the_hint_says_so() {
    let place = Place::new();
    fs::write(place.path("bot.json"), "the only copy").unwrap();
    let done = place.run(&["bot", "create", "Echo", "--out", "bot.json"]);
    assert!(hint(&done).contains("never written over"), "{done:?}");
}

#[test]
fn a_database_that_is_none_says_who_looks_at_it() {
    let place = Place::new();
    place.good(&["migrate"]);
    let database = place.path("sealpost-data/sealpost.db");
    if !database.exists() {
        return assert!(place.good(&["doctor"]).contains("ok "), "the database is on a server");
    }
    fs::write(database, "no database".repeat(1000)).unwrap();
    let done = place.run(&["admin", "status"]);
    assert!(hint(&done).contains("sealpost doctor"), "{done:?}");
}
