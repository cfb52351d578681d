//! `broadcast`: everybody gets the text on every device, also who has signed one in meanwhile.

use std::fs;
use std::sync::mpsc;

use super::Language;
use super::detour;
use super::stage::{Stage, play};

/// Nobody.
const NOBODY: &str = "00000000-0000-4000-8000-00000000dead";

/// More than one request has room for.
const CROWD: usize = 110;

const TEXT: &str = "Doors open at eight – 八時開場";

/// Runs the command, and says what was done.
pub fn reaches_everybody(language: &Language) -> String {
    let stage = Stage::open();
    let (anna, mut ben) = (stage.person("anna", 2), stage.person("ben", 1));
    let crowd: Vec<_> =
        (0..CROWD).map(|number| stage.person(&format!("person {number}"), 1)).collect();
    let users = [anna[0].user_id, ben[0].user_id];
    let users: Vec<_> =
        users.into_iter().chain(crowd.iter().map(|devices| devices[0].user_id)).collect();
    let mut lines: Vec<_> = users.iter().map(|user| format!("{user} delivered")).collect();
    lines.insert(1, format!("{NOBODY} gone"));
    let people = stage.folder().join("people.txt");
    let ids: Vec<_> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    fs::write(&people, format!("{}\n", ids.join("\n"))).expect("a file");

    // When the command asks for them, Ben has one device; when its messages arrive, he has two.
    let (tell, signed_in) = mpsc::channel();
    let (data, user) = (stage.data(), users[1]);
    let url = detour::before_the_first_batch(stage.address(), move || {
        let _ = tell.send(Stage::sign_in(&data, user));
    });
    let people = people.to_str().expect("a path in Unicode");
    let said = stage.start(language, &url, "broadcast", &[people, TEXT]).end_well();
    assert_eq!(said, lines);
    ben.push(signed_in.try_recv().expect("Ben signed in before the first batch"));
    play(async {
        for devices in [&anna, &ben, &crowd[0], &crowd[CROWD - 1]] {
            stage.finds(devices, &[TEXT]).await;
        }
    });
    stage.close();
    format!("{} people, one with a new device", users.len())
}
