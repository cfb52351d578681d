//! The commands that change data, with a running gateway and without.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sealpost::sdk::keystore::Keystore;
use serde_json::Value;

use super::world::{Done, Place, Served, text};

#[test]
fn a_bot_made_through_a_running_gateway_is_known_to_it_at_once() {
    let place = Place::new();
    let served = place.serve();
    let keystore = place.bot();
    assert_eq!(text(&keystore, "base_url"), served.url);
    let token = place.good(&["bot", "token", text(&keystore, "session_id")]);
    assert_eq!(served.status_of("/me", token.trim()), 200);
}

#[test]
fn a_bot_made_without_a_gateway_is_there_when_one_starts() {
    let place = Place::new();
    let keystore = place.bot();
    let token = place.good(&["bot", "token", text(&keystore, "session_id")]);
    let served = place.serve();
    assert_eq!(served.status_of("/me", token.trim()), 200);
}

#[test]
fn revoked_tokens_of_a_bot_are_turned_away_by_the_running_gateway() {
    let place = Place::new();
    let served = place.serve();
    let keystore = place.bot();
    let session = text(&keystore, "session_id");
    let token = place.good(&["bot", "token", session]);
    assert_eq!(served.status_of("/me", token.trim()), 200);
    assert_eq!(place.good(&["bot", "revoke-tokens", session]), "");
    assert_eq!(served.status_of("/me", token.trim()), 401);
}

#[test]
fn the_gateways_key_stays_the_same() {
    let place = Place::new();
    let first = place.bot();
    let _served = place.serve();
    assert_eq!(first["server_public_key"], place.bot()["server_public_key"]);
}

