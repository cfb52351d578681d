//! `export` and `import`: from one database into another, with everything that is in it.

use std::fs;

use serde_json::Value;

use super::world::{Done, Place, text};
use crate::harness::postgres::Schema;

/// A bot and Anna, for whom a message waits that was shown once and one that was not; a third one is
/// acknowledged.
struct Scene {
    place: Place,
    anna: String,
}

const FIRST: &str = "00000000-0000-4000-8000-0000000000a1";

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        let served = place.serve();
        place.good(&["bot", "create", "Echo", "--out", "bot.json", "--url", "http://127.0.0.1:9"]);
        let made = place.good(&["user", "create", "Anna", "--out-dir", "anna", "--json"]);
        let made: Value = serde_json::from_str(&made).unwrap();
        let scene = Self { anna: text(&made, "user_id").to_owned(), place };
        scene.send(&served.url, FIRST, "acknowledged");
        let tail = ["inbox", "tail", "anna/device-1.json", "--url", &served.url];
        scene.place.good(&[&tail[..], &["--ack"]].concat());
        scene.send(&served.url, "00000000-0000-4000-8000-0000000000a2", "shown");
        scene.place.good(&tail);
        scene.send(&served.url, "00000000-0000-4000-8000-0000000000a3", "waits");
        let (status, ..) = served.stop("TERM");
        assert!(status.success());
        scene
    }

    fn send(&self, url: &str, id: &str, text: &str) -> Value {
        let sent = self.place.good(&[
            "bot", "send", "bot.json", "--to", &self.anna, "--url", url, "--id", id, "--json", text,
        ]);
        serde_json::from_str(&sent).unwrap()
    }

    /// What is there after the move, through a gateway on the new database.
    fn look(&self, data: &str, variables: &[(&'static str, String)]) {
        let mut command = self.place.command(&["serve", "--listen", "127.0.0.1:0", "--data", data]);
        command.envs(variables.iter().map(|(name, value)| (*name, value.as_str())));
        let served = super::world::Served::start(command);
        let tail = ["inbox", "tail", "anna/device-1.json", "--url", &served.url, "--ack"];
        let shown = self.place.good(&tail);
        let texts: Vec<_> = shown.lines().map(|line| line.rsplit("  ").next().unwrap()).collect();
        assert_eq!(texts, ["shown", "waits"]);
        let again = self.send(&served.url, FIRST, "acknowledged");
        assert_eq!(again["outcome"], "already_delivered", "ids that were accepted are remembered");
        let fresh = "00000000-0000-4000-8000-0000000000a4";
        assert_eq!(self.send(&served.url, fresh, "new")["outcome"], "delivered");
        assert!(self.place.good(&tail).ends_with("  new\n"));
    }
}

#[test]
fn everything_that_was_exported_is_there_after_the_import() {
    let scene = Scene::new();
    let exported = scene.place.good(&["export", "all.sealpost", "--json"]);
    let exported: Value = serde_json::from_str(&exported).unwrap();
    let mut import = scene.place.command(&["import", "all.sealpost", "--data", "new", "--json"]);
    let schema = super::world::other_schema();
    let variables: Vec<_> = schema.iter().flat_map(Schema::variables).collect();
    import.envs(variables.iter().map(|(name, value)| (*name, value.as_str())));
    let imported = Done::of(&mut import);
    assert_eq!(imported.code, 0, "{imported:?}");
    let imported: Value = serde_json::from_str(&imported.out).unwrap();
    assert_eq!((&imported["rows"], &imported["tables"]), (&exported["rows"], &exported["tables"]));
    scene.look("new", &variables);
}

#[test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
fn it_moves_from_a_file_to_a_server_and_back() {
    let scene = Scene::new();
    scene.place.good(&["export", "there.sealpost"]);
    let schema = Schema::create();
    let server: Vec<_> = schema.variables().into_iter().collect();
    let on_server = |arguments: &[&str]| {
        let mut command = scene.place.command(arguments);
        Done::of(command.envs(server.iter().map(|(name, value)| (*name, value.as_str()))))
    };
    let there = on_server(&["import", "there.sealpost", "--data", "server"]);
    assert_eq!(there.code, 0, "{there:?}");
    let back = on_server(&["export", "back.sealpost", "--data", "server"]);
    assert_eq!(back.code, 0, "{back:?}");
    scene.look("server", &server);
    let schema = super::world::other_schema();
    let home: Vec<_> = schema.iter().flat_map(Schema::variables).collect();
    let mut import = scene.place.command(&["import", "back.sealpost", "--data", "back"]);
    let done = Done::of(import.envs(home.iter().map(|(name, value)| (*name, value.as_str()))));
    assert_eq!(done.code, 0, "{done:?}");
    scene.look("back", &home);
}

#[test]
fn a_database_with_something_in_it_is_not_filled() {
    let place = Place::new();
    place.bot();
    place.good(&["export", "all.sealpost"]);
    let done = place.run(&["import", "all.sealpost"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("the database is not empty: there are rows in its table accounts"));
    assert!(done.err.contains("hint: fill a new database"), "{done:?}");
}

#[test]
fn a_file_that_was_changed_fills_nothing() {
    let scene = Scene::new();
    scene.place.good(&["export", "all.sealpost"]);
    let path = scene.place.path("all.sealpost");
    let file = fs::read_to_string(&path).unwrap();
    fs::write(&path, file.replacen("\"Anna\"", "\"Bnna\"", 1)).unwrap();
    let data = ["--data", "new"];
    let mut command = scene.place.command(&[&["import", "all.sealpost"][..], &data].concat());
    let schema = super::world::other_schema();
    let variables: Vec<_> = schema.iter().flat_map(Schema::variables).collect();
    let done = Done::of(command.envs(variables.iter().map(|(name, value)| (*name, value))));
    assert_eq!(done.code, 1);
    assert!(done.err.contains("the rows of the table accounts in the file"), "{done:?}");
    let mut command = scene.place.command(&[&["admin", "accounts"][..], &data].concat());
    let listed = Done::of(command.envs(variables.iter().map(|(name, value)| (*name, value))));
    assert_eq!((listed.code, listed.out.as_str()), (0, ""));
}

#[test]
fn a_directory_without_a_database_is_no_empty_one() {
    let place = Place::new();
    if super::world::other_schema().is_some() {
        return assert!(place.good(&["export", "x"]).contains("tables"), "a server has one always");
    }
    let done = place.run(&["export", "all.sealpost", "--data", "misspelt"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("there is no database at"), "{done:?}");
}

#[test]
fn a_running_gateway_is_to_be_stopped_first() {
    let place = Place::new();
    let served = place.serve();
    let done = place.run(&["export", "all.sealpost"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains(&format!("stop the gateway first: kill {}", served.pid())));
    assert!(!place.path("all.sealpost").exists(), "half a file is of no use");
}
