//! Sends one text to many people: `broadcast KEYSTORE PEOPLE TEXT`.
//!
//! `PEOPLE` is a file with one user id on each line; empty lines are skipped. Every person's every
//! device gets its own sealed copy; for people who have changed devices it is sealed again on the
//! way. One line for each person says what became of it.

use std::{env, fs};

use sealpost_sdk::client::{Bot, Content, Text};
use sealpost_sdk::ids::UserId;
use sealpost_sdk::keystore::Keystore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [keystore, people, text] = arguments.as_slice() else {
        return Err("usage: broadcast KEYSTORE PEOPLE TEXT".into());
    };
    let mut builder = Bot::builder(Keystore::from_file(keystore)?);
    if let Ok(url) = env::var("SEALPOST_URL") {
        builder = builder.base_url(url);
    }
    let bot = builder.concurrency(8).build()?;

    let people = fs::read_to_string(people)?;
    let lines = people.lines().map(str::trim).filter(|line| !line.is_empty());
    let people = lines.map(UserId::parse).collect::<Result<Vec<_>, _>>()?;
    let content = Content::from(Text::new(text)); // its clones share the text
    let items = bot.send_all(people.iter().map(|person| (*person, content.clone()))).await;

    for (person, item) in people.iter().zip(items) {
        match item.result {
            Ok(outcome) => println!("{person} {outcome}"),
            Err(error) => println!("{person} error: {error}"),
        }
    }
    Ok(())
}
