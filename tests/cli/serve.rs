//! `serve`: the ready line, the stop, and what it does when it cannot begin.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::world::{Done, Place, Served, text};

#[test]
fn it_prints_one_line_and_stops_with_0() {
    for signal in ["TERM", "INT"] {
        let place = Place::new();
        let served = place.serve();
        assert!(!served.url.ends_with(":0"), "{}", served.url);
        let (status, rest, _) = served.stop(signal);
        assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{signal}");
    }
}

#[test]
fn its_data_is_its_owners_alone() {
    let place = Place::new();
    let _served = place.serve();
    let data = place.path("sealpost-data");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    assert!(data.join("admin.sock").exists());
}

#[test]
fn the_lock_file_says_who_serves_and_where() {
    let place = Place::new();
    let served = place.serve();
    let lock = fs::read_to_string(place.path("sealpost-data/gateway.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    assert_eq!(lock["pid"], served.pid());
    assert_eq!(format!("http://{}", text(&lock, "address")), served.url);
    assert!(text(&lock, "admin_socket").ends_with("/sealpost-data/admin.sock"));
}

#[test]
fn a_second_one_on_the_same_data_names_the_first() {
    let place = Place::new();
    let served = place.serve();
    let second = place.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 1);
    assert!(second.err.contains(&format!("process {}", served.pid())), "{second:?}");
}

#[test]
fn a_taken_address_is_named() {
    let place = Place::new();
    let served = place.serve();
    let address = served.url.strip_prefix("http://").unwrap();
    let second = place.run(&["serve", "--listen", address, "--data", "other"]);
    assert_eq!(second.code, 1);
    let message = format!("cannot listen on {address}");
    assert!(second.err.contains(&message), "{second:?}");
}

#[test]
fn one_that_was_killed_leaves_nothing_in_the_way() {
    let place = Place::new();
    let keystore = place.bot();
    let served = place.serve();
    let socket = place.path("sealpost-data/admin.sock");
    served.stop("KILL");
    assert!(socket.exists());
    let listed = place.good(&["session", "list", text(&keystore, "app_id")]);
    assert!(listed.starts_with(text(&keystore, "session_id")));
    let _again = place.serve();
}

#[test]
fn a_data_directory_with_a_long_path_has_its_socket_elsewhere() {
    let place = Place::new();
    let data = format!("{0}/{0}", "long".repeat(40));
    let served =
        Served::start(place.command(&["serve", "--listen", "127.0.0.1:0", "--data", &data]));
    place.good(&["bot", "create", "Echo", "--data", &data]);
    let lock = fs::read_to_string(place.path(&data).join("gateway.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let socket = text(&lock, "admin_socket").to_owned();
    assert!(!socket.contains("longlong"));
    served.stop("TERM");
    assert!(!std::path::Path::new(&socket).exists());
}

#[test]
fn settings_come_from_a_file_and_the_environment() {
    let place = Place::new();
    fs::write(place.path("sealpost.toml"), "[storage]\ndata = \"from-file\"").unwrap();
    let mut command = place.command(&["serve", "--config", "sealpost.toml"]);
    command.env("SEALPOST_LISTEN", "127.0.0.1:0");
    let _served = Served::start(command);
    assert!(place.path("from-file/sealpost.db").exists());
}

#[test]
fn an_unknown_setting_is_named() {
    let place = Place::new();
    fs::write(place.path("sealpost.toml"), "[storage]\ndatta = \"x\"").unwrap();
    let done = place.run(&["serve", "--config", "sealpost.toml"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("datta") && done.err.contains("sealpost.toml"), "{done:?}");
    let done = Done::of(place.command(&["serve"]).env("SEALPOST_STORAGE__DATTA", "x"));
    assert_eq!(done.code, 1);
    assert!(done.err.contains("SEALPOST_STORAGE__DATTA"), "{done:?}");
}

#[test]
fn nothing_secret_is_logged_even_when_everything_is() {
    let place = Place::new();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SEALPOST_TELEMETRY__LOG_LEVEL", "trace");
    command.env("SEALPOST_TELEMETRY__LOG_FORMAT", "json");
    let mut served = Served::start(command);
    let log = served.read_log();
    let keystore = place.bot();
    let token = place.good(&["bot", "token", text(&keystore, "session_id")]);
    assert_eq!(served.status_of("/me", token.trim()), 200);
    assert_eq!(served.status_of("/inbox?wait=0", token.trim()), 200);
    served.stop("TERM");
    let log = log.join().unwrap();
    assert!(log.contains("\"path\":\"/me\""), "{log}");
    assert!(!log.contains(token.trim()));
    assert!(!log.contains(text(&keystore, "session_private_key")));
}

#[test]
fn phones_may_have_an_address_of_their_own() {
    let place = Place::new();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SEALPOST_DIALECTS__TEXTSECURE__ENABLED", "true");
    command.env("SEALPOST_DIALECTS__TEXTSECURE__LISTEN", "127.0.0.1:0");
    let mut served = Served::start(command);
    let line = served.next_line();
    let url = line.strip_prefix("TextSecure listening on ").unwrap_or_else(|| panic!("{line}"));
    let lock = fs::read_to_string(place.path("sealpost-data/gateway.lock")).unwrap();
    assert!(lock.contains(url.trim_start_matches("http://")), "{lock}");
    let (status, rest, _) = served.stop("TERM");
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""));
}

#[test]
fn an_address_for_phones_that_is_taken_is_named() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SEALPOST_DIALECTS__TEXTSECURE__ENABLED", "true");
    command.env("SEALPOST_DIALECTS__TEXTSECURE__LISTEN", &address);
    let done = Done::of(&mut command);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains(&format!("cannot listen on {address}")), "{done:?}");
}
