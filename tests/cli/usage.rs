//! Help and wrong usage.

use super::world::Place;

#[test]
fn wrong_usage_ends_with_2_and_a_word_about_it() {
    let id = "00000000-0000-4000-8000-000000000001";
    for arguments in [
        &[][..],
        &["unknown"],
        &["serve", "--unknown"],
        &["bot"],
        &["bot", "create"],
        &["bot", "token"],
        &["bot", "token", "no-id"],
        &["bot", "token", id, "--keystore", "x.json"],
        &["bot", "token", id, "--scopes", "write"],
        &["bot", "token", id, "--days", "0"],
        &["bot", "token", id, "--days", "367"],
        &["user", "create", "Anna", "--devices", "0"],
        &["session", "add", "no-id"],
        &["session", "list"],
        &["session", "revoke", "no-id"],
        &["session", "set-aside", "no-id"],
        &["textsecure"],
        &["bot", "send", "x.json", "hi"],
        &["bot", "broadcast", "x.json"],
        &["bot", "broadcast", "x.json", "--csv", "y", "--text", "hi", "--column", "z"],
        &["inbox", "tail"],
        &["inbox", "tail", "x.json", "--follow"],
        &["inbox", "tail", "x.json", "--ack", "--peek"],
        &["inbox", "tail", "x.json", "--once", "--follow", "--ack"],
        &["admin"],
        &["admin", "account"],
        &["export"],
        &["import"],
        &["completions", "tcsh"],
        &["session", "set-aside", id, "--retry", id, "--drop", id],
    ] {
        let done = Place::new().run(arguments);
        assert_eq!(done.code, 2, "{arguments:?}: {done:?}");
        assert!(!done.err.is_empty() && done.out.is_empty(), "{arguments:?}: {done:?}");
    }
}

#[test]
fn every_commands_help_names_its_options() {
    for (command, options) in [
        ("", &["serve", "demo", "migrate", "bot", "user", "session", "openapi", "doctor"][..]),
        ("serve", &["--listen", "SEALPOST_LISTEN", "127.0.0.1:8080"]),
        ("demo", &["--keep", "--listen"]),
        ("migrate", &[]),
        ("bot create", &["<NAME>", "--platform", "--out", "--url"]),
        ("bot token", &["SESSION_ID", "--keystore", "--scopes", "--days"]),
        ("user create", &["<NAME>", "--devices", "--out-dir", "--platform", "--url"]),
        ("session add", &["<USER_ID>", "--platform", "--replaces", "--out", "--url"]),
        ("session list", &["<USER_ID>"]),
        ("session revoke", &["<SESSION_ID>"]),
        ("session set-aside", &["<SESSION_ID>", "--retry", "--drop"]),
        ("textsecure codes", &["sms", "voice"]),
        ("openapi", &["--as", "3.0", "3.1"]),
        ("bot send", &["<KEYSTORE>", "[TEXT]", "--to", "--id", "--url"]),
        ("bot broadcast", &["<KEYSTORE>", "--csv", "--text", "--column", "--name", "--report"]),
        ("inbox tail", &["<KEYSTORE>", "--once", "--follow", "--ack", "--peek"]),
        ("admin account", &["<USER_ID>"]),
        ("export", &["<FILE>"]),
        ("import", &["<FILE>"]),
        ("completions", &["<SHELL>", "bash", "zsh", "fish", "elvish", "powershell"]),
        ("ready", &[]),
        ("doctor", &["--json"]),
    ] {
        let mut arguments: Vec<_> = command.split_whitespace().collect();
        arguments.push("--help");
        let help = Place::new().good(&arguments);
        for option in options.iter().chain(&["--config", "--data", "SEALPOST_DATA", "--help"]) {
            assert!(help.contains(option), "`{command} --help` does not name {option}:\n{help}");
        }
    }
}

#[test]
fn the_version_is_the_packages() {
    let out = Place::new().good(&["--version"]);
    assert_eq!(out.trim_end(), format!("sealpost {}", env!("CARGO_PKG_VERSION")));
}
