//! `admin`: the console's twin, with a running gateway and without.

use serde_json::Value;

use super::world::{Place, text};

#[test]
fn the_state_says_whether_a_gateway_runs() {
    let place = Place::new();
    assert!(place.good(&["admin", "status"]).contains("no gateway runs"));
    let served = place.serve();
    let shown = place.good(&["admin", "status"]);
    let address = served.url.strip_prefix("http://").unwrap();
    assert!(shown.contains(&format!("serving         {address}, for ")), "{shown}");
    let status: Value = serde_json::from_str(&place.good(&["admin", "status", "--json"])).unwrap();
    assert_eq!(status["address"], address);
    assert!(status["storage"]["database_bytes"].is_u64(), "{status}");
}

#[test]
fn accounts_are_listed_in_the_order_in_which_they_were_made() {
    let place = Place::new();
    place.good(&["user", "create", "Anna", "--out-dir", "anna"]);
    place.good(&["bot", "create", "Echo", "--out", "bot.json"]);
    let listed = place.good(&["admin", "accounts"]);
    let names: Vec<_> = listed.lines().map(|line| line.rsplit("  ").next().unwrap()).collect();
    assert_eq!(names, ["Anna", "Echo"]);
    let listed = place.good(&["admin", "accounts", "--json"]);
    let kinds: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone())
        .collect();
    assert_eq!(kinds, ["user", "bot"]);
}

#[test]
fn an_account_is_shown_with_its_sessions() {
    let place = Place::new();
    let bot = place.bot();
    let (id, session) = (text(&bot, "app_id"), text(&bot, "session_id"));
    let shown = place.good(&["admin", "account", id]);
    assert!(shown.contains("Echo") && shown.contains(session), "{shown}");
    assert_eq!(place.good(&["admin", "sessions", id]), place.good(&["session", "list", id]));
    assert_eq!(place.good(&["admin", "set-aside", session]), "");
    let nobody = place.run(&["admin", "account", "00000000-0000-4000-8000-000000000001"]);
    assert_eq!(nobody.code, 1);
    assert!(nobody.err.contains("hint: `sealpost admin accounts` lists accounts"), "{nobody:?}");
}

#[test]
fn a_database_without_damage_is_called_sound() {
    let place = Place::new();
    place.bot();
    assert_eq!(place.good(&["admin", "check"]).trim_end(), "the database is sound");
}

#[test]
fn the_switch_of_a_running_gateway_is_turned_and_shown() {
    let place = Place::new();
    let served = place.serve();
    let bot = place.bot();
    let token = place.good(&["bot", "token", text(&bot, "session_id")]);
    assert_eq!(place.good(&["admin", "mode"]).trim_end(), "everything is served");
    assert!(place.good(&["admin", "read-only", "on"]).starts_with("read-only"));
    assert_eq!(served.status_of("/me", token.trim()), 200);
    assert!(place.good(&["admin", "drain", "on"]).starts_with("draining"));
    assert_eq!(served.status_of("/me", token.trim()), 503);
    assert_eq!(served.status_of("/readyz", token.trim()), 503);
    place.good(&["admin", "drain", "off"]);
    assert_eq!(served.status_of("/me", token.trim()), 200);
    let mode: Value = serde_json::from_str(&place.good(&["admin", "mode", "--json"])).unwrap();
    assert_eq!((&mode["read_only"], &mode["draining"]), (&true.into(), &false.into()));
    assert!(place.good(&["admin", "status"]).contains("mode            read-only"));
}

#[test]
fn a_switch_without_a_gateway_is_none() {
    let place = Place::new();
    let done = place.run(&["admin", "drain", "on"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("no gateway runs here") && done.err.contains("hint: "), "{done:?}");
}
