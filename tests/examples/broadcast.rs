//! `broadcast`: everybody gets the text on every device, also who has signed one in meanwhile.

use std::fs;
use std::sync::mpsc::{self, Receiver};

use sealpost::sdk::keystore::Keystore;

use super::Language;
use super::detour;
use super::stage::{Stage, play};

/// Nobody.
const NOBODY: &str = "00000000-0000-4000-8000-00000000dead";

/// More than one request has room for.
const CROWD: usize = 110;

/// What everybody is told.
pub const TEXT: &str = "Doors open at eight – 八時開場";

/// Many people at a gateway.
pub struct Crowd {
    pub stage: Stage,
    /// Two devices.
    pub anna: Vec<Keystore>,
    /// When somebody asks for them, Ben has one device; when the first messages arrive, he has two.
    pub ben: Vec<Keystore>,
    others: Vec<Vec<Keystore>>,
    /// The way to the gateway on which Ben is waited for.
    pub url: String,
    signed_in: Receiver<Keystore>,
}

impl Crowd {
    pub fn gather() -> Self {
        let stage = Stage::open();
        let (anna, ben) = (stage.person("anna", 2), stage.person("ben", 1));
        let others = (0..CROWD).map(|number| stage.person(&format!("person {number}"), 1));
        let others = others.collect();
        let (tell, signed_in) = mpsc::channel();
        let (data, user) = (stage.data(), ben[0].user_id);
        let url = detour::before_the_first_batch(stage.address(), move || {
            let _ = tell.send(Stage::sign_in(&data, user));
        });
        Self { stage, anna, ben, others, url, signed_in }
    }

    /// What is to be said of each person, in the order of [`Self::people`].
    pub fn lines(&self) -> Vec<String> {
        let users = [&self.anna, &self.ben].into_iter().chain(&self.others);
        let mut lines: Vec<_> =
            users.map(|devices| format!("{} delivered", devices[0].user_id)).collect();
        lines.insert(1, format!("{NOBODY} gone"));
        lines
    }

    /// Everybody's id, and that of nobody, one a line.
    pub fn people(&self) -> String {
        let lines = self.lines();
        let ids: Vec<_> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
        format!("{}\n", ids.join("\n"))
    }

    /// Insists that the text has come to everybody's devices, Ben's new one among them.
    pub async fn have_read(&mut self) {
        self.ben.push(self.signed_in.try_recv().expect("Ben signed in before the first batch"));
        for devices in [&self.anna, &self.ben, &self.others[0], &self.others[CROWD - 1]] {
            self.stage.finds(devices, &[TEXT]).await;
        }
    }

    /// What the table has for it.
    pub fn in_the_table(&self) -> String {
        format!("{} people, one with a new device", self.others.len() + 2)
    }
}

/// Runs the command, and says what was done.
pub fn reaches_everybody(language: &Language) -> String {
    let mut crowd = Crowd::gather();
    let people = crowd.stage.folder().join("people.txt");
    fs::write(&people, crowd.people()).expect("a file");
    let people = people.to_str().expect("a path in Unicode");
    let said = crowd.stage.start(language, &crowd.url, "broadcast", &[people, TEXT]).end_well();
    assert_eq!(said, crowd.lines());
    play(crowd.have_read());
    let done = crowd.in_the_table();
    crowd.stage.close();
    done
}
