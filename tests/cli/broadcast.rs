//! `bot broadcast`: a table, its rows that fail, and running it again.

use std::fs;

use serde_json::Value;

use super::world::{Done, Place, Served, text};

/// A bot, some people with a device each, and a gateway.
struct Scene {
    place: Place,
    served: Served,
    people: Vec<String>,
}

impl Scene {
    fn new(people: usize) -> Self {
        let place = Place::new();
        let served = place.serve();
        place.good(&["bot", "create", "Echo", "--out", "bot.json"]);
        let person = |number| {
            let name = format!("person-{number}");
            let made = place.good(&["user", "create", &name, "--out-dir", &name, "--json"]);
            let made: Value = serde_json::from_str(&made).unwrap();
            text(&made, "user_id").to_owned()
        };
        let people = (0..people).map(person).collect();
        Self { place, served, people }
    }

    fn table(&self, lines: &[String]) {
        fs::write(self.place.path("people.csv"), lines.join("\n")).unwrap();
    }

    fn broadcast(&self, options: &[&str]) -> Done {
        let arguments = ["bot", "broadcast", "bot.json", "--csv", "people.csv"];
        self.place.run(&[&arguments, options].concat())
    }

    fn inbox(&self, person: usize) -> Vec<String> {
        let keystore = format!("person-{person}/device-1.json");
        let shown = self.place.good(&["inbox", "tail", &keystore]);
        shown.lines().map(|line| line.rsplit("  ").next().unwrap().to_owned()).collect()
    }
}

#[test]
fn everybody_gets_the_text_of_their_row_once_however_often_it_is_run() {
    let scene = Scene::new(3);
    let row = |number: usize| format!("{},\"hello, {number}\"", scene.people[number]);
    scene.table(&["user_id,text".to_owned(), row(0), row(1)]);
    let first = scene.broadcast(&[]);
    assert_eq!((first.code, first.out.trim_end()), (0, "2 delivered, 0 before, 0 failed"));
    assert!(first.err.contains("2 of 2 rows"), "{first:?}");
    scene.table(&["user_id,text".to_owned(), row(2), row(1), row(0), row(2)]);
    let again = scene.broadcast(&[]);
    assert_eq!(again.out.trim_end(), "1 delivered, 3 before, 0 failed", "{again:?}");
    for person in 0..3 {
        assert_eq!(scene.inbox(person), [format!("hello, {person}")]);
    }
}

#[test]
fn under_another_name_the_same_text_is_another_message() {
    let scene = Scene::new(1);
    scene.table(&["user_id".to_owned(), scene.people[0].clone()]);
    for (name, expected) in [("one", "1 delivered"), ("two", "1 delivered"), ("two", "0 delivered")]
    {
        let done = scene.broadcast(&["--text", "hello", "--name", name]);
        assert!(done.out.starts_with(expected), "{name}: {done:?}");
    }
    assert_eq!(scene.inbox(0), ["hello", "hello"]);
}

#[test]
fn rows_that_fail_are_told_with_line_and_reason_and_hold_up_no_other() {
    let scene = Scene::new(2);
    let nobody = "00000000-0000-4000-8000-000000000001";
    scene.table(&[
        "name,user_id,greeting".to_owned(),
        format!("A,{},hi", scene.people[0]),
        "B,no-id,hi".to_owned(),
        format!("C,{nobody},hi"),
        format!("D,{},", scene.people[1]),
        format!("E,{},hi", scene.people[1]),
    ]);
    let done = scene.broadcast(&["--column", "greeting", "--report", "failed.csv"]);
    assert_eq!(done.code, 1);
    assert_eq!(done.out.trim_end(), "2 delivered, 0 before, 3 failed");
    assert!(done.err.contains("line 3: no-id: user_id is no id"), "{done:?}");
    assert!(done.err.contains("3 of 5 rows were not delivered"), "{done:?}");
    let report = fs::read_to_string(scene.place.path("failed.csv")).unwrap();
    let reasons: Vec<_> = report.lines().map(|line| line.split(',').collect::<Vec<_>>()).collect();
    assert_eq!(reasons[0], ["line", "user_id", "message_id", "reason", "detail"]);
    let told: Vec<_> = reasons[1..].iter().map(|row| (row[0], row[1], row[3])).collect();
    assert!(told.contains(&("3", "no-id", "bad_row")), "{report}");
    assert!(told.contains(&("4", nobody, "recipient_gone")), "{report}");
    assert!(told.contains(&("5", scene.people[1].as_str(), "bad_row")), "{report}");
    assert_eq!(scene.inbox(1), ["hi"]);
    let kept = scene.broadcast(&["--column", "greeting", "--report", "failed.csv"]);
    assert!(kept.err.contains("hint: choose another name"), "{kept:?}");
}

#[test]
fn a_program_gets_the_rows_that_failed_and_the_sum() {
    let scene = Scene::new(1);
    scene.table(&["user_id".to_owned(), "x".to_owned(), scene.people[0].clone()]);
    let done = scene.broadcast(&["--text", "hello", "--json"]);
    let lines: Vec<Value> =
        done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["line"], &lines[0]["reason"]), (&2.into(), &"bad_row".into()));
    assert_eq!((&lines[1]["delivered"], &lines[1]["failed"]), (&1.into(), &1.into()));
}

#[test]
fn a_gateway_out_of_reach_stops_it_and_the_hint_says_how_to_go_on() {
    let scene = Scene::new(1);
    scene.table(&["user_id".to_owned(), scene.people[0].clone()]);
    scene.served.stop("TERM");
    let arguments = ["bot", "broadcast", "bot.json", "--csv", "people.csv", "--text", "hello"];
    let done = scene.place.run(&arguments);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("the broadcast stopped at line 2 (rows left: 1)"), "{done:?}");
    assert!(done.err.contains("run the same command again"), "{done:?}");
}

#[test]
fn a_table_without_the_column_is_refused_before_anything_is_sent() {
    let scene = Scene::new(1);
    scene.table(&["user,text".to_owned(), format!("{},hi", scene.people[0])]);
    let done = scene.broadcast(&[]);
    assert_eq!(done.code, 1);
    assert!(
        done.err.contains("has no column `user_id`; its first line names user, text"),
        "{done:?}"
    );
    assert_eq!(scene.inbox(0), Vec::<String>::new());
}

#[test]
fn what_can_be_read_once_alone_is_refused_before_anything_is_sent() {
    let scene = Scene::new(0);
    let arguments = ["bot", "broadcast", "bot.json", "--csv", "/dev/null", "--text", "hello"];
    let done = scene.place.run(&arguments);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("it is no file on a disk"), "{done:?}");
    assert!(done.err.contains("hint: write what comes from there into a file first"), "{done:?}");
    drop(scene.served);
}
