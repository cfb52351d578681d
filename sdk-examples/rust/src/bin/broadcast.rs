//! Sends one text to many people: `broadcast KEYSTORE RECIPIENTS TEXT`.
//!
//! `RECIPIENTS` is a file with one user id on each line; empty lines are skipped. Every person's every device gets its own
//! sealed copy; people who have changed devices are sealed for again on the way. One line for each
//! person who could not be reached goes to standard error.

use std::{env, fs};

use sealpost_sdk::client::{Bot, Content, Text};
use sealpost_sdk::ids::UserId;
use sealpost_sdk::keystore::Keystore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [keystore, recipients, text] = arguments.as_slice() else {
        return Err("usage: broadcast KEYSTORE RECIPIENTS TEXT".into());
    };
    let mut builder = Bot::builder(Keystore::from_file(keystore)?);
    if let Ok(url) = env::var("SEALPOST_URL") {
        builder = builder.base_url(url);
    }
    let bot = builder.concurrency(8).build()?;

    let recipients = fs::read_to_string(recipients)?;
    let lines = recipients.lines().map(str::trim).filter(|line| !line.is_empty());
    let recipients = lines.map(UserId::parse).collect::<Result<Vec<_>, _>>()?;
    let content = Content::from(Text::new(text)); // its clones share the text
    let items = bot.send_all(recipients.iter().map(|person| (*person, content.clone()))).await;

    let mut delivered = 0;
    for (person, item) in recipients.iter().zip(&items) {
        match &item.result {
            Ok(outcome) if outcome.is_delivered() => delivered += 1,
            Ok(outcome) => eprintln!("{person}: {outcome:?}"),
            Err(error) => eprintln!("{person}: {error}"),
        }
    }
    println!("delivered to {delivered} of {} people", items.len());
    Ok(())
}