#[test]
fn a_keystore_file_is_its_owners_alone_and_the_sdk_reads_it() {
    let place = Place::new();
    let out =
        place.good(&["bot", "create", "Echo", "--out", "bot.json", "--url", "https://x.test"]);
    assert_eq!(out, "");
    let path = place.path("bot.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let keystore = Keystore::from_file(&path).unwrap();
    assert_eq!(keystore.base_url.as_deref(), Some("https://x.test"));
    let token = place.good(&["bot", "token", "--keystore", "bot.json", "--scopes", "send,read"]);
    assert!(token.starts_with("spt_") && token.lines().count() == 1, "{token}");
}

#[test]
fn a_keystore_that_exists_is_not_overwritten_and_no_bot_is_made() {
    let place = Place::new();
    fs::write(place.path("bot.json"), "the only copy").unwrap();
    let done = place.run(&["bot", "create", "Echo", "--out", "bot.json"]);
    assert_eq!(done.code, 1);
    assert_eq!(fs::read_to_string(place.path("bot.json")).unwrap(), "the only copy");
    assert!(!place.path("sealpost-data").exists());
}

#[test]
fn a_bot_that_is_refused_leaves_no_file() {
    let place = Place::new();
    let done = place.run(&["bot", "create", " ", "--out", "bot.json"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("full_name"), "{done:?}");
    assert!(!place.path("bot.json").exists());
}

#[test]
fn a_user_has_a_keystore_for_each_device() {
    let place = Place::new();
    let out = place.good(&["user", "create", "Anna", "--devices", "3"]);
    let keystores: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(keystores.len(), 3);
    let anna = text(&keystores[0], "app_id");
    assert!(keystores.iter().all(|keystore| text(keystore, "app_id") == anna));
    assert_eq!(place.good(&["session", "list", anna]).lines().count(), 3);
}

#[test]
fn a_users_keystores_go_into_a_directory() {
    let place = Place::new();
    place.good(&["user", "create", "Anna", "--devices", "2", "--out-dir", "anna"]);
    for name in ["anna/device-1.json", "anna/device-2.json"] {
        assert!(Keystore::from_file(place.path(name)).is_ok(), "{name}");
    }
}

#[test]
fn a_session_takes_the_place_of_another() {
    let place = Place::new();
    let _served = place.serve();
    let bot = place.bot();
    let (id, old) = (text(&bot, "app_id"), text(&bot, "session_id"));
    let added = place.good(&["session", "add", id, "--replaces", old, "--platform", "Laptop"]);
    let added: Value = serde_json::from_str(&added).unwrap();
    let listed = place.good(&["session", "list", id]);
    assert_eq!(listed.lines().count(), 1);
    assert!(listed.starts_with(text(&added, "session_id")) && listed.contains("Laptop"));
}

#[test]
fn a_revoked_session_is_refused_at_once() {
    let place = Place::new();
    let served = place.serve();
    let bot = place.bot();
    let session = text(&bot, "session_id");
    let token = place.good(&["bot", "token", session]);
    assert_eq!(served.status_of("/me", token.trim()), 200);
    place.good(&["session", "revoke", session]);
    assert_eq!(served.status_of("/me", token.trim()), 401);
    assert_eq!(place.good(&["session", "list", text(&bot, "app_id")]), "");
}

#[test]
fn nothing_is_set_aside_for_a_session_without_trouble() {
    let place = Place::new();
    let bot = place.bot();
    let session = text(&bot, "session_id");
    assert_eq!(place.good(&["session", "set-aside", session]), "");
    let listed = place.good(&["session", "list", text(&bot, "app_id")]);
    assert!(listed.contains("0 waiting, 0 set aside"), "{listed}");
    for action in ["--retry", "--drop"] {
        let message = "00000000-0000-4000-8000-000000000001";
        let done = place.run(&["session", "set-aside", session, action, message]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.err.contains("not found"), "{done:?}");
    }
}

#[test]
fn what_does_not_exist_is_named() {
    let place = Place::new();
    let nobody = "00000000-0000-4000-8000-000000000001";
    for arguments in [
        &["session", "list", nobody][..],
        &["session", "add", nobody],
        &["session", "revoke", nobody],
        &["session", "set-aside", nobody],
        &["bot", "token", nobody],
        &["bot", "token", "--keystore", "missing.json"],
    ] {
        let done = place.run(arguments);
        assert_eq!(done.code, 1, "{arguments:?}: {done:?}");
        let named = ["not found", "missing.json"].iter().any(|word| done.err.contains(word));
        assert!(named, "{arguments:?}: {done:?}");
    }
}

#[test]
fn commands_that_meet_wait_for_each_other() {
    let place = Place::new();
    let create = |name: &str| place.command(&["bot", "create", name, "--out", name]).spawn();
    let children: Vec<_> = ["a", "b", "c"].iter().map(|name| create(name).unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn migrating_twice_is_no_mistake() {
    let place = Place::new();
    place.good(&["migrate"]);
    place.good(&["migrate"]);
    let _served = place.serve();
    place.good(&["migrate"]);
}

#[test]
fn the_document_is_printed() {
    let out = Place::new().good(&["openapi"]);
    assert!(out.starts_with("openapi: 3.1"));
    assert!(out.contains("/encrypted_messages:"));
}

#[test]
fn the_document_of_an_older_version_says_what_it_lacks() {
    let done = Place::new().run(&["openapi", "--as", "3.0"]);
    let document: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(document["openapi"], "3.0.3");
    assert!(document["paths"]["/encrypted_messages"]["post"].is_object());
    assert_eq!(done.err, "left out: `identifier` at #/info/license\n");
}

#[test]
fn an_invitation_is_shown_once_and_listed_without_its_code() {
    let place = Place::new();
    let code = place.good(&["invite", "create", "--uses", "2", "--days", "3"]);
    assert!(code.starts_with("spi_"), "{code}");
    let listed = place.good(&["invite", "list"]);
    assert!(listed.contains("  0 of 2  ") && !listed.contains(code.trim()), "{listed}");
    let id = listed.split_whitespace().next().unwrap();
    assert_eq!(place.good(&["invite", "revoke", id]), "");
    assert_eq!(place.good(&["invite", "list"]), "");
}

#[test]
fn codes_of_phones_are_read_through_the_running_gateway_and_without_it() {
    let place = Place::new();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SEALPOST_DIALECTS__TEXTSECURE__ENABLED", "true");
    command.env("SEALPOST_TELEMETRY__LOG_LEVEL", "trace");
    let mut served = Served::start(command);
    let log = served.read_log();
    assert_eq!(served.status_of("/v1/accounts/sms/code/+14152222222", "x"), 200);
    let listed = place.good(&["textsecure", "codes"]);
    let words: Vec<_> = listed.split_whitespace().collect();
    let [number, transport, code, _until] = words[..] else { panic!("{listed}") };
    assert_eq!((number, transport, code.len()), ("+14152222222", "sms", 7));
    served.stop("TERM");
    let log = log.join().unwrap();
    assert!(!log.contains("4152222222") && !log.contains(code), "{log}");
    let mut alone = place.command(&["textsecure", "codes"]);
    alone.env("SEALPOST_DIALECTS__TEXTSECURE__ENABLED", "true");
    let alone = Done::of(&mut alone);
    assert_eq!((alone.code, alone.out), (0, listed), "the key that seals them is beside them");
    let without = place.run(&["textsecure", "codes"]);
    assert_ne!(without.code, 0);
    assert!(without.err.contains("`dialects.textsecure.enabled` is false"), "{}", without.err);
}
